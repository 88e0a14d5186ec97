//! The controller's half of the protocol: bytes in, deliveries out, no I/O and no clock of its own.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use convoke_proto::codec::{Decoder, Incoming};
use convoke_proto::command::Start;
use convoke_proto::credit::Budget;
use convoke_proto::fault::Violation;
use convoke_proto::file::{Get, NewFile, Open};
use convoke_proto::frame::{Family, HEADER_LEN, Header, LINK_CHANNEL, Tag};
use convoke_proto::hello::{Capabilities, Hello, LinkId, Liveness, PROTOCOL};
use convoke_proto::message::{Credit, Message, Oversized, Stream, Token};
use convoke_proto::operation::Operation;

use super::Options;
use super::inbox::Delivery;
use super::order::{Channel, Inbound, refuse};
use super::outbox::Outbox;
use super::request::Request;
use crate::error::LinkError;

/// A timer that fires this much too late means that the whole process was stopped meanwhile
/// (Ctrl-Z, a sleeping machine): the silence was ours.
const SUSPENDED: Duration = Duration::from_secs(5);

/// While this much waits to be sent, pings are not answered: what waits is a sign of life already, and
/// an agent that asks without reading the answers must not fill our memory.
const NO_PONGS_ABOVE: usize = 64 * 1024;

/// The controller's half of one link.
///
/// Bytes from the agent go into [`Machine::buffer`], and [`Machine::next`] takes what they say; bytes
/// for the agent collect in [`Machine::outgoing`]. An error is final.
#[derive(Debug)]
pub struct Machine {
    id: LinkId,
    budget: Budget,
    decoder: Decoder,
    outgoing: Outbox,
    hello: Option<Hello>,
    channels: HashMap<u32, Channel>,
    last_channel: u32,
    life: Life,
}

/// What arrived, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// The agent's hello.
    Hello(Hello),
    /// Something for the owner of a channel.
    For(u32, Delivery),
    /// A channel that nobody listens on any more is over.
    Over(u32),
}

/// Who was heard when.
#[derive(Debug)]
struct Life {
    limits: Liveness,
    heard: Option<Instant>,
    /// When the agent was last written to: it gives up when it hears nothing for long.
    said: Option<Instant>,
    /// Whether a ping waits for its answer because nothing was heard.
    pinged: bool,
}

impl Machine {
    /// A link whose hello is ready to be sent. `rest` came from the agent already.
    pub fn new(options: Options, rest: BytesMut) -> Self {
        let mut decoder = Decoder::of_answers();
        *decoder.buffer() = rest;
        let mut machine = Machine {
            id: options.id,
            budget: options.budget,
            decoder,
            outgoing: Outbox::default(),
            hello: None,
            channels: HashMap::new(),
            last_channel: LINK_CHANNEL,
            life: Life {
                limits: options.liveness,
                heard: None,
                said: None,
                pinged: false,
            },
        };
        machine.say(
            LINK_CHANNEL,
            &Message::Hello(Hello {
                protocol: PROTOCOL,
                capabilities: Capabilities::default(),
                platform: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
                link: options.id,
                liveness: options.liveness,
            }),
        );
        machine
    }

    /// The place where bytes from the agent are appended.
    pub fn buffer(&mut self) -> &mut BytesMut {
        self.decoder.buffer()
    }

    /// Bytes for the agent; whoever writes them takes them off the front.
    pub fn outgoing(&mut self) -> &mut Outbox {
        &mut self.outgoing
    }

    /// Whether the agent's hello has come.
    pub fn is_up(&self) -> bool {
        self.hello.is_some()
    }

    /// Takes the next thing the agent said; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The rule that the other end broke; the link is over then.
    #[allow(clippy::should_implement_trait)] // An iterator's `None` is final; this one means "not yet".
    pub fn next(&mut self) -> Result<Option<Arrival>, Violation> {
        while let Some((channel, incoming)) = self.decoder.next()? {
            trace("in", channel, tag_of(&incoming), self.decoder.length());
            let arrival = match incoming {
                Incoming::Message(message) => self.message(channel, message)?,
                Incoming::Data { stream, body } => self.data(channel, stream, body)?,
                Incoming::Unknown(tag) => {
                    self.unknown(channel, tag)?;
                    None
                }
            };
            if arrival.is_some() {
                return Ok(arrival);
            }
        }
        Ok(None)
    }

    #[cfg(test)]
    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Asks for nothing; returns the channel of the answer.
    pub fn noop(&mut self) -> u32 {
        let channel = self.open(Channel::noop());
        self.say(channel, &Message::Noop);
        channel
    }

    /// Asks for a process; returns its channel. Its streams may send at once.
    ///
    /// # Errors
    /// [`Oversized`] when the request does not fit a frame; nothing happened then.
    pub fn start(&mut self, start: Start) -> Result<u32, Oversized> {
        Ok(self.ask(Request::start(start)?))
    }

