//! The agent's half of the protocol: bytes in, bytes and effects out, and no I/O.
//!
//! Everything a peer can send is judged here; what is left for the caller are [`Effect`]s that are
//! already valid. Drivable from bytes alone, for tests and fuzzing.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod answers;
mod channel;
mod effect;
mod outbox;
mod requests;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use convoke_proto::codec::{Decoder, Incoming};
use convoke_proto::credit::{AGENT_BUDGET, Budget};
use convoke_proto::fault::Violation;
use convoke_proto::frame::{Header, LINK_CHANNEL, MAX_DATA, Tag};
use convoke_proto::hello::{Capabilities, Hello, Liveness, PROTOCOL};
use convoke_proto::message::{Credit, Message, Stream};

use channel::Channel;
use outbox::Outbox;

pub use effect::{Effect, Inbound};
pub use requests::MAX_WEIGHT;

/// How much room there is for what waits to be sent, in bytes: what may wait before the children are
/// no longer read, twice, so that moving what waits to the front is rare. The kernel gives the pages
/// only once they are used.
const ROOM: usize = 512 * 1024;

/// The state of one link.
///
/// Bytes from the peer go in by [`Serve::feed`]; the caller then takes every [`Effect`], carries it
/// out and says what became of it; what has to be sent stands in [`Serve::outgoing`].
#[derive(Debug)]
pub struct Serve {
    platform: String,
    phase: Phase,
    decoder: Decoder,
    highest: u32,
    channels: BTreeMap<u32, Channel>,
    /// What the requests of open channels weigh.
    weight: usize,
    budget: Budget,
    effects: VecDeque<Effect>,
    outbox: Outbox,
    urgent: bool,
    /// Whether the last request has come.
    finishing: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waiting for the peer's hello.
    Greeting,
    Open,
    /// Nothing more is taken; what waits is still sent.
    Closing,
    /// Nothing goes either way.
    Shut,
}

impl Serve {
    /// A link on which nothing has been said, for a host of this `platform`.
    pub fn new(platform: impl Into<String>) -> Self {
        Self::with_room(platform, ROOM)
    }

    /// The same with room for so many bytes that wait to be sent, where there are many links in one
    /// process; it grows when more have to wait.
    pub fn with_room(platform: impl Into<String>, room: usize) -> Self {
        Serve {
            platform: platform.into(),
            phase: Phase::Greeting,
            decoder: Decoder::new(),
            highest: 0,
            channels: BTreeMap::new(),
            weight: 0,
            budget: Budget::new(AGENT_BUDGET),
            effects: VecDeque::new(),
            outbox: Outbox::new(room),
            urgent: false,
            finishing: false,
        }
    }

