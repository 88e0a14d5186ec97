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

use crate::error::in_words;

/// How much is moved from stdin to the spool at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Who hears that an input could not be read to its end. A part is never taken for the whole.
#[derive(Debug, Clone)]
pub(crate) enum Errors {
    /// Those who conduct the run. Whoever reads the input sees neither more of it nor its end.
    Told(Alarm),
    /// Whoever reads the input, which is called so.
    Given(String),
}

impl Errors {
    /// What a reader gets.
    fn read<T>(&self, error: &io::Error) -> Poll<io::Result<T>> {
        match self {
            Errors::Told(alarm) => {
                alarm.tell(again(error));
                Poll::Pending
            }
            Errors::Given(what) => {
                let words = format!("{what} here: {}", in_words(error));
                Poll::Ready(Err(io::Error::other(words)))
            }
        }
    }
}

/// The same error for somebody else.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// Tells those who conduct the run that an input could not be read to its end.
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
    pub(crate) errors: Errors,
}

impl Source for Straight {
    fn open(&self) -> io::Result<process::Reader> {
        Ok(Box::new(Watched {
            reader: tokio::io::stdin(),
            errors: self.errors.clone(),
        }))
    }
}

/// A reader whose errors go to who is to hear of them.
struct Watched<R> {
    reader: R,
    errors: Errors,
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.reader).poll_read(context, buffer) {
            Poll::Ready(Err(error)) => self.errors.read(&error),
            other => other,
        }
    }
}

/// What has been read so far of an input that many read.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    /// Where the file is.
    directory: Arc<Path>,
    shared: Arc<Shared>,
    errors: Errors,
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
    /// Why there is no more.
    failed: Option<io::Error>,
    /// Readers at the end of what there is.
    waiting: Vec<Waker>,
}

impl Spool {
    /// An empty spool in a file without a name in `directory`.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(crate) fn new(directory: &Path, errors: Errors) -> io::Result<Self> {
        Ok(Spool {
            directory: directory.into(),
            errors,
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
            Err(error) => self.fail(error),
        }
    }

    /// Opens an input and reads it to its end, or to an error. Blocks.
    pub(crate) fn fill_from<R: Read>(&self, open: impl FnOnce() -> io::Result<R>) {
        match open() {
            Ok(input) => self.fill(input),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&self, error: io::Error) {
        match &self.errors {
            // Nobody may have come so far.
            Errors::Told(alarm) => alarm.tell(error),
            Errors::Given(_) => self.shared.change(|state| state.failed = Some(error)),
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
            let kept = self.shared.file.write_all_at(&piece[..read], offset);
            kept.map_err(|error| self.no_room(&error))?;
            offset += read as u64;
            self.shared.change(|state| state.bytes = offset);
        }
    }
}

impl Spool {
    /// It is not the input that failed.
    fn no_room(&self, error: &io::Error) -> io::Error {
        let (directory, error) = (&self.directory, in_words(error));
        let hint = "TMPDIR names another directory";
        io::Error::other(format!(
            "it cannot be kept in {directory:?}: {error}; {hint}"
        ))
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
            errors: self.errors.clone(),
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
                0 if let Some(error) = &state.failed => return Poll::Ready(Err(again(error))),
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
