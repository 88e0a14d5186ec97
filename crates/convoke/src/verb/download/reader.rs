//! A file that comes, as tokio reads one.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, ReadBuf};

use crate::remote::VerbError;

use super::Incoming;

/// The wait for a piece, which gives the file back.
type Next = Pin<Box<dyn Future<Output = (Incoming, Result<Option<Bytes>, VerbError>)> + Send>>;

/// A file that comes, as a reader. As long as nothing is read, the host waits; dropping it stops the host.
///
/// Errors hold a [`VerbError`]. After one, or at the end, there is nothing more.
pub struct Reader {
    piece: Bytes,
    next: Option<Next>,
}

impl Reader {
    pub(super) fn new(incoming: Incoming) -> Self {
        Reader {
            piece: Bytes::new(),
            next: Some(next(incoming)),
        }
    }
}

fn next(mut incoming: Incoming) -> Next {
    Box::pin(async move {
        let piece = incoming.next().await;
        (incoming, piece)
    })
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.piece.is_empty()
            && let Some(waiting) = &mut self.next
        {
            let (incoming, came) = ready!(waiting.as_mut().poll(context));
            self.next = None;
            if let Some(piece) = came.map_err(io::Error::other)? {
                self.piece = piece;
                self.next = Some(next(incoming));
            }
        }
        let length = self.piece.len().min(buffer.remaining());
        if let Some(bytes) = self.piece.get(..length) {
            buffer.put_slice(bytes);
        }
        self.piece.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
