//! One agent session: requests go down, what the agent says comes up by channel.
//!
//! `machine` is the protocol without I/O, `order` its rules on one channel, `inbox` the queue of
//! one channel, `drive` the task that owns the two pipes.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

mod drive;
mod inbox;
mod machine;
mod order;
mod outbox;
mod request;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use convoke_proto::command::Start;
use convoke_proto::credit::{Allowance, Budget};
use convoke_proto::file::{Get, NewFile, Open as OpenFile};
use convoke_proto::frame::{MAX_DATA, MAX_REQUEST};
use convoke_proto::hello::{Hello, LinkId, Liveness};
use convoke_proto::operation::Operation;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

pub use inbox::Delivery;
pub use machine::Machine;
pub use outbox::Outbox;

use crate::error::{LinkError, StartError};

use inbox::Inbox;
use request::Request;

/// How many bytes of stdin wait for the pipe to the host before [`Channel::room`] waits.
const MAX_UNSENT: usize = 256 * 1024;

/// How many channels of one link are open at once, with those whose owner has left; the next request
/// waits.
const MAX_CHANNELS: usize = 4096;

/// How much all requests of a link may weigh that are not answered yet; the next one waits. Start requests,
/// whose channels live long, do not count: they have the other half of what an agent holds.
const MAX_ASKED: usize = 4 * MAX_REQUEST;

/// How long a closed link waits for what it has written to be taken, and for the agent to end.
pub const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// What a link is told about itself.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its random name.
    pub id: LinkId,
    /// How long silence is tolerated.
    pub liveness: Liveness,
    /// What all links of the process may buffer together.
    pub budget: Budget,
}

/// One open agent session. Dropping it closes the pipes at once: running commands are ended by the
/// agent.
#[derive(Debug)]
pub struct Link {
    control: mpsc::UnboundedSender<Control>,
    state: watch::Receiver<State>,
    unsent: Arc<Semaphore>,
    /// How many bytes were written to the agent.
    written: Arc<AtomicU64>,
    channels: Arc<Semaphore>,
    /// The room for requests that are not answered yet, by weight.
    asked: Arc<Semaphore>,
    /// Whether the last request was made.
    finished: AtomicBool,
    task: AbortOnDropHandle<()>,
}

/// What the handles ask of the link's task.
///
/// The queue needs no bound of its own: a channel has at most one entry for every delivery it took,
/// data waits for `unsent` permits, and the number of channels is bounded.
#[derive(Debug)]
enum Control {
    /// A request on a new channel.
    Open(Asked, Open),
    /// Bytes for a stream, or its end when empty.
    Send(Arc<Inbox>, u8, Bytes),
    /// So many bytes of a stream were consumed.
    Consumed(Arc<Inbox>, u8, usize),
    /// Nothing more will be asked for.
    Finish,
    /// The process of the channel shall end.
    Kill(Arc<Inbox>),
    /// Nobody listens on the channel any more.
    Forget(Arc<Inbox>),
}

/// What is asked for on a new channel.
#[derive(Debug)]
enum Asked {
    Noop,
    For(Request),
}

/// An open channel, until the agent has said its last message.
#[derive(Debug)]
struct Open {
    /// Where its answers go.
    inbox: Arc<Inbox>,
    _place: OwnedSemaphorePermit,
    _room: Option<OwnedSemaphorePermit>,
}

/// How far the link is.
#[derive(Debug, Clone)]
enum State {
    /// The agent's hello has not come.
    Greeting,
    /// It has.
    Up(Arc<Hello>),
    /// The link is over; with the hello if one ever came.
    Down(LinkError, Option<Arc<Hello>>),
}

