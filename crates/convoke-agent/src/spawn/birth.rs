//! A child that is about to begin.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use rustix::process::Pid;

/// What other threads may know of a child that is about to begin, while the one that starts it sleeps.
#[derive(Debug, Default)]
pub struct Birth {
    pub(super) number: AtomicI32,
    unwanted: AtomicBool,
}

impl Birth {
    /// What stands here when there will be no child.
    const NONE: i32 = -1;

    /// The child's number; it waits for the moment in which the kernel makes it. None when that failed.
    pub fn pid(&self) -> Option<Pid> {
        loop {
            match self.number.load(Ordering::Acquire) {
                0 => std::thread::yield_now(),
                number => return Pid::from_raw(number.max(0)),
            }
        }
    }

    /// No child will come, unless there is one.
    pub(super) fn settle(&self) {
        let (before, after) = (Ordering::AcqRel, Ordering::Acquire);
        // Already told: the kernel has written the number.
        let none = Self::NONE;
        let _ = self.number.compare_exchange(0, none, before, after);
    }

    /// Whether nobody wants the child any more.
    pub fn is_unwanted(&self) -> bool {
        self.unwanted.load(Ordering::Relaxed)
    }

    /// Nobody wants the child any more.
    pub fn refuse(&self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }
}
