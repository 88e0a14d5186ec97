//! How fast something goes now: over the last seconds, not since it began.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Over how long a pace is taken.
const SPAN: Duration = Duration::from_secs(5);

/// How far apart two looks are at least: fewer are kept, and none is too close to tell anything.
const GRAIN: Duration = Duration::from_millis(250);

/// How long it takes until a pace says something of the time to come: hosts begin one after the other.
const STEADY: Duration = Duration::from_secs(2);

/// Looks at how much was done, of which the first is at least [`SPAN`] old once there are so old ones.
#[derive(Debug, Default)]
pub(super) struct Pace {
    looks: VecDeque<(Instant, u64)>,
}

impl Pace {
    /// So much is done by now.
    pub(super) fn note(&mut self, now: Instant, done: u64) {
        let is_new = |(last, _): &(Instant, u64)| now.duration_since(*last) >= GRAIN;
        if self.looks.back().is_none_or(is_new) {
            self.looks.push_back((now, done));
        }
        while let Some((second, _)) = self.looks.get(1)
            && now.duration_since(*second) >= SPAN
        {
            self.looks.pop_front();
        }
    }

    /// How many seconds so much more takes, once that can be guessed.
    pub(super) fn seconds(&self, now: Instant, done: u64, more: u64) -> Option<u64> {
        let (then, _) = self.looks.front()?;
        let pace = self.per_second(now, done).filter(|pace| *pace > 0)?;
        (more > 0 && now.duration_since(*then) >= STEADY).then(|| more.div_ceil(pace))
    }

    /// How much is done a second, once that can be said.
    pub(super) fn per_second(&self, now: Instant, done: u64) -> Option<u64> {
        let (then, before) = self.looks.front()?;
        let time = now.duration_since(*then);
        let done = done.saturating_sub(*before);
        (time >= GRAIN).then(|| (done as f64 / time.as_secs_f64()) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_that_of_the_last_seconds() {
        let began = Instant::now();
        let mut pace = Pace::default();
        let at = |ms| began + Duration::from_millis(ms);
        assert_eq!(pace.per_second(began, 0), None);
        // Ten seconds at one pace, and then at a tenth of it.
        for tenth in 0..100 {
            pace.note(at(100 * tenth), 1000 * tenth);
        }
        assert_eq!(pace.per_second(at(10_000), 100_000), Some(10_000));
        for tenth in 0..100 {
            pace.note(at(10_000 + 100 * tenth), 100_000 + 100 * tenth);
        }
        assert_eq!(pace.per_second(at(20_000), 110_000), Some(1_000));
        pace.note(at(30_000), 110_000);
        pace.note(at(35_000), 110_000);
        assert_eq!(pace.per_second(at(35_000), 110_000), Some(0));
        assert!(pace.looks.len() < 30, "{}", pace.looks.len());
    }

    #[test]
    fn a_first_look_tells_nothing() {
        let began = Instant::now();
        let mut pace = Pace::default();
        pace.note(began, 5_000);
        assert_eq!(
            pace.per_second(began + Duration::from_millis(10), 5_100),
            None
        );
        let later = began + Duration::from_millis(500);
        assert_eq!(pace.per_second(later, 6_000), Some(2_000));
        assert_eq!(pace.seconds(later, 6_000, 9_000), None);
        let steady = began + STEADY;
        assert_eq!(pace.seconds(steady, 6_000, 9_000), Some(18));
        assert_eq!(pace.seconds(steady, 6_000, 0), None);
        assert_eq!(pace.seconds(steady, 5_000, 9_000), None);
        // What a host has lost again is no haste backwards.
        assert_eq!(pace.per_second(later, 0), Some(0));
    }
}
