//! Small files that come from a host: asked for before those in front of them have come, which spares each of them
//! a round trip.

use std::collections::VecDeque;

use bstr::BString;
use convoke_proto::credit::FIRST_WINDOW;
use convoke_proto::file::{Get, Stat};
use convoke_proto::operation::Failure;

use super::Download;
use crate::link::Link;
use crate::transfer::{self, Asked, Undone};

/// How many files are asked for at once: the first windows of eight are 256 KiB, and hundreds of hosts may send as
/// much each.
const MAX_ASKED: usize = 8;

/// Files in order, of which some were asked for.
///
/// A large one would keep its window from others for as long as those in front of it take. So one is asked for at
/// first, twice as many after each that is small or missing, and one again after a large one.
pub(super) struct Ahead<'a> {
    link: &'a Link,
    rest: std::vec::IntoIter<(&'a Download, Result<BString, Failure>)>,
    asked: VecDeque<Next<'a>>,
    width: usize,
}

/// The file that is next.
pub(super) struct Next<'a> {
    pub(super) download: &'a Download,
    /// Where it was asked for, or why it could not be.
    pub(super) asked: Result<(BString, Asked), Undone>,
}

impl<'a> Ahead<'a> {
    /// Nothing is asked for yet; a path may be missing, with the reason.
    pub(super) fn new(
        link: &'a Link,
        files: Vec<(&'a Download, Result<BString, Failure>)>,
    ) -> Self {
        Ahead {
            link,
            rest: files.into_iter(),
            asked: VecDeque::new(),
            width: 1,
        }
    }

    /// Whether all have been handed out.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.len() == 0 && self.asked.is_empty()
    }

    /// The next file; those behind it are asked for, too.
    pub(super) async fn next(&mut self) -> Option<Next<'a>> {
        while self.asked.len() < self.width
            && let Some((download, path)) = self.rest.next()
        {
            let asked = match path {
                Ok(path) => self.ask(path).await,
                Err(failure) => Err(Undone::Host(failure)),
            };
            self.asked.push_back(Next { download, asked });
        }
        self.asked.pop_front()
    }

    async fn ask(&self, path: BString) -> Result<(BString, Asked), Undone> {
        let all = Get {
            path: path.clone(),
            offset: 0,
            limit: None,
        };
        Ok((path, transfer::ask(self.link, all).await?))
    }

    /// Learns of what size a file was, or that the host has none to send.
    pub(super) fn note<T>(&mut self, opened: &Result<(Stat, T), Undone>) {
        let size = match opened {
            Ok((stat, _)) => stat.size,
            Err(Undone::Host(_)) => 0,
            Err(Undone::Here(_) | Undone::Broken(_)) => return,
        };
        self.width = width_after(self.width, size);
    }
}

/// How many are asked for at once when it was `width` before a file of this size.
fn width_after(width: usize, size: u64) -> usize {
    match size <= FIRST_WINDOW as u64 {
        true => (2 * width).min(MAX_ASKED),
        false => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_are_asked_for_together_and_what_follows_a_large_one_is_not() {
        let (small, large) = (FIRST_WINDOW as u64, FIRST_WINDOW as u64 + 1);
        let sizes = [0, small, small, small, large, large, 1];
        let widths = sizes.iter().scan(1, |width, size| {
            *width = width_after(*width, *size);
            Some(*width)
        });
        assert_eq!(widths.collect::<Vec<_>>(), [2, 4, 8, 8, 1, 1, 2]);
    }
}
