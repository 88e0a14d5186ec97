//! The task that owns the two pipes of a link.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::inbox::{Delivery, Inbox};
use super::machine::{Arrival, Machine};
use super::{Asked, CLOSE_LIMIT, Control, Open, State};
use crate::error::LinkError;

/// The room for the first read of a link: a hello and a short answer.
const FIRST_READ: usize = 2 * 1024;

/// The room for a read of a link that keeps filling it: about a full frame.
const MAX_READ: usize = 64 * 1024;

/// How many requests are taken before the pipe is written to again.
const REQUESTS_A_ROUND: usize = 256;

/// Everything a link's task holds besides the pipes.
pub(super) struct Driver {
    machine: Machine,
    open: HashMap<u32, Open>,
    requests: mpsc::UnboundedReceiver<Control>,
    shared: Shared,
    /// The bytes of stdin whose room was not given back yet.
    unsent_bytes: usize,
    /// Whether the last request was made.
    is_finished: bool,
    /// Why nothing can be written any more. What the other end has said until then still counts: it
    /// may be an exit, or the reason.
    mute: Option<LinkError>,
    read_room: usize,
}

/// What the handles see of the task.
pub(super) struct Shared {
    pub(super) state: watch::Sender<State>,
    /// The room for stdin that waits to be written.
    pub(super) unsent: Arc<Semaphore>,
    /// How many bytes were written; for each request it tells whether the agent can know of it.
    pub(super) written: Arc<AtomicU64>,
}

/// Why the task goes on no longer.
enum End {
    /// The handles are gone.
    Dropped,
    /// The link is over.
    Failed(LinkError),
}

impl Driver {
    pub(super) fn new(
        machine: Machine,
        requests: mpsc::UnboundedReceiver<Control>,
        shared: Shared,
    ) -> Self {
        Driver {
            machine,
            open: HashMap::new(),
            requests,
            shared,
            unsent_bytes: 0,
            is_finished: false,
            mute: None,
            read_room: FIRST_READ,
        }
    }

