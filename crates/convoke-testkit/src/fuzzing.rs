//! The bodies of the fuzz targets: any bytes in, a panic for a bug.
//!
//! The targets themselves stand in `fuzz/`; an ordinary test runs these functions over the committed
//! corpus and over random bytes.

use bytes::BytesMut;
use convoke::link::{Machine, Options};
use convoke_agent::serve::{Effect, Inbound, Serve};
use convoke_proto::codec::{Decoder, Incoming};
use convoke_proto::command::Start;
use convoke_proto::credit::Budget;
use convoke_proto::exit::{Cause, Exit, NotStarted, Stage, Status};
use convoke_proto::hello::{LinkId, Liveness};

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

/// Plays an agent that says `bytes` to a controller with three open requests.
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
    for piece in bytes.chunks(length) {
        machine.buffer().extend_from_slice(piece);
        while let Ok(Some(_)) = machine.next() {}
    }
    assert!(machine.outgoing().len() <= MOST_UNREAD);
    assert_whole(machine.outgoing());
}

/// Plays a controller that says `bytes` to an agent whose processes with an even channel run.
pub fn agent(bytes: &[u8]) {
    let (length, bytes) = split(bytes);
    let mut serve = Serve::new("fuzz");
    for piece in bytes.chunks(length) {
        let fed = serve.feed(piece);
        while let Some(effect) = serve.next_effect() {
            carry_out(&mut serve, effect);
        }
        if fed.is_err() {
            break;
        }
    }
    assert_whole(serve.outgoing());
}

fn carry_out(serve: &mut Serve, effect: Effect) {
    match effect {
        Effect::Start { channel, .. } if channel % 2 == 0 => {
            serve.started(channel, channel);
        }
        Effect::Start { channel, .. } => serve.not_started(
            channel,
            NotStarted {
                stage: Stage::Exec,
                errno: 2,
                tried: Vec::new(),
            },
        ),
        Effect::Kill { channel } => {
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
        Effect::Credit { channel, stream } => {
            let most = serve.credit(channel, stream);
            let sent = serve.send(channel, stream, |room| {
                assert!(room.len() <= most);
                Ok::<_, std::convert::Infallible>(room.len().min(100))
            });
            let Ok(sent) = sent;
            assert!(sent <= most);
        }
        Effect::Input { channel, stream } => {
            if let Inbound::Bytes(bytes) = serve.inbound(channel, stream) {
                let half = bytes.len().div_ceil(2);
                serve.consumed(channel, stream, half);
            }
        }
        Effect::Greeted { .. } | Effect::Discard { .. } | Effect::Close(_) => {}
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
