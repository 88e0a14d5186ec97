//! One line on a terminal that says how far a run is.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use convoke::event::{Event, Kind};

/// A run that is over before this shows no progress: a line that flashes up helps nobody.
const QUIET_AT_FIRST: Duration = Duration::from_secs(1);

/// A host that runs for so long is named.
const SLOW: Duration = Duration::from_secs(10);

/// How many slow hosts are named, those first that have run longest.
const NAMED: usize = 3;

/// How far a run is.
pub(crate) struct Progress {
    began: Instant,
    total: usize,
    ok: usize,
    failed: usize,
    /// Since when hosts are worked on.
    running: HashMap<Arc<str>, Instant>,
}

impl Progress {
    /// Nothing has happened yet.
    pub(crate) fn new(total: usize, now: Instant) -> Self {
        Progress {
            began: now,
            total,
            ok: 0,
            failed: 0,
            running: HashMap::new(),
        }
    }

    /// Takes note of an event.
    pub(crate) fn note(&mut self, event: &Event, now: Instant) {
        match &event.kind {
            Kind::Connected(_) | Kind::Started { .. } => {
                self.running.entry(Arc::clone(&event.host)).or_insert(now);
            }
            Kind::Ended(outcome) => {
                self.running.remove(&event.host);
                match outcome.is_ok() {
                    true => self.ok += 1,
                    false => self.failed += 1,
                }
            }
            _ => {}
        }
    }

    /// The line, at most `width` columns, once there is something to say.
    pub(crate) fn line(&self, now: Instant, width: usize) -> Option<String> {
        if now.duration_since(self.began) < QUIET_AT_FIRST {
            return None;
        }
        let (done, total) = (self.ok + self.failed, self.total);
        let mut line = format!(
            "{done}/{total} done, {} ok, {} failed, {} running",
            self.ok,
            self.failed,
            self.running.len()
        );
        // Writing to a string cannot fail.
        for (index, (host, time)) in self.slow(now).into_iter().enumerate() {
            let intro = if index == 0 { "; slow: " } else { ", " };
            let _ = write!(line, "{intro}{host} {} s", time.as_secs());
        }
        // One column stays free: a full line makes some terminals scroll.
        Some(line.chars().take(width.saturating_sub(1)).collect())
    }

    fn slow(&self, now: Instant) -> Vec<(&str, Duration)> {
        let times = self
            .running
            .iter()
            .map(|(host, since)| (&**host, now.duration_since(*since)));
        let mut slow: Vec<_> = times.filter(|(_, time)| *time >= SLOW).collect();
        slow.sort_by(|(a, a_time), (b, b_time)| b_time.cmp(a_time).then(a.cmp(b)));
        slow.truncate(NAMED);
        slow
    }
}

#[cfg(test)]
mod tests;
