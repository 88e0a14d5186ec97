//! What a command reads on stdin.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bstr::BString;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::link::Room;

/// Where a command's stdin comes from. Clones give every host the same bytes.
#[derive(Debug, Clone, Default)]
pub enum Input {
    /// `/dev/null`.
    #[default]
    None,
    /// These bytes.
    Bytes(Bytes),
    /// What the source gives to each host that opens it.
    Source(Arc<dyn Source>),
}

/// A reader of input, for one host.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;

/// Gives the same input to many hosts, each at its own pace.
pub trait Source: Send + Sync + fmt::Debug {
    /// A reader from the beginning, for one host. Called before the host is asked for anything, from its task.
    ///
    /// A part is never taken for the whole: when reading fails, the command is ended, and the file thrown away.
    ///
    /// # Errors
    /// There is nothing to read: that host is asked for nothing.
    fn open(&self) -> io::Result<Reader>;
}

impl Input {
    /// What `reader` gives until its end. It is read once, on one host: on any other, and whenever the command is
    /// run again, nothing is started, which is an error of this machine.
    pub fn reader(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Input::Source(Arc::new(Once::new(reader)))
    }
}

impl<T: Into<BString>> From<T> for Input {
    fn from(bytes: T) -> Self {
        Input::Bytes(Vec::from(bytes.into()).into())
    }
}

/// A reader that can be read once.
pub(crate) struct Once(Mutex<Option<Reader>>);

impl Once {
    pub(crate) fn new(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Once(Mutex::new(Some(Box::new(reader))))
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

impl Source for Once {
    fn open(&self) -> io::Result<Reader> {
        let reader = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        reader.ok_or_else(|| io::Error::other("it was read already, and can be read only once"))
    }
}

/// The input of one running command.
pub(super) struct Feed {
    reader: Option<Reader>,
    buffer: BytesMut,
}

impl Feed {
    /// # Errors
    /// The source has nothing to read.
    pub(super) fn open(input: &Input) -> io::Result<Self> {
        let reader: Option<Reader> = match input {
            Input::None => None,
            Input::Bytes(bytes) => Some(Box::new(io::Cursor::new(bytes.clone()))),
            Input::Source(source) => Some(source.open()?),
        };
        Ok(Feed {
            reader,
            buffer: BytesMut::new(),
        })
    }

    /// Whether a piece may be asked for, when `credit` bytes may be sent.
    pub(super) fn is_ready(&self, credit: usize) -> bool {
        self.reader.is_some() && credit > 0
    }

    /// The next piece of at most `credit` bytes, once there is room for it; `None` once at the end, after which,
    /// as after an error, there is nothing more. May be dropped and called again; nothing that was read is lost.
    pub(super) async fn next(
        &mut self,
        credit: usize,
        room: impl Future<Output = Room>,
    ) -> (io::Result<Option<Bytes>>, Room) {
        let room = room.await;
        let Some(reader) = &mut self.reader else {
            return std::future::pending().await;
        };
        self.buffer.reserve(credit);
        let read = (&mut *reader).take(credit as u64);
        let read = {
            tokio::pin!(read);
            read.read_buf(&mut self.buffer).await
        };
        let piece = match read {
            Ok(0) => Ok(None),
            Ok(_) => return (Ok(Some(self.buffer.split().freeze())), room),
            Err(error) => Err(error),
        };
        self.reader = None;
        (piece, room)
    }

    /// Nobody reads it any more.
    pub(super) fn close(&mut self) {
        self.reader = None;
    }
}
