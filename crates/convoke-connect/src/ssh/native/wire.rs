//! What carries the bytes of a connection: a socket, a channel of a hop, or a program.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::lane::Lane;
use super::line::Prompt;
use super::process::Process;

/// A stream to a server. One type, so that the client is compiled once.
pub(super) enum Wire {
    Socket(TcpStream),
    Lane(Box<Lane>),
    Process(Box<Process>),
}

impl Prompt for Wire {
    fn acknowledge(&self) {
        // The others have no acknowledgements of their own.
        if let Wire::Socket(socket) = self {
            socket.acknowledge();
        }
    }
}

/// Passes a call on to what is inside.
macro_rules! inner {
    ($wire:expr, $inner:ident => $call:expr) => {
        match $wire.get_mut() {
            Wire::Socket($inner) => {
                let $inner = Pin::new($inner);
                $call
            }
            Wire::Lane($inner) => {
                let $inner = Pin::new(&mut **$inner);
                $call
            }
            Wire::Process($inner) => {
                let $inner = Pin::new(&mut **$inner);
                $call
            }
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        inner!(self, stream => stream.poll_read(context, buffer))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        inner!(self, stream => stream.poll_write(context, data))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self, stream => stream.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        inner!(self, stream => stream.poll_shutdown(context))
    }
}
