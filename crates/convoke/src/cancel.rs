//! The cancel tree: run, host, step.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::outcome::CancelCause;

/// Stops what was started with it. Clones are the same; children stop with their parent.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    token: CancellationToken,
    cause: Arc<Cause>,
}

/// Why a branch was stopped, and the branch it grows from.
#[derive(Debug, Default)]
struct Cause {
    own: OnceLock<CancelCause>,
    above: Option<Arc<Cause>>,
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
            cause: Arc::new(Cause {
                own: OnceLock::new(),
                above: Some(Arc::clone(&self.cause)),
            }),
        }
    }

    /// Stops everything of this branch. The first cause of a branch stays.
    pub fn fire(&self, cause: CancelCause) {
        // A second cause changes nothing: what it would stop is stopped already.
        let _ = self.cause.own.set(cause);
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
        let mut branch = Some(&self.cause);
        while let Some(cause) = branch {
            if let Some(why) = cause.own.get() {
                return *why;
            }
            branch = cause.above.as_ref();
        }
        CancelCause::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_stops_alone_and_keeps_its_cause_to_itself() {
        let root = Cancel::new();
        let (one, other) = (root.child(), root.child());
        one.fire(CancelCause::FailFast);
        assert!(one.is_fired() && !root.is_fired() && !other.is_fired());
        root.fire(CancelCause::Operator);
        assert_eq!(one.cause(), CancelCause::FailFast);
        assert_eq!(other.child().cause(), CancelCause::Operator);
        assert!(other.child().is_fired());
    }
}
