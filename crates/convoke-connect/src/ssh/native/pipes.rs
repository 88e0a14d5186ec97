//! The streams of a command over a channel, and the end of its connection.

use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use russh::client::{Handle, Msg};
use russh::{ChannelWriteHalf, Disconnect};
use tokio::io::AsyncWrite;
use tokio::sync::oneshot;
use tokio_util::sync::DropGuard;

use super::backlog::{Backlog, Sluice};
use super::handler::Handler;
use crate::connector::{Close, Ending};
use crate::future::BoxFuture;

/// How long a server may take to see us off when all is done.
const FAREWELL: Duration = Duration::from_millis(500);

/// The command's input. Dropping it is its end.
pub(super) struct Input {
    writer: Sluice,
    /// None when the end was said.
    channel: Option<ChannelWriteHalf<Msg>>,
}

impl Input {
    pub(super) fn new(channel: ChannelWriteHalf<Msg>, backlog: Backlog) -> Self {
        Input {
            writer: Sluice::new(channel.make_writer(), backlog),
            channel: Some(channel),
        }
    }
}

impl AsyncWrite for Input {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.channel.is_none() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.writer).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.channel.is_none() {
            return Poll::Ready(Ok(()));
        }
        let ended = Pin::new(&mut self.writer).poll_shutdown(context);
        if ended.is_ready() {
            self.channel = None;
        }
        // A connection that is gone has no input that could go on.
        ended.map(|_| Ok(()))
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        let Some(channel) = self.channel.take() else {
            return;
        };
        let mut saying = Box::pin(async move { drop(channel.eof().await) });
        let at_once = pin!(saying.as_mut()).poll(&mut Context::from_waker(Waker::noop()));
        // The queue to the session is full: it is said when there is room, or the session has ended.
        if let (Poll::Pending, Ok(runtime)) = (at_once, tokio::runtime::Handle::try_current()) {
            runtime.spawn(saying);
        }
    }
}

/// The handle of a connection. Dropping it cuts the line.
pub(super) struct Connection {
    pub(super) session: Handle<Handler>,
    pub(super) ending: oneshot::Receiver<Ending>,
    pub(super) cut: DropGuard,
}

impl Close for Connection {
    fn close(self: Box<Self>) -> BoxFuture<'static, Ending> {
        Box::pin(async move {
            let Connection {
                session,
                ending,
                cut,
            } = *self;
            let ending = ending.await.unwrap_or_else(|_| Ending::Unknown {
                remark: "the connection was given up".into(),
            });
            // A server that is told does not take it for a broken line.
            let leaving = async {
                let why = Disconnect::ByApplication;
                if session
                    .disconnect(why, "disconnected by user", "")
                    .await
                    .is_ok()
                {
                    let _ = session.await;
                }
            };
            let _ = tokio::time::timeout(FAREWELL, leaving).await;
            drop(cut);
            ending
        })
    }
}
