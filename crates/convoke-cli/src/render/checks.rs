//! A line a host: whether and how it was reached. In host order, each as soon as it can be.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use convoke::event::{Connected, Event, Kind, Stream};
use convoke::outcome::Outcome;
use convoke::proto::command::Limits;

use super::View;
use super::escape::one_line;
use super::screen::{Broken, Screen};
use super::words;
use crate::config::{Output, Volume};

/// The widest column of names; longer names push their line to the right.
const WIDEST: usize = 40;

/// The colours of what is well, and of what is not.
const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// Shows the lines.
pub(crate) struct Checks {
    is_coloured: bool,
    /// Whether only hosts that were not reached are told.
    is_quiet: bool,
    hosts: Vec<Arc<str>>,
    /// How many hosts were shown.
    shown: usize,
    width: usize,
    reached: HashMap<Arc<str>, Connected>,
    /// Lines of hosts that have to wait for those before them.
    ready: HashMap<Arc<str>, String>,
}

impl Checks {
    pub(crate) fn new(output: &Output, hosts: &[Arc<str>]) -> Self {
        let longest = hosts.iter().map(|host| host.chars().count()).max();
        Checks {
            is_coloured: output.stdout.is_coloured,
            is_quiet: output.talk == Volume::Quiet,
            hosts: hosts.to_vec(),
            shown: 0,
            width: longest.unwrap_or(0).min(WIDEST),
            reached: HashMap::new(),
            ready: HashMap::new(),
        }
    }

    fn line(&mut self, host: &Arc<str>, outcome: &Outcome) -> String {
        let connected = self.reached.remove(host);
        let width = self.width;
        let name = one_line(host.as_bytes());
        match (outcome, connected) {
            (Outcome::Checked(_), _) if self.is_quiet => String::new(),
            (Outcome::Checked(checked), Some(way)) => {
                let ok = self.coloured(GREEN, "ok");
                // As wide as the longest words and times there are.
                format!(
                    "{name:width$}  {ok}  {:<8} agent {:<7} connected in {:>7}, answers in {:>7}\n",
                    format!("{},", way.connector),
                    format!("{},", way.agent.as_str()),
                    time(way.took),
                    time(checked.round_trip),
                )
            }
            (outcome, _) => {
                // The recap tells the rest, once for all hosts it is true of.
                let words = match outcome {
                    Outcome::Unreachable(unreachable) => {
                        format!("unreachable ({})", unreachable.kind.as_str())
                    }
                    outcome => words::outcome(outcome, &Limits::default()),
                };
                format!("{name:width$}  {}\n", self.coloured(RED, &words))
            }
        }
    }

    fn coloured(&self, colour: &str, word: &str) -> String {
        match self.is_coloured {
            true => format!("{colour}{word}{PLAIN}"),
            false => word.to_owned(),
        }
    }

    /// Shows what no longer has to wait.
    fn advance(&mut self, screen: &mut Screen) -> Result<(), Broken> {
        while let Some(line) = self
            .hosts
            .get(self.shown)
            .and_then(|host| self.ready.remove(host))
        {
            self.shown += 1;
            let sink = screen.sink(Stream::Stdout)?;
            sink.buffer().extend_from_slice(line.as_bytes());
            sink.settle()?;
        }
        Ok(())
    }
}

impl View for Checks {
    fn event(&mut self, event: Event, screen: &mut Screen) -> Result<(), Broken> {
        match event.kind {
            Kind::Connected(connected) => {
                self.reached.insert(event.host, connected);
            }
            Kind::Ended(outcome) => {
                let line = self.line(&event.host, &outcome);
                self.ready.insert(event.host, line);
                self.advance(screen)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Screen) -> Result<(), Broken> {
        Ok(())
    }
}

/// A time as short as it can be read: three digits, or whole milliseconds.
fn time(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    match ms {
        0.0..10.0 => format!("{ms:.1} ms"),
        10.0..10_000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1e3),
    }
}

#[cfg(test)]
mod tests;
