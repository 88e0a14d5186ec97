//! One line on a terminal that says how far a run is.

mod bytes;
mod pace;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use convoke::event::{Event, Kind};

use bytes::Bytes;
pub(crate) use bytes::rate;

/// A run that is over before this shows no progress: a line that flashes up helps nobody.
const QUIET_AT_FIRST: Duration = Duration::from_secs(1);

/// A host that runs for so long is named.
const SLOW: Duration = Duration::from_secs(5);

/// How far a run is.
pub(crate) struct Progress {
    began: Instant,
    total: usize,
    ok: usize,
    failed: usize,
    /// Since when hosts are worked on.
    working: HashMap<Arc<str>, (Instant, Stage)>,
    bytes: Bytes,
}

/// How far a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Running,
}

impl Progress {
    /// Nothing has happened yet; each host gets `each` bytes, when that is known.
    pub(crate) fn new(total: usize, each: Option<u64>, now: Instant) -> Self {
        Progress {
            began: now,
            total,
            ok: 0,
            failed: 0,
            working: HashMap::new(),
            bytes: Bytes::new(total, each),
        }
    }

    /// Takes note of an event.
    pub(crate) fn note(&mut self, event: &Event, now: Instant) {
        self.bytes.note(event, now);
        match &event.kind {
            // A host that is connected begins anew: a slow way there is no slow command.
            Kind::Connecting { attempt: 1 } => self.enter(event, now, Stage::Connecting),
            // One whose files move is not slow either.
            Kind::Connected(_) | Kind::Progress(_) => self.enter(event, now, Stage::Running),
            Kind::Ended(outcome) => {
                self.working.remove(&event.host);
                match outcome.is_ok() {
                    true => self.ok += 1,
                    false => self.failed += 1,
                }
            }
            _ => {}
        }
    }

    fn enter(&mut self, event: &Event, now: Instant, stage: Stage) {
        self.working.insert(Arc::clone(&event.host), (now, stage));
    }

    fn count(&self, wanted: Stage) -> usize {
        let stages = self.working.values().map(|(_, stage)| *stage);
        stages.filter(|stage| *stage == wanted).count()
    }

    /// The line, of fewer than `width` columns, once there is something to say.
    pub(crate) fn line(&mut self, now: Instant, width: usize) -> Option<String> {
        if now.duration_since(self.began) < QUIET_AT_FIRST {
            return None;
        }
        // One column stays free: a full line makes some terminals scroll.
        let room = width.saturating_sub(1);
        let mut line = match self.bytes.said(now) {
            Some(said) => said.line(&self.short_counts(), room),
            None => self.counts(),
        };
        if columns(&line) > room {
            line = line.chars().take(room.saturating_sub(1)).collect();
            line.push('…');
            return Some(line);
        }
        push_slow(&mut line, &self.slow(now), room);
        Some(line)
    }

    /// How many hosts are how far.
    fn counts(&self) -> String {
        let (done, total) = (self.ok + self.failed, self.total);
        let (ok, failed) = (self.ok, self.failed);
        let running = self.count(Stage::Running);
        let connecting = self.connecting();
        format!("{done}/{total} done, {ok} ok, {failed} failed, {running} running{connecting}")
    }

    /// The same beside bytes, which say how far the others are; nothing of a single host.
    fn short_counts(&self) -> String {
        let (done, total) = (self.ok + self.failed, self.total);
        match (total, self.failed) {
            (1, _) => String::new(),
            (_, 0) => format!("{done}/{total} done{}", self.connecting()),
            (_, failed) => format!("{done}/{total} done, {failed} failed{}", self.connecting()),
        }
    }

    fn connecting(&self) -> String {
        match self.count(Stage::Connecting) {
            0 => String::new(),
            hosts => format!(", {hosts} connecting"),
        }
    }

    /// The slow hosts, those first that have run longest.
    fn slow(&self, now: Instant) -> Vec<(&str, Duration)> {
        let times = self
            .working
            .iter()
            .map(|(host, (since, _))| (&**host, now.duration_since(*since)));
        let mut slow: Vec<_> = times.filter(|(_, time)| *time >= SLOW).collect();
        slow.sort_by(|(a, a_time), (b, b_time)| b_time.cmp(a_time).then(a.cmp(b)));
        slow
    }
}

/// Appends as many slow hosts as there is room for, none of them in part, and the number of the others.
fn push_slow(line: &mut String, slow: &[(&str, Duration)], room: usize) {
    for (index, (host, time)) in slow.iter().enumerate() {
        let intro = if index == 0 { "; slow: " } else { ", " };
        let named = format!("{intro}{host} {} s", time.as_secs());
        let others = match slow.len() - index - 1 {
            0 => 0,
            others => columns(&format!(", +{others}")),
        };
        if columns(line) + columns(&named) + others > room {
            let left = match index {
                0 => format!("; {} slow", slow.len()),
                _ => format!(", +{}", slow.len() - index),
            };
            if columns(line) + columns(&left) <= room {
                line.push_str(&left);
            }
            return;
        }
        line.push_str(&named);
    }
}

/// How many columns a text takes at most: what is not ASCII may be wide.
fn columns(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum()
}

#[cfg(test)]
mod tests;
