//! What the protocol half does with good, bad and random bytes.

use bytes::Bytes;
use convoke_proto::command::{Direction, ExtraStream, Start, Stdin};
use convoke_proto::credit::{FIRST_WINDOW, MAX_WINDOW};
use convoke_proto::exit::{Cause, Exit, NotStarted, Status};
use convoke_proto::fault::FaultKind;
use convoke_proto::frame::MAX_REQUEST;
use convoke_proto::hello::LinkId;
use convoke_proto::message::Token;
use proptest::prelude::*;

use super::*;

mod files;

const LINK: LinkId = LinkId([7; 16]);

fn hello() -> Message {
    Message::Hello(Hello {
        protocol: PROTOCOL,
        capabilities: Capabilities::default(),
        platform: "test".into(),
        link: LINK,
        liveness: Liveness::default(),
    })
}

fn frame(channel: u32, message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(channel, &mut bytes).unwrap();
    bytes
}

fn raw(channel: u32, tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = (body.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&channel.to_be_bytes());
    bytes.push(tag);
    bytes.extend_from_slice(body);
    bytes
}

fn cat() -> Start {
    Start {
        stdin: Stdin::Stream,
        ..Start::new(["cat"])
    }
}

/// A link after its hello, with what was said so far taken away.
fn open() -> Serve {
    let mut serve = Serve::new("x86_64-linux");
    serve.feed(&frame(0, &hello())).unwrap();
    said(&mut serve);
    while serve.next_effect().is_some() {}
    serve
}

/// A link with a process on channel 1 that takes input.
fn running() -> Serve {
    let mut serve = open();
    serve.feed(&frame(1, &Message::Start(cat()))).unwrap();
    serve.started(1, 42);
    said(&mut serve);
    while serve.next_effect().is_some() {}
    serve
}

/// Everything that waits to be sent, taken.
fn said(serve: &mut Serve) -> Vec<(u32, Incoming)> {
    let mut decoder = Decoder::new();
    decoder.feed(serve.outgoing());
    serve.sent(serve.outgoing().len());
    std::iter::from_fn(|| decoder.next().unwrap()).collect()
}

fn message(channel: u32, message: Message) -> (u32, Incoming) {
    (channel, Incoming::Message(message))
}

#[test]
fn a_hello_is_answered_with_the_same_link() {
    let mut serve = Serve::new("x86_64-linux");
    serve.feed(&frame(0, &hello())).unwrap();
    let Some((0, Incoming::Message(Message::Hello(ours)))) = said(&mut serve).pop() else {
        panic!("no hello")
    };
    assert_eq!((ours.link, ours.platform.as_str()), (LINK, "x86_64-linux"));
    let give_up = Duration::from_secs(600);
    assert_eq!(
        serve.next_effect(),
        Some(Effect::Greeted {
            link: LINK,
            give_up
        })
    );
}

#[test]
fn another_protocol_is_answered_and_nothing_more_is_taken() {
    let mut serve = Serve::new("x86_64-linux");
    let Message::Hello(theirs) = hello() else {
        unreachable!()
    };
    let theirs = Message::Hello(Hello {
        protocol: 9,
        ..theirs
    });
    serve
        .feed(&[frame(0, &theirs), frame(1, &Message::Noop)].concat())
        .unwrap();
    assert_eq!(said(&mut serve).len(), 1);
    let violation = Violation::Protocol {
        theirs: 9,
        ours: PROTOCOL,
    };
    assert_eq!(serve.next_effect(), Some(Effect::Close(violation)));
}

#[test]
fn small_requests_are_answered_at_once() {
    let mut serve = open();
    let bytes = [
        frame(0, &Message::Ping(Token(3))),
        frame(5, &Message::Noop),
        frame(9, &Message::Noop),
    ]
    .concat();
    // Any cut of the bytes is the same to it.
    bytes.iter().for_each(|byte| serve.feed(&[*byte]).unwrap());
    let expected = [
        message(0, Message::Pong(Token(3))),
        message(5, Message::Done),
        message(9, Message::Done),
    ];
    assert_eq!(said(&mut serve), expected);
}

