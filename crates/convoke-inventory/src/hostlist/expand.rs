//! Expanding a pattern into a list, in stretches wherever that is possible.

use super::HostList;
use super::pattern::{Part, Pattern};
use super::series::Cut;
use crate::rangeset::{MAX_DIGITS, Ranges, push_number};

impl HostList {
    /// Appends the hosts that a pattern stands for, except those in the list.
    pub fn append_pattern(&mut self, pattern: &Pattern) {
        self.append_parts(&mut String::new(), pattern.parts());
    }

    /// Appends a text that is known to be a host name.
    fn append_text(&mut self, name: &str) {
        let (series, number) = self.series.place(name);
        self.pieces.append(series, number, number);
    }

    /// Appends what the parts of a pattern stand for, each name after the same beginning.
    ///
    /// It calls itself once for each part, of which a pattern has at most twice [`MAX_NAME_BYTES`](super::MAX_NAME_BYTES).
    fn append_parts(&mut self, begun: &mut String, parts: &[Part]) {
        let length = begun.len();
        match parts {
            [] => self.append_text(begun),
            [Part::Text(text), rest @ ..] => {
                begun.push_str(text);
                self.append_parts(begun, rest);
            }
            [Part::Ranges(ranges)] => self.append_row(begun, ranges, ""),
            [Part::Ranges(ranges), Part::Text(suffix)] => self.append_row(begun, ranges, suffix),
            [Part::Ranges(ranges), rest @ ..] => {
                for (value, digits) in ranges.numbers() {
                    push_number(begun, value, digits);
                    self.append_parts(begun, rest);
                    begun.truncate(length);
                }
            }
        }
        begun.truncate(length);
    }

    /// Appends names that differ in one place: as stretches if that is where names of this shape are cut, else one by one.
    fn append_row(&mut self, prefix: &str, ranges: &Ranges, suffix: &str) {
        // The series of the names with so many digits, if they are cut there.
        let mut known: Option<(u8, Option<usize>)> = None;
        for interval in ranges.intervals() {
            let series = match known {
                Some((digits, series)) if digits == interval.digits => series,
                _ => {
                    let first = numbered(prefix, interval.low, interval.digits, suffix);
                    let cut = Cut::of(&first);
                    (cut.prefix == prefix && cut.suffix == suffix)
                        .then(|| self.series.find_or_add(&cut))
                }
            };
            known = Some((interval.digits, series));
            if let Some(series) = series {
                self.pieces.append(series, interval.low, interval.high);
            } else {
                let series = &mut self.series;
                let names = (interval.low..=interval.high)
                    .map(|value| numbered(prefix, value, interval.digits, suffix));
                self.pieces
                    .append_all(names.map(|name| series.place(&name)));
            }
        }
    }
}

fn numbered(prefix: &str, value: u64, digits: u8, suffix: &str) -> String {
    let mut name = String::with_capacity(prefix.len() + MAX_DIGITS + suffix.len());
    name.push_str(prefix);
    push_number(&mut name, value, digits);
    name.push_str(suffix);
    name
}