impl Link {
    /// Begins a session on pipes whose other end is an agent; `rest` was read from them already.
    ///
    /// Needs a tokio runtime. The hello is sent at once; requests may follow without waiting for
    /// the agent's.
    pub fn open<R, W>(reader: R, writer: W, rest: BytesMut, options: Options) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        let (control, requests) = mpsc::unbounded_channel();
        let (progress, state) = watch::channel(State::Greeting);
        let unsent = Arc::new(Semaphore::new(MAX_UNSENT));
        let machine = Machine::new(options, rest);
        let written = Arc::default();
        let shared = drive::Shared {
            state: progress,
            unsent: Arc::clone(&unsent),
            written: Arc::clone(&written),
        };
        let driver = drive::Driver::new(machine, requests, shared);
        let span = tracing::Span::current();
        let task = tokio::spawn(driver.run(reader, writer).instrument(span));
        Link {
            control,
            state,
            unsent,
            written,
            channels: Arc::new(Semaphore::new(MAX_CHANNELS)),
            asked: Arc::new(Semaphore::new(MAX_ASKED)),
            finished: AtomicBool::new(false),
            task: AbortOnDropHandle::new(task),
        }
    }

    /// Waits for the agent's hello. One that came counts even when the link is over by now.
    ///
    /// # Errors
    /// Why the link ended before it came.
    pub async fn hello(&self) -> Result<Arc<Hello>, LinkError> {
        let mut state = self.state.clone();
        loop {
            match &*state.borrow_and_update() {
                State::Greeting => {}
                State::Up(hello) | State::Down(_, Some(hello)) => return Ok(Arc::clone(hello)),
                State::Down(error, None) => return Err(error.clone()),
            }
            if state.changed().await.is_err() {
                return Err(LinkError::Dropped);
            }
        }
    }

    /// Asks for nothing and waits for the answer.
    ///
    /// # Errors
    /// Why the link ended.
    pub async fn noop(&self) -> Result<(), LinkError> {
        let mut channel = self.send_noop().await?;
        match channel.next().await {
            Delivery::Done => Ok(()),
            Delivery::Fault(fault) => Err(LinkError::Refused { text: fault.text }),
            Delivery::Lost(error) => Err(error),
            _ => Err(LinkError::Closed),
        }
    }

    /// Asks for nothing without waiting for the answer: [`Delivery::Done`], the only delivery of the
    /// channel.
    ///
    /// # Errors
    /// Why the link ended.
    pub async fn send_noop(&self) -> Result<Channel, LinkError> {
        self.request(Asked::Noop).await
    }

    /// Asks for a process. It lives at most as long as the channel that is returned.
    ///
    /// # Errors
    /// [`StartError::Oversized`] when the request does not fit a frame, before anything is sent;
    /// [`StartError::Lost`] when the link is over.
    pub async fn start(&self, start: Start) -> Result<Channel, StartError> {
        let request = Request::start(start)?;
        Ok(self.request(Asked::For(request)).await?)
    }

    /// Asks for operations: their records come as [`Delivery::Output`] of stream 1, then
    /// [`Delivery::Done`]. Dropping the channel stops those that have not begun.
    ///
    /// # Errors
    /// Those of [`Link::start`]; so for all that follow.
    pub async fn operate(&self, operations: Vec<Operation>) -> Result<Channel, StartError> {
        let request = Request::operate(operations)?;
        Ok(self.request(Asked::For(request)).await?)
    }

    /// Asks for a file whose content goes on stream 0, within the credit that comes; ended by
    /// [`Delivery::Stored`] or [`Delivery::Failed`]. Dropping the channel throws the file away.
    pub async fn put(&self, file: NewFile) -> Result<Channel, StartError> {
        let request = Request::put(file)?;
        Ok(self.request(Asked::For(request)).await?)
    }

    /// Asks for the content of a file: [`Delivery::Opened`], [`Delivery::Output`] of stream 1, its
    /// [`Delivery::Eof`] and [`Delivery::Done`]; or [`Delivery::Failed`].
    pub async fn get(&self, get: Get) -> Result<Channel, StartError> {
        let request = Request::get(get)?;
        Ok(self.request(Asked::For(request)).await?)
    }

    /// Asks for an open file: [`Delivery::Opened`] or [`Delivery::Failed`]. Operations name it by
    /// [`Channel::number`]; dropping the channel closes it.
    pub async fn open_file(&self, open: OpenFile) -> Result<Channel, StartError> {
        let request = Request::open(open)?;
        Ok(self.request(Asked::For(request)).await?)
    }

    /// Says that nothing more will be asked for: the agent ends the session as soon as all that was asked
    /// is over, which spares the wait for its end. Whoever asks for more all the same gets
    /// [`LinkError::Dropped`].
    pub fn finish(&self) {
        self.finished.store(true, Ordering::Release);
        // A link that is over needs no goodbye.
        let _ = self.control.send(Control::Finish);
    }

    /// Ends the session: running processes are ended by the agent. Waits until the pipes are closed, at
    /// most [`CLOSE_LIMIT`], and returns the agent's hello if it ever came.
    pub async fn close(self) -> Option<Arc<Hello>> {
        let Link {
            control,
            state,
            task,
            ..
        } = self;
        drop(control);
        if tokio::time::timeout(CLOSE_LIMIT, task).await.is_err() {
            tracing::debug!("the link did not close in time");
        }
        match &*state.borrow() {
            State::Greeting => None,
            State::Up(hello) => Some(Arc::clone(hello)),
            State::Down(_, hello) => hello.clone(),
        }
    }

    async fn request(&self, asked: Asked) -> Result<Channel, LinkError> {
        if self.finished.load(Ordering::Acquire) {
            return Err(LinkError::Dropped);
        }
        let place = Arc::clone(&self.channels).acquire_owned().await;
        let open = Open {
            inbox: Arc::default(),
            _place: place.map_err(|_| LinkError::Dropped)?,
            _room: self.room_for(&asked).await,
        };
        let inbox = Arc::clone(&open.inbox);
        self.push(Control::Open(asked, open))?;
        Ok(Channel {
            inbox,
            control: self.control.clone(),
            unsent: Arc::clone(&self.unsent),
            written: Arc::clone(&self.written),
            stdin: Allowance::default(),
            held: None,
            is_over: false,
        })
    }
}

