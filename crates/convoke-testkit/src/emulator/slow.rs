//! A stream on which every byte takes a while.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How much is read at once, in bytes.
const PIECE: usize = 16 * 1024;

/// How much is on the way at most in each direction, in bytes: more than a window of ssh, so that the
/// delay limits and not the way.
const ON_THE_WAY: usize = 4 * 1024 * 1024;

/// Delays both directions of a stream. What is written goes on while the stream is being read, as it is
/// by a server all the time.
pub(super) struct Slow<S> {
    stream: S,
    delay: Duration,
    inward: Way,
    outward: Way,
    /// Whether the end of the stream is on the way in, too.
    has_ended: bool,
}

/// Bytes on the way, with the time at which they arrive.
struct Way {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    /// How much of the first piece has gone.
    gone: usize,
    timer: Pin<Box<Sleep>>,
}

impl<S> Slow<S> {
    pub(super) fn new(stream: S, delay: Duration) -> Self {
        Slow {
            stream,
            delay,
            inward: Way::new(),
            outward: Way::new(),
            has_ended: false,
        }
    }
}

impl Way {
    fn new() -> Self {
        Way {
            pieces: VecDeque::new(),
            bytes: 0,
            gone: 0,
            timer: Box::pin(sleep_until(Instant::now())),
        }
    }

    fn is_full(&self) -> bool {
        self.bytes >= ON_THE_WAY
    }

    fn send(&mut self, bytes: &[u8], due: Instant) {
        self.bytes += bytes.len();
        self.pieces.push_back((due, bytes.to_vec()));
    }

    /// What has arrived; waits for it if something is on the way.
    fn poll_arrived(&mut self, context: &mut Context<'_>) -> Poll<Option<&[u8]>> {
        let Some((due, bytes)) = self.pieces.front() else {
            return Poll::Ready(None);
        };
        if *due > Instant::now() {
            self.timer.as_mut().reset(*due);
            ready!(self.timer.as_mut().poll(context));
        }
        Poll::Ready(Some(&bytes[self.gone..]))
    }

    /// So many bytes of what has arrived are taken.
    fn take(&mut self, count: usize) {
        self.gone += count;
        self.bytes -= count;
        let is_over = |(_, bytes): &(Instant, Vec<u8>)| bytes.len() == self.gone;
        if self.pieces.front().is_some_and(is_over) {
            self.pieces.pop_front();
            self.gone = 0;
        }
    }
}

impl<S: AsyncWrite + Unpin> Slow<S> {
    /// Writes what has waited long enough; ready when nothing waits.
    fn poll_outward(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let Some(bytes) = ready!(self.outward.poll_arrived(context)) else {
                return Pin::new(&mut self.stream).poll_flush(context);
            };
            let wrote = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
            self.outward.take(wrote);
        }
    }
}

impl<S: AsyncRead + Unpin> Slow<S> {
    /// Puts on the way what the stream has.
    fn poll_inward(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while !self.has_ended && !self.inward.is_full() {
            let mut piece = [0; PIECE];
            let mut piece = ReadBuf::new(&mut piece);
            match Pin::new(&mut self.stream).poll_read(context, &mut piece)? {
                Poll::Pending => return Ok(()),
                Poll::Ready(()) => {}
            }
            self.has_ended = piece.filled().is_empty();
            if !self.has_ended {
                let due = Instant::now() + self.delay;
                self.inward.send(piece.filled(), due);
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Slow<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(Err(error)) = self.poll_outward(context) {
            return Poll::Ready(Err(error));
        }
        self.poll_inward(context)?;
        let has_ended = self.has_ended;
        match ready!(self.inward.poll_arrived(context)) {
            Some(bytes) => {
                let count = bytes.len().min(buffer.remaining());
                buffer.put_slice(&bytes[..count]);
                self.inward.take(count);
                Poll::Ready(Ok(()))
            }
            None if has_ended => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Slow<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.outward.is_full() {
            ready!(self.poll_outward(context))?;
        }
        let due = Instant::now() + self.delay;
        self.outward.send(buffer, due);
        Poll::Ready(Ok(buffer.len()))
    }

    /// Does not wait for what is on the way, but sees to it that it goes on.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.poll_outward(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_outward(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::Instant;

    use super::Slow;

    const DELAY: Duration = Duration::from_millis(50);

    #[tokio::test(start_paused = true)]
    async fn every_byte_takes_the_delay_in_each_direction() {
        let (near, mut far) = duplex(64);
        let mut slow = Slow::new(near, DELAY);
        let began = Instant::now();
        far.write_all(b"question").await.unwrap();
        let mut read = [0; 8];
        slow.read_exact(&mut read).await.unwrap();
        assert_eq!((&read, began.elapsed()), (b"question", DELAY));
        slow.write_all(b"an answer").await.unwrap();
        slow.shutdown().await.unwrap();
        let mut answer = Vec::new();
        drop(slow);
        far.read_to_end(&mut answer).await.unwrap();
        assert_eq!((&*answer, began.elapsed()), (&b"an answer"[..], 2 * DELAY));
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_comes_after_the_last_byte() {
        let (near, mut far) = duplex(64);
        let mut slow = Slow::new(near, DELAY);
        far.write_all(b"last").await.unwrap();
        drop(far);
        let mut read = Vec::new();
        slow.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"last");
    }
}