#[test]
fn unknown_frames_are_skipped_and_unknown_requests_refused() {
    let mut serve = open();
    for tag in [0x0f, 0x5f, 0x7f] {
        serve.feed(&raw(77, tag, b"whatever")).unwrap();
    }
    serve.feed(&raw(2, 0x3f, &vec![1; MAX_REQUEST])).unwrap();
    serve.feed(&frame(3, &Message::Noop)).unwrap();
    let answers = said(&mut serve);
    assert!(
        matches!(&answers[0], (2, Incoming::Message(Message::Fault(f))) if f.kind == FaultKind::Unsupported)
    );
    assert_eq!(answers[1..], [message(3, Message::Done)]);
}

#[test]
fn requests_that_contradict_themselves_are_refused() {
    let start = || Start::new(["a"]);
    let out = |number| ExtraStream {
        number,
        direction: Direction::Out,
    };
    let table = [
        Start::new(Vec::<&str>::new()),
        Start::new(["a\0b"]),
        Start {
            cwd: Some("/\0".into()),
            ..start()
        },
        Start {
            env: vec![("A".into(), "\0".into())],
            ..start()
        },
        Start {
            env: vec![("".into(), "1".into())],
            ..start()
        },
        Start {
            env: vec![("A=B".into(), "1".into())],
            ..start()
        },
        Start {
            umask: Some(0o1000),
            ..start()
        },
        Start {
            extra: vec![out(2)],
            ..start()
        },
        Start {
            extra: vec![out(128)],
            ..start()
        },
        Start {
            extra: vec![out(3), out(3)],
            ..start()
        },
    ];
    let mut serve = open();
    for (channel, request) in (1..).zip(table) {
        serve
            .feed(&frame(channel, &Message::Start(request.clone())))
            .unwrap();
        let answers = said(&mut serve);
        let refused = matches!(
            answers.as_slice(),
            [(of, Incoming::Message(Message::Fault(f)))] if *of == channel && f.kind == FaultKind::Invalid
        );
        assert!(refused, "{request:?}: {answers:?}");
        assert_eq!(serve.next_effect(), None);
    }
}

#[test]
fn hostile_input_ends_the_link() {
    let data = |channel, stream: u8, length| raw(channel, 0x80 | stream, &vec![0; length]);
    let credit =
        |channel, stream, bytes| frame(channel, &Message::Credit(Credit { stream, bytes }));
    let eof = |stream| frame(1, &Message::Eof(Stream { stream }));
    let table: Vec<(&str, Vec<u8>)> = vec![
        (
            "an absurd length",
            vec![0, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0x12],
        ),
        ("text", b"motd".to_vec()),
        ("a second hello", frame(0, &hello())),
        ("a ping on a channel", frame(1, &Message::Ping(Token(1)))),
        ("a request on channel 0", frame(0, &Message::Noop)),
        ("a duplicate id", frame(1, &Message::Noop)),
        ("an unknown request with a duplicate id", raw(1, 0x3f, b"")),
        (
            "a descending id",
            [frame(9, &Message::Noop), frame(8, &Message::Noop)].concat(),
        ),
        (
            "a kill of a channel that never was",
            frame(2, &Message::Kill),
        ),
        ("data on a channel that never was", data(2, 0, 1)),
        ("credit on channel 0", credit(0, 1, 1)),
        ("data on an outbound stream", data(1, 1, 1)),
        ("data on a stream that is not there", data(1, 3, 1)),
        ("data over the window", data(1, 0, FIRST_WINDOW + 1)),
        ("data after the end", [eof(0), data(1, 0, 1)].concat()),
        ("a second end", [eof(0), eof(0)].concat()),
        ("the end of an outbound stream", eof(1)),
        ("absurd credit", credit(1, 1, MAX_WINDOW as u32 + 1)),
        ("credit for an inbound stream", credit(1, 0, 1)),
        (
            "refusal of an inbound stream",
            frame(1, &Message::Closed(Stream { stream: 0 })),
        ),
        ("a message only an agent sends", frame(1, &Message::Done)),
        ("a body that does not decode", raw(2, 0x12, b"\xff")),
        ("a body with something behind it", raw(2, 0x10, b"x")),
    ];
    for (name, bytes) in table {
        let mut serve = running();
        assert!(serve.feed(&bytes).is_err(), "{name}");
        said(&mut serve);
        serve.feed(&frame(50, &Message::Noop)).unwrap();
        assert!(serve.outgoing().is_empty(), "{name}: an ended link goes on");
    }
}

