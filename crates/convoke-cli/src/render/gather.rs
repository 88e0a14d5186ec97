//! Equal results of several hosts, shown once.
//!
//! Two results are equal when outcome, stdout and stderr are. Of each distinct result there is one block on
//! stdout: a line with its hosts, their number and the outcome when it is not ok, then the lines of
//! stdout, each behind two blanks. Its stderr makes a block of the same form on stderr, each line behind
//! `! `. Because every line of a host stands behind something, no host can write what looks like the line
//! that begins a block.
//!
//! Where output cannot be kept any more, what has come is shown, and the rest as it comes, line by line.

mod diff;
mod pile;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use convoke::event::{Event, Kind, Stream};
use convoke::outcome::Outcome;
use convoke::proto::command::Limits;

use super::View;
use super::escape::Escaping;
use super::lines::{Lines, Prefix};
use super::prefix::Prefixed;
use super::screen::{Broken, Screen};
use super::words;
use crate::config::{Output, Paper};
use crate::error::in_words;
use pile::{Comparison, Digest, Kept, Pile, Store};

/// Keeps results until the end of the run.
pub(crate) struct Gathered {
    output: Output,
    limits: Limits,
    shape: Shape,
    store: Store,
    /// The place of each host in host order.
    places: HashMap<Arc<str>, usize>,
    hosts: Vec<Arc<str>>,
    running: HashMap<Arc<str>, Piles>,
    results: HashMap<Key, Answer>,
    /// What has taken over since nothing more could be kept.
    instead: Option<Prefixed>,
}