    /// Asks for operations; returns their channel.
    ///
    /// # Errors
    /// [`Oversized`] when the request does not fit a frame; so for the three below.
    pub fn operate(&mut self, operations: Vec<Operation>) -> Result<u32, Oversized> {
        Ok(self.ask(Request::operate(operations)?))
    }

    /// Asks for a new file; returns its channel.
    ///
    /// # Errors
    /// [`Oversized`].
    pub fn put(&mut self, file: NewFile) -> Result<u32, Oversized> {
        Ok(self.ask(Request::put(file)?))
    }

    /// Asks for the content of a file; returns its channel.
    ///
    /// # Errors
    /// [`Oversized`].
    pub fn get(&mut self, get: Get) -> Result<u32, Oversized> {
        Ok(self.ask(Request::get(get)?))
    }

    /// Asks for an open file; returns its channel.
    ///
    /// # Errors
    /// [`Oversized`].
    pub fn open_file(&mut self, open: Open) -> Result<u32, Oversized> {
        Ok(self.ask(Request::open(open)?))
    }

    /// Makes a request that is known to fit; returns its channel. Its streams may send at once.
    pub(super) fn ask(&mut self, request: Request) -> u32 {
        let (opened, grants) = Channel::asking(&request, &self.budget);
        let channel = self.open(opened);
        trace("out", channel, request.tag(), request.length());
        request.append(channel, self.outgoing.messages());
        for grant in grants {
            self.say(channel, &Message::Credit(grant));
        }
        channel
    }

    /// Sends bytes of a stream, within the credit that was delivered; empty bytes end the stream.
    /// Does nothing on a channel that is over.
    pub fn send(&mut self, channel: u32, stream: u8, data: Bytes) {
        let Some(open) = self.channels.get_mut(&channel) else {
            return;
        };
        if data.is_empty() {
            self.say(channel, &Message::Eof(Stream { stream }));
            return;
        }
        let outbound = open.outbound(stream);
        let ran_dry = outbound.is_some_and(|outbound| outbound.allowance.spend(data.len()));
        let header = Header {
            length: data.len(),
            channel,
            tag: Tag::data(stream),
        };
        trace("out", channel, header.tag, data.len());
        let messages = self.outgoing.messages();
        messages.extend_from_slice(&header.to_bytes());
        self.outgoing.push(data);
        if ran_dry {
            let nothing = Header {
                length: 0,
                ..header
            };
            let messages = self.outgoing.messages();
            messages.extend_from_slice(&nothing.to_bytes());
        }
    }

    /// Notes that the owner of a channel consumed bytes of a stream.
    pub fn consumed(&mut self, channel: u32, stream: u8, bytes: usize) {
        let Some(inbound) = self.inbound(channel, stream) else {
            return;
        };
        let grant = inbound.window.consume(bytes);
        if let (Some(bytes), true) = (grant, inbound.is_open) {
            self.say(channel, &Message::Credit(Credit { stream, bytes }));
        }
    }

    /// Says that nothing more will be asked for.
    pub fn finish(&mut self) {
        self.say(LINK_CHANNEL, &Message::Finish);
    }

    /// Asks for the end of what runs on a channel.
    pub fn kill(&mut self, channel: u32) {
        if self.channels.contains_key(&channel) {
            self.say(channel, &Message::Kill);
        }
    }

    /// Nobody listens on the channel any more: what runs on it is ended, what it still says is dropped.
    pub fn forget(&mut self, channel: u32) {
        let Some(open) = self.channels.get_mut(&channel) else {
            return;
        };
        open.is_forgotten = true;
        let can_be_ended = open.can_be_ended();
        let inbound = open.inbound().iter();
        let held: Vec<(u8, usize)> = inbound
            .map(|inbound| (inbound.stream, inbound.window.buffered()))
            .collect();
        if can_be_ended {
            self.say(channel, &Message::Kill);
        }
        for (stream, bytes) in held {
            self.consumed(channel, stream, bytes);
        }
    }

    /// Notes that bytes arrived at `now`.
    pub fn heard(&mut self, now: Instant) {
        self.life.heard = Some(now);
        self.life.pinged = false;
    }

    /// Notes that bytes were written at `now`.
    pub fn said(&mut self, now: Instant) {
        self.life.said = Some(now);
    }

    /// When [`Machine::tick`] has something to do, at the latest.
    pub fn deadline(&mut self, now: Instant) -> Instant {
        let said = *self.life.said.get_or_insert(now);
        let ping = Duration::from_millis(self.life.limits.ping_ms.into());
        self.silence_ends(now).min(said + ping)
    }

    /// When the agent has been silent for so long that something is done about it.
    fn silence_ends(&mut self, now: Instant) -> Instant {
        let heard = *self.life.heard.get_or_insert(now);
        let after = match self.life.pinged {
            false => self.life.limits.ping_ms,
            true => self.life.limits.lost_ms,
        };
        heard + Duration::from_millis(after.into())
    }

