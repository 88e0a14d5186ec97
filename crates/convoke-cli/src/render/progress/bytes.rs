//! How many bytes of files have moved, of how many, and how fast.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use convoke::event::{Event, Kind};
use convoke::outcome::Outcome;

use super::super::words;

/// How many columns a bar takes between its ends.
const BAR: u64 = 20;

/// The bytes of all hosts.
pub(super) struct Bytes {
    /// How many each host gets, when that is known beforehand.
    each: Option<u64>,
    hosts: u64,
    began: Option<Instant>,
    /// What is known of the hosts that have begun: bytes so far, and of how many.
    known: HashMap<Arc<str>, (u64, Option<u64>)>,
    moved: u64,
}

impl Bytes {
    pub(super) fn new(hosts: usize, each: Option<u64>) -> Self {
        Bytes {
            each,
            hosts: hosts as u64,
            began: None,
            known: HashMap::new(),
            moved: 0,
        }
    }

    pub(super) fn note(&mut self, event: &Event, now: Instant) {
        let (bytes, total) = match &event.kind {
            Kind::Progress(progress) => (progress.bytes, progress.total),
            Kind::Ended(Outcome::Done(done)) => (done.bytes, Some(done.bytes)),
            _ => return,
        };
        self.began.get_or_insert(now);
        let host = self.known.entry(Arc::clone(&event.host)).or_default();
        self.moved = self.moved - host.0 + bytes;
        *host = (bytes, total);
    }

    /// How many bytes there are, when that is known.
    fn total(&self) -> Option<u64> {
        match self.each {
            Some(each) => each.checked_mul(self.hosts),
            None if self.known.len() as u64 == self.hosts => {
                self.known.values().map(|(_, total)| *total).sum()
            }
            None => None,
        }
    }

    /// It as the begin of a line, once a byte has moved.
    pub(super) fn line(&self, now: Instant) -> Option<String> {
        let time = now.duration_since(self.began?);
        let rate = rate(self.moved, time);
        let moved = words::bytes(self.moved);
        Some(match self.total() {
            Some(total) => {
                let share = self.moved.min(total).saturating_mul(100) / total.max(1);
                let filled = (share * BAR / 100) as usize;
                let bar = "=".repeat(filled) + &" ".repeat(BAR as usize - filled);
                let total = words::bytes(total);
                format!("[{bar}] {share}% {moved} of {total}, {rate}; ")
            }
            None => format!("{moved}, {rate}; "),
        })
    }
}

/// So many bytes in that time, as bytes a second.
pub(crate) fn rate(bytes: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(0.001);
    format!("{}/s", words::bytes((bytes as f64 / seconds) as u64))
}
