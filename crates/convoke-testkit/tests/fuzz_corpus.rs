//! The fuzz targets over their corpus and over random bytes, as ordinary tests.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use std::fs;
use std::path::{Path, PathBuf};

use convoke_proto::command::{Start, Stdin};
use convoke_proto::exit::{Cause, Exit, Status};
use convoke_proto::file::{
    Access, Creation, Digest, Durability, FileKind, Follow, Get, NewFile, Open, Ownership, Stat,
    Stored,
};
use convoke_proto::frame::{Header, LINK_CHANNEL, Tag};
use convoke_proto::hello::{Capabilities, Hello, Liveness, PROTOCOL};
use convoke_proto::message::{Credit, Message, Started, Stream, Token};
use convoke_proto::operation::{Failure, Field, Operate, Operation, Reason};
use convoke_testkit::fuzzing;
use proptest::collection::vec;
use proptest::prelude::*;

/// A fuzz target: its name, which is also its corpus's, and its body.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 3] = [
    ("decoder", fuzzing::decoder),
    ("controller", fuzzing::controller),
    ("agent", fuzzing::agent),
];

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target)
}

#[test]
fn no_file_of_the_corpus_finds_a_bug() {
    for (name, target) in TARGETS {
        let files: Vec<_> = fs::read_dir(corpus(name)).unwrap().collect();
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            let path = file.unwrap().path();
            println!("{}", path.display());
            target(&fs::read(path).unwrap());
        }
    }
}

fn frame(channel: u32, message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(channel, &mut bytes).unwrap();
    bytes
}

fn raw(channel: u32, tag: u8, body: &[u8]) -> Vec<u8> {
    let header = Header {
        length: body.len(),
        channel,
        tag: Tag(tag),
    };
    [header.to_bytes().as_slice(), body].concat()
}

fn hello() -> Vec<u8> {
    frame(
        LINK_CHANNEL,
        &Message::Hello(Hello {
            protocol: PROTOCOL,
            capabilities: Capabilities::default(),
            platform: "fuzz".into(),
            link: fuzzing::LINK,
            liveness: Liveness::default(),
        }),
    )
}

fn operate() -> Message {
    let stat = Operation::Stat {
        path: "/".into(),
        follow: Follow::No,
        digests: vec![Digest::Sha256],
    };
    let read = Operation::ReadAt {
        file: 5,
        offset: 1,
        limit: 2,
    };
    Message::Operate(Operate {
        operations: vec![stat, read, Operation::Facts],
    })
}

fn put() -> Message {
    Message::Put(NewFile {
        path: "a".into(),
        inside: Some("b".into()),
        mode: Some(0o644),
        ownership: Ownership::default(),
        durability: Durability::Synced,
    })
}

fn get() -> Message {
    Message::Get(Get {
        path: "a".into(),
        offset: 1,
        limit: Some(2),
    })
}

fn open() -> Message {
    Message::Open(Open {
        path: "a".into(),
        access: Access::ReadWrite,
        creation: Creation::IfMissing,
        mode: None,
        ownership: Ownership::default(),
    })
}

fn stat() -> Stat {
    Stat {
        mode: 0o600,
        size: 4,
        ..Stat::unknown(FileKind::File)
    }
}

fn stored() -> Message {
    Message::Stored(Stored {
        path: "/a".into(),
        size: 4,
        replaced: true,
    })
}

fn failed() -> Message {
    Message::Failed(Failure {
        field: Field::Path,
        value: "/a".into(),
        reason: Reason::Errno(2),
        path: None,
    })
}

/// A frame of any kind, on the first channels, with a body that may or may not fit it.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let channel = || 0_u32..5;
    let start = Start {
        stdin: Stdin::Stream,
        ..Start::new(["cat"])
    };
    prop_oneof![
        (channel(), any::<u8>(), vec(any::<u8>(), 0..30))
            .prop_map(|(c, tag, body)| raw(c, tag, &body)),
        (channel(), 0_u8..4, vec(any::<u8>(), 0..30)).prop_map(|(c, s, body)| raw(
            c,
            0x80 + s,
            &body
        )),
        channel().prop_map(move |c| frame(c, &Message::Start(start.clone()))),
        channel().prop_map(|c| frame(c, &operate())),
        channel().prop_map(|c| frame(c, &put())),
        channel().prop_map(|c| frame(c, &get())),
        channel().prop_map(|c| frame(c, &open())),
        channel().prop_map(|c| frame(c, &Message::Opened(Box::new(stat())))),
        channel().prop_map(|c| frame(c, &stored())),
        channel().prop_map(|c| frame(c, &failed())),
        channel().prop_map(|c| frame(c, &Message::Noop)),
        channel().prop_map(|c| frame(c, &Message::Finish)),
        channel().prop_map(|c| frame(c, &Message::Kill)),
        channel().prop_map(|c| frame(c, &Message::Done)),
        channel().prop_map(|c| frame(c, &Message::Started(Started { pid: 7 }))),
        (channel(), 0_u8..4, 0_u32..70_000)
            .prop_map(|(c, stream, bytes)| frame(c, &Message::Credit(Credit { stream, bytes }))),
        (channel(), 0_u8..4).prop_map(|(c, stream)| frame(c, &Message::Eof(Stream { stream }))),
        (channel(), 0_u8..4).prop_map(|(c, stream)| frame(c, &Message::Closed(Stream { stream }))),
        any::<u64>().prop_map(|token| frame(0, &Message::Ping(Token(token)))),
    ]
}

