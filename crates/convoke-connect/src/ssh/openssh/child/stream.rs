//! What ssh writes, until ssh ends: not until everybody else who has the pipe ends, too.

use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use tokio::io::{AsyncRead, ReadBuf};

use super::watch::Watch;
use super::went_well;
use crate::ssh::openssh::filter::Filter;

/// How much of stderr is looked at in one go.
const PIECE: usize = 1024;

/// A pipe from ssh. It ends when its writers have closed it, or when ssh has ended and what ssh wrote
/// was read: a process that ssh left behind may hold the pipe for days.
pub(super) struct Stream<R> {
    pipe: R,
    ssh: Arc<Watch>,
}

impl<R> Stream<R> {
    pub(super) fn new(pipe: R, ssh: Arc<Watch>) -> Self {
        Stream { pipe, ssh }
    }
}

impl<R: AsyncRead + AsFd + Unpin> AsyncRead for Stream<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.pipe).poll_read(context, buffer) {
            return Poll::Ready(read);
        }
        let _ = ready!(self.ssh.poll_end(context));
        Poll::Ready(read_rest(&self.pipe, buffer))
    }
}

/// Reads what is in the pipe of an ended ssh. The runtime may not have heard yet that there is
/// something, so it is not asked.
fn read_rest(pipe: &impl AsFd, buffer: &mut ReadBuf<'_>) -> io::Result<()> {
    loop {
        match rustix::io::read(pipe, buffer.initialize_unfilled()) {
            Ok(read) => {
                buffer.advance(read);
                return Ok(());
            }
            Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The stderr of ssh without its chatter.
pub(super) struct Quiet<R> {
    stream: Stream<R>,
    /// None when the stream has ended.
    filter: Option<Filter>,
    passed: Vec<u8>,
}

impl<R> Quiet<R> {
    pub(super) fn new(stream: Stream<R>) -> Self {
        Quiet {
            stream,
            filter: Some(Filter::default()),
            passed: Vec::new(),
        }
    }
}

impl<R: AsyncRead + AsFd + Unpin> AsyncRead for Quiet<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.passed.is_empty() {
            let Some(filter) = &mut this.filter else {
                return Poll::Ready(Ok(()));
            };
            let mut piece = [0; PIECE];
            let mut piece = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut piece))?;
            if piece.filled().is_empty() {
                let status = ready!(this.stream.ssh.poll_end(context));
                match status.is_some_and(went_well) {
                    true => filter.finish(&mut this.passed),
                    false => filter.finish_telling(&mut this.passed),
                }
                this.filter = None;
            } else {
                filter.feed(piece.filled(), &mut this.passed);
            }
        }
        let fits = this.passed.len().min(buffer.remaining());
        buffer.put_slice(&this.passed[..fits]);
        this.passed.drain(..fits);
        Poll::Ready(Ok(()))
    }
}
