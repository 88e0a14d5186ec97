//! The link against an agent that is played by the test.

mod inbox;
mod liveness;
mod machine;
mod over;
mod rules;
mod session;

use bytes::BytesMut;
use convoke_proto::codec::{Decoder, Incoming};
use convoke_proto::command::{Start, Stdin};
use convoke_proto::credit::{Budget, CONTROLLER_BUDGET};
use convoke_proto::exit::{Cause, Exit, Status};
use convoke_proto::fault::Violation;
use convoke_proto::frame::{Header, LINK_CHANNEL, Tag};
use convoke_proto::hello::{Capabilities, Hello, LinkId, Liveness, PROTOCOL};
use convoke_proto::message::{Message, Started, Stream};

use super::machine::{Arrival, Machine};
use super::{Delivery, Options};

const ID: LinkId = LinkId(*b"a link of a test");

fn options() -> Options {
    Options {
        id: ID,
        liveness: Liveness::default(),
        budget: Budget::new(CONTROLLER_BUDGET),
    }
}

fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        capabilities: Capabilities::default(),
        platform: "test".into(),
        link: ID,
        liveness: Liveness::default(),
    }
}

fn frame(channel: u32, message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(channel, &mut bytes).unwrap();
    bytes
}

fn raw(channel: u32, tag: Tag, body: &[u8]) -> Vec<u8> {
    let header = Header {
        length: body.len(),
        channel,
        tag,
    };
    [header.to_bytes().as_slice(), body].concat()
}

fn data(channel: u32, stream: u8, body: &[u8]) -> Vec<u8> {
    raw(channel, Tag::data(stream), body)
}

fn started(channel: u32) -> Vec<u8> {
    frame(channel, &Message::Started(Started { pid: 42 }))
}

fn eof(channel: u32, stream: u8) -> Vec<u8> {
    frame(channel, &Message::Eof(Stream { stream }))
}

fn exited() -> Exit {
    Exit {
        status: Status::Code(0),
        cause: Cause::Itself,
        left_running: 0,
        cut_streams: Vec::new(),
        survivors: Vec::new(),
    }
}

/// Both streams end, and the process with code 0.
fn end(channel: u32) -> Vec<u8> {
    let exit = frame(channel, &Message::Exit(exited()));
    [eof(channel, 1), eof(channel, 2), exit].concat()
}

fn with_stdin() -> Start {
    Start {
        stdin: Stdin::Stream,
        ..Start::new(["cat"])
    }
}

/// A machine and everything the test says to it as its agent.
struct Talk {
    machine: Machine,
}

impl Talk {
    /// Before the agent's hello.
    fn silent() -> Self {
        Talk {
            machine: Machine::new(options(), BytesMut::new()),
        }
    }

    /// After the hellos.
    fn new() -> Self {
        let mut talk = Self::silent();
        talk.hears(&frame(LINK_CHANNEL, &Message::Hello(hello())))
            .unwrap();
        talk.says();
        talk
    }

    /// After the start of one process on channel 1.
    fn with_process(start: Start) -> Self {
        let mut talk = Self::new();
        talk.machine.start(start).unwrap();
        talk.hears(&started(1)).unwrap();
        talk.says();
        talk
    }

    /// What the machine makes of bytes from the agent.
    fn hears(&mut self, bytes: &[u8]) -> Result<Vec<Arrival>, Violation> {
        self.machine.buffer().extend_from_slice(bytes);
        let mut arrivals = Vec::new();
        while let Some(arrival) = self.machine.next()? {
            arrivals.push(arrival);
        }
        Ok(arrivals)
    }

    /// The frames that the machine has for the agent.
    fn says(&mut self) -> Vec<(u32, Incoming)> {
        let mut decoder = Decoder::new();
        decoder.feed(&self.machine.outgoing().to_vec());
        self.machine.outgoing().clear();
        std::iter::from_fn(|| decoder.next().unwrap()).collect()
    }
}

/// What arrived for the owner of channel 1.
fn for_1(delivery: Delivery) -> Arrival {
    Arrival::For(1, delivery)
}
