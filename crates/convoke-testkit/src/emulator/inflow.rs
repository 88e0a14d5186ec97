//! What a client sends to a command.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Input that waits for its command.
///
/// It has no bound: a server that waits for a command to read does not hear that the client makes room
/// for what the command writes, so that both would wait for ever. What an agent is sent has the bound
/// of its credit.
pub(super) struct Inflow {
    waiting: UnboundedReceiver<Bytes>,
    piece: Bytes,
}

/// Its other end; dropping it is the end of input.
pub(super) type Source = UnboundedSender<Bytes>;

impl Inflow {
    pub(super) fn new() -> (Source, Self) {
        let (source, waiting) = unbounded_channel();
        let piece = Bytes::new();
        (source, Inflow { waiting, piece })
    }
}

impl AsyncRead for Inflow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.piece.is_empty() {
            match ready!(self.waiting.poll_recv(context)) {
                Some(piece) => self.piece = piece,
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.piece.len().min(buffer.remaining());
        buffer.put_slice(&self.piece[..count]);
        self.piece.advance(count);
        Poll::Ready(Ok(()))
    }
}
