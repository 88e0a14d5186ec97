//! The stream to a server: what was read ahead of it, and an end that can be brought about from
//! outside.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::backlog::Backlog;

/// Fewer bytes at once are taken for words of a dialogue, not for bulk.
const WORD: usize = 4096;

/// How much is read at once while much comes, in bytes.
const MUCH: usize = 64 * 1024;

/// How much a server says, at most, up to the first words of the command, in bytes; with a long greeting.
/// From then on an sshd has Nagle's algorithm off.
const BEGINNING: usize = 16 * 1024;

/// A stream that can tell its peer at once what has arrived.
pub(super) trait Prompt {
    /// Does so, for what was read last.
    ///
    /// An sshd leaves Nagle's algorithm on until it starts a command: of two short messages the second
    /// waits for the acknowledgement of the first, which a kernel with nothing to say delays for 40 ms.
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
    ahead: Ahead,
    /// How much was read of the server.
    read: usize,
    /// How much of what the client writes was sent before.
    sent: usize,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Told what becomes of what the client writes, if anybody wants to know.
    backlog: Option<Backlog>,
}

/// What was read of the server before the client asked for it.
struct Ahead {
    /// Only the first `filled` bytes count; the first `passed` of them were passed on.
    bytes: Vec<u8>,
    filled: usize,
    passed: usize,
    /// How much is read next time.
    room: usize,
}

impl Ahead {
    fn is_empty(&self) -> bool {
        self.passed >= self.filled
    }

    fn pass_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let rest = self.bytes.get(self.passed..self.filled).unwrap_or_default();
        let fits = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..fits]);
        self.passed += fits;
    }

    /// Reads as much as there is. The room for it follows what comes: most connections are idle, and
    /// there may be ten thousand.
    fn poll_fill<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.room <= WORD {
            let mut word = [MaybeUninit::uninit(); WORD];
            let mut word = ReadBuf::uninit(&mut word);
            ready!(Pin::new(stream).poll_read(context, &mut word))?;
            self.filled = word.filled().len();
            self.bytes.clear();
            self.bytes.shrink_to(WORD);
            self.bytes.extend_from_slice(word.filled());
        } else {
            self.bytes.resize(self.room, 0);
            let mut much = ReadBuf::new(&mut self.bytes);
            ready!(Pin::new(stream).poll_read(context, &mut much))?;
            self.filled = much.filled().len();
        }
        if self.filled >= self.room {
            self.room = (2 * self.room).min(MUCH);
        } else if self.room > WORD && self.filled < self.room / 4 {
            self.room = WORD;
        }
        self.passed = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S> Line<S> {
    /// `ahead` was read from `stream` before, and `sent` bytes were written. It ends with `cut`.
    pub(super) fn new(stream: S, ahead: Vec<u8>, sent: usize, cut: CancellationToken) -> Self {
        Line {
            stream,
            ahead: Ahead {
                filled: ahead.len(),
                bytes: ahead,
                passed: 0,
                room: WORD,
            },
            read: 0,
            sent,
            cut: Box::pin(cut.cancelled_owned()),
            backlog: None,
        }
    }

    /// Tells `backlog` what was written.
    pub(super) fn telling(mut self, backlog: Backlog) -> Self {
        self.backlog = Some(backlog);
        self
    }

    fn is_cut(&mut self, context: &mut Context<'_>) -> bool {
        self.cut.as_mut().poll(context).is_ready()
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
        let Line {
            stream,
            ahead,
            read,
            ..
        } = &mut *self;
        if ahead.is_empty() {
            ready!(ahead.poll_fill(stream, context))?;
            *read = read.saturating_add(ahead.filled);
            if *read < BEGINNING {
                stream.acknowledge();
            }
        }
        ahead.pass_on(buffer);
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
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        if let Some(backlog) = &self.backlog {
            backlog.wrote();
        }
        Poll::Ready(Ok(()))
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

impl<S> Drop for Line<S> {
    fn drop(&mut self) {
        if let Some(backlog) = &self.backlog {
            backlog.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::ssh::native::backlog::Sluice;

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
    async fn much_comes_whole_and_leaves_no_room_behind() {
        let (near, mut far) = duplex(2 * MUCH);
        let mut line = Line::new(near, Vec::new(), 0, CancellationToken::new());
        let sent: Vec<u8> = (0..3 * MUCH).map(|n| (n % 251) as u8).collect();
        let sending = async {
            far.write_all(&sent).await.unwrap();
            far.write_all(b"word").await.unwrap();
        };
        let mut read = vec![0; sent.len()];
        let (reading, ()) = tokio::join!(line.read_exact(&mut read), sending);
        reading.unwrap();
        assert!(read == sent);
        let mut word = [0; 4];
        line.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"word");
        far.write_all(b"more").await.unwrap();
        line.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"more");
        assert!(line.ahead.bytes.capacity() <= WORD, "{}", line.ahead.room);
    }

    #[tokio::test]
    async fn who_waits_for_room_hears_of_what_was_written_and_of_the_end() {
        let (near, _far) = duplex(64);
        let backlog = Backlog::of(1);
        let line = Line::new(near, Vec::new(), 0, CancellationToken::new());
        let mut line = line.telling(backlog.clone());
        let mut sluice = Sluice::new(tokio::io::sink(), backlog);
        sluice.write_all(b"x").await.unwrap();
        let (wrote, flushed) = tokio::join!(sluice.write_all(b"x"), line.flush());
        assert!(wrote.is_ok() && flushed.is_ok());
        let (wrote, ()) = tokio::join!(sluice.write_all(b"x"), async { drop(line) });
        wrote.unwrap();
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
