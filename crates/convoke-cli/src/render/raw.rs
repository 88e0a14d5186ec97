//! One host's output as it is.

use convoke::event::{Event, Kind, Stream};

use super::View;
use super::escape::{Escaping, Then, unfinished_tail};
use super::screen::{Broken, Screen};
use crate::config::Output;

/// Passes bytes on; towards a terminal they are escaped.
pub(crate) struct Raw {
    stdout: Passage,
    stderr: Passage,
}

struct Passage {
    escaping: Escaping,
    /// The beginning of a character whose end has not come: up to 3 bytes. Stays empty when nothing is
    /// escaped.
    held: Vec<u8>,
}

impl Raw {
    pub(crate) fn new(output: &Output) -> Self {
        let passage = |paper| Passage {
            escaping: Escaping::of_raw(paper, output.safety),
            held: Vec::new(),
        };
        Raw {
            stdout: passage(output.stdout),
            stderr: passage(output.stderr),
        }
    }

    fn passage(&mut self, stream: Stream) -> &mut Passage {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

impl View for Raw {
    fn event(&mut self, event: Event, screen: &mut Screen) -> Result<(), Broken> {
        let Kind::Output { stream, data } = event.kind else {
            return Ok(());
        };
        let sink = screen.sink(stream)?;
        let passage = self.passage(stream);
        match passage.escaping {
            Escaping::Nothing => sink.pass(&data)?,
            _ => {
                passage.push(&data, sink.buffer());
                sink.settle()?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, screen: &mut Screen) -> Result<(), Broken> {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let passage = self.passage(stream);
            if !passage.held.is_empty() {
                let sink = screen.sink(stream)?;
                let held = std::mem::take(&mut passage.held);
                passage.escaping.push(&held, Then::Anything, sink.buffer());
            }
        }
        Ok(())
    }
}

impl Passage {
    fn push(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let mut joined = std::mem::take(&mut self.held);
        let data = match joined.is_empty() {
            true => data,
            false => {
                joined.extend_from_slice(data);
                &joined
            }
        };
        let (now, later) = data.split_at(data.len() - unfinished_tail(data));
        self.escaping.push(now, Then::Anything, out);
        self.held = later.to_vec();
    }
}

#[cfg(test)]
mod tests;