proptest! {
    #[test]
    fn random_bytes_find_no_bug(bytes in vec(any::<u8>(), 0..300)) {
        for (_, target) in TARGETS {
            target(&bytes);
        }
    }

    #[test]
    fn random_frames_find_no_bug(pieces: u8, frames in vec(any_frame(), 0..20)) {
        let bytes = [vec![pieces], hello(), frames.concat()].concat();
        for (_, target) in TARGETS {
            target(&bytes);
        }
    }
}

fn session(pieces: u8, frames: &[Vec<u8>]) -> Vec<u8> {
    [vec![pieces], hello(), frames.concat()].concat()
}

/// Writes the corpus anew: by hand, when a layout is added.
#[test]
#[ignore = "writes files; run by hand after a new message was added"]
fn write_corpus() {
    let exit = Exit {
        status: Status::Code(0),
        cause: Cause::Itself,
        left_running: 1,
        cut_streams: vec![1],
        survivors: vec![],
    };
    let cat = Start {
        stdin: Stdin::Stream,
        ..Start::new(["cat"])
    };
    let eof = |channel, stream| frame(channel, &Message::Eof(Stream { stream }));
    let credit =
        |channel, stream, bytes| frame(channel, &Message::Credit(Credit { stream, bytes }));
    let answers = [
        frame(1, &Message::Done),
        frame(2, &Message::Started(Started { pid: 42 })),
        credit(2, 0, 32_768),
        raw(2, 0x81, b"out"),
        raw(2, 0x82, b"err"),
        frame(2, &Message::Closed(Stream { stream: 0 })),
        eof(2, 1),
        eof(2, 2),
        frame(2, &Message::Exit(exit)),
        frame(3, &Message::Started(Started { pid: 43 })),
        raw(3, 0x81, &[b'y'; 20_000]),
        raw(4, 0x81, b"records"),
        frame(4, &Message::Done),
        credit(5, 0, 32_768),
        frame(5, &stored()),
        frame(6, &Message::Opened(Box::new(stat()))),
        raw(6, 0x81, b"text"),
        eof(6, 1),
        frame(6, &Message::Done),
        frame(7, &failed()),
    ];
    let requests = [
        frame(1, &Message::Noop),
        frame(2, &Message::Start(cat)),
        credit(2, 1, 32_768),
        raw(2, 0x80, b"line\n"),
        eof(2, 0),
        frame(2, &Message::Closed(Stream { stream: 1 })),
        frame(3, &Message::Start(Start::new(["true"]))),
        raw(4, 0x3f, b"a request of the future"),
        frame(2, &Message::Kill),
        frame(6, &operate()),
        credit(6, 1, 32_768),
        frame(8, &put()),
        raw(8, 0x80, b"text"),
        eof(8, 0),
        frame(9, &put()),
        frame(10, &get()),
        credit(10, 1, 32_768),
        frame(10, &Message::Kill),
        frame(12, &open()),
        frame(12, &Message::Kill),
        frame(LINK_CHANNEL, &Message::Finish),
        frame(15, &Message::Noop),
    ];
    let news = [
        raw(0, 0x0f, b"news"),
        raw(2, 0x5f, b"news"),
        frame(0, &Message::Ping(Token(1))),
    ];
    let whole = [answers.as_slice(), &requests, &news].concat();
    let files = [
        ("decoder", "whole", session(255, &whole)),
        ("decoder", "bytewise", session(1, &whole)),
        (
            "decoder",
            "foreign",
            [&session(9, &answers), b"Killed\n".as_slice()].concat(),
        ),
        (
            "decoder",
            "too-long",
            vec![3, 0, 255, 255, 255, 0, 0, 0, 1, 0x64],
        ),
        ("controller", "session", session(255, &answers)),
        ("controller", "bytewise", session(1, &answers)),
        ("controller", "news", session(7, &news)),
        ("controller", "request", session(7, &requests)),
        ("agent", "session", session(255, &requests)),
        ("agent", "bytewise", session(1, &requests)),
        ("agent", "news", session(7, &news)),
        ("agent", "answer", session(7, &answers)),
    ];
    for (target, name, bytes) in files {
        fs::create_dir_all(corpus(target)).unwrap();
        fs::write(corpus(target).join(name), bytes).unwrap();
    }
}
