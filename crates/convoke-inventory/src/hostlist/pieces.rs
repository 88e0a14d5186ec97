//! The members of a host list as disjoint stretches of series, each with its place in the order.
//!
//! Adding, removing and looking up cost the logarithm of the number of stretches; nothing is ever moved. That is why a
//! long chain of operators costs no more than the names written in it.

use std::collections::BTreeMap;

/// From so many single numbers on it is faster to sort them than to look up a place for each.
const WORTH_SORTING: usize = 32;

/// A stretch of neighbouring numbers of one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// The place in the order. Pieces that share one are of one series and ordered by number.
    pub(super) rank: u64,
    pub(super) series: usize,
    pub(super) low: u64,
    pub(super) high: u64,
}

impl Piece {
    pub(super) fn count(&self) -> usize {
        usize::try_from(self.high - self.low)
            .unwrap_or(usize::MAX)
            .saturating_add(1)
    }
}

#[derive(Debug, Clone, Copy)]
struct End {
    high: u64,
    rank: u64,
}

/// Disjoint stretches of series.
#[derive(Debug, Clone, Default)]
pub(super) struct Pieces {
    ends: BTreeMap<(usize, u64), End>,
    next_rank: u64,
    /// The piece that was appended last, if nothing has been removed since: what continues it makes it longer.
    tail: Option<(usize, u64)>,
    count: usize,
}

impl Pieces {
    /// Returns how many members there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn contains(&self, series: usize, value: u64) -> bool {
        self.covering(series, value).is_some()
    }

    /// Returns the pieces in order.
    pub(super) fn in_order(&self) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = self.by_series().collect();
        pieces.sort_unstable_by_key(|piece| (piece.rank, piece.low));
        pieces
    }

    /// Returns the pieces by series and number.
    pub(super) fn by_series(&self) -> impl Iterator<Item = Piece> + '_ {
        self.ends
            .iter()
            .map(|(&(series, low), &End { high, rank })| Piece {
                rank,
                series,
                low,
                high,
            })
    }

    /// Appends those numbers that are not members yet, ascending.
    pub(super) fn append(&mut self, series: usize, low: u64, high: u64) {
        if low == high {
            if !self.contains(series, low) {
                self.append_gap(series, low, high);
            }
            return;
        }
        for (low, high) in self.gaps(series, low, high) {
            self.append_gap(series, low, high);
        }
    }

    /// Appends those single numbers that are not members yet, many of them at the price of sorting them.
    pub(super) fn append_all(&mut self, numbers: impl Iterator<Item = (usize, u64)>) {
        let mut fresh: Vec<Piece> = numbers
            .zip(self.next_rank..)
            .map(|((series, low), rank)| Piece {
                rank,
                series,
                low,
                high: low,
            })
            .collect();
        if fresh.len() < WORTH_SORTING {
            fresh
                .iter()
                .for_each(|piece| self.append(piece.series, piece.low, piece.high));
            return;
        }
        self.next_rank += fresh.len() as u64;
        self.tail = None;
        fresh.sort_unstable_by_key(|piece| (piece.series, piece.low, piece.rank));
        fresh.dedup_by_key(|piece| (piece.series, piece.low));
        if !self.ends.is_empty() {
            fresh.retain(|piece| !self.contains(piece.series, piece.low));
        }
        self.count += fresh.len();
        fresh.dedup_by(|next, kept| {
            let continues = next.series == kept.series
                && kept.high.checked_add(1) == Some(next.low)
                && kept.rank + kept.count() as u64 == next.rank;
            if continues {
                kept.high = next.high;
            }
            continues
        });
        let rebuild = fresh.len() >= self.ends.len() / 8;
        let fresh = fresh.into_iter().map(|piece| {
            (
                (piece.series, piece.low),
                End {
                    high: piece.high,
                    rank: piece.rank,
                },
            )
        });
        if rebuild {
            self.ends.append(&mut fresh.collect());
        } else {
            self.ends.extend(fresh);
        }
    }

    /// Appends a piece that keeps its place in the order of the list that it comes from.
    pub(super) fn keep(&mut self, piece: Piece) {
        self.ends.insert(
            (piece.series, piece.low),
            End {
                high: piece.high,
                rank: piece.rank,
            },
        );
        self.next_rank = self.next_rank.max(piece.rank + 1);
        self.count += piece.count();
        self.tail = None;
    }

    /// Removes numbers and returns those that were members.
    pub(super) fn remove(&mut self, series: usize, low: u64, high: u64) -> Vec<Piece> {
        self.split(series, low);
        if let Some(after) = high.checked_add(1) {
            self.split(series, after);
        }
        let removed: Vec<Piece> = self
            .ends
            .range((series, low)..=(series, high))
            .map(|(&(series, low), &End { high, rank })| Piece {
                rank,
                series,
                low,
                high,
            })
            .collect();
        for piece in &removed {
            self.ends.remove(&(piece.series, piece.low));
            self.count -= piece.count();
        }
        self.tail = None;
        removed
    }

    /// Returns the stretches between two numbers that are not members.
    pub(super) fn gaps(&self, series: usize, low: u64, high: u64) -> Vec<(u64, u64)> {
        let mut gaps = Vec::new();
        let mut from = Some(low);
        let first = self.covering(series, low).map_or(low, |(key, _)| key.1);
        for (&(_, start), end) in self.ends.range((series, first)..=(series, high)) {
            if let Some(from) = from.filter(|from| *from < start) {
                gaps.push((from, start - 1));
            }
            from = end.high.checked_add(1);
        }
        gaps.extend(from.filter(|from| *from <= high).map(|from| (from, high)));
        gaps
    }

    fn covering(&self, series: usize, value: u64) -> Option<((usize, u64), End)> {
        let (&key, &end) = self.ends.range((series, 0)..=(series, value)).next_back()?;
        (value <= end.high).then_some((key, end))
    }

    fn append_gap(&mut self, series: usize, low: u64, high: u64) {
        self.count += usize::try_from(high - low)
            .unwrap_or(usize::MAX)
            .saturating_add(1);
        if let Some(tail) = self.tail.filter(|tail| tail.0 == series)
            && let Some(end) = self.ends.get_mut(&tail)
            && end.high.checked_add(1) == Some(low)
        {
            end.high = high;
            return;
        }
        self.ends.insert(
            (series, low),
            End {
                high,
                rank: self.next_rank,
            },
        );
        self.next_rank += 1;
        self.tail = Some((series, low));
    }

    /// Makes a piece begin at a number, if one spans it.
    fn split(&mut self, series: usize, value: u64) {
        if let Some((key, end)) = self.covering(series, value)
            && key.1 < value
        {
            self.ends.insert(
                key,
                End {
                    high: value - 1,
                    rank: end.rank,
                },
            );
            self.ends.insert((series, value), end);
        }
    }
}