/// How distinct results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Each whole.
    Blocks,
    /// The one of most hosts whole, of the others what differs from it.
    Differences,
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
struct Answer {
    /// The places of the hosts that have it.
    members: Vec<usize>,
    outcome: Outcome,
    stdout: Kept,
    stderr: Kept,
    /// The digests of stdout and stderr.
    digests: (Digest, Digest),
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
    /// `limits` are those of the step.
    pub(crate) fn new(output: &Output, hosts: &[Arc<str>], limits: Limits, shape: Shape) -> Self {
        let places = hosts
            .iter()
            .enumerate()
            .map(|(place, host)| (Arc::clone(host), place));
        Gathered {
            output: output.clone(),
            limits,
            shape,
            store: Store::new(&output.temporary),
            places: places.collect(),
            hosts: hosts.to_vec(),
            running: HashMap::new(),
            results: HashMap::new(),
            instead: None,
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
            outcome: words::outcome(&outcome, &self.limits),
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
                let result = Answer {
                    members: vec![place],
                    outcome,
                    stdout: stdout_kept,
                    stderr: stderr_kept,
                    digests: (stdout, stderr),
                };
                self.results.insert(key, result);
            }
        }
    }

    /// Shows what was kept of hosts that have ended.
    fn show_results(&mut self, screen: &mut Screen) -> Result<(), Broken> {
        let mut results: Vec<Answer> = self.results.drain().map(|(_, result)| result).collect();
        results.retain(Answer::has_come);
        results.sort_by_key(|result| result.members.iter().min().copied());
        match self.shape {
            Shape::Blocks => results
                .iter()
                .try_for_each(|result| self.show(result, screen)),
            Shape::Differences => self.show_differences(&results, screen),
        }
    }

    /// Goes on without keeping anything.
    fn fall_back(&mut self, error: &io::Error, screen: &mut Screen) -> Result<(), Broken> {
        screen.say(&format!(
            "warning: failed to keep output in {:?}: {}; from here on it is shown line by line\n\
             hint: TMPDIR names another directory\n",
            self.output.temporary,
            in_words(error)
        ));
        self.show_results(screen)?;
        let mut instead = Prefixed::new(&self.output);
        for host in &self.hosts {
            let Some(piles) = self.running.remove(host) else {
                continue;
            };
            for (stream, pile) in [
                (Stream::Stdout, piles.stdout),
                (Stream::Stderr, piles.stderr),
            ] {
                self.store.read(pile.kept(), |bytes| {
                    instead.take(host, stream, bytes, screen)
                })?;
            }
        }
        self.instead = Some(instead);
        Ok(())
    }

    fn show(&self, result: &Answer, screen: &mut Screen) -> Result<(), Broken> {
        if !result.stdout.is_empty() || result.stderr.is_empty() {
            let facts = self.facts(result, result.stdout.is_empty().then_some("no output"));
            let title = self.title(result, &facts, self.output.stdout);
            screen
                .sink(Stream::Stdout)?
                .buffer()
                .extend_from_slice(&title);
            self.show_stdout(result, screen)?;
        }
        self.show_stderr(result, screen)
    }

    fn show_stdout(&self, result: &Answer, screen: &mut Screen) -> Result<(), Broken> {
        let sink = screen.sink(Stream::Stdout)?;
        let escaping = Escaping::of_lines(self.output.stdout, self.output.safety);
        let mut lines = Lines::new(prefix("  ", "+ "), escaping);
        self.store
            .read(&result.stdout, |bytes| Ok(lines.take(bytes, sink)?))?;
        Ok(lines.finish(sink)?)
    }

    fn show_stderr(&self, result: &Answer, screen: &mut Screen) -> Result<(), Broken> {
        if result.stderr.is_empty() {
            return Ok(());
        }
        let facts = self.facts(result, Some("stderr"));
        let title = self.title(result, &facts, self.output.stderr);
        let sink = screen.sink(Stream::Stderr)?;
        sink.buffer().extend_from_slice(&title);
        let escaping = Escaping::of_lines(self.output.stderr, self.output.safety);
        let mut lines = Lines::new(prefix("! ", "!+ "), escaping);
        self.store
            .read(&result.stderr, |bytes| Ok(lines.take(bytes, sink)?))?;
        Ok(lines.finish(sink)?)
    }

    /// What a title says of a result: the outcome when it is not ok, and a remark.
    fn facts(&self, result: &Answer, remark: Option<&str>) -> Vec<String> {
        let outcome =
            (!result.outcome.is_ok()).then(|| words::outcome(&result.outcome, &self.limits));
        outcome
            .into_iter()
            .chain(remark.map(str::to_owned))
            .collect()
    }

    /// The line that begins a block.
    fn title(&self, result: &Answer, facts: &[String], paper: Paper) -> Vec<u8> {
        let mut members = result.members.clone();
        members.sort_unstable();
        let hosts = members.iter().filter_map(|place| self.hosts.get(*place));
        let hosts = words::fold(hosts.map(|host| &**host));
        let facts = match facts {
            [] => String::new(),
            facts => format!(": {}", facts.join(", ")),
        };
        let title = format!("{hosts} ({}){facts}", members.len());
        match paper.is_coloured {
            true => format!("\x1b[1m{title}\x1b[0m\n").into_bytes(),
            false => format!("{title}\n").into_bytes(),
        }
    }
}

impl View for Gathered {
    fn event(&mut self, event: Event, screen: &mut Screen) -> Result<(), Broken> {
        if let Some(instead) = &mut self.instead {
            return instead.event(event, screen);
        }
        match event.kind {
            Kind::Output { stream, data } => match self.keep(event.host, stream, &data) {
                Ok(()) => Ok(()),
                Err(error) => self.fall_back(&error, screen),
            },
            Kind::Ended(outcome) => {
                self.end(&event.host, outcome);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self, screen: &mut Screen) -> Result<(), Broken> {
        match &mut self.instead {
            Some(instead) => instead.finish(screen),
            None => self.show_results(screen),
        }
    }

    fn is_silent(&self) -> bool {
        self.instead.is_none()
    }
}

impl Answer {
    /// Whether a command had its say; of the others the recap tells.
    fn has_come(&self) -> bool {
        let has_run = match &self.outcome {
            Outcome::Exited(_) | Outcome::Done(_) | Outcome::TimedOut(_) | Outcome::Lost(_) => true,
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
