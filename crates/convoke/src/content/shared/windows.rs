//! The pieces of a file that are in memory: a few windows, each for the hosts that are about as far.
//!
//! Reading on throws the oldest piece of a window away. Who is fast waits a moment for those who still want it, so
//! that hosts at about the same pace stay together; whoever is left behind finds another window, or opens one.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// How many pieces are read at once, and how many are wanted ahead of the fastest host.
pub(super) const AHEAD: usize = 16;

/// How many pieces a window keeps, 4 MiB.
pub(super) const KEPT: usize = 64;

/// How many windows there are at most.
pub(super) const WINDOWS: usize = 3;

/// How long the fast wait for the others at once. All in all they wait no longer than they work.
const WAIT: Duration = Duration::from_millis(100);

/// How long nobody has moved in a window that may be given to others.
const STALLED: Duration = Duration::from_secs(1);

/// All windows of a file.
#[derive(Debug, Default)]
pub(super) struct Windows {
    /// How many hosts have begun and not ended.
    readers: usize,
    open: Vec<Window>,
    /// How many were ever opened: a number for the next.
    opened: u64,
}

/// Pieces that follow each other, and who wants them.
pub(super) struct Window {
    pub(super) number: u64,
    /// The number of the first piece that is kept.
    pub(super) first: u64,
    /// All but the last of the file are of one length.
    pub(super) pieces: VecDeque<Bytes>,
    pub(super) is_reading: bool,
    /// What comes behind the pieces that are kept, when that is known.
    pub(super) end: Option<End>,
    /// The piece that each host wants.
    hosts: HashMap<u64, u64>,
    pace: Pace,
}

#[derive(Clone)]
pub(super) enum End {
    Nothing,
    Failed(Arc<io::Error>),
}

/// How the time of a window went.
struct Pace {
    began: Instant,
    moved: Instant,
    waited: Duration,
    /// Since when the fast wait, and until when at the latest.
    waiting: Option<(Instant, Instant)>,
}

impl Windows {
    /// A host begins.
    pub(super) fn enter(&mut self) {
        self.readers += 1;
    }

    /// A host ends. What nobody reads is not kept: there may be thousands of files.
    pub(super) fn end(&mut self, host: u64, seat: Option<u64>) {
        self.leave(host, seat);
        self.readers = self.readers.saturating_sub(1);
        if self.readers == 0 {
            self.open.clear();
        }
    }

    /// The window that has, or will have next, the piece that a host wants. None when that one is alone.
    ///
    /// `seat` is the number of the window where it was before.
    pub(super) fn seat(&mut self, host: u64, seat: &mut Option<u64>, piece: u64) -> Option<u64> {
        let now = Instant::now();
        let has = self.open.iter().find(|window| window.has(piece));
        let stays = || self.get(*seat).filter(|window| window.is_next(piece));
        let takes = || self.open.iter().find(|window| window.is_next(piece));
        let found = match self.get(*seat).filter(|window| window.has(piece)) {
            Some(window) => Some(window),
            None => has.or_else(stays).or_else(takes),
        };
        let number = match found.map(|window| window.number) {
            Some(number) => Some(number),
            None => self.open_at(piece, now),
        };
        if *seat != number {
            self.leave(host, *seat);
            *seat = number;
        }
        let window = self.get_mut(number?)?;
        window.hosts.insert(host, piece);
        window.pace.moved = now;
        number
    }

    /// A host wants nothing more of a window.
    fn leave(&mut self, host: u64, seat: Option<u64>) {
        if let Some(window) = seat.and_then(|number| self.get_mut(number)) {
            window.hosts.remove(&host);
        }
    }

    fn get(&self, number: Option<u64>) -> Option<&Window> {
        let number = number?;
        self.open.iter().find(|window| window.number == number)
    }

    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut Window> {
        self.open.iter_mut().find(|window| window.number == number)
    }

    #[cfg(test)]
    pub(super) fn pieces(&self) -> usize {
        self.open.iter().map(|window| window.pieces.len()).sum()
    }

    /// Opens a window that begins with a piece, if need be in the place of one that is of no use.
    fn open_at(&mut self, piece: u64, now: Instant) -> Option<u64> {
        if self.open.len() >= WINDOWS {
            let useless = self.open.iter().position(|window| window.is_useless(now))?;
            self.open.remove(useless);
        }
        self.opened += 1;
        self.open.push(Window::new(self.opened, piece, now));
        Some(self.opened)
    }

    /// Whether more is to be read for a window now; `is_idle` when its fastest host has nothing left to do.
    pub(super) fn wants_more(&mut self, number: u64, is_idle: bool) -> bool {
        let Some(window) = self.get(Some(number)) else {
            return false;
        };
        let next = window.next();
        // Whoever comes to the end of this one finds it there.
        if window.is_reading || window.end.is_some() || self.open.iter().any(|one| one.has(next)) {
            return false;
        }
        self.get_mut(number)
            .is_some_and(|window| !window.waits(is_idle))
    }
}

impl Window {
    fn new(number: u64, first: u64, now: Instant) -> Self {
        Window {
            number,
            first,
            pieces: VecDeque::new(),
            is_reading: false,
            end: None,
            hosts: HashMap::new(),
            pace: Pace {
                began: now,
                moved: now,
                waited: Duration::ZERO,
                waiting: None,
            },
        }
    }

    /// The number of the first piece that is not read yet.
    pub(super) fn next(&self) -> u64 {
        self.first + self.pieces.len() as u64
    }

    fn has(&self, piece: u64) -> bool {
        (self.first..self.next()).contains(&piece)
    }

    fn is_next(&self, piece: u64) -> bool {
        self.next() == piece
    }

    fn is_useless(&self, now: Instant) -> bool {
        self.hosts.is_empty() || now - self.pace.moved > STALLED
    }

    pub(super) fn keep(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.pieces.push_back(piece);
        }
        while self.pieces.len() > KEPT {
            self.pieces.pop_front();
            self.first += 1;
        }
    }

    /// Until when the fast wait for the others at the latest, if they do.
    pub(super) fn waits_until(&self) -> Option<Instant> {
        self.pace.waiting.map(|(_, until)| until)
    }

    /// Whether somebody still wants what would be thrown away, and is waited for.
    fn waits(&mut self, is_idle: bool) -> bool {
        let too_many = (self.pieces.len() + AHEAD).saturating_sub(KEPT) as u64;
        let thrown_away = self.first..self.first + too_many;
        let is_wanted = self.hosts.values().any(|piece| thrown_away.contains(piece));
        self.pace.waits(is_wanted, is_idle, Instant::now())
    }
}

impl Pace {
    fn waits(&mut self, is_wanted: bool, is_idle: bool, now: Instant) -> bool {
        match self.waiting {
            Some((_, until)) if is_wanted && now < until => return true,
            Some((since, _)) => {
                self.waited += now - since;
                self.waiting = None;
            }
            // Nothing is thrown away only to have more at hand.
            None if is_wanted && !is_idle => return true,
            None if is_wanted => {
                let most = ((now - self.began) / 2 + WAIT).saturating_sub(self.waited);
                if !most.is_zero() {
                    self.waiting = Some((now, now + most.min(WAIT)));
                    return true;
                }
            }
            None => {}
        }
        false
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("first", &self.first)
            .field("pieces", &self.pieces.len())
            .finish_non_exhaustive()
    }
}
