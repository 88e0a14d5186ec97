//! The cancel tree: run, host, step.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::outcome::CancelCause;

/// Stops what was started with it. Clones are the same; children stop with their parent.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    token: CancellationToken,
    cause: Arc<OnceLock<CancelCause>>,
}

impl Cancel {
    /// The root of a tree; nothing is stopped yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A branch: stopped with `self`, and alone without it.
    pub fn child(&self) -> Self {
        Cancel {
            token: self.token.child_token(),
            cause: Arc::clone(&self.cause),
        }
    }

    /// Stops everything of this branch. The first cause in the whole tree stays.
    pub fn fire(&self, cause: CancelCause) {
        // A second cause changes nothing: what it would stop is stopped already.
        let _ = self.cause.set(cause);
        self.token.cancel();
    }

    /// Whether it was stopped.
    pub fn is_fired(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until it is stopped.
    pub async fn fired(&self) {
        self.token.cancelled().await;
    }

    /// Why it was stopped; the operator unless somebody said otherwise.
    pub fn cause(&self) -> CancelCause {
        self.cause.get().copied().unwrap_or_default()
    }
}
