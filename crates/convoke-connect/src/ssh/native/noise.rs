//! What is said on the way to a host, and is not its output: a cause if the way fails.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, ReadBuf};

/// How much of it is kept, in bytes: the last words count.
const KEPT: usize = 8 * 1024;

/// The last words of somebody on the way. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(super) struct Noise(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    last: VecDeque<u8>,
    /// How much at the end of it was not passed on yet.
    unread: usize,
    /// Nothing more will be said.
    over: bool,
    reader: Option<Waker>,
}

impl Noise {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what was said. What is too old is forgotten.
    pub(super) fn add(&self, said: &[u8]) {
        let mut heard = self.heard();
        heard.last.extend(said);
        let excess = heard.last.len().saturating_sub(KEPT);
        heard.last.drain(..excess);
        heard.unread = (heard.unread + said.len()).min(heard.last.len());
        heard.wake();
    }

    /// Nothing more will be said.
    pub(super) fn end(&self) {
        let mut heard = self.heard();
        heard.over = true;
        heard.wake();
    }

    /// The last that was said, whether it was read or not.
    pub(super) fn last(&self) -> Vec<u8> {
        self.heard().last.iter().copied().collect()
    }
}

impl Heard {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl AsyncRead for Noise {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut heard = self.heard();
        if heard.unread == 0 {
            if heard.over {
                return Poll::Ready(Ok(()));
            }
            heard.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let fits = heard.unread.min(buffer.remaining());
        let begin = heard.last.len() - heard.unread;
        for byte in heard.last.range(begin..begin + fits) {
            buffer.put_slice(&[*byte]);
        }
        heard.unread -= fits;
        Poll::Ready(Ok(()))
    }
}

/// What two say, as it comes; its end is that of both.
pub(super) struct Both<A, B> {
    first: Option<A>,
    second: Option<B>,
}

impl<A, B> Both<A, B> {
    pub(super) fn new(first: A, second: B) -> Self {
        Both {
            first: Some(first),
            second: Some(second),
        }
    }
}

/// Reads from one of them, which is gone when it is at its end.
fn poll_one<R: AsyncRead + Unpin>(
    stream: &mut Option<R>,
    context: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    let Some(open) = stream else {
        return Poll::Pending;
    };
    let before = buffer.filled().len();
    let read = Pin::new(open).poll_read(context, buffer);
    if matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() == before {
        *stream = None;
        return Poll::Pending;
    }
    read
}

impl<A: AsyncRead + Unpin, B: AsyncRead + Unpin> AsyncRead for Both<A, B> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(read) = poll_one(&mut this.first, context, buffer) {
            return Poll::Ready(read);
        }
        if let Poll::Ready(read) = poll_one(&mut this.second, context, buffer) {
            return Poll::Ready(read);
        }
        match (&this.first, &this.second) {
            (None, None) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn the_last_words_are_kept_and_each_is_read_once() {
        let noise = Noise::default();
        noise.add(&[b'x'; KEPT]);
        noise.add(b"end");
        assert_eq!(noise.last().len(), KEPT);
        let mut reader = Both::new(noise.clone(), &b"other"[..]);
        let mut read = vec![0; KEPT + 5];
        reader.read_exact(&mut read).await.unwrap();
        assert!(read.ends_with(b"endother"));
        noise.add(b"more");
        noise.end();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"more");
        assert!(noise.last().ends_with(b"endmore"));
    }
}
