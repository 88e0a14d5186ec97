//! The stream to a server: what was read ahead of it, and an end that can be brought about from
//! outside.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Fewer bytes at once are taken for words of a dialogue, not for bulk.
const WORD: usize = 4096;

/// A stream that can tell its peer at once what has arrived.
pub(super) trait Prompt {
    /// Does so, for what was read last.
    ///
    /// An sshd leaves Nagle's algorithm on: of two short messages the second waits for the
    /// acknowledgement of the first, which a kernel with nothing to say delays for 40 ms.
    fn acknowledge(&self);
}

impl Prompt for TcpStream {
    fn acknowledge(&self) {
        // Without it the connection works, too, only later.
        #[cfg(target_os = "linux")]
        let _ = rustix::net::sockopt::set_tcp_quickack(self, true);
    }
}

/// A stream whose greetings were exchanged already.
///
/// Who reads it sees the server's greeting; what the client writes first is its own, which was sent,
/// and is dropped. Once it is cut, it is at its end in both directions.
pub(super) struct Line<S> {
    stream: S,
    /// What was read of the server, and how much of it was passed on.
    ahead: (Vec<u8>, usize),
    /// How much of what the client writes was sent before.
    sent: usize,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S> Line<S> {
    /// `ahead` was read from `stream` before, and `sent` bytes were written. It ends with `cut`.
    pub(super) fn new(stream: S, ahead: Vec<u8>, sent: usize, cut: CancellationToken) -> Self {
        Line {
            stream,
            ahead: (ahead, 0),
            sent,
            cut: Box::pin(cut.cancelled_owned()),
        }
    }

    fn is_empty(&self) -> bool {
        let (ahead, passed) = &self.ahead;
        *passed >= ahead.len()
    }

    fn pass_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let (ahead, passed) = &mut self.ahead;
        let rest = ahead.get(*passed..).unwrap_or_default();
        let fits = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..fits]);
        *passed += fits;
    }

    fn is_cut(&mut self, context: &mut Context<'_>) -> bool {
        self.cut.as_mut().poll(context).is_ready()
    }
}

impl<S: AsyncRead + Prompt + Unpin> Line<S> {
    /// Reads what there is, up to a word: a client that asks for few bytes asks for more right away.
    fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut word = [0; WORD];
        let mut word = ReadBuf::new(&mut word);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut word))?;
        let (ahead, passed) = &mut self.ahead;
        ahead.clear();
        ahead.extend_from_slice(word.filled());
        *passed = 0;
        if word.remaining() > 0 {
            self.stream.acknowledge();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Prompt + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut(context) {
            return Poll::Ready(Ok(()));
        }
        if self.is_empty() {
            // Bulk goes straight through.
            if buffer.remaining() > WORD {
                return Pin::new(&mut self.stream).poll_read(context, buffer);
            }
            ready!(self.poll_ahead(context))?;
        }
        self.pass_on(buffer);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut(context) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.sent > 0 {
            let dropped = self.sent.min(buffer.len());
            self.sent -= dropped;
            return Poll::Ready(Ok(dropped));
        }
        Pin::new(&mut self.stream).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut(context) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut(context) {
            return Poll::Ready(Ok(()));
        }
        // A stream that broke has no end that could fail to be said; the cause was read from it.
        Pin::new(&mut self.stream)
            .poll_shutdown(context)
            .map(|_| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    impl Prompt for DuplexStream {
        fn acknowledge(&self) {}
    }

    #[tokio::test]
    async fn what_was_read_ahead_comes_first_and_what_was_sent_is_not_sent_again() {
        let (near, mut far) = duplex(64);
        let mut line = Line::new(near, b"SSH-2.0-x\r\n".to_vec(), 4, CancellationToken::new());
        line.write_all(b"SSH-rest").await.unwrap();
        far.write_all(b"more").await.unwrap();
        let mut read = [0; 15];
        line.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"SSH-2.0-x\r\nmore");
        let mut sent = [0; 4];
        far.read_exact(&mut sent).await.unwrap();
        assert_eq!(&sent, b"rest");
    }

    #[tokio::test]
    async fn a_cut_wakes_who_reads() {
        let (near, _far) = duplex(64);
        let cut = CancellationToken::new();
        let mut line = Line::new(near, Vec::new(), 0, cut.clone());
        let reading = tokio::spawn(async move { line.read(&mut [0; 8]).await });
        tokio::task::yield_now().await;
        cut.cancel();
        assert_eq!(reading.await.unwrap().unwrap(), 0);
    }
}
