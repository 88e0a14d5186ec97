//! How much a session was given to send and has not written.
//!
//! A session encrypts all that waits for it into one buffer, and keeps the memory of that for good. With no bound
//! but a server's windows that is 2 MiB a channel: more than everything else together.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::AsyncWrite;

/// How much is handed over at once, in bytes: what a packet carries.
const PACKET: usize = 32 * 1024;

/// What a session was given, as far as it has not said that it wrote that. Clones share it.
///
/// Each time it writes counts for all it had been given, also for what it takes up next: so nobody waits for what
/// was written long ago, whatever became of its length on the way. What waits at most is twice [`Backlog::of`], and
/// a packet for each channel.
#[derive(Debug, Clone)]
pub(super) struct Backlog {
    most: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    bytes: usize,
    /// Who waits for room.
    waiting: Vec<Waker>,
    /// Whether nothing is written any more, which the session tells on its own.
    is_over: bool,
}

impl Backlog {
    /// Nothing yet; from `most` bytes on nothing more is handed over.
    pub(super) fn of(most: usize) -> Self {
        Backlog {
            most,
            state: Arc::default(),
        }
    }

    /// The session has written what it had taken up.
    pub(super) fn wrote(&self) {
        self.take_back(usize::MAX);
    }

    /// Nothing is written any more.
    pub(super) fn end(&self) {
        self.state().is_over = true;
        self.wrote();
    }

    /// Counts so many bytes when there is room. They are handed over next: they may be written at once.
    fn poll_add(&self, bytes: usize, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.bytes < self.most || state.is_over {
            state.bytes += bytes;
            return Poll::Ready(());
        }
        let waker = context.waker();
        if !state.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
            state.waiting.push(waker.clone());
        }
        Poll::Pending
    }

    /// So many bytes that were counted are not handed over after all.
    fn take_back(&self, bytes: usize) {
        let mut state = self.state();
        state.bytes = state.bytes.saturating_sub(bytes);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Nothing panics while the lock is held, so a poisoned one still holds whole values.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way into a session, which is closed while too much waits in there.
pub(super) struct Sluice {
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    backlog: Backlog,
}

impl Sluice {
    /// What `writer` hands over counts in `backlog`.
    pub(super) fn new(writer: impl AsyncWrite + Send + 'static, backlog: Backlog) -> Self {
        Sluice {
            writer: Box::pin(writer),
            backlog,
        }
    }
}

impl AsyncWrite for Sluice {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let (data, _) = data.split_at(data.len().min(PACKET));
        ready!(self.backlog.poll_add(data.len(), context));
        let wrote = self.writer.as_mut().poll_write(context, data);
        if wrote.is_pending() {
            // A server that gives its channel no room must not take that of others.
            self.backlog.take_back(data.len());
        }
        wrote
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes what is taken at once of so many bytes; how many that were.
    fn write(sluice: &mut Sluice, bytes: usize, woken: &Arc<Woken>) -> usize {
        let waker = Arc::clone(woken).into();
        let mut context = Context::from_waker(&waker);
        let (data, mut taken) = (vec![7; bytes], 0);
        while taken < bytes {
            match Pin::new(&mut *sluice).poll_write(&mut context, &data[taken..]) {
                Poll::Ready(wrote) => taken += wrote.unwrap(),
                Poll::Pending => break,
            }
        }
        taken
    }

    #[tokio::test]
    async fn no_more_is_handed_over_than_may_wait_until_that_is_written() {
        let (near, mut far) = tokio::io::duplex(1024 * 1024);
        let backlog = Backlog::of(2 * PACKET);
        let mut sluice = Sluice::new(near, backlog.clone());
        let woken = Arc::new(Woken::default());
        for round in 0..3 {
            assert_eq!(write(&mut sluice, 10 * PACKET, &woken), 2 * PACKET);
            // Who looks twice is woken once.
            assert_eq!(write(&mut sluice, 1, &woken), 0);
            assert_eq!(woken.0.load(Ordering::Relaxed), round);
            backlog.wrote();
            assert_eq!(woken.0.load(Ordering::Relaxed), round + 1);
        }
        let mut read = vec![0; 6 * PACKET];
        far.read_exact(&mut read).await.unwrap();
    }

    #[test]
    fn all_channels_of_a_session_share_its_room() {
        let backlog = Backlog::of(PACKET);
        let mut sluices = [(); 2].map(|()| Sluice::new(tokio::io::sink(), backlog.clone()));
        let woken = [(); 2].map(|()| Arc::new(Woken::default()));
        assert_eq!(write(&mut sluices[0], 5 * PACKET, &woken[0]), PACKET);
        assert_eq!(write(&mut sluices[1], 5 * PACKET, &woken[1]), 0);
        backlog.wrote();
        assert!(
            woken
                .iter()
                .all(|woken| woken.0.load(Ordering::Relaxed) == 1)
        );
    }

    #[test]
    fn nobody_waits_for_a_session_that_is_over() {
        let backlog = Backlog::of(PACKET);
        let mut sluice = Sluice::new(tokio::io::sink(), backlog.clone());
        let woken = Arc::new(Woken::default());
        assert_eq!(write(&mut sluice, 5 * PACKET, &woken), PACKET);
        backlog.end();
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
        assert_eq!(write(&mut sluice, 5 * PACKET, &woken), 5 * PACKET);
    }

    #[test]
    fn a_channel_without_room_takes_none_of_the_others() {
        let backlog = Backlog::of(PACKET);
        let (stuck, _far) = tokio::io::duplex(1);
        let mut stuck = Sluice::new(stuck, backlog.clone());
        let mut other = Sluice::new(tokio::io::sink(), backlog.clone());
        let woken = Arc::new(Woken::default());
        assert_eq!(write(&mut stuck, 1, &woken), 1);
        backlog.wrote();
        assert_eq!(write(&mut stuck, PACKET, &woken), 0);
        assert_eq!(write(&mut other, PACKET, &woken), PACKET);
    }
}
