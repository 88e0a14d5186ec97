//! Our stdin, or what else can be read once, as the input of commands and the content of files.
//!
//! One host reads it straight through. Several read it from a spool, a file that has no name: each at its
//! own pace, and what one of them does not read is no matter of the others.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use convoke::process::{self, Source};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

/// How much is moved from stdin to the spool at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Tells that an input could not be read to its end. Whoever reads it then sees neither more of it nor its end: a
/// part must not be taken for the whole.
#[derive(Debug, Clone)]
pub(crate) struct Alarm {
    what: String,
    told: mpsc::Sender<Unread>,
}

/// An input that could not be read to its end.
#[derive(Debug)]
pub(crate) struct Unread {
    /// What it is called.
    pub(crate) what: String,
    /// Why.
    pub(crate) error: io::Error,
}

impl Alarm {
    /// The alarm of the input that is called `what`.
    pub(crate) fn new(what: impl Into<String>, told: mpsc::Sender<Unread>) -> Self {
        let what = what.into();
        Alarm { what, told }
    }

    fn tell(&self, error: io::Error) {
        let what = self.what.clone();
        // A second error says nothing new.
        let _ = self.told.try_send(Unread { what, error });
    }
}

/// Our stdin, for one host.
#[derive(Debug)]
pub(crate) struct Straight {
    /// Who hears of errors.
    pub(crate) alarm: Alarm,
}

impl Source for Straight {
    fn open(&self) -> io::Result<process::Reader> {
        Ok(Box::new(Watched {
            reader: tokio::io::stdin(),
            alarm: self.alarm.clone(),
        }))
    }
}

/// A reader whose errors go to the alarm.
struct Watched<R> {
    reader: R,
    alarm: Alarm,
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.reader).poll_read(context, buffer) {
            Poll::Ready(Err(error)) => {
                self.alarm.tell(error);
                Poll::Pending
            }
            other => other,
        }
    }
}

/// What has been read so far of an input that many read.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    shared: Arc<Shared>,
    alarm: Alarm,
}

#[derive(Debug)]
struct Shared {
    file: File,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many bytes are in the file.
    bytes: u64,
    /// Whether this is all.
    is_complete: bool,
    /// Readers at the end of what there is.
    waiting: Vec<Waker>,
}

impl Spool {
    /// An empty spool in a file without a name in `directory`.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(crate) fn new(directory: &Path, alarm: Alarm) -> io::Result<Self> {
        Ok(Spool {
            alarm,
            shared: Arc::new(Shared {
                file: tempfile::tempfile_in(directory)?,
                state: Mutex::default(),
            }),
        })
    }

    /// Reads `input` to its end, or to an error. Blocks.
    pub(crate) fn fill(&self, input: impl Read) {
        match self.copy(input) {
            Ok(()) => self.shared.change(|state| state.is_complete = true),
            Err(error) => self.alarm.tell(error),
        }
    }

    /// Opens an input and reads it to its end, or to an error. Blocks.
    pub(crate) fn fill_from<R: Read>(&self, open: impl FnOnce() -> io::Result<R>) {
        match open() {
            Ok(input) => self.fill(input),
            Err(error) => self.alarm.tell(error),
        }
    }

    fn copy(&self, mut input: impl Read) -> io::Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut offset = 0;
        loop {
            let read = match input.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.shared.file.write_all_at(&piece[..read], offset)?;
            offset += read as u64;
            self.shared.change(|state| state.bytes = offset);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let waiting = {
            let mut state = self.state();
            change(&mut state);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Source for Spool {
    fn open(&self) -> io::Result<process::Reader> {
        Ok(Box::new(Watched {
            reader: Reader {
                shared: Arc::clone(&self.shared),
                offset: 0,
            },
            alarm: self.alarm.clone(),
        }))
    }
}

/// One host's place in a spool.
struct Reader {
    shared: Arc<Shared>,
    offset: u64,
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let there = {
            let mut state = self.shared.state();
            match state.bytes - self.offset {
                0 if state.is_complete => return Poll::Ready(Ok(())),
                0 => {
                    state.waiting.push(context.waker().clone());
                    return Poll::Pending;
                }
                there => there,
            }
        };
        // A short read from the page cache: nothing that would keep the runtime waiting.
        let room = buffer.initialize_unfilled();
        let length = room.len().min(usize::try_from(there).unwrap_or(usize::MAX));
        let read = self.shared.file.read_at(&mut room[..length], self.offset)?;
        buffer.advance(read);
        self.offset += read as u64;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