#[test]
fn nothing_may_come_before_the_hello() {
    for bytes in [
        frame(1, &Message::Noop),
        frame(0, &Message::Ping(Token(1))),
        raw(1, 0x80, b"x"),
    ] {
        assert!(Serve::new("x").feed(&bytes).is_err());
    }
}

#[test]
fn frames_for_a_step_that_is_over_are_ignored() {
    let mut serve = running();
    let exit = NotStarted {
        stage: convoke_proto::exit::Stage::Exec,
        errno: 2,
        tried: vec![],
    };
    serve.not_started(1, exit);
    said(&mut serve);
    let late = [
        raw(1, 0x80, b"late"),
        frame(1, &Message::Kill),
        frame(1, &Message::Eof(Stream { stream: 0 })),
        frame(
            1,
            &Message::Credit(Credit {
                stream: 1,
                bytes: u32::MAX,
            }),
        ),
    ];
    serve.feed(&late.concat()).unwrap();
    assert_eq!((serve.next_effect(), said(&mut serve)), (None, vec![]));
}

#[test]
fn data_is_sent_as_far_as_credit_goes() {
    let mut serve = running();
    let fill = |room: &mut [u8]| -> Result<usize, ()> {
        room.fill(b'x');
        Ok(room.len())
    };
    assert_eq!(
        serve.send(1, 1, |_| -> Result<usize, ()> {
            panic!("read without credit")
        }),
        Ok(0)
    );
    serve
        .feed(&frame(
            1,
            &Message::Credit(Credit {
                stream: 1,
                bytes: MAX_DATA as u32 + 3,
            }),
        ))
        .unwrap();
    assert_eq!(
        (
            serve.send(1, 1, fill),
            serve.send(1, 1, fill),
            serve.send(1, 1, fill)
        ),
        (Ok(MAX_DATA), Ok(3), Ok(0))
    );
    let data = |length| {
        (
            1,
            Incoming::Data {
                stream: 1,
                body: Bytes::from(vec![b'x'; length]),
            },
        )
    };
    // Nobody else can know that there may be more.
    let out_of_credit = data(0);
    assert_eq!(said(&mut serve), [data(MAX_DATA), data(3), out_of_credit]);
}

#[test]
fn input_waits_in_order_and_is_granted_anew() {
    let mut serve = running();
    serve
        .feed(&[raw(1, 0x80, &[1; 20_000]), raw(1, 0x80, &[2; 12_768])].concat())
        .unwrap();
    let Inbound::Bytes(bytes) = serve.inbound(1, 0) else {
        panic!("nothing waits")
    };
    assert_eq!(
        (bytes.len(), bytes[19_999], bytes[20_000]),
        (FIRST_WINDOW, 1, 2)
    );
    serve.consumed(1, 0, FIRST_WINDOW);
    assert_eq!(serve.inbound(1, 0), Inbound::Nothing);
    assert!(matches!(
        said(&mut serve)[..],
        [(
            1,
            Incoming::Message(Message::Credit(Credit { stream: 0, .. }))
        )]
    ));
    serve
        .feed(&frame(1, &Message::Eof(Stream { stream: 0 })))
        .unwrap();
    assert_eq!(serve.inbound(1, 0), Inbound::Ended);
}

#[test]
fn refused_input_is_thrown_away() {
    let mut serve = running();
    serve.feed(&raw(1, 0x80, b"before")).unwrap();
    serve.refuse_input(1, 0);
    serve.feed(&raw(1, 0x80, b"after")).unwrap();
    assert_eq!(serve.inbound(1, 0), Inbound::Nothing);
    assert_eq!(
        said(&mut serve),
        [message(1, Message::Closed(Stream { stream: 0 }))]
    );
}

