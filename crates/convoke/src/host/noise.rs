//! What a connection says beside the command: banners, warnings, and the cause when it fails.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::task::AbortOnDropHandle;

use crate::event::{Emitter, Kind};
use crate::outcome::Unreachable;
use crate::printable::printable;

/// How much of it is kept: the last 8 KiB, since the cause comes last.
const KEPT: usize = 8 * 1024;

/// How long a failed connection's last words are waited for.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How much of the noise stands in the text of an outcome.
const QUOTED: usize = 400;

/// Reads a connection's stderr to its end, so that it never blocks, and keeps the last of it.
#[derive(Debug)]
pub(super) struct Noise {
    kept: Arc<Mutex<VecDeque<u8>>>,
    task: AbortOnDropHandle<()>,
}

impl Noise {
    pub(super) fn listen(mut stderr: impl AsyncRead + Send + Unpin + 'static) -> Self {
        let kept: Arc<Mutex<VecDeque<u8>>> = Arc::default();
        let ours = Arc::clone(&kept);
        let task = tokio::spawn(async move {
            let mut piece = [0; 1024];
            while let Ok(read @ 1..) = stderr.read(&mut piece).await {
                let mut kept = ours.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(piece.iter().take(read));
                let surplus = kept.len().saturating_sub(KEPT);
                kept.drain(..surplus);
            }
        });
        Noise {
            kept,
            task: AbortOnDropHandle::new(task),
        }
    }

    /// Sends what came since the last report, if anything did.
    pub(super) async fn report(&self, events: &mut Emitter) {
        if let Some(notice) = self.notice() {
            events.send(notice).await;
        }
    }

    /// What came since the last notice, if anything did.
    pub(super) fn notice(&self) -> Option<Kind> {
        let text = self.take();
        (!text.is_empty()).then_some(Kind::Notice { text })
    }

    /// What came last: at most 8 KiB, and of that what was not reported. The far end may be about to
    /// say why it failed, so it is listened to a little longer.
    pub(super) async fn last_words(&mut self) -> Bytes {
        let _ = tokio::time::timeout(LAST_WORDS, &mut self.task).await;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().copied().collect()
    }

    /// Adds a connection's last words to the reason why it failed.
    pub(super) fn explain(words: &[u8], unreachable: Unreachable) -> Unreachable {
        let from = words.len().saturating_sub(QUOTED);
        let quoted = printable(words.get(from..).unwrap_or_default().trim_ascii());
        if quoted.is_empty() {
            return unreachable;
        }
        Unreachable {
            text: format!("{}: {quoted}", unreachable.text),
            ..unreachable
        }
    }

    /// Writes a connection's last words down for those who want to know more than its diagnosis.
    pub(super) fn note(words: &[u8]) {
        let words = printable(words.trim_ascii());
        if !words.is_empty() {
            tracing::info!("the connection said: {words}");
        }
    }

    fn take(&self) -> Bytes {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        Vec::from(std::mem::take(&mut *kept)).into()
    }
}
