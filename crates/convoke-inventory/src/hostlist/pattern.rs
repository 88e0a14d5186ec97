//! Patterns: several host names written as one, `r[1-2]n[1-4]`.

use super::{name, parts};
use crate::error::{Error, excerpt};
use crate::rangeset::{MAX_NAMES, Ranges, push_number};

/// Several host names written as one, `r[1-2]n[1-4]`: texts and ranges in turn.
///
/// It stands for the texts put together with every number of every range; the last range varies fastest. A name that
/// comes up twice is one host. Everything it stands for has been checked to be a [`HostName`](super::HostName).
///
/// ```
/// use convoke_inventory::hostlist::{HostList, Pattern};
///
/// let mut hosts = HostList::new();
/// hosts.append_pattern(&Pattern::parse("r[2,1]n[1-2]")?);
/// assert_eq!(hosts.join(" "), "r2n1 r2n2 r1n1 r1n2");
/// # Ok::<(), convoke_inventory::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
}

/// A part of a pattern; two texts are never neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Ranges(Ranges),
}

impl Pattern {
    /// Parses a host name in which brackets hold ranges, except those that hold an IPv6 address.
    ///
    /// # Errors
    ///
    /// Those of [`Ranges::parse`] and of [`HostName::parse`](super::HostName::parse); [`Error::MisplacedSlice`] and
    /// [`Error::BadSlice`] for other brackets with a colon; [`Error::TooManyNames`] above [`MAX_NAMES`] names, before
    /// anything is expanded.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_at(text, 0)
    }

    /// Parses a pattern that stands at a byte offset of a longer text.
    pub(crate) fn parse_at(text: &str, at: usize) -> Result<Self, Error> {
        let (pattern, filled) = Self::cut(text, at)?;
        name::check_text(&filled, at)?;
        if pattern
            .parts
            .iter()
            .map(Part::longest)
            .fold(0, usize::saturating_add)
            > name::MAX_NAME_BYTES
        {
            return Err(Error::NameTooLong {
                at,
                limit_bytes: name::MAX_NAME_BYTES,
            });
        }
        if pattern.count() > MAX_NAMES {
            return Err(Error::TooManyNames {
                at,
                limit: MAX_NAMES,
            });
        }
        pattern.check_parts_of_all(at)?;
        Ok(pattern)
    }

    /// Checks that the parts of all names are right: if those of the names with the smallest and with the largest
    /// numbers are.
    fn check_parts_of_all(&self, at: usize) -> Result<(), Error> {
        let low = self.filled(|ranges| {
            ranges
                .intervals()
                .min_by_key(|one| one.low)
                .map(|one| (one.low, one.digits))
        });
        let high = self.filled(|ranges| {
            ranges
                .intervals()
                .max_by_key(|one| one.high)
                .map(|one| (one.high, one.digits))
        });
        for name in [low, high] {
            parts::check_parts(&name, 0).map_err(|error| error.moved_to(at))?;
        }
        Ok(())
    }

    /// Returns the name that has one of its numbers in the place of every range.
    fn filled(&self, number: impl Fn(&Ranges) -> Option<(u64, u8)>) -> String {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Ranges(ranges) => {
                    if let Some((value, digits)) = number(ranges) {
                        push_number(&mut name, value, digits);
                    }
                }
            }
        }
        name
    }

    /// Returns how many names are written, repeats included; the largest `u64` if there are more.
    pub fn count(&self) -> u64 {
        self.parts
            .iter()
            .map(Part::count)
            .fold(1, u64::saturating_mul)
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Cuts a text at its ranges, and returns it once more with every range overwritten by zeros.
    ///
    /// All names of a pattern are right if the overwritten text is: they differ from it in digits only. It has to be
    /// zeros because in a url `%60` is the one among `%60` to `%69` that hides a forbidden character. The length stays the
    /// same, so that errors point to the right place.
    fn cut(text: &str, at: usize) -> Result<(Self, String), Error> {
        let mut parts = Vec::new();
        let mut filled = String::with_capacity(text.len());
        let mut literal = String::new();
        let mut rest = text;
        while let Some((before, bracket)) = rest.split_once('[') {
            filled.push_str(before);
            literal.push_str(before);
            let opened = at + filled.len();
            let (content, after) = bracket
                .split_once(']')
                .ok_or(Error::UnclosedBracket { at: opened })?;
            if content.contains(':') {
                let kept = address(content, opened + 1)?;
                filled.extend(["[", kept, "]"]);
                literal.extend(["[", kept, "]"]);
            } else {
                if !literal.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                }
                parts.push(Part::Ranges(Ranges::parse(content, opened + 1)?));
                filled.extend(std::iter::repeat_n('0', content.len() + 2));
            }
            rest = after;
        }
        filled.push_str(rest);
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok((Self { parts }, filled))
    }
}

impl Part {
    fn count(&self) -> u64 {
        match self {
            Self::Text(_) => 1,
            Self::Ranges(ranges) => ranges.count(),
        }
    }

    /// Returns the most bytes that the part takes in a name.
    fn longest(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Ranges(ranges) => ranges.longest(),
        }
    }
}

fn address(content: &str, at: usize) -> Result<&str, Error> {
    if name::is_address(content) {
        return Ok(content);
    }
    let bound = |bound: &str| {
        bound
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    match content.split_once(':') {
        Some((from, to)) if bound(from) && bound(to) => Err(Error::MisplacedSlice {
            at,
            text: excerpt(content),
        }),
        _ => Err(Error::BadSlice {
            at,
            text: excerpt(content),
        }),
    }
}
