//! Equal results of several hosts, shown once.
//!
//! Two results are equal when outcome, stdout and stderr are. Of each distinct result there is one block on
//! stdout: a line with its hosts, their number and the outcome when it is not ok, then the lines of
//! stdout, each behind two blanks. Its stderr makes a block of the same form on stderr, each line behind
//! `! `. Because every line of a host stands behind something, no host can write what looks like the line
//! that begins a block.

mod pile;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use convoke::event::{Event, Kind, Stream};
use convoke::outcome::Outcome;

use super::View;
use super::escape::Escaping;
use super::lines::{Lines, Prefix};
use super::screen::{Broken, Screen};
use super::words;
use crate::config::{Output, Paper, Safety};
use pile::{Comparison, Digest, Kept, Pile, Store};

/// Keeps results until the end of the run.
pub(crate) struct Gathered {
    stdout: Paper,
    stderr: Paper,
    safety: Safety,
    store: Store,
    /// The place of each host in host order.
    places: HashMap<Arc<str>, usize>,
    hosts: Vec<Arc<str>>,
    running: HashMap<Arc<str>, Piles>,
    results: HashMap<Key, Result>,
}

/// The output of one host so far.
struct Piles {
    stdout: Pile,
    stderr: Pile,
}

/// What makes results equal.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    outcome: String,
    stdout: Digest,
    stderr: Digest,
}

/// A distinct result.
struct Result {
    /// The places of the hosts that have it.
    members: Vec<usize>,
    outcome: Outcome,
    stdout: Kept,
    stderr: Kept,
}

impl Piles {
    fn new(comparison: Comparison) -> Self {
        Piles {
            stdout: Pile::new(comparison),
            stderr: Pile::new(comparison),
        }
    }
}

impl Gathered {
    pub(crate) fn new(output: &Output, hosts: &[Arc<str>]) -> Self {
        let places = hosts
            .iter()
            .enumerate()
            .map(|(place, host)| (Arc::clone(host), place));
        Gathered {
            stdout: output.stdout,
            stderr: output.stderr,
            safety: output.safety,
            store: Store::new(&output.temporary),
            places: places.collect(),
            hosts: hosts.to_vec(),
            running: HashMap::new(),
            results: HashMap::new(),
        }
    }

    /// Whether there is more than one result to come.
    fn comparison(&self) -> Comparison {
        match self.hosts.len() {
            0 | 1 => Comparison::Pointless,
            _ => Comparison::Wanted,
        }
    }

    fn keep(&mut self, host: Arc<str>, stream: Stream, data: &[u8]) -> io::Result<()> {
        let comparison = self.comparison();
        let piles = self
            .running
            .entry(host)
            .or_insert_with(|| Piles::new(comparison));
        let pile = match stream {
            Stream::Stdout => &mut piles.stdout,
            Stream::Stderr => &mut piles.stderr,
        };
        pile.push(data, &mut self.store)
    }

    fn end(&mut self, host: &Arc<str>, outcome: Outcome) {
        let piles = self.running.remove(host);
        let piles = piles.unwrap_or_else(|| Piles::new(self.comparison()));
        let ((stdout, stdout_kept), (stderr, stderr_kept)) = (
            piles.stdout.end(&mut self.store),
            piles.stderr.end(&mut self.store),
        );
        let key = Key {
            outcome: words::outcome(&outcome),
            stdout,
            stderr,
        };
        let place = self.places.get(host).copied().unwrap_or(usize::MAX);
        match self.results.get_mut(&key) {
            Some(result) => {
                result.members.push(place);
                self.store.forget(stdout_kept);
                self.store.forget(stderr_kept);
            }
            None => {
                let result = Result {
                    members: vec![place],
                    outcome,
                    stdout: stdout_kept,
                    stderr: stderr_kept,
                };
                self.results.insert(key, result);
            }
        }
    }

    fn show(&self, result: &Result, screen: &mut Screen) -> std::result::Result<(), Broken> {
        if !result.stdout.is_empty() || result.stderr.is_empty() {
            let remark = result.stdout.is_empty().then_some("no output");
            let title = self.title(result, remark, self.stdout);
            let sink = screen.sink(Stream::Stdout)?;
            sink.buffer().extend_from_slice(&title);
            let escaping = Escaping::of_lines(self.stdout, self.safety);
            let mut lines = Lines::new(prefix("  ", "+ "), escaping);
            self.store
                .read(&result.stdout, |bytes| Ok(lines.take(bytes, sink)?))?;
            lines.finish(sink)?;
        }
        if !result.stderr.is_empty() {
            let title = self.title(result, Some("stderr"), self.stderr);
            let sink = screen.sink(Stream::Stderr)?;
            sink.buffer().extend_from_slice(&title);
            let escaping = Escaping::of_lines(self.stderr, self.safety);
            let mut lines = Lines::new(prefix("! ", "!+ "), escaping);
            self.store
                .read(&result.stderr, |bytes| Ok(lines.take(bytes, sink)?))?;
            lines.finish(sink)?;
        }
        Ok(())
    }

    /// The line that begins a block.
    fn title(&self, result: &Result, remark: Option<&str>, paper: Paper) -> Vec<u8> {
        let mut members = result.members.clone();
        members.sort_unstable();
        let hosts = members.iter().filter_map(|place| self.hosts.get(*place));
        let hosts = words::fold(hosts.map(|host| &**host));
        let outcome = (!result.outcome.is_ok()).then(|| words::outcome(&result.outcome));
        let facts: Vec<&str> = outcome.iter().map(String::as_str).chain(remark).collect();
        let facts = match facts.is_empty() {
            true => String::new(),
            false => format!(": {}", facts.join(", ")),
        };
        let title = format!("{hosts} ({}){facts}", members.len());
        match paper.is_coloured {
            true => format!("\x1b[1m{title}\x1b[0m\n").into_bytes(),
            false => format!("{title}\n").into_bytes(),
        }
    }
}

impl View for Gathered {
    fn event(&mut self, event: Event, _: &mut Screen) -> std::result::Result<(), Broken> {
        match event.kind {
            Kind::Output { stream, data } => {
                self.keep(event.host, stream, &data)
                    .map_err(|source| Broken::Failed {
                        doing: "keep output in a temporary file",
                        source,
                    })?;
            }
            Kind::Ended(outcome) => self.end(&event.host, outcome),
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, screen: &mut Screen) -> std::result::Result<(), Broken> {
        let mut results: Vec<Result> = self.results.drain().map(|(_, result)| result).collect();
        results.sort_by_key(|result| result.members.iter().min().copied());
        results
            .iter()
            .filter(|result| result.has_come())
            .try_for_each(|result| self.show(result, screen))
    }
}

impl Result {
    /// Whether a command had its say; of the others the recap tells.
    fn has_come(&self) -> bool {
        let has_run = match &self.outcome {
            Outcome::Exited(_) | Outcome::TimedOut(_) | Outcome::Lost(_) => true,
            Outcome::Cancelled(cancelled) => cancelled.was_running,
            _ => false,
        };
        has_run || !self.stdout.is_empty() || !self.stderr.is_empty()
    }
}

fn prefix(whole: &str, piece: &str) -> Prefix {
    Prefix {
        whole: whole.into(),
        piece: piece.into(),
    }
}

#[cfg(test)]
mod tests;
