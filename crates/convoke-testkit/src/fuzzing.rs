//! The bodies of the fuzz targets: any bytes in, a panic for a bug.
//!
//! The targets themselves stand in `fuzz/`; an ordinary test runs these functions over the committed
//! corpus and over random bytes.

use std::collections::BTreeMap;

use bytes::BytesMut;
use convoke::link::{Machine, Options};
use convoke_agent::serve::{Effect, Inbound, Serve};
use convoke_proto::codec::{Decoder, Incoming};
use convoke_proto::command::Start;
use convoke_proto::credit::Budget;
use convoke_proto::exit::{Cause, Exit, NotStarted, Stage, Status};
use convoke_proto::file::{
    Access, Creation, Durability, FileKind, Get, NewFile, Open, Ownership, Stat, Stored,
};
use convoke_proto::hello::{LinkId, Liveness};
use convoke_proto::operation::{Failure, Field, Operation, Reason};

/// The name of the link that the targets play; hellos of the corpus carry it.
pub const LINK: LinkId = LinkId(*b"the link of fuzz");

/// What a peer may make us send without reading any of it, beyond what its own bytes pay for.
const MOST_UNREAD: usize = 1024 * 1024;

/// Feeds a decoder in pieces whose length the first byte gives; what is split differently must come
/// out the same.
pub fn decoder(bytes: &[u8]) {
    let (length, bytes) = split(bytes);
    let whole = decode(bytes, bytes.len().max(1));
    assert_eq!(decode(bytes, length), whole);
}

fn decode(bytes: &[u8], length: usize) -> Vec<Result<(u32, Incoming), String>> {
    let mut decoder = Decoder::new();
    let mut all = Vec::new();
    for piece in bytes.chunks(length) {
        decoder.feed(piece);
        loop {
            match decoder.next() {
                Ok(Some(frame)) => all.push(Ok(frame)),
                Ok(None) => break,
                Err(violation) => {
                    assert_eq!(decoder.next(), Err(violation.clone()));
                    assert!(decoder.buffer().is_empty());
                    // How much of foreign text is quoted depends on how much of it has come.
                    all.push(Err(kind(&format!("{violation:?}"))));
                    return all;
                }
            }
        }
        assert!(decoder.buffer().len() <= bytes.len());
    }
    all
}

/// The variant alone.
fn kind(text: &str) -> String {
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}

/// Plays an agent that says `bytes` to a controller with an open request of each kind.
pub fn controller(bytes: &[u8]) {
    let (length, bytes) = split(bytes);
    let mut machine = Machine::new(
        Options {
            id: LINK,
            liveness: Liveness::default(),
            budget: Budget::new(1024 * 1024),
        },
        BytesMut::new(),
    );
    machine.noop();
    let with_stdin = Start {
        stdin: convoke_proto::command::Stdin::Stream,
        ..Start::new(["cat"])
    };
    machine.start(with_stdin).unwrap();
    let forgotten = machine.start(Start::new(["yes"])).unwrap();
    machine.forget(forgotten);
    ask_for_files(&mut machine);
    for piece in bytes.chunks(length) {
        machine.buffer().extend_from_slice(piece);
        while let Ok(Some(_)) = machine.next() {}
    }
    assert!(machine.outgoing().len() <= MOST_UNREAD);
    assert_whole(&machine.outgoing().to_vec());
}

fn ask_for_files(machine: &mut Machine) {
    machine.operate(vec![Operation::Facts]).unwrap();
    let file = NewFile {
        path: "/a".into(),
        inside: None,
        mode: None,
        ownership: Ownership::default(),
        durability: Durability::Synced,
    };
    machine.put(file).unwrap();
    let get = Get {
        path: "/a".into(),
        offset: 0,
        limit: None,
    };
    machine.get(get).unwrap();
    let open = Open {
        path: "/a".into(),
        access: Access::Read,
        creation: Creation::Never,
        mode: None,
        ownership: Ownership::default(),
    };
    machine.open_file(open).unwrap();
}

/// Plays a controller that says `bytes` to an agent that grants the requests of even channels.
pub fn agent(bytes: &[u8]) {
    let (length, bytes) = split(bytes);
    let mut serve = Serve::new("fuzz");
    let mut host = Host::default();
    for piece in bytes.chunks(length) {
        let fed = serve.feed(piece);
        while let Some(effect) = serve.next_effect() {
            host.carry_out(&mut serve, effect);
        }
        if fed.is_err() {
            break;
        }
    }
    assert_whole(serve.outgoing());
}

/// What the agent of the fuzz target plays: one request a channel.
#[derive(Default)]
struct Host {
    granted: BTreeMap<u32, Kind>,
}

