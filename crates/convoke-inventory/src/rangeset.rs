//! Sets of numbers as host names carry them: padded, in intervals, folded back to `1-3,7`.
//!
//! `1`, `01` and `001` are three different members. Every member is a pair (how many digits, value), so that one
//! interval stands for any stretch of members with equally many digits, and `1-100000` is six intervals.

mod range;

use std::fmt;

pub use range::{MAX_DIGITS, Ranges};

use crate::error::Error;

/// The most names that one selection may write.
///
/// It is far above any fleet that one controller can serve, and bounds what a typing error such as `n[1-1000000000]`
/// can cost. Names are counted from the text, repeats included, before any of them is made.
pub const MAX_NAMES: u64 = 1_000_000;

/// A stretch of neighbouring numbers that are all written with the same number of digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Interval {
    /// How many digits every number has, leading zeros included.
    pub(crate) digits: u8,
    /// The first number.
    pub(crate) low: u64,
    /// The last number, itself included.
    pub(crate) high: u64,
}

impl Interval {
    /// Makes an interval of one number.
    pub(crate) fn of(digits: u8, value: u64) -> Self {
        Self {
            digits,
            low: value,
            high: value,
        }
    }

    /// Returns how many numbers there are.
    fn count(&self) -> u64 {
        (self.high - self.low).saturating_add(1)
    }

    /// Says whether the first number is written with leading zeros.
    fn begins_padded(&self) -> bool {
        self.digits > digits_of(self.low)
    }
}

/// A set of numbers that keeps their padding apart.
///
/// It is kept as intervals, never as single numbers. Order is by number of digits, then by value, which for numbers
/// without padding is the order of the values.
///
/// ```
/// use convoke_inventory::RangeSet;
///
/// let set = RangeSet::parse("7,1-3,2,08-10")?;
/// assert_eq!(set.len(), 7);
/// assert_eq!(set.to_string(), "1-3,7,08-10");
/// assert!(set.contains("08") && !set.contains("8"));
/// # Ok::<(), convoke_inventory::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RangeSet {
    /// Ascending; no two of them overlap or touch.
    intervals: Vec<Interval>,
}

impl RangeSet {
    /// Parses what stands between brackets, such as `1-3,7` or `0-8/2`.
    ///
    /// # Errors
    ///
    /// Those of [`Ranges::parse`], and [`Error::TooManyNames`] above
    /// [`MAX_NAMES`] numbers, counted before anything is expanded.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let ranges = Ranges::parse(text, 0)?;
        ranges.check_count(0)?;
        Ok(ranges.intervals().collect())
    }

    /// Returns how many numbers are in the set.
    pub fn len(&self) -> u64 {
        self.intervals
            .iter()
            .map(Interval::count)
            .fold(0, u64::saturating_add)
    }

    /// Says whether the set holds nothing.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// Says whether the set holds this number, written exactly so.
    pub fn contains(&self, number: &str) -> bool {
        let Some(wanted) = number_in(number) else {
            return false;
        };
        let after = self.intervals.partition_point(|interval| {
            (interval.digits, interval.low) <= (wanted.digits, wanted.low)
        });
        let before = after
            .checked_sub(1)
            .and_then(|index| self.intervals.get(index));
        before
            .is_some_and(|interval| interval.digits == wanted.digits && wanted.low <= interval.high)
    }

    /// Returns the intervals in order.
    pub(crate) fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// Returns the numbers in order, as they are written.
    pub fn iter(&self) -> impl Iterator<Item = String> + '_ {
        self.intervals.iter().flat_map(|interval| {
            (interval.low..=interval.high).map(|value| {
                let mut text = String::new();
                push_number(&mut text, value, interval.digits);
                text
            })
        })
    }
}

impl FromIterator<Interval> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Interval>>(intervals: I) -> Self {
        let mut sorted: Vec<Interval> = intervals.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup_by(|next, kept| {
            let joins = next.digits == kept.digits && next.low <= kept.high.saturating_add(1);
            if joins {
                kept.high = kept.high.max(next.high);
            }
            joins
        });
        Self { intervals: sorted }
    }
}

/// Writes the folded form, such as `1-3,7`, in order; ranges go on over a change of length when nothing is padded.
impl fmt::Display for RangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut intervals = self.intervals.iter().copied().peekable();
        let mut separator = "";
        while let Some(first) = intervals.next() {
            let mut last = first;
            while !first.begins_padded()
                && let Some(next) = intervals.next_if(|next| {
                    last.high.checked_add(1) == Some(next.low) && !next.begins_padded()
                })
            {
                last = next;
            }
            write!(
                f,
                "{separator}{:0width$}",
                first.low,
                width = usize::from(first.digits)
            )?;
            if first.low != last.high {
                write!(
                    f,
                    "-{:0width$}",
                    last.high,
                    width = usize::from(last.digits)
                )?;
            }
            separator = ",";
        }
        Ok(())
    }
}

/// Returns the number that a text of nothing but digits writes, `None` for any other text and for too many digits.
pub(crate) fn number_in(text: &str) -> Option<Interval> {
    let digits = u8::try_from(text.len())
        .ok()
        .filter(|digits| (1..=MAX_DIGITS).contains(&usize::from(*digits)))?;
    let value = text.bytes().try_fold(0_u64, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + u64::from(byte - b'0'))
    })?;
    Some(Interval::of(digits, value))
}

/// Appends a number with at least so many digits.
pub(crate) fn push_number(text: &mut String, value: u64, digits: u8) {
    let mut buffer = [b'0'; MAX_DIGITS + 2];
    let mut rest = value;
    let mut length = 0;
    for place in buffer.iter_mut().rev() {
        *place = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        length += 1;
        if rest == 0 && length >= usize::from(digits) {
            break;
        }
    }
    let written = buffer
        .len()
        .checked_sub(length)
        .and_then(|start| buffer.get(start..))
        .unwrap_or_default();
    text.push_str(std::str::from_utf8(written).unwrap_or_default());
}

/// Returns how many digits a number needs.
pub(crate) fn digits_of(value: u64) -> u8 {
    value.checked_ilog10().map_or(1, |log| {
        u8::try_from(log).unwrap_or(u8::MAX).saturating_add(1)
    })
}

#[cfg(test)]
mod tests;
