//! An open file as tokio reads, writes and seeks one: one operation under way at a time.

use std::future::poll_fn;
use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bstr::BString;
use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};
use tokio_util::sync::ReusableBoxFuture;

use super::{PIECE, RemoteFile, moved};
use crate::remote::VerbError;

/// An operation of which no poll has seen the end.
type Asked<T> = ReusableBoxFuture<'static, Result<T, VerbError>>;

/// What a poll has begun.
#[derive(Debug)]
pub(super) enum UnderWay {
    Nothing,
    /// A read at the position, which moves when its bytes are handed out.
    Reading(Asked<BString>),
    /// A write or a seek, after which the position is another.
    Moving(Asked<u64>),
}

impl RemoteFile {
    /// Waits for the write that a poll has begun, and gives a read up.
    pub(super) async fn settle(&mut self) -> Result<(), VerbError> {
        poll_fn(|context| self.poll_settled(context)).await?;
        self.under_way = UnderWay::Nothing;
        Ok(())
    }

    /// Waits until the position is known. An error is that of what was under way, which is over then.
    fn poll_settled(&mut self, context: &mut Context<'_>) -> Poll<Result<(), VerbError>> {
        if let UnderWay::Moving(asked) = &mut self.under_way {
            let end = ready!(asked.poll(context));
            self.under_way = UnderWay::Nothing;
            self.position = end?;
        }
        Poll::Ready(Ok(()))
    }

    fn begin_read(&self, most: usize) -> Asked<BString> {
        let (handle, position) = (Arc::clone(&self.handle), self.position);
        ReusableBoxFuture::new(async move { handle.piece(position, most).await })
    }

    fn begin_write(&self, piece: &[u8]) -> Asked<u64> {
        let (handle, offset) = (Arc::clone(&self.handle), self.offset());
        let piece = BString::from(piece);
        ReusableBoxFuture::new(async move { handle.write(offset, piece).await })
    }

    fn begin_seek_from_end(&self, by: i64) -> Asked<u64> {
        let handle = Arc::clone(&self.handle);
        ReusableBoxFuture::new(async move { moved(handle.stat().await?.size, by) })
    }
}

/// Reads at the position, each time with one round trip: what reads little at once had best be given a
/// [`BufReader`](tokio::io::BufReader). A read that was given up goes on with the next one.
///
/// Errors hold a [`VerbError`].
impl AsyncRead for RemoteFile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_settled(context)).map_err(io::Error::other)?;
        let room = buffer.remaining();
        if room == 0 {
            return Poll::Ready(Ok(()));
        }
        if let UnderWay::Nothing = self.under_way {
            self.under_way = UnderWay::Reading(self.begin_read(room));
        }
        if let UnderWay::Reading(asked) = &mut self.under_way {
            let came = ready!(asked.poll(context));
            self.under_way = UnderWay::Nothing;
            let came = came.map_err(io::Error::other)?;
            // The buffer may be another than the one it was begun for; the rest is read again.
            let came = came.get(..came.len().min(room)).unwrap_or_default();
            buffer.put_slice(came);
            self.position += came.len() as u64;
        }
        Poll::Ready(Ok(()))
    }
}

/// Writes at the position, or at the end when it was opened to append, at most 1 MiB at once.
///
/// A write returns as soon as its bytes were taken over, before the host has answered. Whether they were written is
/// told by the next write, read or seek, by flush and by shutdown, which wait for the answer; **without one of
/// them, dropping the file may lose what was written last**. What takes a shared reference (such as
/// [`RemoteFile::sync`] and [`RemoteFile::stat`]) does not wait: flush before it. Shutdown is a flush, and the file stays open.
///
/// Errors hold a [`VerbError`]. After that of a write the position is where the write began, and how much of it was
/// written is open.
impl AsyncWrite for RemoteFile {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_settled(context)).map_err(io::Error::other)?;
        let piece = bytes.chunks(PIECE).next().unwrap_or_default();
        if !piece.is_empty() {
            // A read that was begun is given up: it may have other bytes afterwards.
            self.under_way = UnderWay::Moving(self.begin_write(piece));
            // It leaves with the first poll. Whoever waits for the next write is woken by its end.
            if let Poll::Ready(ended) = self.poll_settled(context) {
                ended.map_err(io::Error::other)?;
            }
        }
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_settled(context).map_err(io::Error::other)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

/// Moves the position. From the end of the file it takes a round trip, else none.
///
/// Errors hold a [`VerbError`]; a seek that fails leaves the position where it was.
impl AsyncSeek for RemoteFile {
    /// Fails when a write or another seek is under way, which [`AsyncSeek::poll_complete`] waits for.
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        if let UnderWay::Moving(_) = self.under_way {
            return Err(io::Error::other("another operation is under way"));
        }
        self.under_way = UnderWay::Nothing;
        let (from, by) = match to {
            SeekFrom::Start(offset) => (offset, 0),
            SeekFrom::Current(by) => (self.position, by),
            SeekFrom::End(by) => {
                self.under_way = UnderWay::Moving(self.begin_seek_from_end(by));
                return Ok(());
            }
        };
        self.position = moved(from, by).map_err(io::Error::other)?;
        Ok(())
    }

    fn poll_complete(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        ready!(self.poll_settled(context)).map_err(io::Error::other)?;
        Poll::Ready(Ok(self.position))
    }
}
