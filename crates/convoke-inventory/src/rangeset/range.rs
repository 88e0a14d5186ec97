//! Ranges as written between brackets, in the order they were written.

use super::{Interval, MAX_NAMES, digits_of, number_in};
use crate::error::{Error, excerpt};

/// The most digits a number in a range may have: every such number fits a `u64` with room for one more.
pub const MAX_DIGITS: usize = 18;

/// One range as written: `7`, `01-10` or `0-8/2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u64,
    last: u64,
    step: u64,
    /// How many digits every number has, 0 when they have as many as they need.
    digits: u8,
}

impl Range {
    fn parse(text: &str, at: usize) -> Result<Self, Error> {
        let trimmed = text.trim_ascii();
        let at = at + (text.len() - text.trim_ascii_start().len());
        if trimmed.is_empty() {
            return Err(Error::EmptyRange { at });
        }
        let (bounds, step) = match trimmed.split_once('/') {
            Some((bounds, step)) => (bounds, number(step, trimmed, at)?.low),
            None => (trimmed, 1),
        };
        let (first, last) = match bounds.split_once('-') {
            Some((first, last)) => (number(first, trimmed, at)?, number(last, trimmed, at)?),
            None if step != 1 => {
                return Err(Error::BadStep {
                    at,
                    text: excerpt(trimmed),
                });
            }
            None => (number(bounds, trimmed, at)?, number(bounds, trimmed, at)?),
        };
        if step == 0 {
            return Err(Error::BadStep {
                at,
                text: excerpt(trimmed),
            });
        }
        let padded = |bound: Interval| bound.digits > digits_of(bound.low);
        if first.digits != last.digits && (padded(first) || padded(last)) {
            return Err(Error::PaddingMismatch {
                at,
                text: excerpt(trimmed),
            });
        }
        if first.low > last.low {
            return Err(Error::BackwardRange {
                at,
                text: excerpt(trimmed),
            });
        }
        let digits = if first.digits == last.digits {
            first.digits
        } else {
            0
        };
        Ok(Self {
            first: first.low,
            last: last.low,
            step,
            digits,
        })
    }

    /// Returns how many numbers the range has.
    fn count(&self) -> u64 {
        (self.last - self.first) / self.step + 1
    }

    /// Returns the range cut into intervals, ascending: one for each number of digits, or for each number if it steps.
    fn intervals(self) -> impl Iterator<Item = Interval> {
        let mut next = Some(self.first);
        std::iter::from_fn(move || {
            let low = next.filter(|low| *low <= self.last)?;
            let digits = if self.digits == 0 {
                digits_of(low)
            } else {
                self.digits
            };
            let high = if self.step > 1 {
                low
            } else {
                self.last.min(largest_with(digits))
            };
            next = high.checked_add(self.step);
            Some(Interval { digits, low, high })
        })
    }
}

/// A list of ranges as written between brackets: `1-3,7`.
///
/// Repeats and the order of the ranges are kept; a [`RangeSet`](super::RangeSet) is the set they make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges {
    ranges: Vec<Range>,
}

impl Ranges {
    /// Parses what stands between brackets; `at` is where it stands, for errors.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyRange`], [`Error::NotANumber`], [`Error::NumberTooLong`], [`Error::BackwardRange`],
    /// [`Error::PaddingMismatch`], [`Error::BadStep`].
    pub fn parse(text: &str, at: usize) -> Result<Self, Error> {
        let mut ranges = Vec::new();
        let mut start = at;
        for part in text.split(',') {
            ranges.push(Range::parse(part, start)?);
            start += part.len() + 1;
        }
        Ok(Self { ranges })
    }

    /// Returns how many numbers are written, repeats included; the largest `u64` if there are more.
    pub fn count(&self) -> u64 {
        self.ranges
            .iter()
            .map(Range::count)
            .fold(0, u64::saturating_add)
    }

    /// Checks that there are not more numbers than a selection may have names.
    pub(crate) fn check_count(&self, at: usize) -> Result<(), Error> {
        if self.count() > MAX_NAMES {
            Err(Error::TooManyNames {
                at,
                limit: MAX_NAMES,
            })
        } else {
            Ok(())
        }
    }

    /// Returns the intervals of all ranges in the order they are written.
    pub(crate) fn intervals(&self) -> impl Iterator<Item = Interval> + '_ {
        self.ranges.iter().flat_map(|range| range.intervals())
    }

    /// Returns the numbers of all ranges in the order they are written, each with the number of digits it is written with.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (u64, u8)> + '_ {
        self.intervals().flat_map(|interval| {
            (interval.low..=interval.high).map(move |value| (value, interval.digits))
        })
    }

    /// Returns the largest number of digits that any of the numbers has.
    pub(crate) fn longest(&self) -> usize {
        let longest = self
            .ranges
            .iter()
            .map(|range| range.digits.max(digits_of(range.last)))
            .max();
        usize::from(longest.unwrap_or(0))
    }
}

fn number(text: &str, range: &str, at: usize) -> Result<Interval, Error> {
    let text = text.trim_ascii();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::NotANumber {
            at,
            text: excerpt(range),
        });
    }
    number_in(text).ok_or_else(|| Error::NumberTooLong {
        at,
        text: excerpt(text),
        limit: MAX_DIGITS,
    })
}

fn largest_with(digits: u8) -> u64 {
    10_u64
        .checked_pow(u32::from(digits))
        .map_or(u64::MAX, |power| power - 1)
}
