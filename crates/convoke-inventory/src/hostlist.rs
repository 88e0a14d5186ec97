//! Ordered lists of hosts without repeats, and their algebra.

mod expand;
mod fold;
mod name;
mod parts;
mod pattern;
mod pieces;
mod series;

use std::fmt;

pub use name::{HostName, MAX_NAME_BYTES};
pub use pattern::Pattern;

pub(crate) use name::is_address;
use pieces::{Piece, Pieces};
use series::{Cut, SeriesTable};

use crate::rangeset::Interval;

/// An ordered list of hosts without repeats.
///
/// A host keeps the place where it first appeared. The list holds stretches of numbered names, not single names:
/// `n[1-100000]` takes a few hundred bytes, and names come into being one by one while they are iterated. Two lists are
/// equal if they hold the same hosts in the same order.
///
/// ```
/// use convoke_inventory::{HostList, HostName};
///
/// let hosts: HostList = ["web2", "db1", "web1", "web2"].into_iter().map(HostName::parse).collect::<Result<_, _>>()?;
/// assert_eq!(hosts.len(), 3);
/// assert_eq!(hosts.join(","), "web2,db1,web1");
/// assert_eq!(hosts.fold(), "db1,web[1-2]");
/// # Ok::<(), convoke_inventory::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct HostList {
    series: SeriesTable,
    pieces: Pieces,
}

impl HostList {
    /// Makes an empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how many hosts there are.
    pub fn len(&self) -> usize {
        self.pieces.count()
    }

    /// Says whether there are no hosts.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says whether the list holds a host of exactly this name.
    pub fn contains(&self, host: &HostName) -> bool {
        let cut = Cut::of(host.as_str());
        self.series
            .find(&cut)
            .is_some_and(|series| self.pieces.contains(series, cut.number.low))
    }

    /// Returns the hosts in order.
    pub fn iter(&self) -> Hosts<'_> {
        Hosts {
            series: &self.series,
            pieces: self.pieces.in_order().into_iter(),
            current: None,
            left: self.len(),
            text: String::new(),
        }
    }

    /// Returns the names in order as one text, which is faster than to make every name.
    pub fn join(&self, separator: &str) -> String {
        let mut text = String::new();
        for piece in self.pieces.in_order() {
            let Some(series) = self.series.get(piece.series) else {
                continue;
            };
            for value in piece.low..=piece.high {
                if !text.is_empty() {
                    text.push_str(separator);
                }
                series.push_name(&mut text, value);
            }
        }
        text
    }

    /// Returns the shortest usual text for the list, such as `db1,web[1-3,7]`, for people to read.
    ///
    /// It is sorted, whatever the order of the list: names that differ in numbers only stand together, those groups by name,
    /// the numbers by value. Numbers fold in every place where they can, `r[1-2]n[1-4]`, and different padding stays
    /// apart. As an expression the text selects the same hosts. This is how ClusterShell folds.
    pub fn fold(&self) -> String {
        let pieces: Vec<Piece> = self.pieces.by_series().collect();
        fold::fold(
            pieces
                .chunk_by(|left, right| left.series == right.series)
                .filter_map(|pieces| {
                    let cut = self.series.get(pieces.first()?.series)?.cut(0);
                    let digits = cut.number.digits;
                    let numbers = pieces.iter().map(|piece| Interval {
                        digits,
                        low: piece.low,
                        high: piece.high,
                    });
                    Some((cut, numbers.collect()))
                }),
        )
    }

    /// Appends a host, unless it is in the list.
    pub fn append(&mut self, host: &HostName) {
        let (series, number) = self.series.place(host.as_str());
        self.pieces.append(series, number, number);
    }

    /// Appends hosts in their order, except those in the list; faster than one by one.
    pub fn append_all<'a>(&mut self, hosts: impl IntoIterator<Item = &'a HostName>) {
        let series = &mut self.series;
        self.pieces
            .append_all(hosts.into_iter().map(|host| series.place(host.as_str())));
    }

    /// Appends the hosts of another list, except those in the list.
    pub fn append_list(&mut self, other: &Self) {
        for piece in other.pieces.in_order() {
            if let Some(series) = other.series.get(piece.series) {
                let series = self.series.find_or_add(&series.cut(0));
                self.pieces.append(series, piece.low, piece.high);
            }
        }
    }

    /// Removes the hosts of another list.
    pub fn remove_list(&mut self, other: &Self) {
        for piece in other.pieces.by_series() {
            if let Some(series) = self.series_of(other, &piece) {
                self.pieces.remove(series, piece.low, piece.high);
            }
        }
    }

    /// Removes the hosts that are not in another list.
    pub fn keep_list(&mut self, other: &Self) {
        let mut kept = Pieces::default();
        for piece in other.pieces.by_series() {
            if let Some(series) = self.series_of(other, &piece) {
                self.pieces
                    .remove(series, piece.low, piece.high)
                    .into_iter()
                    .for_each(|piece| kept.keep(piece));
            }
        }
        self.pieces = kept;
    }

    /// Removes the hosts that are in both lists, and appends those that are only in the other.
    pub fn toggle_list(&mut self, other: &Self) {
        for piece in other.pieces.in_order() {
            if let Some(series) = other.series.get(piece.series) {
                let series = self.series.find_or_add(&series.cut(0));
                let gaps = self.pieces.gaps(series, piece.low, piece.high);
                self.pieces.remove(series, piece.low, piece.high);
                gaps.into_iter()
                    .for_each(|(low, high)| self.pieces.append(series, low, high));
            }
        }
    }

    /// Returns the hosts of this list, then those that are only in the other.
    pub fn union(&self, other: &Self) -> Self {
        let mut hosts = self.clone();
        hosts.append_list(other);
        hosts
    }

    /// Returns the hosts of this list that are not in the other, in the order of this one.
    pub fn minus(&self, other: &Self) -> Self {
        let mut hosts = self.clone();
        hosts.remove_list(other);
        hosts
    }

    /// Returns the hosts that are in both lists, in the order of this one.
    pub fn intersection(&self, other: &Self) -> Self {
        let mut hosts = self.clone();
        hosts.keep_list(other);
        hosts
    }

    /// Returns the hosts that are only in this list, then those that are only in the other.
    pub fn symmetric_difference(&self, other: &Self) -> Self {
        let mut hosts = self.clone();
        hosts.toggle_list(other);
        hosts
    }

    /// Returns the hosts from one place in the order up to, not including, another; places beyond the end hold nothing.
    ///
    /// ```
    /// # let hosts = convoke_inventory::Expr::parse("n[5-9]")?.evaluate(&Default::default())?;
    /// assert_eq!(hosts.slice(1..3).join(" "), "n6 n7");
    /// assert_eq!(hosts.slice(4..99).join(" "), "n9");
    /// # Ok::<(), convoke_inventory::Error>(())
    /// ```
    pub fn slice(&self, places: std::ops::Range<usize>) -> Self {
        let mut hosts = Self::new();
        let mut place = 0;
        for piece in self.pieces.in_order() {
            let from = places.start.saturating_sub(place).min(piece.count());
            let to = places.end.saturating_sub(place).min(piece.count());
            if let Some(series) = self.series.get(piece.series)
                && from < to
            {
                let series = hosts.series.find_or_add(&series.cut(0));
                hosts
                    .pieces
                    .append(series, piece.low + from as u64, piece.low + to as u64 - 1);
            }
            place += piece.count();
        }
        hosts
    }

    fn series_of(&self, other: &Self, piece: &Piece) -> Option<usize> {
        self.series.find(&other.series.get(piece.series)?.cut(0))
    }
}