    /// Takes bytes from the peer and every whole frame among them.
    ///
    /// # Errors
    /// The peer broke the protocol; the link must be closed, and feeding it again does nothing.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.decoder.feed(bytes);
        self.take_frames()
    }

    /// The place where bytes that arrived are appended, with room for so many; the frames among them are taken
    /// by [`Serve::take_frames`].
    pub fn buffer_with_room(&mut self, room: usize) -> &mut BytesMut {
        self.decoder.buffer_with_room(room)
    }

    /// Takes every whole frame that has come.
    ///
    /// # Errors
    /// Those of [`Serve::feed`].
    pub fn take_frames(&mut self) -> Result<(), Violation> {
        while matches!(self.phase, Phase::Greeting | Phase::Open) {
            let frame = match self.decoder.next() {
                Ok(None) => return Ok(()),
                Ok(Some((channel, incoming))) => self.take(channel, incoming),
                Err(violation) => Err(violation),
            };
            if let Err(violation) = frame {
                self.phase = Phase::Closing;
                self.decoder = Decoder::new();
                return Err(violation);
            }
        }
        self.decoder = Decoder::new();
        Ok(())
    }

    /// Takes the next effect, in the order of the peer's frames.
    pub fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Bytes that wait to be sent.
    pub fn outgoing(&self) -> &[u8] {
        self.outbox.waiting()
    }

    /// Notes that the first `count` bytes of [`Serve::outgoing`] were sent.
    pub fn sent(&mut self, count: usize) {
        self.outbox.sent(count);
        self.urgent &= !self.outbox.waiting().is_empty();
    }

    /// Whether all that waits is news nobody acts on (a start, the end of a stream), which may wait
    /// a moment for what usually follows: a short command then costs its controller one read.
    pub fn can_wait(&self) -> bool {
        !self.urgent
    }

    /// Whether all that was asked is over, was answered, and nothing more will be asked.
    pub fn is_finished(&self) -> bool {
        // An open file is of no use to anybody who asks for nothing more.
        let is_over = |channel: &Channel| channel.is_idle();
        self.finishing && self.channels.values().all(is_over) && self.outbox.waiting().is_empty()
    }

    /// Ends the link on this side: nothing is taken or sent from here on.
    pub fn shut(&mut self) {
        self.phase = Phase::Shut;
        self.outbox.clear();
        self.effects.clear();
        self.channels.clear();
        self.weight = 0;
        self.decoder = Decoder::new();
    }

    /// How many bytes of an outbound stream may be sent now.
    pub fn credit(&self, channel: u32, stream: u8) -> usize {
        let output = self.channels.get(&channel).and_then(|c| c.output(stream));
        output.map_or(0, |output| output.allowance.left())
    }

    /// Sends bytes of an outbound stream: `read` puts them in place and says how many there are.
    ///
    /// `read` is not called without credit. Returns what it returned; no bytes send no frame.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn send<E>(
        &mut self,
        channel: u32,
        stream: u8,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let Some(output) = self
            .channels
            .get_mut(&channel)
            .and_then(|c| c.output_mut(stream))
        else {
            return Ok(0);
        };
        let limit = output.allowance.left().min(MAX_DATA);
        if limit == 0 {
            return Ok(0);
        }
        let header = Header {
            length: 0,
            channel,
            tag: Tag::data(stream),
        };
        let count = self.outbox.push_with(header, limit, read)?;
        self.urgent |= count > 0;
        if output.allowance.spend(count) {
            self.outbox.push_empty(header);
        }
        Ok(count)
    }

    /// What waits on an inbound stream: the first of it when it came in pieces.
    pub fn inbound(&self, channel: u32, stream: u8) -> Inbound<'_> {
        match self.channels.get(&channel).and_then(|c| c.input(stream)) {
            Some(input) if !input.waiting().is_empty() => Inbound::Bytes(input.waiting()),
            Some(input) if !input.ended() => Inbound::Nothing,
            _ => Inbound::Ended,
        }
    }

    /// Takes all that waits on an inbound stream, in order. It counts as buffered until it is
    /// [`written`](Serve::written).
    pub fn take_input(&mut self, channel: u32, stream: u8) -> Vec<Bytes> {
        let channel = self.channels.get_mut(&channel);
        let input = channel.and_then(|c| c.input_mut(stream));
        input.map(channel::Input::take).unwrap_or_default()
    }

    /// Notes that `count` bytes that were taken off an inbound stream are out of memory.
    pub fn written(&mut self, channel: u32, stream: u8, count: usize) {
        let open = self.channels.get_mut(&channel);
        let input = open.and_then(|c| c.input_mut(stream));
        if let Some(bytes) = input.and_then(|input| input.free(count)) {
            self.push(channel, &Message::Credit(Credit { stream, bytes }));
        }
    }

    /// Notes that the process took `count` bytes of an inbound stream.
    pub fn consumed(&mut self, channel: u32, stream: u8, count: usize) {
        let input = self
            .channels
            .get_mut(&channel)
            .and_then(|c| c.input_mut(stream));
        if let Some(bytes) = input.and_then(|input| input.consume(count)) {
            self.push(channel, &Message::Credit(Credit { stream, bytes }));
        }
    }

    /// Says that the process takes no more of an inbound stream; what still comes is thrown away.
    pub fn refuse_input(&mut self, channel: u32, stream: u8) {
        if let Some(input) = self
            .channels
            .get_mut(&channel)
            .and_then(|c| c.input_mut(stream))
        {
            input.refuse();
            self.push(channel, &Message::Closed(Stream { stream }));
        }
    }

    fn take(&mut self, channel: u32, incoming: Incoming) -> Result<(), Violation> {
        match incoming {
            Incoming::Message(Message::Hello(hello)) => self.greet(channel, hello),
            Incoming::Message(other) if self.phase == Phase::Greeting => Err(out_of_order(
                channel,
                other.tag(),
                "the first frame must be a hello",
            )),
            Incoming::Message(message) => self.message(channel, message),
            Incoming::Data { stream, .. } if self.phase == Phase::Greeting => Err(out_of_order(
                channel,
                Tag::data(stream),
                "the first frame must be a hello",
            )),
            Incoming::Data { stream, body } => self.data(channel, stream, body),
            Incoming::Unknown(tag) => self.unknown(channel, tag),
        }
    }

    fn greet(&mut self, channel: u32, theirs: Hello) -> Result<(), Violation> {
        if channel != LINK_CHANNEL || self.phase != Phase::Greeting {
            return Err(out_of_order(
                channel,
                Tag::HELLO,
                "a hello comes once, and on channel 0",
            ));
        }
        self.phase = Phase::Open;
        let ours = Hello {
            protocol: PROTOCOL,
            capabilities: Capabilities::default(),
            platform: self.platform.clone(),
            link: theirs.link,
            liveness: theirs.liveness,
        };
        self.push(LINK_CHANNEL, &Message::Hello(ours));
        if theirs.protocol != PROTOCOL {
            self.phase = Phase::Closing;
            self.effects.push_back(Effect::Close(Violation::Protocol {
                theirs: theirs.protocol,
                ours: PROTOCOL,
            }));
            return Ok(());
        }
        let give_up = theirs.liveness.give_up_ms.max(Liveness::MIN_GIVE_UP_MS);
        self.effects.push_back(Effect::Greeted {
            link: theirs.link,
            give_up: Duration::from_millis(give_up.into()),
        });
        Ok(())
    }

    fn message(&mut self, channel: u32, message: Message) -> Result<(), Violation> {
        let tag = message.tag();
        match message {
            Message::Ping(token) if channel == LINK_CHANNEL => {
                self.push(LINK_CHANNEL, &Message::Pong(token));
                Ok(())
            }
            Message::Pong(_) if channel == LINK_CHANNEL => Ok(()),
            Message::Finish if channel == LINK_CHANNEL => {
                self.finishing = true;
                Ok(())
            }
            Message::Noop => self.noop(channel),
            Message::Start(request) => self.start(channel, request),
            Message::Operate(request) => self.operate(channel, request),
            Message::Put(file) => self.put(channel, file),
            Message::Get(request) => self.get(channel, request),
            Message::Open(request) => self.open_file(channel, request),
            Message::Credit(credit) => self.granted(channel, credit),
            Message::Eof(Stream { stream }) => self.input_ended(channel, stream),
            Message::Closed(Stream { stream }) => self.output_refused(channel, stream),
            Message::Kill => self.kill(channel),
            _ => Err(out_of_order(
                channel,
                tag,
                "the agent does not take this message here",
            )),
        }
    }

    fn granted(&mut self, channel: u32, Credit { stream, bytes }: Credit) -> Result<(), Violation> {
        let Some(open) = self.running(channel, Tag::CREDIT)? else {
            return Ok(());
        };
        let Some(output) = open.output_mut(stream) else {
            return Err(out_of_order(
                channel,
                Tag::CREDIT,
                "the stream is not outbound",
            ));
        };
        if !output.allowance.grant(bytes) {
            return Err(out_of_order(
                channel,
                Tag::CREDIT,
                "more credit than any window holds",
            ));
        }
        self.effects.push_back(Effect::Credit { channel, stream });
        Ok(())
    }

    fn data(&mut self, channel: u32, stream: u8, body: Bytes) -> Result<(), Violation> {
        let tag = Tag::data(stream);
        let Some(open) = self.running(channel, tag)? else {
            return Ok(());
        };
        let Some(input) = open.input_mut(stream) else {
            return Err(out_of_order(channel, tag, "the stream is not inbound"));
        };
        if input.ended() {
            return Err(out_of_order(channel, tag, "the stream has ended"));
        }
        if !input.receive(body) {
            return Err(Violation::Overrun { channel, stream });
        }
        self.effects.push_back(Effect::Input { channel, stream });
        Ok(())
    }

    fn input_ended(&mut self, channel: u32, stream: u8) -> Result<(), Violation> {
        let Some(open) = self.running(channel, Tag::EOF)? else {
            return Ok(());
        };
        match open.input_mut(stream).map(channel::Input::end) {
            Some(true) => self.effects.push_back(Effect::Input { channel, stream }),
            Some(false) => return Err(out_of_order(channel, Tag::EOF, "the stream has ended")),
            None => return Err(out_of_order(channel, Tag::EOF, "the stream is not inbound")),
        }
        Ok(())
    }

    fn output_refused(&mut self, channel: u32, stream: u8) -> Result<(), Violation> {
        let Some(open) = self.running(channel, Tag::CLOSED)? else {
            return Ok(());
        };
        if open.output(stream).is_none() {
            return Err(out_of_order(
                channel,
                Tag::CLOSED,
                "the stream is not outbound",
            ));
        }
        self.effects.push_back(Effect::Discard { channel, stream });
        Ok(())
    }

    /// The channel of a frame about one; `None` when its work is over, which the peer may not know.
    fn running(&mut self, channel: u32, tag: Tag) -> Result<Option<&mut Channel>, Violation> {
        if channel == LINK_CHANNEL || channel > self.highest {
            return Err(out_of_order(channel, tag, "the channel was never opened"));
        }
        Ok(self.channels.get_mut(&channel))
    }

    fn push(&mut self, channel: u32, message: &Message) {
        self.urgent = true;
        self.push_news(channel, message);
    }

    fn push_news(&mut self, channel: u32, message: &Message) {
        // Replies have bounds of their own, far below that of a frame.
        let is_sent = self.try_push(channel, message);
        debug_assert!(is_sent, "{message:?}");
    }

    /// Whether the message fits its frame.
    fn try_push(&mut self, channel: u32, message: &Message) -> bool {
        self.phase == Phase::Shut || self.outbox.push(channel, message).is_ok()
    }
}

fn out_of_order(channel: u32, tag: Tag, why: &'static str) -> Violation {
    Violation::OutOfOrder {
        channel,
        tag: tag.0,
        why,
    }
}
