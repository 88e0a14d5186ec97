//! One channel: which streams it has, and which message may come when.

use convoke_proto::credit::{Allowance, Budget, Window};
use convoke_proto::exit::Exit;
use convoke_proto::fault::Violation;
use convoke_proto::frame::Tag;
use convoke_proto::message::{Credit, Message, Stream};

use super::inbox::Delivery;
use super::request::{self, Kind};

/// What is known of an open channel.
#[derive(Debug)]
pub(super) struct Channel {
    request: Request,
    inbound: Vec<Inbound>,
    outbound: Vec<Outbound>,
    pub(super) is_forgotten: bool,
}

/// How far the request of a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Noop,
    Starting,
    Running,
    Operating,
    Putting,
    Getting,
    /// The file is open, and its bytes come.
    Reading,
    Opening,
    /// The file is open for operations.
    Open,
}

/// A stream from the agent.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) stream: u8,
    pub(super) window: Window,
    pub(super) is_open: bool,
}

/// A stream to the agent.
#[derive(Debug)]
pub(super) struct Outbound {
    stream: u8,
    pub(super) allowance: Allowance,
    is_wanted: bool,
}

impl Channel {
    /// The channel of a request for nothing.
    pub(super) fn noop() -> Self {
        Channel {
            request: Request::Noop,
            inbound: Vec::new(),
            outbound: Vec::new(),
            is_forgotten: false,
        }
    }

    /// The channel of a request, and what its streams may send at once.
    pub(super) fn asking(request: &request::Request, budget: &Budget) -> (Self, Vec<Credit>) {
        let outputs = request.outputs.iter();
        let opened = outputs.map(|stream| Inbound::open(*stream, budget));
        let (inbound, grants) = opened.unzip();
        let inputs = request.inputs.iter();
        let channel = Channel {
            request: match request.kind {
                Kind::Start => Request::Starting,
                Kind::Operate => Request::Operating,
                Kind::Put => Request::Putting,
                Kind::Get => Request::Getting,
                Kind::Open => Request::Opening,
            },
            inbound,
            outbound: inputs.map(|stream| Outbound::new(*stream)).collect(),
            is_forgotten: false,
        };
        (channel, grants)
    }

    /// Whether there is something to end.
    pub(super) fn can_be_ended(&self) -> bool {
        self.request != Request::Noop
    }

    /// The streams from the agent.
    pub(super) fn inbound(&mut self) -> &mut [Inbound] {
        &mut self.inbound
    }

    /// A stream to the agent.
    pub(super) fn outbound(&mut self, stream: u8) -> Option<&mut Outbound> {
        self.outbound
            .iter_mut()
            .find(|outbound| outbound.stream == stream)
    }

    /// Checks that a message may come now and says what it means.
    pub(super) fn accept(&mut self, channel: u32, message: Message) -> Result<Delivery, Violation> {
        let tag = message.tag();
        match (self.request, message) {
            (Request::Noop | Request::Operating | Request::Open, Message::Done) => {
                Ok(Delivery::Done)
            }
            (Request::Reading, Message::Done) => self.all_read(channel),
            (request, Message::Fault(fault)) if !request.is_granted() => Ok(Delivery::Fault(fault)),
            (Request::Putting, Message::Stored(stored)) => Ok(Delivery::Stored(stored)),
            (Request::Putting, Message::Credit(credit)) => self.credit(channel, credit),
            (Request::Getting | Request::Opening, Message::Opened(stat)) => {
                self.request = match self.request {
                    Request::Getting => Request::Reading,
                    _ => Request::Open,
                };
                Ok(Delivery::Opened(stat))
            }
            (Request::Reading, Message::Eof(Stream { stream })) => self.eof(channel, stream),
            (
                Request::Putting | Request::Getting | Request::Reading | Request::Opening,
                Message::Failed(failure),
            ) => Ok(Delivery::Failed(failure)),
            (Request::Starting, Message::Started(started)) => {
                self.request = Request::Running;
                Ok(Delivery::Started { pid: started.pid })
            }
            (Request::Starting, Message::NotStarted(reason)) => Ok(Delivery::NotStarted(reason)),
            (Request::Running, Message::Credit(credit)) => self.credit(channel, credit),
            (Request::Running, Message::Closed(Stream { stream })) => self.closed(channel, stream),
            (Request::Running, Message::Eof(Stream { stream })) => self.eof(channel, stream),
            (Request::Running, Message::Exit(exit)) => self.exit(channel, exit),
            _ => Err(refuse(channel, tag, "it answers nothing that was asked")),
        }
    }