impl Link {
    /// Asks the link's task, which answers or says that the link is over.
    ///
    /// The state is held meanwhile: the task says that it is over before it looks for the last time what was asked.
    fn push(&self, request: Control) -> Result<(), LinkError> {
        let state = self.state.borrow();
        if let State::Down(error, _) = &*state {
            return Err(error.clone());
        }
        let pushed = self.control.send(request);
        pushed.map_err(|_| LinkError::Dropped)
    }

    /// Waits until so much may be asked for.
    async fn room_for(&self, asked: &Asked) -> Option<OwnedSemaphorePermit> {
        match asked {
            Asked::For(request) if request.kind != request::Kind::Start => {
                // A single request always fits, however much it weighs.
                let permits = request.weight().min(MAX_ASKED) as u32;
                // Only a closed semaphore fails, and this one is never closed.
                let room = Arc::clone(&self.asked).acquire_many_owned(permits);
                room.await.ok()
            }
            _ => None,
        }
    }
}

/// Room for a piece of stdin on the way to a host.
#[derive(Debug)]
pub struct Room {
    permit: Option<OwnedSemaphorePermit>,
}

/// Whether a request can have reached the agent. Outlives its channel.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    inbox: Arc<Inbox>,
    written: Arc<AtomicU64>,
}

impl Receipt {
    /// Whether any byte of the request was written to the pipe. Final once the link is closed.
    pub(crate) fn was_sent(&self) -> bool {
        let written = self.written.load(Ordering::Acquire);
        self.inbox.begins_at().is_some_and(|at| at < written)
    }
}

/// One request and everything that belongs to it.
///
/// Dropping it before its last delivery ends the process and throws away what still comes.
#[derive(Debug)]
pub struct Channel {
    inbox: Arc<Inbox>,
    control: mpsc::UnboundedSender<Control>,
    unsent: Arc<Semaphore>,
    written: Arc<AtomicU64>,
    stdin: Allowance,
    held: Option<(u8, usize)>,
    is_over: bool,
}

impl Channel {
    /// Waits for the next delivery. Output that the previous call returned now counts as consumed,
    /// which lets the host send more. May be dropped and called again; after the last delivery
    /// (see [`Delivery::is_last`]) it repeats that the channel is over.
    pub async fn next(&mut self) -> Delivery {
        if let Some((stream, bytes)) = self.held.take() {
            let consumed = Control::Consumed(Arc::clone(&self.inbox), stream, bytes);
            self.tell(consumed);
        }
        if self.is_over {
            return Delivery::Lost(LinkError::Closed);
        }
        let delivery = self.inbox.take().await;
        match &delivery {
            Delivery::Output { stream, data } => self.held = Some((*stream, data.len())),
            Delivery::Credit { stream: 0, bytes } => {
                // The machine has refused more than a window already.
                let _ = self.stdin.grant(*bytes);
            }
            last => self.is_over = last.is_last(),
        }
        delivery
    }

    /// The bytes that may be sent to stdin now. Grows when [`Channel::next`] returns a credit.
    pub fn stdin_credit(&self) -> usize {
        self.stdin.left().min(MAX_DATA)
    }

    /// Waits until the link has room for `bytes` of stdin, at most 64 KiB. Borrows nothing, so that
    /// it can be awaited beside [`Channel::next`].
    pub fn room(&self, bytes: usize) -> impl Future<Output = Room> + Send + use<> {
        let unsent = Arc::clone(&self.unsent);
        let permits = bytes.min(MAX_DATA) as u32;
        async move {
            Room {
                // Only a closed semaphore fails, and this one is never closed.
                permit: unsent.acquire_many_owned(permits).await.ok(),
            }
        }
    }

    /// Sends bytes to stdin, at most [`Channel::stdin_credit`]; `room` was asked for as many.
    pub fn send(&mut self, data: Bytes, room: Room) {
        debug_assert!(data.len() <= self.stdin_credit());
        if data.is_empty() {
            return;
        }
        // The task gives back as much as it wrote, so no more than that may be kept from others.
        if let Some(used) = room.permit.and_then(|mut room| room.split(data.len())) {
            used.forget();
        }
        self.stdin.spend(data.len());
        self.tell(Control::Send(Arc::clone(&self.inbox), 0, data));
    }

    /// Ends stdin.
    pub fn end_stdin(&mut self) {
        self.tell(Control::Send(Arc::clone(&self.inbox), 0, Bytes::new()));
    }

    /// Its number, once the request is on the way.
    pub fn number(&self) -> Option<u32> {
        self.inbox.channel()
    }

    /// What tells whether the request was sent.
    pub(crate) fn receipt(&self) -> Receipt {
        Receipt {
            inbox: Arc::clone(&self.inbox),
            written: Arc::clone(&self.written),
        }
    }

    /// Ends what runs; a process by TERM to its tree, and KILL after the grace. Its last delivery still
    /// comes.
    pub fn kill(&mut self) {
        self.tell(Control::Kill(Arc::clone(&self.inbox)));
    }

    /// The link's task is gone only when the link is down, which the inbox says.
    fn tell(&self, control: Control) {
        let _ = self.control.send(control);
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if !self.is_over {
            self.tell(Control::Forget(Arc::clone(&self.inbox)));
        }
    }
}

#[cfg(test)]
mod tests;
