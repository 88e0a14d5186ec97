//! A time of a host's clock as people write it: date and time of day, UTC.

use std::fmt;

use convoke_proto::file::Time;

/// How many seconds a day has.
const DAY: i64 = 86_400;

/// The days from 0000-03-01 to 1970-01-01: years that begin in March end with the day that may be missing.
const SHIFT: i64 = 719_468;

/// The days of 400 years, after which the calendar repeats itself.
const ERA: i64 = 146_097;

/// A time in parts. Shown as RFC 3339 with nanoseconds, which has no years before 0 or after 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utc {
    /// The year, also before 0 and after 9999.
    pub year: i64,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day, 1 to 31.
    pub day: u8,
    /// The hour, 0 to 23.
    pub hour: u8,
    /// The minute, 0 to 59.
    pub minute: u8,
    /// The second, 0 to 59.
    pub second: u8,
    /// The nanosecond, below 1,000,000,000.
    pub nanosecond: u32,
}

impl Utc {
    /// RFC 3339, when it has the year.
    pub fn rfc3339(self) -> Option<String> {
        (0..=9999).contains(&self.year).then(|| self.to_string())
    }
}

impl From<Time> for Utc {
    fn from(time: Time) -> Self {
        let (days, seconds) = (time.seconds.div_euclid(DAY), time.seconds.rem_euclid(DAY));
        // The algorithm of Howard Hinnant, "chrono-compatible low-level date algorithms".
        let days = days + SHIFT;
        let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        Utc {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: month as u8,
            day: (of_year - (153 * from_march + 2) / 5 + 1) as u8,
            hour: (seconds / 3600) as u8,
            minute: (seconds / 60 % 60) as u8,
            second: (seconds % 60) as u8,
            nanosecond: time.nanoseconds.min(999_999_999),
        }
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Utc {
            year,
            month,
            day,
            hour,
            minute,
            second,
            nanosecond,
        } = self;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanosecond:09}Z"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_a_date() {
        for (seconds, nanoseconds, shown) in [
            (0, 0, "1970-01-01T00:00:00.000000000Z"),
            (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400, 1, "2000-02-29T00:00:00.000000001Z"),
            (1_795_289_400, 0, "2026-11-21T19:30:00.000000000Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00.000000000Z"),
            (253_402_300_799, 0, "9999-12-31T23:59:59.000000000Z"),
            (-62_167_219_200, 0, "0000-01-01T00:00:00.000000000Z"),
        ] {
            let utc = Utc::from(Time {
                seconds,
                nanoseconds,
            });
            assert_eq!(utc.rfc3339().as_deref(), Some(shown));
        }
    }

    #[test]
    fn a_year_that_rfc_3339_lacks_has_no_text_there() {
        for seconds in [i64::MIN, -62_167_219_201, 253_402_300_800, i64::MAX] {
            let utc = Utc::from(Time {
                seconds,
                nanoseconds: u32::MAX,
            });
            assert_eq!(utc.rfc3339(), None, "{utc:?}");
        }
    }
}
