//! Bytes that go to a host: what a file shall hold, or a command read.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bstr::BString;
use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use crate::process::Input;
use crate::remote::VerbError;

pub use crate::process::Source;

type Reader = Box<dyn AsyncRead + Send + Unpin>;

/// Bytes that go to a host.
///
/// Bytes and [sources](Content::source) go to as many hosts as they are wanted on, a
/// [reader](Content::reader) to one.
#[derive(Clone)]
pub struct Content(Origin);

#[derive(Clone)]
enum Origin {
    Bytes(Bytes),
    Source(Arc<dyn Source>),
    Reader(Arc<Mutex<Option<Reader>>>),
}

impl Content {
    /// What `reader` gives until its end. It is read once: a second verb or host that wants it gets
    /// [`VerbError::Usage`].
    pub fn reader(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Content(Origin::Reader(Arc::new(Mutex::new(Some(Box::new(reader))))))
    }

    /// What the source gives, to each host that opens it.
    pub fn source(source: impl Source + 'static) -> Self {
        Content(Origin::Source(Arc::new(source)))
    }

    /// The bytes, when they are in memory.
    pub(super) fn bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Origin::Bytes(bytes) => Some(bytes),
            Origin::Source(_) | Origin::Reader(_) => None,
        }
    }

    /// A reader of all of it.
    pub(super) fn open(&self) -> Result<Reader, VerbError> {
        match &self.0 {
            Origin::Bytes(bytes) => Ok(Box::new(io::Cursor::new(bytes.clone()))),
            Origin::Source(source) => Ok(source.open()),
            Origin::Reader(reader) => {
                let reader = reader.lock().unwrap_or_else(PoisonError::into_inner).take();
                reader.ok_or_else(|| {
                    VerbError::usage("content", "", "a reader can be read only once")
                })
            }
        }
    }

    /// The same as a command's input, and where it is told whether it could be read.
    pub(super) fn input(&self) -> Result<(Input, Trouble), VerbError> {
        let trouble = Trouble::default();
        let input = match &self.0 {
            Origin::Bytes(bytes) => Input::Bytes(bytes.clone()),
            Origin::Source(_) | Origin::Reader(_) => Input::Source(Arc::new(Watched {
                reader: Mutex::new(Some(self.open()?)),
                trouble: trouble.clone(),
            })),
        };
        Ok((input, trouble))
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Origin::Bytes(bytes) => write!(f, "Content({} bytes)", bytes.len()),
            Origin::Source(source) => write!(f, "Content({source:?})"),
            Origin::Reader(_) => f.write_str("Content(a reader)"),
        }
    }
}

impl<T: Into<BString>> From<T> for Content {
    fn from(bytes: T) -> Self {
        let bytes: Vec<u8> = bytes.into().into();
        Content(Origin::Bytes(bytes.into()))
    }
}

/// Why a reader could not be read to its end, if so.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<io::Error>>>);

impl Trouble {
    pub(super) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A reader whose trouble is kept: to a command it is the end of its input.
struct Watched {
    reader: Mutex<Option<Reader>>,
    trouble: Trouble,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reader")
    }
}

impl Source for Watched {
    fn open(&self) -> Reader {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        Box::new(Watching {
            reader: reader
                .take()
                .unwrap_or_else(|| Box::new(tokio::io::empty())),
            trouble: self.trouble.clone(),
        })
    }
}

struct Watching {
    reader: Reader,
    trouble: Trouble,
}

impl AsyncRead for Watching {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.reader).poll_read(context, buffer);
        let Poll::Ready(Err(error)) = read else {
            return read;
        };
        let mut trouble = self
            .trouble
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *trouble = Some(error);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_given_out_once_and_bytes_as_often_as_they_are_wanted() {
        let reader = Content::reader(&b"x"[..]);
        assert!(reader.clone().open().is_ok());
        let again = reader.open().map(|_| ());
        assert!(matches!(
            again,
            Err(VerbError::Usage {
                field: "content",
                ..
            })
        ));
        let bytes = Content::from("x");
        assert!(bytes.open().is_ok() && bytes.open().is_ok());
    }
}
