//! Strategies: any message, any frame.

use bstr::BString;
use convoke_proto::codec::Incoming;
use convoke_proto::command::{
    Direction, ExtraStream, Leftovers, Lifetime, Limits, Shell, Start, Stdin, Terminal,
};
use convoke_proto::exit::{Cause, Exit, Killed, NotStarted, Stage, Status, Survivor};
use convoke_proto::fault::{Fault, FaultKind};
use convoke_proto::frame::{Header, Tag};
use convoke_proto::hello::{Capabilities, Hello, LinkId, Liveness};
use convoke_proto::message::{Credit, Message, Started, Stream, Token};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = BString> {
    vec(any::<u8>(), 0..40).prop_map(BString::from)
}

fn hello() -> impl Strategy<Value = Hello> {
    let liveness = any::<(u32, u32, u32)>();
    let rest = (any::<u16>(), any::<u64>(), ".{0,20}", any::<[u8; 16]>());
    (liveness, rest).prop_map(
        |(liveness, (protocol, capabilities, platform, link))| Hello {
            protocol,
            capabilities: Capabilities(capabilities),
            platform,
            link: LinkId(link),
            liveness: Liveness {
                ping_ms: liveness.0,
                lost_ms: liveness.1,
                give_up_ms: liveness.2,
            },
        },
    )
}

fn extra_stream() -> impl Strategy<Value = ExtraStream> {
    let direction = prop_oneof![Just(Direction::In), Just(Direction::Out)];
    (any::<u8>(), direction).prop_map(|(number, direction)| ExtraStream { number, direction })
}

fn limits() -> impl Strategy<Value = Limits> {
    any::<(Option<u64>, Option<u64>, u32)>().prop_map(|(total_ms, idle_ms, grace_ms)| Limits {
        total_ms,
        idle_ms,
        grace_ms,
    })
}

fn start() -> impl Strategy<Value = Start> {
    let words = (
        vec(text(), 0..6),
        option::of(text()),
        vec((text(), text()), 0..4),
        (option::of(text()), option::of(text())),
    );
    let choices = (
        prop_oneof![Just(Shell::None), Just(Shell::Login)],
        prop_oneof![Just(Stdin::Null), Just(Stdin::Stream)],
        prop_oneof![Just(Leftovers::Release), Just(Leftovers::Kill)],
    );
    let rest = (any::<Option<u16>>(), vec(extra_stream(), 0..4), limits());
    (words, choices, rest).prop_map(|(words, choices, rest)| Start {
        argv: words.0,
        shell: choices.0,
        cwd: words.1,
        env: words.2,
        umask: rest.0,
        stdin: choices.1,
        extra: rest.1,
        limits: rest.2,
        leftovers: choices.2,
        lifetime: Lifetime::Link,
        terminal: Terminal::None,
        user: words.3.0,
        group: words.3.1,
    })
}

fn killed() -> impl Strategy<Value = Killed> {
    prop_oneof![Just(Killed::Term), Just(Killed::Kill)]
}

fn exit() -> impl Strategy<Value = Exit> {
    let status = prop_oneof![
        any::<u8>().prop_map(Status::Code),
        any::<u8>().prop_map(Status::Signal)
    ];
    let cause = prop_oneof![
        Just(Cause::Itself),
        killed().prop_map(Cause::TotalLimit),
        killed().prop_map(Cause::IdleLimit),
        killed().prop_map(Cause::Request),
    ];
    let survivor = any::<(u32, u32)>().prop_map(|(pid, uid)| Survivor { pid, uid });
    let lists = (vec(any::<u8>(), 0..4), vec(survivor, 0..4));
    (status, cause, any::<u32>(), lists).prop_map(|(status, cause, left_running, lists)| Exit {
        status,
        cause,
        left_running,
        cut_streams: lists.0,
        survivors: lists.1,
    })
}

fn not_started() -> impl Strategy<Value = NotStarted> {
    let stage = prop_oneof![
        Just(Stage::Cwd),
        Just(Stage::User),
        Just(Stage::Exec),
        Just(Stage::Fork),
        Just(Stage::Group)
    ];
    (stage, any::<i32>(), vec(text(), 0..4)).prop_map(|(stage, errno, tried)| NotStarted {
        stage,
        errno,
        tried,
    })
}

fn fault() -> impl Strategy<Value = Fault> {
    let kind = prop_oneof![Just(FaultKind::Unsupported), Just(FaultKind::Invalid)];
    (kind, ".{0,40}").prop_map(|(kind, text)| Fault { kind, text })
}

/// Any message, each kind as often as every other.
pub(crate) fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        hello().prop_map(Message::Hello),
        any::<u64>().prop_map(|token| Message::Ping(Token(token))),
        any::<u64>().prop_map(|token| Message::Pong(Token(token))),
        Just(Message::Finish),
        Just(Message::Noop),
        start().prop_map(Message::Start),
        any::<(u8, u32)>().prop_map(|(stream, bytes)| Message::Credit(Credit { stream, bytes })),
        any::<u8>().prop_map(|stream| Message::Eof(Stream { stream })),
        any::<u8>().prop_map(|stream| Message::Closed(Stream { stream })),
        Just(Message::Kill),
        Just(Message::Done),
        fault().prop_map(Message::Fault),
        any::<u32>().prop_map(|pid| Message::Started(Started { pid })),
        not_started().prop_map(Message::NotStarted),
        exit().prop_map(Message::Exit),
    ]
}

/// A frame as bytes, and what a decoder has to make of it.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) channel: u32,
    pub(crate) incoming: Incoming,
}

/// The bytes of a frame with any tag.
pub(crate) fn raw(channel: u32, tag: Tag, body: &[u8]) -> Vec<u8> {
    let header = Header {
        length: body.len(),
        channel,
        tag,
    };
    [header.to_bytes().as_slice(), body].concat()
}

fn data_frame() -> impl Strategy<Value = Frame> {
    // Around the size below which a body is copied, and above.
    let body = prop_oneof![
        vec(any::<u8>(), 0..50),
        (4090_usize..4100, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ];
    (any::<u32>(), 0_u8..=127, body).prop_map(|(channel, stream, body)| Frame {
        bytes: raw(channel, Tag::data(stream), &body),
        channel,
        incoming: Incoming::Data {
            stream,
            body: body.into(),
        },
    })
}

fn unknown_frame() -> impl Strategy<Value = Frame> {
    let tag = any::<u8>().prop_map(Tag);
    let tag = tag.prop_filter("a tag nobody knows", |tag| !tag.is_known());
    (any::<u32>(), tag, vec(any::<u8>(), 0..50)).prop_map(|(channel, tag, body)| Frame {
        bytes: raw(channel, tag, &body),
        channel,
        incoming: Incoming::Unknown(tag),
    })
}

fn message_frame() -> impl Strategy<Value = Frame> {
    (any::<u32>(), message()).prop_map(|(channel, message)| {
        let mut bytes = Vec::new();
        message.encode(channel, &mut bytes).unwrap();
        Frame {
            bytes,
            channel,
            incoming: Incoming::Message(message),
        }
    })
}

/// Any frame that a peer of any age may send.
pub(crate) fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![3 => message_frame(), 1 => data_frame(), 1 => unknown_frame()]
}
