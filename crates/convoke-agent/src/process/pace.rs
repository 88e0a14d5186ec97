//! When a stream that is written to in many small pieces is read.
//!
//! A writer that fills its pipe piece by piece would wake us, the wire and the controller for each of
//! them. Once pieces follow each other that fast, the pipe is left alone for a moment, so that the
//! next read finds many: interrupt coalescing, as network cards do it. The first byte after a pause
//! is never delayed.

use std::time::{Duration, Instant};

/// How long a busy pipe is left alone. At 4 GB/s a pipe of 1 MiB is full by then.
const REST: Duration = Duration::from_micros(250);

/// Turns that follow each other this fast are of a busy stream.
const HURRY: Duration = Duration::from_micros(750);

/// How many turns in a hurry make a stream busy.
const BUSY: u32 = 16;

/// What is known of the rhythm of a stream.
#[derive(Debug, Default)]
pub(super) struct Pace {
    last: Option<Instant>,
    hurried: u32,
    rests_until: Option<Instant>,
}

impl Pace {
    /// Notes a turn of reading that emptied the pipe.
    pub(super) fn emptied(&mut self, now: Instant) {
        let last = self.last.replace(now);
        let in_a_hurry = last.is_some_and(|last| now.saturating_duration_since(last) < HURRY);
        self.hurried = if in_a_hurry { self.hurried + 1 } else { 0 };
    }

    /// Whether the stream is busy: its pipe is worth enlarging, and then leaving alone.
    pub(super) fn is_busy(&self) -> bool {
        self.hurried >= BUSY
    }

    /// Leaves the pipe alone for a moment.
    pub(super) fn rest(&mut self, now: Instant) {
        self.rests_until = Some(now + REST);
    }

    /// Until when the pipe is left alone.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        self.rests_until
    }

    /// Ends a rest that is over by `now`, or at once when it no longer serves anything.
    pub(super) fn wake(&mut self, now: Option<Instant>) {
        let is_over = |until| now.is_none_or(|now| until <= now);
        self.rests_until = self.rests_until.filter(|until| !is_over(*until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stream_that_keeps_hurrying_is_busy() {
        let start = Instant::now();
        let mut pace = Pace::default();
        for turn in 0..BUSY {
            pace.emptied(start + turn * HURRY / 2);
            assert!(!pace.is_busy());
        }
        pace.emptied(start + BUSY * HURRY / 2);
        assert!(pace.is_busy());
        pace.emptied(start + BUSY * HURRY / 2 + HURRY);
        assert!(!pace.is_busy());
    }

    #[test]
    fn a_rest_ends() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.rest(start);
        pace.wake(Some(start));
        assert_eq!(pace.rests_until(), Some(start + REST));
        pace.wake(Some(start + REST));
        assert_eq!(pace.rests_until(), None);
    }
}
