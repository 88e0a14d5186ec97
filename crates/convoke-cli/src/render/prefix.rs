//! The lines of several hosts, each behind its host's name.
//!
//! `HOST: ` stands before a line of stdout, `HOST! ` before one of stderr, and `HOST:+ ` or `HOST!+ ` before
//! a piece of a line that is too long and goes on.

use std::collections::HashMap;
use std::sync::Arc;

use convoke::event::{Event, Kind, Stream};

use super::View;
use super::escape::Escaping;
use super::lines::{Lines, Prefix};
use super::screen::{Broken, Screen};
use crate::config::{Output, Paper, Safety};

/// The colours of prefixes: those that can be read on dark and on bright ground, without the red of
/// errors.
const COLOURS: [&str; 10] = ["32", "33", "34", "35", "36", "92", "93", "94", "95", "96"];

/// Shows lines with prefixes.
pub(crate) struct Prefixed {
    stdout: Paper,
    stderr: Paper,
    safety: Safety,
    /// What has begun, by host.
    hosts: HashMap<Arc<str>, Streams>,
}

struct Streams {
    stdout: Lines,
    stderr: Lines,
}

impl Prefixed {
    pub(crate) fn new(output: &Output) -> Self {
        Prefixed {
            stdout: output.stdout,
            stderr: output.stderr,
            safety: output.safety,
            hosts: HashMap::new(),
        }
    }

    fn lines(&mut self, host: &Arc<str>, stream: Stream) -> &mut Lines {
        let (stdout, stderr, safety) = (self.stdout, self.stderr, self.safety);
        let lines = |paper: Paper, mark| {
            let prefix = prefix(host, mark, paper);
            Lines::new(prefix, Escaping::of_lines(paper, safety))
        };
        let streams = self
            .hosts
            .entry(Arc::clone(host))
            .or_insert_with(|| Streams {
                stdout: lines(stdout, ":"),
                stderr: lines(stderr, "!"),
            });
        match stream {
            Stream::Stdout => &mut streams.stdout,
            Stream::Stderr => &mut streams.stderr,
        }
    }
}

impl Prefixed {
    /// Shows a piece of output.
    pub(super) fn take(
        &mut self,
        host: &Arc<str>,
        stream: Stream,
        data: &[u8],
        screen: &mut Screen,
    ) -> Result<(), Broken> {
        let sink = screen.sink(stream)?;
        Ok(self.lines(host, stream).take(data, sink)?)
    }
}

impl View for Prefixed {
    fn event(&mut self, event: Event, screen: &mut Screen) -> Result<(), Broken> {
        match event.kind {
            Kind::Output { stream, data } => self.take(&event.host, stream, &data, screen)?,
            Kind::Ended(_) => {
                if let Some(mut streams) = self.hosts.remove(&event.host) {
                    streams.stdout.finish(screen.sink(Stream::Stdout)?)?;
                    streams.stderr.finish(screen.sink(Stream::Stderr)?)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, screen: &mut Screen) -> Result<(), Broken> {
        for (_, mut streams) in self.hosts.drain() {
            streams.stdout.finish(screen.sink(Stream::Stdout)?)?;
            streams.stderr.finish(screen.sink(Stream::Stderr)?)?;
        }
        Ok(())
    }
}

fn prefix(host: &str, mark: &str, paper: Paper) -> Prefix {
    let text = |more: &str| match paper.is_coloured {
        true => format!("\x1b[{}m{host}{mark}{more}\x1b[0m ", colour(host)).into_bytes(),
        false => format!("{host}{mark}{more} ").into_bytes(),
    };
    Prefix {
        whole: text(""),
        piece: text("+"),
    }
}

/// The colour of a host: always the same for the same name.
fn colour(host: &str) -> &'static str {
    // FNV-1a: names that differ in one digit mostly get different colours.
    let hash = host.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    COLOURS[hash as usize % COLOURS.len()]
}

#[cfg(test)]
mod tests;