#[derive(Clone, Copy)]
enum Kind {
    Process,
    Operations,
    Put,
    Get,
    Open,
}

impl Host {
    fn carry_out(&mut self, serve: &mut Serve, effect: Effect) {
        match effect {
            Effect::Start { channel, .. } => match self.grant(channel, Kind::Process) {
                true => serve.started(channel, channel),
                false => serve.not_started(
                    channel,
                    NotStarted {
                        stage: Stage::Exec,
                        errno: 2,
                        tried: Vec::new(),
                    },
                ),
            },
            Effect::Operate {
                channel,
                operations,
            } => {
                assert!(!operations.is_empty());
                if !self.grant(channel, Kind::Operations) {
                    serve.done(channel);
                }
            }
            Effect::Put { channel, .. } => match self.grant(channel, Kind::Put) {
                true => serve.accepted(channel),
                false => serve.failed(channel, failure()),
            },
            Effect::Get { channel, .. } => match self.grant(channel, Kind::Get) {
                true => serve.opened(channel, stat()),
                false => serve.failed(channel, failure()),
            },
            Effect::Open { channel, .. } => match self.grant(channel, Kind::Open) {
                true => {
                    serve.opened(channel, stat());
                    serve.at_rest(channel);
                }
                false => serve.failed(channel, failure()),
            },
            Effect::Kill { channel } => self.kill(serve, channel),
            Effect::Credit { channel, stream } => send(serve, channel, stream),
            Effect::Input { channel, stream } => self.input(serve, channel, stream),
            Effect::Greeted { .. } | Effect::Discard { .. } | Effect::Close(_) => {}
        }
    }

    /// Whether a request is granted.
    fn grant(&mut self, channel: u32, kind: Kind) -> bool {
        let is_granted = channel.is_multiple_of(2);
        if is_granted {
            self.granted.insert(channel, kind);
        }
        is_granted
    }

    fn kill(&mut self, serve: &mut Serve, channel: u32) {
        match self.granted.remove(&channel) {
            Some(Kind::Process) => {
                serve.end_output(channel, 1);
                serve.end_output(channel, 2);
                serve.exited(
                    channel,
                    Exit {
                        status: Status::Signal(15),
                        cause: Cause::Itself,
                        left_running: 0,
                        cut_streams: Vec::new(),
                        survivors: Vec::new(),
                    },
                );
            }
            Some(Kind::Operations | Kind::Open) => serve.done(channel),
            Some(Kind::Put | Kind::Get) => serve.failed(channel, failure()),
            // It was over by the time this was carried out.
            None => {}
        }
    }

    fn input(&mut self, serve: &mut Serve, channel: u32, stream: u8) {
        match (self.granted.get(&channel), serve.inbound(channel, stream)) {
            (Some(Kind::Put), Inbound::Bytes(_)) => {
                let pieces = serve.take_input(channel, stream);
                let count = pieces.iter().map(|piece| piece.len()).sum();
                serve.written(channel, stream, count);
            }
            (Some(Kind::Put), Inbound::Ended) => {
                self.granted.remove(&channel);
                serve.stored(
                    channel,
                    Stored {
                        path: "/".into(),
                        size: 0,
                        replaced: false,
                    },
                );
            }
            (_, Inbound::Bytes(bytes)) => {
                let half = bytes.len().div_ceil(2);
                serve.consumed(channel, stream, half);
            }
            _ => {}
        }
    }
}

fn send(serve: &mut Serve, channel: u32, stream: u8) {
    let most = serve.credit(channel, stream);
    let sent = serve.send(channel, stream, |room| {
        assert!(room.len() <= most);
        Ok::<_, std::convert::Infallible>(room.len().min(100))
    });
    let Ok(sent) = sent;
    assert!(sent <= most);
}

/// A failure that is longer than any message.
fn failure() -> Failure {
    Failure {
        field: Field::Path,
        value: vec![b'/'; 100_000].into(),
        reason: Reason::Cancelled,
        path: None,
    }
}

fn stat() -> Stat {
    Stat {
        mode: 0o600,
        size: 0,
        ..Stat::unknown(FileKind::File)
    }
}

/// What we send is always whole frames.
fn assert_whole(outgoing: &[u8]) {
    let mut decoder = Decoder::new();
    decoder.feed(outgoing);
    while decoder.next().expect("we keep to the rules").is_some() {}
    assert!(decoder.buffer().is_empty());
}

/// The length of a piece, and the bytes to feed.
fn split(bytes: &[u8]) -> (usize, &[u8]) {
    match bytes.split_first() {
        Some((length, rest)) => (usize::from(*length).max(1), rest),
        None => (1, bytes),
    }
}