    /// Checks that so many bytes of a stream may come now.
    pub(super) fn receive(
        &mut self,
        channel: u32,
        stream: u8,
        bytes: usize,
    ) -> Result<(), Violation> {
        let refuse = |why| Err(refuse(channel, Tag::data(stream), why));
        let may_speak = matches!(
            self.request,
            Request::Running | Request::Operating | Request::Reading
        );
        let inbound = self.inbound.iter_mut().find(|i| i.stream == stream);
        match inbound {
            None => refuse("the stream is not open"),
            Some(_) if !may_speak => refuse("what was asked for has not begun"),
            Some(inbound) if !inbound.is_open => refuse("the stream has ended"),
            Some(inbound) => match inbound.window.receive(bytes) {
                true => Ok(()),
                false => Err(Violation::Overrun { channel, stream }),
            },
        }
    }

    fn credit(&mut self, channel: u32, credit: Credit) -> Result<Delivery, Violation> {
        let Credit { stream, bytes } = credit;
        let refuse = |why| Err(refuse(channel, Tag::CREDIT, why));
        match self.outbound(stream) {
            None => refuse("the process does not read the stream"),
            Some(_) if bytes == 0 => refuse("a credit of nothing"),
            Some(outbound) => match outbound.allowance.grant(bytes) {
                true => Ok(Delivery::Credit { stream, bytes }),
                false => refuse("more credit than a window holds"),
            },
        }
    }

    fn closed(&mut self, channel: u32, stream: u8) -> Result<Delivery, Violation> {
        match self.outbound(stream) {
            Some(outbound) if outbound.is_wanted => {
                outbound.is_wanted = false;
                Ok(Delivery::InputClosed { stream })
            }
            _ => Err(refuse(
                channel,
                Tag::CLOSED,
                "the process does not read the stream",
            )),
        }
    }

    fn eof(&mut self, channel: u32, stream: u8) -> Result<Delivery, Violation> {
        let inbound = self.inbound.iter_mut().find(|i| i.stream == stream);
        match inbound {
            Some(inbound) if inbound.is_open => {
                inbound.is_open = false;
                Ok(Delivery::Eof { stream })
            }
            _ => Err(refuse(channel, Tag::EOF, "the stream is not open")),
        }
    }

    fn all_read(&self, channel: u32) -> Result<Delivery, Violation> {
        match self.inbound.iter().any(|inbound| inbound.is_open) {
            true => Err(refuse(channel, Tag::DONE, "a stream has not ended")),
            false => Ok(Delivery::Done),
        }
    }

    fn exit(&self, channel: u32, exit: Exit) -> Result<Delivery, Violation> {
        match self.inbound.iter().any(|inbound| inbound.is_open) {
            true => Err(refuse(channel, Tag::EXIT, "a stream has not ended")),
            false => Ok(Delivery::Exit(exit)),
        }
    }
}

impl Request {
    /// Whether it was granted, so that it can no longer be refused as a whole.
    fn is_granted(self) -> bool {
        matches!(self, Request::Running | Request::Reading | Request::Open)
    }
}

impl Inbound {
    fn open(stream: u8, budget: &Budget) -> (Self, Credit) {
        let (window, bytes) = Window::open(budget);
        let inbound = Inbound {
            stream,
            window,
            is_open: true,
        };
        (inbound, Credit { stream, bytes })
    }
}

impl Outbound {
    fn new(stream: u8) -> Self {
        Outbound {
            stream,
            allowance: Allowance::default(),
            is_wanted: true,
        }
    }
}

/// The violation of a rule about the order of messages.
pub(super) fn refuse(channel: u32, tag: Tag, why: &'static str) -> Violation {
    Violation::OutOfOrder {
        channel,
        tag: tag.0,
        why,
    }
}
