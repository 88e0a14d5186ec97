//! How many bytes of files have moved, of how many, how fast, and how long it will take.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use convoke::event::{Event, Kind};
use convoke::outcome::Outcome;

use super::super::words;
use super::columns;
use super::pace::Pace;

/// How many columns a bar takes at most between its ends, and at least, or there is none.
const BAR: usize = 20;
const SHORT_BAR: usize = 5;

/// The bytes of all hosts.
pub(super) struct Bytes {
    /// How many each host gets, when that is known beforehand.
    each: Option<u64>,
    hosts: u64,
    /// What is known of the hosts that have begun: bytes so far, and of how many.
    known: HashMap<Arc<str>, (u64, Option<u64>)>,
    moved: u64,
    /// How many will not move: those that hosts still wanted that failed.
    lost: u64,
    pace: Pace,
}

/// What a line says of bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// How much of all, in percent.
    share: Option<usize>,
    /// In words.
    long: String,
    /// In fewer words.
    short: String,
}

impl Bytes {
    pub(super) fn new(hosts: usize, each: Option<u64>) -> Self {
        Bytes {
            each,
            hosts: hosts as u64,
            known: HashMap::new(),
            moved: 0,
            lost: 0,
            pace: Pace::default(),
        }
    }

    pub(super) fn note(&mut self, event: &Event, now: Instant) {
        let (moved, _) = self.known.get(&event.host).copied().unwrap_or_default();
        let host = match &event.kind {
            Kind::Progress(progress) => (progress.bytes, progress.total),
            Kind::Ended(Outcome::Done(done)) => (done.bytes, Some(done.bytes)),
            Kind::Ended(_) => {
                self.lost += self.each.unwrap_or_default().saturating_sub(moved);
                (moved, Some(moved))
            }
            _ => return,
        };
        self.known.insert(Arc::clone(&event.host), host);
        self.moved = self.moved - moved + host.0;
        if self.moved > 0 {
            self.pace.note(now, self.moved);
        }
    }

    /// How many bytes there are, when that is known.
    fn total(&self) -> Option<u64> {
        match self.each {
            Some(each) => Some(each.checked_mul(self.hosts)?.saturating_sub(self.lost)),
            None if self.known.len() as u64 == self.hosts => {
                self.known.values().map(|(_, total)| *total).sum()
            }
            None => None,
        }
    }

    /// What there is to say, once a byte has moved.
    pub(super) fn said(&mut self, now: Instant) -> Option<Said> {
        if self.moved == 0 {
            return None;
        }
        self.pace.note(now, self.moved);
        let pace = self.pace.per_second(now, self.moved);
        let moved = words::bytes(self.moved);
        let Some(total) = self.total() else {
            let text = [Some(moved), pace.map(a_second)];
            let text = text.into_iter().flatten().collect::<Vec<_>>().join(", ");
            return Some(Said {
                share: None,
                long: text.clone(),
                short: text,
            });
        };
        let left = total.saturating_sub(self.moved);
        let seconds = self.pace.seconds(now, self.moved, left);
        let how = [pace.map(a_second), seconds.map(time_left)];
        let how: String = how
            .into_iter()
            .flatten()
            .map(|how| format!(", {how}"))
            .collect();
        let share = (self.moved.min(total) as u128 * 100 / u128::from(total.max(1))) as usize;
        Some(Said {
            share: Some(share),
            long: format!("{share}% {moved} of {}{how}", words::bytes(total)),
            short: format!("{share}%{how}"),
        })
    }
}

impl Said {
    /// It with `counts` behind it, in so much room if possible: the bar gives way first, then what can be missed.
    pub(super) fn line(&self, counts: &str, room: usize) -> String {
        let with = |text: &str| match counts {
            "" => text.to_owned(),
            counts => format!("{text}; {counts}"),
        };
        let line = with(&self.long);
        let Some(left) = room.checked_sub(columns(&line)) else {
            return with(&self.short);
        };
        let ends = "[] ".len();
        match (self.share, left.saturating_sub(ends).min(BAR)) {
            (Some(share), bar @ SHORT_BAR..) => {
                let filled = share * bar / 100;
                let (done, rest) = ("=".repeat(filled), " ".repeat(bar - filled));
                format!("[{done}{rest}] {line}")
            }
            _ => line,
        }
    }
}

/// So many bytes in that time, as bytes a second.
pub(crate) fn rate(bytes: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(0.001);
    a_second((bytes as f64 / seconds) as u64)
}

fn a_second(bytes: u64) -> String {
    format!("{}/s", words::bytes(bytes))
}

/// A time to come: the coarser, the longer.
fn time_left(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s left"),
        120..7200 => format!("{} min left", seconds.div_ceil(60)),
        _ => format!("{} h left", seconds.div_ceil(3600)),
    }
}
