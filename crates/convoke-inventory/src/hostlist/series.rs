//! Series: host names that differ in one number only, so that stretches of them can be kept as intervals.
//!
//! A name is cut at one of its numbers: `web12.example` is number 12 of the two-digit series `web·.example`. Which number
//! depends on the text of the name alone, so that every name belongs to exactly one series, under one number. A name
//! without a number is a series of its own.

use std::collections::HashMap;
use std::sync::Arc;

use crate::rangeset::{Interval, MAX_DIGITS, number_in, push_number};

/// A host name cut at its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut<'a> {
    pub(super) prefix: &'a str,
    /// The number; no digits if the name is not numbered.
    pub(super) number: Interval,
    pub(super) suffix: &'a str,
}

impl<'a> Cut<'a> {
    /// Cuts a host name at its number.
    ///
    /// That is the last number in front of the domain (or, without a domain, the port), else the last number. Numbers
    /// with more than [`MAX_DIGITS`] digits are plain text, and so are names with a bracketed address or a `%`, where a
    /// range would mean something else than the names it came from.
    pub(super) fn of(name: &'a str) -> Self {
        number_place(name)
            .and_then(|(start, end)| {
                let number = number_in(name.get(start..end)?)?;
                Some(Self {
                    prefix: name.get(..start)?,
                    number,
                    suffix: name.get(end..)?,
                })
            })
            .unwrap_or(Self {
                prefix: name,
                number: Interval::of(0, 0),
                suffix: "",
            })
    }
}

/// Returns where the number of a name stands.
fn number_place(name: &str) -> Option<(usize, usize)> {
    let mut last = None;
    let mut before_port = None;
    let mut letter_seen = false;
    let mut bytes = name.bytes().enumerate().peekable();
    let mut before = b'/';
    while let Some((start, byte)) = bytes.next() {
        match byte {
            b'0'..=b'9' => {
                let mut end = start + 1;
                while bytes.next_if(|(_, next)| next.is_ascii_digit()).is_some() {
                    end += 1;
                }
                if end - start <= MAX_DIGITS {
                    before_port = last.filter(|_| before == b':' && end == name.len());
                    last = Some((start, end));
                }
            }
            b'[' | b'%' => return None,
            b'@' | b'/' => letter_seen = false,
            b'.' if letter_seen && last.is_some() => return last,
            b'.' | b':' => {}
            _ => letter_seen = true,
        }
        before = byte;
    }
    before_port.or(last)
}

/// One series: its text with a mark in place of the number.
///
/// The mark is the character whose code is the number of digits. Names hold no control characters, so no two series
/// have the same text.
#[derive(Debug, Clone)]
pub(super) struct Series {
    template: Arc<str>,
    prefix_bytes: usize,
    digits: u8,
}

impl Series {
    pub(super) fn prefix(&self) -> &str {
        self.template.get(..self.prefix_bytes).unwrap_or_default()
    }

    pub(super) fn suffix(&self) -> &str {
        self.template
            .get(self.prefix_bytes + 1..)
            .unwrap_or_default()
    }

    pub(super) fn cut(&self, value: u64) -> Cut<'_> {
        Cut {
            prefix: self.prefix(),
            number: Interval::of(self.digits, value),
            suffix: self.suffix(),
        }
    }

    /// Appends the name with this number.
    pub(super) fn push_name(&self, text: &mut String, value: u64) {
        text.push_str(self.prefix());
        if self.digits > 0 {
            push_number(text, value, self.digits);
            text.push_str(self.suffix());
        }
    }

    fn holds(&self, cut: &Cut<'_>) -> bool {
        self.digits == cut.number.digits
            && self.prefix() == cut.prefix
            && self.suffix() == cut.suffix
    }
}

/// All series of a host list, each under its index.
#[derive(Debug, Clone, Default)]
pub(super) struct SeriesTable {
    series: Vec<Series>,
    indices: HashMap<Arc<str>, usize>,
    /// The series found last for each number of digits: neighbours in a list are mostly alike.
    recent: [usize; MAX_DIGITS + 1],
}

impl SeriesTable {
    pub(super) fn get(&self, index: usize) -> Option<&Series> {
        self.series.get(index)
    }

    pub(super) fn find(&self, cut: &Cut<'_>) -> Option<usize> {
        let recent = self.recent.get(usize::from(cut.number.digits)).copied();
        recent
            .filter(|recent| {
                self.series
                    .get(*recent)
                    .is_some_and(|series| series.holds(cut))
            })
            .or_else(|| self.indices.get(template(cut).as_str()).copied())
    }

    pub(super) fn find_or_add(&mut self, cut: &Cut<'_>) -> usize {
        let found = self.find(cut).unwrap_or_else(|| {
            let template: Arc<str> = Arc::from(template(cut));
            let index = self.series.len();
            self.indices.insert(Arc::clone(&template), index);
            self.series.push(Series {
                template,
                prefix_bytes: cut.prefix.len(),
                digits: cut.number.digits,
            });
            index
        });
        if let Some(recent) = self.recent.get_mut(usize::from(cut.number.digits)) {
            *recent = found;
        }
        found
    }

    /// Returns the series of a host name, made if it is new, and the number of the name in it.
    pub(super) fn place(&mut self, name: &str) -> (usize, u64) {
        let cut = Cut::of(name);
        (self.find_or_add(&cut), cut.number.low)
    }
}

fn template(cut: &Cut<'_>) -> String {
    let mut text = String::with_capacity(cut.prefix.len() + 1 + cut.suffix.len());
    text.push_str(cut.prefix);
    if cut.number.digits > 0 {
        text.push(char::from(cut.number.digits));
        text.push_str(cut.suffix);
    }
    text
}
