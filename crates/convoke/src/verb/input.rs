//! A command's input, of which is known afterwards whether it could be read.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use crate::process::{Input, Source};

type Reader = Box<dyn AsyncRead + Send + Unpin>;

/// Why input could not be read to its end, if so.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<io::Error>>>);

impl Trouble {
    /// The input of one command. What goes wrong is kept here: to a command it is the end of its input.
    pub(super) fn watch(&self, input: &Input) -> Input {
        match input {
            Input::None => Input::None,
            Input::Bytes(bytes) => Input::Bytes(bytes.clone()),
            Input::Source(source) => Input::Source(Arc::new(Watched {
                source: Arc::clone(source),
                trouble: self.clone(),
            })),
        }
    }

    pub(super) fn take(&self) -> Option<io::Error> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<io::Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Watched {
    source: Arc<dyn Source>,
    trouble: Trouble,
}

impl Source for Watched {
    fn open(&self) -> Reader {
        Box::new(Watching {
            reader: self.source.open(),
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
        *self.trouble.lock() = Some(error);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn a_reader_is_read_once_and_whoever_wants_it_again_is_told() {
        let input = Input::reader(&b"all of it"[..]);
        for expected in ["all of it", ""] {
            let trouble = Trouble::default();
            let Input::Source(source) = trouble.watch(&input) else {
                panic!("no source");
            };
            let mut text = String::new();
            source.open().read_to_string(&mut text).await.unwrap();
            assert_eq!(text, expected);
            assert_eq!(trouble.take().is_some(), expected.is_empty());
        }
    }
}
