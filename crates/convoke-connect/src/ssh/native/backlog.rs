//! How much of a command's input the session has and has not written.
//!
//! A session encrypts all that waits for it into one buffer, and keeps the memory of that for good. With no bound
//! but the server's window that is 2 MiB a host: more than everything else together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// From how much on nothing more is handed over, in bytes: three full packets. With the last one, and what the
/// session took up just before it wrote, at most twice as much and two packets wait.
const MOST: usize = 96 * 1024;

/// What is handed over to a session, and told by the line when it was written. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Backlog(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: usize,
    /// Who waits for room.
    waiting: Option<Waker>,
    /// Whether nothing is written any more, which the session tells on its own.
    is_over: bool,
}

impl Backlog {
    /// Waits until something may be handed over.
    pub(super) fn poll_room(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.bytes < MOST || state.is_over {
            return Poll::Ready(());
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    /// So much is handed over next: said before, since it may be written at once.
    pub(super) fn add(&self, bytes: usize) {
        self.state().bytes += bytes;
    }

    /// The session has written what it had taken up. What it had not is taken up next, and counts no more: so
    /// nobody waits for what was written long ago, whatever became of its length on the way.
    pub(super) fn wrote(&self) {
        let mut state = self.state();
        state.bytes = 0;
        let waiting = state.waiting.take();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Nothing is written any more.
    pub(super) fn end(&self) {
        self.state().is_over = true;
        self.wrote();
    }

    /// Nothing panics while the lock is held, so a poisoned one still holds whole values.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn there_is_room_until_much_waits_and_again_when_it_was_written() {
        let backlog = Backlog::default();
        let room = || poll_fn(|context| backlog.poll_room(context));
        let is_full = || {
            let mut context = Context::from_waker(Waker::noop());
            backlog.poll_room(&mut context).is_pending()
        };
        for _ in 0..3 {
            assert!(!is_full());
            backlog.add(MOST - 1);
            room().await;
            backlog.add(1);
            assert!(is_full());
            let waiting = tokio::join!(room(), async { backlog.wrote() });
            assert_eq!(waiting, ((), ()));
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_a_line_that_is_gone() {
        let backlog = Backlog::default();
        backlog.add(MOST);
        let room = poll_fn(|context| backlog.poll_room(context));
        tokio::join!(room, async { backlog.end() });
        backlog.add(MOST);
        poll_fn(|context| backlog.poll_room(context)).await;
    }
}
