//! A child whose end several tasks wait for, without a task of its own.

use std::pin::pin;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

/// A child that leads its process group.
pub(super) struct Watch {
    /// None when nobody is interested in it any more.
    child: Mutex<Option<Child>>,
    /// How it ended, for those who ask after that.
    status: OnceLock<ExitStatus>,
    bell: Arc<Bell>,
}

/// Wakes everybody who waits: the child itself remembers only one.
#[derive(Default)]
struct Bell(Mutex<Vec<Waker>>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // Not in the head of the loop, which would hold the lock until its end.
        let waiting = std::mem::take(&mut *locked(&self.0));
        for waker in waiting {
            waker.wake();
        }
    }
}

impl Watch {
    pub(super) fn new(child: Child) -> Self {
        Watch {
            child: Mutex::new(Some(child)),
            status: OnceLock::new(),
            bell: Arc::default(),
        }
    }

    /// The number of the child and of its process group, until it was reaped: after that somebody
    /// else may have it.
    pub(super) fn id(&self) -> Option<i32> {
        let child = locked(&self.child);
        child.as_ref()?.id().map(|id| id as i32)
    }

    /// The three streams; once.
    pub(super) fn streams(&self) -> Option<(ChildStdin, ChildStdout, ChildStderr)> {
        let mut child = locked(&self.child);
        let child = child.as_mut()?;
        Some((
            child.stdin.take()?,
            child.stdout.take()?,
            child.stderr.take()?,
        ))
    }

    /// Sends TERM to its process group, if it has not ended, and leaves it to the runtime, which reaps
    /// it. For those who wait this is its end.
    pub(super) fn end(&self) {
        let Some(child) = locked(&self.child).take() else {
            return;
        };
        if let Some(group) = child.id().and_then(|id| Pid::from_raw(id as i32)) {
            // A program that is about to begin its session has no group yet. Other errors mean that
            // nobody is there any more.
            if kill_process_group(group, Signal::TERM) == Err(Errno::SRCH) {
                let _ = kill_process(group, Signal::TERM);
            }
        }
        Waker::from(Arc::clone(&self.bell)).wake();
    }

    /// Waits for its end, as any number of tasks may at once. Ready with None when that is unknowable.
    pub(super) fn poll_end(&self, context: &mut Context<'_>) -> Poll<Option<ExitStatus>> {
        {
            let mut waiting = locked(&self.bell.0);
            if !waiting.iter().any(|one| one.will_wake(context.waker())) {
                waiting.push(context.waker().clone());
            }
        }
        let bell = Waker::from(Arc::clone(&self.bell));
        let mut child = locked(&self.child);
        // Begun anew each time: what it waits for is kept in the child.
        let ended = match child.as_mut() {
            Some(child) => pin!(child.wait())
                .poll(&mut Context::from_waker(&bell))
                .map(Result::ok),
            None => Poll::Ready(self.status.get().copied()),
        };
        if let Poll::Ready(Some(status)) = ended {
            let _ = self.status.set(status);
        }
        drop(child);
        if ended.is_ready() {
            bell.wake();
        }
        ended
    }
}

/// Nothing that is locked here is left half done by a panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Notes whether it could ask for the next ring when it was woken.
    struct Sleeper {
        bell: Arc<Bell>,
        could_ask: Mutex<Option<bool>>,
    }

    impl Wake for Sleeper {
        fn wake(self: Arc<Self>) {
            *locked(&self.could_ask) = Some(self.bell.0.try_lock().is_ok());
        }
    }

    #[test]
    fn whoever_is_woken_may_ask_again_at_once() {
        let bell = Arc::new(Bell::default());
        let sleeper = Arc::new(Sleeper {
            bell: Arc::clone(&bell),
            could_ask: Mutex::new(None),
        });
        locked(&bell.0).push(Waker::from(Arc::clone(&sleeper)));
        bell.wake();
        assert_eq!(*locked(&sleeper.could_ask), Some(true));
    }
}
