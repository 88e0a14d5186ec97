//! An agent that breaks the rules, or is something else.

use std::time::Instant;

use bytes::{Bytes, BytesMut};
use convoke_proto::command::Start;
use convoke_proto::credit::{FIRST_WINDOW, MAX_WINDOW};
use convoke_proto::exit::{NotStarted, Stage};
use convoke_proto::fault::{Fault, FaultKind, Violation};
use convoke_proto::frame::{LINK_CHANNEL, Tag};
use convoke_proto::hello::{Hello, LinkId};
use convoke_proto::message::{Credit, Message, Stream, Token};
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::machine::Machine;
use super::{Talk, data, end, eof, exited, frame, hello, options, raw, started, with_stdin};

fn out_of_order(channel: u32, tag: Tag, why: &'static str) -> Violation {
    Violation::OutOfOrder {
        channel,
        tag: tag.0,
        why,
    }
}

fn credit(stream: u8, bytes: usize) -> Vec<u8> {
    let bytes = bytes as u32;
    frame(1, &Message::Credit(Credit { stream, bytes }))
}

#[test]
fn before_the_hello_nothing_else_may_come() {
    let theirs = |hello| frame(LINK_CHANNEL, &Message::Hello(hello));
    let first = "the hello comes first";
    let rows = [
        (
            frame(0, &Message::Ping(Token(1))),
            out_of_order(0, Tag::PING, first),
        ),
        (frame(1, &Message::Done), out_of_order(1, Tag::DONE, first)),
        (raw(0, Tag(0x0f), b""), out_of_order(0, Tag(0x0f), first)),
        (
            data(1, 1, b"x"),
            out_of_order(1, Tag::data(1), "the channel is not open"),
        ),
        (
            frame(1, &Message::Hello(hello())),
            out_of_order(1, Tag::HELLO, "a hello comes once, on channel 0"),
        ),
        (
            theirs(Hello {
                protocol: 2,
                ..hello()
            }),
            Violation::Protocol { theirs: 2, ours: 1 },
        ),
        (
            theirs(Hello {
                link: LinkId([0; 16]),
                ..hello()
            }),
            Violation::WrongLink,
        ),
        (
            b"Last login: today\n".to_vec(),
            Violation::NotAFrame {
                bytes: "Last login: today\n".into(),
            },
        ),
    ];
    for (bytes, violation) in rows {
        assert_eq!(Talk::silent().hears(&bytes), Err(violation));
    }
}

#[test]
fn on_an_open_link_these_end_it() {
    let nobody = "the channel is not open";
    let unasked = "it answers nothing that was asked";
    let fault = Message::Fault(Fault {
        kind: FaultKind::Invalid,
        text: String::new(),
    });
    let not_started = Message::NotStarted(NotStarted {
        stage: Stage::Exec,
        errno: 2,
        tried: vec![],
    });
    let unread = "the process does not read the stream";
    let rows = [
        (
            frame(0, &Message::Hello(hello())),
            out_of_order(0, Tag::HELLO, "a hello comes once, on channel 0"),
        ),
        (
            frame(1, &Message::Ping(Token(1))),
            out_of_order(1, Tag::PING, unasked),
        ),
        (frame(2, &Message::Done), out_of_order(2, Tag::DONE, nobody)),
        (
            frame(2, &Message::Exit(exited())),
            out_of_order(2, Tag::EXIT, nobody),
        ),
        (data(2, 1, b"x"), out_of_order(2, Tag::data(1), nobody)),
        (
            data(1, 3, b"x"),
            out_of_order(1, Tag::data(3), "the stream is not open"),
        ),
        (
            data(1, 0, b"x"),
            out_of_order(1, Tag::data(0), "the stream is not open"),
        ),
        (started(1), out_of_order(1, Tag::STARTED, unasked)),
        (
            frame(1, &Message::Done),
            out_of_order(1, Tag::DONE, unasked),
        ),
        (frame(1, &fault), out_of_order(1, Tag::FAULT, unasked)),
        (
            frame(1, &not_started),
            out_of_order(1, Tag::NOT_STARTED, unasked),
        ),
        (
            frame(1, &Message::Kill),
            out_of_order(1, Tag::KILL, unasked),
        ),
        (
            frame(1, &Message::Exit(exited())),
            out_of_order(1, Tag::EXIT, "a stream has not ended"),
        ),
        (
            [eof(1, 1), eof(1, 1)].concat(),
            out_of_order(1, Tag::EOF, "the stream is not open"),
        ),
        (
            eof(1, 3),
            out_of_order(1, Tag::EOF, "the stream is not open"),
        ),
        (
            [eof(1, 1), data(1, 1, b"x")].concat(),
            out_of_order(1, Tag::data(1), "the stream has ended"),
        ),
        (
            [end(1), data(1, 1, b"x")].concat(),
            out_of_order(1, Tag::data(1), nobody),
        ),
        (credit(1, 1), out_of_order(1, Tag::CREDIT, unread)),
        (
            credit(0, 0),
            out_of_order(1, Tag::CREDIT, "a credit of nothing"),
        ),
        (
            credit(0, MAX_WINDOW + 1),
            out_of_order(1, Tag::CREDIT, "more credit than a window holds"),
        ),
        (
            [credit(0, MAX_WINDOW), credit(0, 1)].concat(),
            out_of_order(1, Tag::CREDIT, "more credit than a window holds"),
        ),
        (
            frame(1, &Message::Closed(Stream { stream: 1 })),
            out_of_order(1, Tag::CLOSED, unread),
        ),
        (
            frame(1, &Message::Closed(Stream { stream: 0 })).repeat(2),
            out_of_order(1, Tag::CLOSED, unread),
        ),
        (
            data(1, 1, &[0; FIRST_WINDOW + 1]),
            Violation::Overrun {
                channel: 1,
                stream: 1,
            },
        ),
        (
            raw(5, Tag(0x3f), b""),
            out_of_order(5, Tag(0x3f), "an agent sends no requests"),
        ),
        (
            vec![0x00, 0xff, 0xff, 0xff, 0, 0, 0, 1, Tag::EXIT.0],
            Violation::TooLong {
                tag: Tag::EXIT.0,
                length: 0x00ff_ffff,
                limit: 64 * 1024,
            },
        ),
        (
            raw(1, Tag::EOF, b"\x01\x02"),
            Violation::Malformed { tag: Tag::EOF.0 },
        ),
    ];
    for (bytes, violation) in rows {
        let heard = Talk::with_process(with_stdin()).hears(&bytes);
        assert_eq!(heard, Err(violation));
    }
}

