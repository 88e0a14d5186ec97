//! Channels through a hop, each the way to another server.
//!
//! The session with the hop must never wait for one of them, or a slow host would hold up all behind
//! the same hop; and it grants the hop room for more as soon as something has arrived. So what arrives
//! is queued, and what bounds the queue is what the server at the far end may send ahead on its own.

use std::collections::{HashMap, VecDeque};
use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use russh::client::Msg;
use russh::{Channel, ChannelId, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use super::backlog::{Backlog, Sluice};
use super::hop::Hop;

/// How much may wait in one channel, in bytes. A server gets no room for more than a sixteenth of it
/// until that was read; a hop, which carries others, is in the middle of sending at most.
const QUEUED: usize = 32 * 1024 * 1024;

/// What an emptied queue may keep of its memory, in bytes.
const KEPT: usize = 64 * 1024;

/// The channels of one hop. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub(super) struct Lanes {
    all: Arc<Mutex<All>>,
    /// Told when one begins, and when there are no more.
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct All {
    open: HashMap<ChannelId, Queue>,
    /// Why there are no more.
    cause: Option<Arc<str>>,
}

/// What has arrived in one channel.
#[derive(Debug, Default)]
struct Queue {
    bytes: VecDeque<u8>,
    end: Option<End>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone)]
enum End {
    /// Nothing more comes.
    Read,
    /// And nothing more is taken.
    Closed,
    /// Why.
    Broken(Arc<str>),
}

/// Why a stream broke that is not its own doing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Broken(Arc<str>);

impl Queue {
    fn end(&mut self, end: End) {
        if !matches!(self.end, Some(End::Closed | End::Broken(_))) {
            self.end = Some(end);
        }
        let waiting = [self.reader.take(), self.writer.take()];
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Lanes {
    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A channel was opened. What arrives in it is kept from now on.
    pub(super) fn begin(&self, id: ChannelId) {
        self.all().open.insert(id, Queue::default());
        self.changed.notify_waiters();
    }

    /// Waits until a channel has begun, or the hop is gone: who has opened it may hear that before we do.
    pub(super) async fn begun(&self, id: ChannelId) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // What changes from here on is heard of.
            changed.as_mut().enable();
            {
                let all = self.all();
                if all.open.contains_key(&id) || all.cause.is_some() {
                    return;
                }
            }
            changed.await;
        }
    }

    /// Something has arrived; false when there is too much of it, and the channel is to be closed.
    pub(super) fn add(&self, id: ChannelId, data: &[u8]) -> bool {
        let mut all = self.all();
        let Some(queue) = all.open.get_mut(&id) else {
            return true;
        };
        if queue.end.is_some() {
            return true;
        }
        if queue.bytes.len() + data.len() > QUEUED {
            let why = format!("more than {QUEUED} bytes arrived that nobody had read");
            queue.end(End::Broken(why.into()));
            return false;
        }
        queue.bytes.extend(data);
        if let Some(reader) = queue.reader.take() {
            reader.wake();
        }
        true
    }

    /// Nothing more comes in a channel.
    pub(super) fn end(&self, id: ChannelId) {
        if let Some(queue) = self.all().open.get_mut(&id) {
            queue.end(End::Read);
        }
    }

    /// A channel was closed.
    pub(super) fn close(&self, id: ChannelId) {
        if let Some(queue) = self.all().open.get_mut(&id) {
            queue.end(End::Closed);
        }
    }

    /// The hop is gone. The first cause counts.
    pub(super) fn break_all(&self, cause: &str) {
        let mut all = self.all();
        let cause = Arc::clone(all.cause.get_or_insert_with(|| cause.into()));
        for queue in all.open.values_mut() {
            queue.end(End::Broken(Arc::clone(&cause)));
        }
        drop(all);
        self.changed.notify_waiters();
    }

    /// Why the hop is gone, if it is.
    pub(super) fn cause(&self) -> Option<Arc<str>> {
        self.all().cause.clone()
    }
}

/// One channel through a hop. Dropping it closes it.
pub(super) struct Lane {
    id: ChannelId,
    lanes: Lanes,
    writer: Sluice,
    /// None when it is being closed.
    channel: Option<ChannelWriteHalf<Msg>>,
    /// Held open by this.
    hop: Option<Arc<Hop>>,
}

impl Lane {
    /// `channel` was opened through a hop whose channels are `lanes`, and [has begun](Lanes::begun) there; what the
    /// hop has not written is its `backlog`.
    pub(super) fn new(channel: Channel<Msg>, lanes: Lanes, backlog: Backlog) -> Self {
        let id = channel.id();
        // What arrives does not come through the channel, but through the handler.
        let (_, channel) = channel.split();
        Lane {
            id,
            lanes,
            writer: Sluice::new(channel.make_writer(), backlog),
            channel: Some(channel),
            hop: None,
        }
    }

    /// The same, while it is there so is `hop`.
    pub(super) fn holding(mut self, hop: Arc<Hop>) -> Self {
        self.hop = Some(hop);
        self
    }

    /// How it ended, if nothing can be written any more.
    fn ended(&self, context: &Context<'_>) -> Option<io::Error> {
        let mut all = self.lanes.all();
        let gone = || io::ErrorKind::BrokenPipe.into();
        let Some(queue) = all.open.get_mut(&self.id) else {
            return Some(gone());
        };
        match &queue.end {
            None | Some(End::Read) => {
                queue.writer = Some(context.waker().clone());
                None
            }
            Some(End::Closed) => Some(gone()),
            Some(End::Broken(why)) => Some(broken(why)),
        }
    }
}

fn broken(why: &Arc<str>) -> io::Error {
    io::Error::other(Broken(Arc::clone(why)))
}

impl AsyncRead for Lane {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut all = self.lanes.all();
        let Some(queue) = all.open.get_mut(&self.id) else {
            return Poll::Ready(Ok(()));
        };
        if queue.bytes.is_empty() {
            return match &queue.end {
                Some(End::Broken(why)) => Poll::Ready(Err(broken(why))),
                Some(_) => Poll::Ready(Ok(())),
                None => {
                    queue.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            };
        }
        let (first, _) = queue.bytes.as_slices();
        let fits = first.len().min(buffer.remaining());
        buffer.put_slice(first.get(..fits).unwrap_or_default());
        queue.bytes.drain(..fits);
        if queue.bytes.is_empty() {
            queue.bytes.shrink_to(KEPT);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lane {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // A channel that was closed is never given room again.
        if let Some(error) = self.ended(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.writer).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ended(context).is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.writer).poll_shutdown(context)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.lanes.all().open.remove(&self.id);
        let Some(channel) = self.channel.take() else {
            return;
        };
        let mut closing = Box::pin(async move { drop(channel.close().await) });
        let at_once = pin!(closing.as_mut()).poll(&mut Context::from_waker(Waker::noop()));
        // The queue to the hop is full: it is said when there is room, or the hop is gone.
        if let (Poll::Pending, Ok(runtime)) = (at_once, tokio::runtime::Handle::try_current()) {
            runtime.spawn(closing);
        }
    }
}