/// Frames that are likely to mean something, with some noise.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let tag = prop_oneof![
        Just(0x01_u8),
        Just(0x02),
        Just(0x10),
        Just(0x12),
        Just(0x40),
        Just(0x41),
        Just(0x42),
        Just(0x43),
        Just(0x80),
        any::<u8>(),
    ];
    let one = (0_u32..6, tag, prop::collection::vec(any::<u8>(), 0..40))
        .prop_map(|(channel, tag, body)| raw(channel, tag, &body));
    let good = prop_oneof![
        Just(frame(0, &hello())),
        (1_u32..6).prop_map(|channel| frame(channel, &Message::Start(cat()))),
        (1_u32..6).prop_map(|channel| frame(channel, &Message::Noop)),
        (1_u32..6, 0_usize..4).prop_map(|(channel, kind)| frame(channel, &files::requests()[kind])),
        (1_u32..6).prop_map(|channel| frame(channel, &Message::Kill)),
        (1_u32..6, 0_u8..4, any::<u16>()).prop_map(|(channel, stream, bytes)| frame(
            channel,
            &Message::Credit(Credit {
                stream,
                bytes: bytes.into()
            })
        )),
        (1_u32..6, 0_usize..9000).prop_map(|(channel, length)| raw(
            channel,
            0x80,
            &vec![1; length]
        )),
    ];
    let piece = prop_oneof![4 => good, 1 => one, 1 => prop::collection::vec(any::<u8>(), 0..20)];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Plays the host's part in the simplest way; returns how much the link holds for its processes.
fn play(serve: &mut Serve) -> usize {
    while let Some(effect) = serve.next_effect() {
        match effect {
            Effect::Start { channel, .. } => serve.started(channel, 1),
            Effect::Put { channel, .. } => serve.accepted(channel),
            Effect::Get { channel, .. } | Effect::Open { channel, .. } => {
                serve.opened(channel, files::stat());
            }
            Effect::Credit { channel, stream } => {
                let _ = serve.send(channel, stream, |room| Ok::<_, ()>(room.len().min(10)));
            }
            Effect::Kill { channel } => serve.end_output(channel, 1),
            _ => {}
        }
    }
    let mut waiting = |channel| serve.take_input(channel, 0).concat().len();
    (1..6).map(&mut waiting).sum()
}

proptest! {
    #[test]
    fn any_bytes_are_survived_within_bounds(bytes in frames(), cut in 1_usize..5000) {
        let mut serve = Serve::new("x86_64-linux");
        serve.feed(&frame(0, &hello())).unwrap();
        for chunk in bytes.chunks(cut) {
            let fed = serve.feed(chunk);
            prop_assert!(play(&mut serve) <= 5 * FIRST_WINDOW);
            if fed.is_err() {
                break;
            }
        }
        // What is said is frames, whatever came.
        said(&mut serve);
    }

    #[test]
    fn random_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut serve = Serve::new("x86_64-linux");
        let _ = serve.feed(&bytes);
        play(&mut serve);
    }
}

#[test]
fn a_link_is_finished_when_the_last_request_is_over_and_answered() {
    let mut serve = running();
    serve.feed(&frame(0, &Message::Finish)).unwrap();
    assert!(!serve.is_finished());
    serve.end_output(1, 1);
    serve.end_output(1, 2);
    serve.exited(
        1,
        Exit {
            status: Status::Code(0),
            cause: Cause::Itself,
            left_running: 0,
            cut_streams: Vec::new(),
            survivors: Vec::new(),
        },
    );
    assert!(!serve.is_finished(), "the exit was not sent");
    serve.sent(serve.outgoing().len());
    assert!(serve.is_finished());
}

#[test]
fn a_request_after_the_last_one_ends_the_link() {
    let mut serve = open();
    serve.feed(&frame(0, &Message::Finish)).unwrap();
    let refused = serve.feed(&frame(1, &Message::Noop)).unwrap_err();
    assert!(refused.to_string().contains("the last request has come"));
    let mut serve = open();
    assert!(serve.feed(&frame(1, &Message::Finish)).is_err());
}