    /// Acts on silence: a ping, later the end.
    ///
    /// # Errors
    /// [`LinkError::Silent`] when there was no sign of life for too long.
    pub fn tick(&mut self, now: Instant) -> Result<(), LinkError> {
        if now < self.deadline(now) {
            return Ok(());
        }
        let silence_ends = self.silence_ends(now);
        if now >= silence_ends {
            if now - silence_ends > SUSPENDED {
                self.heard(now);
            } else if self.life.pinged {
                let silence = Duration::from_millis(self.life.limits.lost_ms.into());
                return Err(LinkError::Silent(silence));
            }
            self.life.pinged = true;
        }
        // Without a request of its own a link says nothing, however much it hears, and the agent must
        // not take that for the end.
        self.said(now);
        self.say(LINK_CHANNEL, &Message::Ping(Token(0)));
        Ok(())
    }

    fn open(&mut self, channel: Channel) -> u32 {
        self.last_channel += 1;
        self.channels.insert(self.last_channel, channel);
        self.last_channel
    }

    fn say(&mut self, channel: u32, message: &Message) {
        let messages = self.outgoing.messages();
        let before = messages.len();
        // Only a start request can be too long, and that one is checked in `start`.
        let _ = message.encode(channel, messages);
        let length = messages.len().saturating_sub(before + HEADER_LEN);
        trace("out", channel, message.tag(), length);
    }

    fn inbound(&mut self, channel: u32, stream: u8) -> Option<&mut Inbound> {
        let open = self.channels.get_mut(&channel)?;
        let mut inbound = open.inbound().iter_mut();
        inbound.find(|inbound| inbound.stream == stream)
    }

    fn unknown(&self, channel: u32, tag: Tag) -> Result<(), Violation> {
        match tag.family() {
            Family::Request => Err(refuse(channel, tag, "an agent sends no requests")),
            _ if self.hello.is_none() => Err(refuse(channel, tag, "the hello comes first")),
            _ => Ok(()),
        }
    }

    fn message(&mut self, channel: u32, message: Message) -> Result<Option<Arrival>, Violation> {
        let tag = message.tag();
        if let Message::Hello(hello) = message {
            return self.greet(channel, hello).map(Some);
        }
        if self.hello.is_none() {
            return Err(refuse(channel, tag, "the hello comes first"));
        }
        match message {
            Message::Ping(token) if channel == LINK_CHANNEL => {
                if self.outgoing.len() < NO_PONGS_ABOVE {
                    self.say(LINK_CHANNEL, &Message::Pong(token));
                }
                Ok(None)
            }
            Message::Pong(_) if channel == LINK_CHANNEL => Ok(None),
            message => self.on_channel(channel, message),
        }
    }

    fn greet(&mut self, channel: u32, hello: Hello) -> Result<Arrival, Violation> {
        if self.hello.is_some() || channel != LINK_CHANNEL {
            return Err(refuse(
                channel,
                Tag::HELLO,
                "a hello comes once, on channel 0",
            ));
        }
        if hello.protocol != PROTOCOL {
            return Err(Violation::Protocol {
                theirs: hello.protocol,
                ours: PROTOCOL,
            });
        }
        if hello.link != self.id {
            return Err(Violation::WrongLink);
        }
        self.hello = Some(hello.clone());
        Ok(Arrival::Hello(hello))
    }

    fn on_channel(&mut self, channel: u32, message: Message) -> Result<Option<Arrival>, Violation> {
        let tag = message.tag();
        let Some(open) = self.channels.get_mut(&channel) else {
            return Err(refuse(channel, tag, "the channel is not open"));
        };
        let delivery = open.accept(channel, message)?;
        let is_forgotten = open.is_forgotten;
        let is_last = delivery.is_last();
        if is_last {
            self.channels.remove(&channel);
        }
        Ok(match is_forgotten {
            false => Some(Arrival::For(channel, delivery)),
            true => is_last.then_some(Arrival::Over(channel)),
        })
    }

    fn data(
        &mut self,
        channel: u32,
        stream: u8,
        body: Bytes,
    ) -> Result<Option<Arrival>, Violation> {
        let Some(open) = self.channels.get_mut(&channel) else {
            return Err(refuse(
                channel,
                Tag::data(stream),
                "the channel is not open",
            ));
        };
        open.receive(channel, stream, body.len())?;
        if open.is_forgotten {
            self.consumed(channel, stream, body.len());
            return Ok(None);
        }
        let output = |data| Arrival::For(channel, Delivery::Output { stream, data });
        Ok((!body.is_empty()).then(|| output(body)))
    }
}

/// One frame for `-vv`: its tag and the length of its body, never the body.
fn trace(way: &str, channel: u32, tag: Tag, length: usize) {
    tracing::trace!(
        "frame {way}: channel {channel} tag {:#04x} length {length}",
        tag.0
    );
}

fn tag_of(incoming: &Incoming) -> Tag {
    match incoming {
        Incoming::Message(message) => message.tag(),
        Incoming::Data { stream, .. } => Tag::data(*stream),
        Incoming::Unknown(tag) => *tag,
    }
}
