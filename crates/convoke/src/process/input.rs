//! What a command reads on stdin.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bstr::BString;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

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

/// Gives the same input to many hosts, each at its own pace.
pub trait Source: Send + Sync + fmt::Debug {
    /// A reader from the beginning, for one host. Called once a host, from its task.
    ///
    /// An error while reading ends that host's input as its end would.
    fn open(&self) -> Box<dyn AsyncRead + Send + Unpin>;
}

impl Input {
    /// What `reader` gives until its end, which is read once: to whoever opens it again it is an error.
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
pub(crate) struct Once(Mutex<Option<Box<dyn AsyncRead + Send + Unpin>>>);

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
    fn open(&self) -> Box<dyn AsyncRead + Send + Unpin> {
        let reader = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        reader.unwrap_or_else(|| Box::new(Spent))
    }
}

/// A reader that was read already.
struct Spent;

impl AsyncRead for Spent {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let why = "it was read already, and can be read only once";
        Poll::Ready(Err(io::Error::other(why)))
    }
}

/// The input of one running command.
pub(super) struct Feed {
    reader: Option<Box<dyn AsyncRead + Send + Unpin>>,
    buffer: BytesMut,
}

impl Feed {
    pub(super) fn new(input: &Input) -> Self {
        let reader: Option<Box<dyn AsyncRead + Send + Unpin>> = match input {
            Input::None => None,
            Input::Bytes(bytes) => Some(Box::new(std::io::Cursor::new(bytes.clone()))),
            Input::Source(source) => Some(source.open()),
        };
        Feed {
            reader,
            buffer: BytesMut::new(),
        }
    }

    /// Whether a piece may be asked for, when `credit` bytes may be sent.
    pub(super) fn is_ready(&self, credit: usize) -> bool {
        self.reader.is_some() && credit > 0
    }

    /// The next piece of at most `credit` bytes, once there is room for it; `None` once at the end.
    /// May be dropped and called again; nothing that was read is lost.
    pub(super) async fn next(
        &mut self,
        credit: usize,
        room: impl Future<Output = Room>,
    ) -> (Option<Bytes>, Room) {
        let room = room.await;
        let Some(reader) = &mut self.reader else {
            return std::future::pending().await;
        };
        self.buffer.reserve(credit);
        let read = (&mut *reader).take(credit as u64);
        let ended = {
            tokio::pin!(read);
            read.read_buf(&mut self.buffer).await.unwrap_or(0) == 0
        };
        if ended {
            self.reader = None;
            return (None, room);
        }
        (Some(self.buffer.split().freeze()), room)
    }

    /// Nobody reads it any more.
    pub(super) fn close(&mut self) {
        self.reader = None;
    }
}