#[test]
fn a_request_from_the_agent_is_refused_before_its_body_comes() {
    let mut talk = Talk::new();
    let start = raw(1, Tag::START, &[0; 100]);
    let refused = out_of_order(1, Tag::START, "an agent sends no requests");
    assert_eq!(talk.hears(&start[..9]), Err(refused));
}

#[test]
fn a_process_says_nothing_before_it_has_started() {
    let mut talk = Talk::new();
    talk.machine.start(Start::new(["true"])).unwrap();
    let early = out_of_order(1, Tag::data(1), "what was asked for has not begun");
    assert_eq!(talk.hears(&data(1, 1, b"early")), Err(early));
}

#[test]
fn a_violation_is_final() {
    let mut talk = Talk::new();
    let violation = talk.hears(b"oops").unwrap_err();
    let good = frame(LINK_CHANNEL, &Message::Ping(Token(1)));
    assert_eq!(talk.hears(&good), Err(violation));
}

/// What a link's owner may do at any moment.
#[derive(Debug, Clone)]
enum Act {
    Hear(Vec<u8>),
    Noop,
    Start,
    EndStdin(u32),
    Kill(u32),
    Forget(u32),
    Tick,
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    // Random bytes rarely get past a header; frames with random bodies do.
    let tags = prop::sample::select(vec![
        0x01_u8, 0x02, 0x40, 0x41, 0x42, 0x60, 0x62, 0x64, 0x81, 0x82,
    ]);
    prop_oneof![
        1 => vec(any::<u8>(), 0..40),
        4 => (0_u32..4, tags, vec(0_u8..4, 0..8)).prop_map(|(channel, tag, body)| raw(channel, Tag(tag), &body)),
        2 => (1_u32..4).prop_map(started),
        2 => (1_u32..4).prop_map(end),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let channel = || 0_u32..4;
    prop_oneof![
        6 => any_bytes().prop_map(Act::Hear),
        1 => Just(Act::Noop),
        2 => Just(Act::Start),
        1 => channel().prop_map(Act::EndStdin),
        1 => channel().prop_map(Act::Kill),
        1 => channel().prop_map(Act::Forget),
        1 => Just(Act::Tick),
    ]
}

proptest! {
    #[test]
    fn no_bytes_and_no_order_of_calls_panic(greeted: bool, acts in vec(act(), 0..40)) {
        let mut machine = Machine::new(options(), BytesMut::new());
        if greeted {
            machine.buffer().extend_from_slice(&frame(0, &Message::Hello(hello())));
        }
        for one in acts {
            match one {
                Act::Hear(bytes) => machine.buffer().extend_from_slice(&bytes),
                Act::Noop => { machine.noop(); }
                Act::Start => { machine.start(with_stdin()).unwrap(); }
                Act::EndStdin(channel) => machine.send(channel, 0, Bytes::new()),
                Act::Kill(channel) => machine.kill(channel),
                Act::Forget(channel) => machine.forget(channel),
                Act::Tick => { let _ = machine.tick(Instant::now()); }
            }
            while let Ok(Some(_)) = machine.next() {}
        }
    }
}
