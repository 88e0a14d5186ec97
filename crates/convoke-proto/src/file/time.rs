//! A time of a host's clock, and that of this machine's library.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A time of the host's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time {
    /// Whole seconds since 1970, UTC; negative before.
    pub seconds: i64,
    /// Nanoseconds beyond them, below 1,000,000,000.
    pub nanoseconds: u32,
}

impl Time {
    /// The same for this machine's library; none when that cannot hold it.
    pub fn system_time(self) -> Option<SystemTime> {
        let seconds = Duration::from_secs(self.seconds.unsigned_abs());
        let whole = match self.seconds {
            0.. => UNIX_EPOCH.checked_add(seconds),
            _ => UNIX_EPOCH.checked_sub(seconds),
        };
        whole?.checked_add(Duration::from_nanos(self.nanoseconds.into()))
    }
}

/// The first or last time there is when this one is beyond.
impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        let seconds = |length: Duration| i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Time {
                seconds: seconds(since),
                nanoseconds: since.subsec_nanos(),
            },
            Err(error) => match error.duration() {
                before if before.subsec_nanos() == 0 => Time {
                    seconds: -seconds(before),
                    nanoseconds: 0,
                },
                before => Time {
                    seconds: -seconds(before) - 1,
                    nanoseconds: 1_000_000_000 - before.subsec_nanos(),
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_same_there_and_back() {
        for (seconds, nanoseconds) in [
            (0, 0),
            (0, 1),
            (-1, 0),
            (-1, 999_999_999),
            (-2, 1),
            (1_795_303_540, 696_147_233),
            (i64::from(i32::MIN), 5),
        ] {
            let time = Time {
                seconds,
                nanoseconds,
            };
            assert_eq!(Time::from(time.system_time().unwrap()), time);
        }
        let half = UNIX_EPOCH - Duration::from_millis(500);
        let before = Time {
            seconds: -1,
            nanoseconds: 500_000_000,
        };
        assert_eq!(Time::from(half), before);
    }

    #[test]
    fn a_time_that_a_host_makes_up_is_none_or_a_time() {
        for seconds in [i64::MIN, i64::MAX] {
            let time = Time {
                seconds,
                nanoseconds: u32::MAX,
            };
            if let Some(held) = time.system_time() {
                let _ = Time::from(held);
            }
        }
    }
}