impl<'a> FromIterator<&'a HostName> for HostList {
    fn from_iter<I: IntoIterator<Item = &'a HostName>>(hosts: I) -> Self {
        let mut list = Self::new();
        list.append_all(hosts);
        list
    }
}

impl FromIterator<HostName> for HostList {
    fn from_iter<I: IntoIterator<Item = HostName>>(hosts: I) -> Self {
        let mut list = Self::new();
        let series = &mut list.series;
        list.pieces
            .append_all(hosts.into_iter().map(|host| series.place(host.as_str())));
        list
    }
}

impl<'a> IntoIterator for &'a HostList {
    type Item = HostName;
    type IntoIter = Hosts<'a>;

    fn into_iter(self) -> Hosts<'a> {
        self.iter()
    }
}

impl PartialEq for HostList {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other)
    }
}

impl Eq for HostList {}

impl fmt::Debug for HostList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

/// The hosts of a list in order, made one by one.
#[derive(Debug)]
pub struct Hosts<'a> {
    series: &'a SeriesTable,
    pieces: std::vec::IntoIter<Piece>,
    /// The piece that is being gone through, with what is left of it.
    current: Option<(usize, std::ops::RangeInclusive<u64>)>,
    left: usize,
    text: String,
}

impl Iterator for Hosts<'_> {
    type Item = HostName;

    fn next(&mut self) -> Option<HostName> {
        loop {
            if let Some((series, values)) = &mut self.current
                && let Some(value) = values.next()
            {
                self.text.clear();
                self.series.get(*series)?.push_name(&mut self.text, value);
                self.left -= 1;
                return Some(HostName::from_checked(&self.text));
            }
            let piece = self.pieces.next()?;
            self.current = Some((piece.series, piece.low..=piece.high));
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Hosts<'_> {}

#[cfg(test)]
mod tests;
