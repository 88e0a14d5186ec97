//! A big buffer before a descriptor: few, large writes.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// How many bytes are collected before they are written: large enough that the calls do not count,
/// small enough to stay in a cache between filling and writing.
const FULL: usize = 128 * 1024;

/// Collects bytes and writes them in large pieces. Nothing is written on drop.
pub(crate) struct Sink {
    to: Box<dyn Write + Send>,
    buffer: Vec<u8>,
    /// The last byte that was written; a newline at first.
    last: u8,
}

impl Sink {
    /// A sink before `to`, whose writes it takes as they are.
    pub(crate) fn new(to: impl Write + Send + 'static) -> Self {
        Sink {
            to: Box::new(to),
            buffer: Vec::with_capacity(FULL + FULL / 2),
            last: b'\n',
        }
    }

    /// The bytes that wait; append to them, then call [`Sink::settle`].
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Writes what waits if it is much.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        match self.buffer.len() < FULL {
            true => Ok(()),
            false => self.flush(),
        }
    }

    /// Writes what waits.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Some(last) = self.buffer.last() else {
            return Ok(());
        };
        self.last = *last;
        let written = self.to.write_all(&self.buffer);
        self.buffer.clear();
        written
    }

    /// Writes `bytes` after what waits, without collecting them when they are many.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() < FULL / 8 {
            self.buffer.extend_from_slice(bytes);
            return self.settle();
        }
        self.flush()?;
        self.last = bytes.last().copied().unwrap_or(self.last);
        self.to.write_all(bytes)
    }

    /// Whether the line that was written last has ended.
    pub(crate) fn is_at_line_start(&self) -> bool {
        self.last == b'\n'
    }
}

/// Writes to a descriptor of ours, whatever mode somebody else has put it into.
#[derive(Debug)]
pub(crate) struct Descriptor(pub(crate) BorrowedFd<'static>);

impl Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::io::write(self.0, bytes) {
                // The terminal of another program that made it non-blocking: wait like a blocking one.
                Err(Errno::AGAIN) => {
                    let mut wait = [PollFd::new(&self.0, PollFlags::OUT)];
                    match poll(&mut wait, None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