    /// Moves bytes until the handles are gone or the link is over; then both pipes are closed.
    pub(super) async fn run<R, W>(mut self, mut reader: R, mut writer: W)
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let error = match self.go(&mut reader, &mut writer).await {
            End::Failed(error) => {
                tracing::debug!(%error, "link ended");
                error
            }
            End::Dropped => {
                // Closing stdin is the goodbye; whatever the agent still says is of no interest.
                let _ = writer.shutdown().await;
                LinkError::Dropped
            }
        };
        self.give_up(error);
    }

    async fn go<R, W>(&mut self, reader: &mut R, writer: &mut W) -> End
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        loop {
            if let Err(violation) = self.deliver() {
                return End::Failed(violation.into());
            }
            if self.mute.is_some() {
                self.machine.outgoing().clear();
            }
            self.give_room_back();
            let now = Instant::now();
            let deadline = self.machine.deadline(now.into_std());
            let room = self.read_room;
            if self.machine.buffer().spare_capacity_mut().len() < room / 2 {
                self.machine.buffer().reserve(room);
            }
            // The buffers are taken out while they are used, since the machine lends only one.
            let mut buffer = std::mem::take(self.machine.buffer());
            let mut outgoing = std::mem::take(self.machine.outgoing());
            let before = buffer.len();
            let waiting = outgoing.front();
            let step = tokio::select! {
                read = reader.read_buf(&mut buffer) => Step::Read(read),
                wrote = writer.write(waiting), if !waiting.is_empty() => Step::Wrote(wrote),
                request = self.requests.recv() => Step::Request(request),
                () = sleep_until(deadline.into()) => Step::Tick,
            };
            *self.machine.buffer() = buffer;
            *self.machine.outgoing() = outgoing;
            let went_on = match step {
                Step::Read(read) => self.read(read, before),
                Step::Wrote(wrote) => {
                    self.wrote(wrote);
                    Ok(())
                }
                Step::Request(Some(request)) => self.requests(request),
                Step::Request(None) => return self.drain(writer).await,
                Step::Tick => self.machine.tick(Instant::now().into_std()),
            };
            if let Err(error) = went_on {
                return End::Failed(error);
            }
        }
    }

    /// Writes what was asked for before the handles went, unless nobody takes it.
    async fn drain<W: AsyncWrite + Unpin>(&mut self, writer: &mut W) -> End {
        let mut outgoing = std::mem::take(self.machine.outgoing());
        // Nobody counts how much of it is taken: it may be all.
        self.count(outgoing.len());
        let writing = async {
            while !outgoing.is_empty() {
                match writer.write(outgoing.front()).await? {
                    0 => return Err(std::io::ErrorKind::WriteZero.into()),
                    count => outgoing.wrote(count),
                }
            }
            Ok(())
        };
        match timeout(CLOSE_LIMIT, writing).await {
            Ok(Err(error)) => End::Failed(broken(&error)),
            Ok(Ok(())) | Err(_) => End::Dropped,
        }
    }

    fn read(&mut self, read: std::io::Result<usize>, before: usize) -> Result<(), LinkError> {
        match read {
            Ok(0) => return Err(self.mute.take().unwrap_or(LinkError::Closed)),
            Ok(bytes) if bytes >= self.read_room / 2 => {
                self.read_room = (self.read_room * 2).min(MAX_READ);
            }
            Ok(_) => {}
            Err(error) => return Err(broken(&error)),
        }
        debug_assert!(self.machine.buffer().len() > before);
        self.machine.heard(Instant::now().into_std());
        Ok(())
    }

    fn wrote(&mut self, wrote: std::io::Result<usize>) {
        match wrote {
            Ok(bytes) => {
                self.count(bytes);
                self.machine.said(Instant::now().into_std());
                self.machine.outgoing().wrote(bytes);
            }
            Err(error) => self.mute = Some(broken(&error)),
        }
    }

    fn count(&self, written: usize) {
        let written = written as u64;
        self.shared.written.fetch_add(written, Ordering::Release);
    }

    /// Gives back the room of all stdin that can no longer wait to be written: what waits is no more
    /// than all that waits. Stdin of a channel that is over never does.
    fn give_room_back(&mut self) {
        let waiting = self.machine.outgoing().len();
        let done = self.unsent_bytes.saturating_sub(waiting);
        self.unsent_bytes -= done;
        self.shared.unsent.add_permits(done);
    }

    /// Acts on a request and on those that wait behind it.
    fn requests(&mut self, first: Control) -> Result<(), LinkError> {
        self.request(first);
        for _ in 1..REQUESTS_A_ROUND {
            match self.requests.try_recv() {
                Ok(request) => self.request(request),
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn request(&mut self, request: Control) {
        match request {
            // It raced with the last request.
            Control::Open(_, open) if self.is_finished => {
                open.inbox.put(Delivery::Lost(LinkError::Dropped));
            }
            Control::Open(asked, open) => self.open(asked, open),
            Control::Send(inbox, stream, data) => {
                self.unsent_bytes += data.len();
                self.on(&inbox, |machine, channel| {
                    machine.send(channel, stream, data);
                });
            }
            Control::Consumed(inbox, stream, bytes) => self.on(&inbox, |machine, channel| {
                machine.consumed(channel, stream, bytes);
            }),
            Control::Finish => {
                self.is_finished = true;
                self.machine.finish();
            }
            Control::Kill(inbox) => self.on(&inbox, Machine::kill),
            Control::Forget(inbox) => {
                self.on(&inbox, Machine::forget);
                inbox.clear();
            }
        }
    }

    fn open(&mut self, asked: Asked, open: Open) {
        let waiting = self.machine.outgoing().len() as u64;
        let begins_at = self.shared.written.load(Ordering::Relaxed) + waiting;
        let channel = match asked {
            Asked::For(request) => self.machine.ask(request),
            Asked::Noop => self.machine.noop(),
        };
        open.inbox.opened(channel, begins_at);
        self.open.insert(channel, open);
    }

    fn on(&mut self, inbox: &Inbox, act: impl FnOnce(&mut Machine, u32)) {
        if let Some(channel) = inbox.channel() {
            act(&mut self.machine, channel);
        }
    }

    /// Hands out everything that the buffered bytes say.
    fn deliver(&mut self) -> Result<(), convoke_proto::fault::Violation> {
        while let Some(arrival) = self.machine.next()? {
            match arrival {
                Arrival::Hello(hello) => {
                    self.shared.state.send_replace(State::Up(Arc::new(hello)));
                }
                Arrival::For(channel, delivery) => {
                    let is_last = delivery.is_last();
                    if let Some(open) = self.open.get(&channel) {
                        open.inbox.put(delivery);
                    }
                    if is_last {
                        self.open.remove(&channel);
                    }
                }
                Arrival::Over(channel) => {
                    self.open.remove(&channel);
                }
            }
        }
        Ok(())
    }

    /// Tells everybody who waits, and those whose requests nobody took, that the link is over.
    fn give_up(&mut self, error: LinkError) {
        let hello = match &*self.shared.state.borrow() {
            State::Greeting => None,
            State::Up(hello) => Some(Arc::clone(hello)),
            State::Down(..) => return,
        };
        let down = State::Down(error.clone(), hello);
        // Whoever asks holds the state, so that all requests are in the queue from here on.
        self.shared.state.send_replace(down);
        self.requests.close();
        while let Ok(request) = self.requests.try_recv() {
            if let Control::Open(_, open) = request {
                open.inbox.put(Delivery::Lost(error.clone()));
            }
        }
        for (_, open) in self.open.drain() {
            open.inbox.put(Delivery::Lost(error.clone()));
        }
    }
}

/// Whoever holds a channel of a link that was dropped must not wait for ever.
impl Drop for Driver {
    fn drop(&mut self) {
        self.give_up(LinkError::Dropped);
    }
}

enum Step {
    Read(std::io::Result<usize>),
    Wrote(std::io::Result<usize>),
    Request(Option<Control>),
    Tick,
}

fn broken(error: &std::io::Error) -> LinkError {
    match error.kind() {
        // Nobody reads any more; whether the other end closed in good order shows when it is read.
        std::io::ErrorKind::BrokenPipe => LinkError::Closed,
        _ => LinkError::Broken {
            text: error.to_string(),
        },
    }
}
