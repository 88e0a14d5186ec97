//! Bytes as whole lines behind a prefix.

use std::io;

use memchr::{memchr, memchr_iter};

use super::escape::{Escaping, Then, unfinished_tail};
use super::sink::Sink;

/// The longest line that is shown in one piece, in bytes: what comes in one event at most, so that a
/// host without newlines costs no more memory than one with them.
pub(crate) const LONGEST: usize = 64 * 1024;

/// A buffer above this many bytes is given back when its line has ended: most hosts write one long line
/// and then never again.
const KEPT_BYTES: usize = 4 * 1024;

/// What stands before the lines of one stream of one host.
#[derive(Debug, Clone)]
pub(crate) struct Prefix {
    /// Before a line, or the last piece of one.
    pub(crate) whole: Vec<u8>,
    /// Before a piece of a long line that is not its last.
    pub(crate) piece: Vec<u8>,
}

/// Makes whole lines with a prefix from the pieces of one stream.
///
/// Every line leaves at once and behind the prefix, so that no host can write what looks like the line of
/// another.
pub(crate) struct Lines {
    prefix: Prefix,
    escaping: Escaping,
    /// The line that has begun; shorter than a piece may be.
    begun: Vec<u8>,
}

impl Lines {
    /// Nothing has begun.
    pub(crate) fn new(prefix: Prefix, escaping: Escaping) -> Self {
        Lines {
            prefix,
            escaping,
            begun: Vec::new(),
        }
    }

    /// Takes bytes, and writes the lines that they complete.
    pub(crate) fn take(&mut self, bytes: &[u8], sink: &mut Sink) -> io::Result<()> {
        let mut rest = bytes;
        if !self.begun.is_empty() {
            let end = memchr(b'\n', rest);
            self.begun
                .extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
            let Some(end) = end else {
                return self.cut(sink);
            };
            rest = &rest[end + 1..];
            self.end(sink)?;
        }
        let escaping = match self.escaping.is_clean(rest) {
            true => Escaping::Nothing,
            false => self.escaping,
        };
        let mut start = 0;
        for end in memchr_iter(b'\n', rest) {
            self.write(&rest[start..end], escaping, sink)?;
            start = end + 1;
        }
        if start < rest.len() {
            self.begun.extend_from_slice(&rest[start..]);
            self.cut(sink)?;
        }
        Ok(())
    }

    /// Ends a line that has begun; does nothing when none has.
    pub(crate) fn finish(&mut self, sink: &mut Sink) -> io::Result<()> {
        match self.begun.is_empty() {
            true => Ok(()),
            false => self.end(sink),
        }
    }

    /// Writes the begun line as a whole one.
    fn end(&mut self, sink: &mut Sink) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.begun);
        self.write(&line, self.escaping, sink)?;
        if line.capacity() <= KEPT_BYTES {
            line.clear();
            self.begun = line;
        }
        Ok(())
    }

    /// Writes pieces of the begun line while it is too long.
    fn cut(&mut self, sink: &mut Sink) -> io::Result<()> {
        if self.begun.len() <= LONGEST {
            return Ok(());
        }
        let line = std::mem::take(&mut self.begun);
        let rest = self.pieces(&line, self.escaping, sink)?;
        self.begun = rest.to_vec();
        Ok(())
    }

    /// Writes pieces of a line until what is left can be the last piece, and returns that.
    fn pieces<'a>(
        &self,
        line: &'a [u8],
        escaping: Escaping,
        sink: &mut Sink,
    ) -> io::Result<&'a [u8]> {
        let mut rest = line;
        while rest.len() > LONGEST {
            let end = LONGEST - unfinished_tail(&rest[..LONGEST]);
            let out = sink.buffer();
            out.extend_from_slice(&self.prefix.piece);
            escaping.push(&rest[..end], Then::Anything, out);
            out.push(b'\n');
            sink.settle()?;
            rest = &rest[end..];
        }
        Ok(rest)
    }

    fn write(&self, line: &[u8], escaping: Escaping, sink: &mut Sink) -> io::Result<()> {
        let line = match line.len() > LONGEST {
            true => self.pieces(line, escaping, sink)?,
            false => line,
        };
        let out = sink.buffer();
        out.extend_from_slice(&self.prefix.whole);
        match escaping {
            Escaping::Nothing => out.extend_from_slice(line),
            _ => escaping.push(line, Then::Newline, out),
        }
        out.push(b'\n');
        sink.settle()
    }
}

#[cfg(test)]
mod tests;
