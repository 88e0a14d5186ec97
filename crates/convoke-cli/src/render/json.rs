//! The events themselves, one JSON object a line.
//!
//! Output is cut between characters: up to 3 bytes wait for the next piece of their stream. Because that
//! may merge or add pieces, `seq` counts the lines that are written, for each host from 0 without gaps.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use convoke::event::{Event, Kind, Progress, Stream};
use convoke::printable::is_invisible;
use serde_json::ser::{CompactFormatter, Formatter};

use super::View;
use super::escape::unfinished_tail;
use super::screen::{Broken, Screen};
use super::sink::Sink;
use crate::config::{Output, Paper};

/// How long nothing is told of how far the files of a host are.
const PAUSE: Duration = Duration::from_millis(100);

/// Shows events.
pub(crate) struct Json {
    stdout: Paper,
    hosts: HashMap<Arc<str>, Numbered>,
}

/// What is known of one host.
#[derive(Default)]
struct Numbered {
    /// The number of its next line.
    next: u64,
    /// The beginning of a character, by stream.
    stdout: Bytes,
    stderr: Bytes,
    /// When it was last told how far its files are.
    progress: Option<SystemTime>,
}

impl Json {
    pub(crate) fn new(output: &Output) -> Self {
        Json {
            stdout: output.stdout,
            hosts: HashMap::new(),
        }
    }
}

impl View for Json {
    fn event(&mut self, mut event: Event, screen: &mut Screen) -> Result<(), Broken> {
        let sink = screen.sink(Stream::Stdout)?;
        let host = self.hosts.entry(Arc::clone(&event.host)).or_default();
        match event.kind {
            Kind::Output { stream, data } => {
                let data = host.recut(stream, data);
                if data.is_empty() {
                    return Ok(());
                }
                event.kind = Kind::Output { stream, data };
            }
            Kind::Progress(progress) if !host.tells(progress, event.at) => return Ok(()),
            Kind::Ended(_) => {
                for stream in [Stream::Stdout, Stream::Stderr] {
                    let data = std::mem::take(host.held(stream));
                    if !data.is_empty() {
                        let kind = Kind::Output { stream, data };
                        host.write(
                            Event {
                                kind,
                                ..event.clone()
                            },
                            self.stdout,
                            sink,
                        )?;
                    }
                }
            }
            _ => {}
        }
        host.write(event, self.stdout, sink)
    }

    fn finish(&mut self, _: &mut Screen) -> Result<(), Broken> {
        Ok(())
    }
}

impl Numbered {
    /// Whether it is told how far files are: from time to time, and when all has moved, which nothing says later.
    fn tells(&mut self, progress: Progress, at: SystemTime) -> bool {
        let is_time = match self.progress {
            _ if progress.total == Some(progress.bytes) => true,
            Some(before) => at.duration_since(before).is_ok_and(|time| time >= PAUSE),
            None => true,
        };
        if is_time {
            self.progress = Some(at);
        }
        is_time
    }

    fn held(&mut self, stream: Stream) -> &mut Bytes {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// A piece with what was held before it, without what begins a character at its end.
    fn recut(&mut self, stream: Stream, data: Bytes) -> Bytes {
        let held = self.held(stream);
        let mut data = match held.is_empty() {
            true => data,
            false => {
                let mut joined = BytesMut::with_capacity(held.len() + data.len());
                joined.extend_from_slice(held);
                joined.extend_from_slice(&data);
                joined.freeze()
            }
        };
        // Copied: three bytes must not keep a whole piece in memory.
        let tail = data.split_off(data.len() - unfinished_tail(&data));
        *held = Bytes::copy_from_slice(&tail);
        data
    }

    fn write(&mut self, mut event: Event, paper: Paper, sink: &mut Sink) -> Result<(), Broken> {
        event.seq = self.next;
        self.next += 1;
        push(&event, paper, sink.buffer()).map_err(io::Error::from)?;
        Ok(sink.settle()?)
    }
}

/// Appends a value as one line.
pub(crate) fn push(
    value: &impl serde::Serialize,
    paper: Paper,
    out: &mut Vec<u8>,
) -> serde_json::Result<()> {
    match paper.is_terminal() {
        true => value.serialize(&mut serde_json::Serializer::with_formatter(
            &mut *out, Visible,
        ))?,
        false => value.serialize(&mut serde_json::Serializer::new(&mut *out))?,
    }
    out.push(b'\n');
    Ok(())
}

/// Writes what a terminal would act on as `\uNNNN`, which JSON allows everywhere in a string.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_invisible) {
            let (before, from) = rest.split_at(at);
            CompactFormatter.write_string_fragment(writer, before)?;
            let mut after = from.chars();
            if let Some(c) = after.next() {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = after.as_str();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests;
