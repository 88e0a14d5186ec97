//! The layouts: a message that looks different on the wire than it did fails here.
//!
//! A layout never changes. Who wants another one takes a new tag and adds a row.

use convoke_proto::command::{
    Direction, ExtraStream, Leftovers, Lifetime, Limits, Shell, Start, Stdin, Terminal,
};
use convoke_proto::exit::{Cause, Exit, Killed, NotStarted, Stage, Status, Survivor};
use convoke_proto::fault::{Fault, FaultKind};
use convoke_proto::file::{
    Access, Creation, Digest, Durability, FileKind, Follow, Get, NewFile, Open, Ownership, Stat,
    Stored, Time,
};
use convoke_proto::hello::{Capabilities, Hello, LinkId, Liveness};
use convoke_proto::message::{Credit, Message, Started, Stream, Token};
use convoke_proto::operation::{Failure, Field, Operate, Operation, Reason};

fn hello() -> Hello {
    Hello {
        protocol: 1,
        capabilities: Capabilities(0x80),
        platform: "x86_64-linux".into(),
        link: LinkId(*b"0123456789abcdef"),
        liveness: Liveness::default(),
    }
}

fn full_start() -> Start {
    Start {
        argv: vec!["sh".into(), b"\xff\n".into()],
        shell: Shell::Login,
        cwd: Some("/tmp".into()),
        env: vec![("A".into(), "b c".into())],
        umask: Some(0o022),
        stdin: Stdin::Stream,
        extra: vec![
            ExtraStream {
                number: 3,
                direction: Direction::In,
            },
            ExtraStream {
                number: 127,
                direction: Direction::Out,
            },
        ],
        limits: Limits {
            total_ms: Some(60_000),
            idle_ms: Some(1),
            grace_ms: 500,
        },
        leftovers: Leftovers::Kill,
        lifetime: Lifetime::Link,
        terminal: Terminal::None,
        user: Some("app".into()),
        group: None,
    }
}

fn stat() -> Stat {
    let time = Time {
        seconds: -1,
        nanoseconds: 999_999_999,
    };
    Stat {
        kind: FileKind::Link,
        mode: 0o7777,
        uid: 0,
        gid: 300,
        owner: "root".into(),
        group: "300".into(),
        size: 1 << 40,
        modified: time,
        changed: time,
        inode: 3,
        device: 4,
        links: 1,
        target: Some("/b".into()),
        digests: vec![(Digest::Sha256, "d".into())],
    }
}

fn exit(status: Status, cause: Cause) -> Exit {
    Exit {
        status,
        cause,
        left_running: 300,
        cut_streams: vec![1, 2],
        survivors: vec![Survivor {
            pid: 70_000,
            uid: 0,
        }],
    }
}

fn not_started(stage: Stage) -> NotStarted {
    NotStarted {
        stage,
        errno: 2,
        tried: vec!["/bin/x".into()],
    }
}

type Row = (Message, &'static str);

/// One row a message, and one a variant of what it carries; channel 0x01020304.
pub(crate) fn table() -> Vec<Row> {
    [link(), streams(), requests(), answers(), ends()].concat()
}

/// What belongs to the link, not to a channel of it.
fn link() -> Vec<Row> {
    vec![
        (
            Message::Hello(hello()),
            "0000002801020304010180010c7838365f36342d6c696e757830313233343536373839616263646566904eb0ea01c0cf24",
        ),
        (Message::Ping(Token(300)), "000000020102030402ac02"),
        (
            Message::Pong(Token(u64::MAX)),
            "0000000a0102030403ffffffffffffffffff01",
        ),
        (Message::Noop, "000000000102030410"),
        (Message::Finish, "000000000102030404"),
    ]
}

/// What goes along with the bytes of streams.
fn streams() -> Vec<Row> {
    vec![
        (
            Message::Credit(Credit {
                stream: 1,
                bytes: 32_768,
            }),
            "00000004010203044001808002",
        ),
        (Message::Eof(Stream { stream: 2 }), "00000001010203044102"),
        (
            Message::Closed(Stream { stream: 0 }),
            "00000001010203044200",
        ),
    ]
}

/// What a host is asked.
fn requests() -> Vec<Row> {
    vec![
        (
            Message::Start(Start::new(["true"])),
            "0000001501020304120104747275650000000000000000904e0000000000",
        ),
        (
            Message::Start(full_start()),
            "0000002e01020304120202736802ff0a0101042f746d70010141036220630112010203007f0101e0d4030101f403010000010361707000",
        ),
        (
            Message::Operate(Operate {
                operations: vec![
                    Operation::Stat {
                        path: "/a".into(),
                        follow: Follow::No,
                        digests: vec![Digest::Sha512, Digest::Blake3],
                    },
                    Operation::WriteAt {
                        file: 300,
                        offset: None,
                        content: "x".into(),
                    },
                    Operation::Facts,
                    Operation::Environment {
                        user: Some("app".into()),
                        cwd: None,
                    },
                ],
            }),
            "0000001701020304130400022f610102010216ac020001781413010361707000",
        ),
        (
            Message::Put(NewFile {
                path: "/a".into(),
                inside: Some("b".into()),
                mode: Some(0o644),
                ownership: Ownership {
                    owner: Some("app".into()),
                    group: None,
                },
                durability: Durability::Unsynced,
            }),
            "000000100102030414022f6101016201a40301036170700001",
        ),
        (
            Message::Get(Get {
                path: "/a".into(),
                offset: 300,
                limit: None,
            }),
            "000000060102030415022f61ac0200",
        ),
        (
            Message::Open(Open {
                path: "/a".into(),
                access: Access::Append,
                creation: Creation::IfMissing,
                mode: None,
                ownership: Ownership::default(),
            }),
            "000000080102030416022f610301000000",
        ),
        (Message::Kill, "000000000102030443"),
    ]
}

/// What it answers.
fn answers() -> Vec<Row> {
    let fault = |kind| {
        Message::Fault(Fault {
            kind,
            text: "no".into(),
        })
    };
    vec![
        (
            Message::Opened(Box::new(stat())),
            "0000002c010203046505ff1f00ac0204726f6f740333303080808080802001ff93ebdc0301ff93ebdc0303040101022f6201000164",
        ),
        (
            Message::Stored(Stored {
                path: "/a".into(),
                size: 300,
                replaced: true,
            }),
            "000000060102030466022f61ac0201",
        ),
        (
            Message::Failed(Failure {
                field: Field::Path,
                value: "/a".into(),
                reason: Reason::Errno(2),
                path: None,
            }),
            "00000007010203046700022f61000400",
        ),
        (
            Message::Failed(Failure {
                field: Field::Owner,
                value: "a".into(),
                reason: Reason::Errno(1),
                path: Some("/b".into()),
            }),
            "000000090102030467030161000201022f62",
        ),
        (Message::Done, "000000000102030460"),
        (fault(FaultKind::Unsupported), "00000004010203046100026e6f"),
        (fault(FaultKind::Invalid), "00000004010203046101026e6f"),
        (
            Message::Started(Started { pid: 4_194_304 }),
            "00000004010203046280808002",
        ),
    ]
}

/// What becomes of commands.
fn ends() -> Vec<Row> {
    vec![
        (
            Message::NotStarted(not_started(Stage::Cwd)),
            "0000000a0102030463000401062f62696e2f78",
        ),
        (
            Message::NotStarted(not_started(Stage::User)),
            "0000000a0102030463010401062f62696e2f78",
        ),
        (
            Message::NotStarted(not_started(Stage::Exec)),
            "0000000a0102030463020401062f62696e2f78",
        ),
        (
            Message::NotStarted(not_started(Stage::Fork)),
            "0000000a0102030463030401062f62696e2f78",
        ),
        (
            Message::NotStarted(not_started(Stage::Group)),
            "0000000a0102030463040401062f62696e2f78",
        ),
        (
            Message::Exit(exit(Status::Code(255), Cause::Itself)),
            "0000000d010203046400ff00ac0202010201f0a20400",
        ),
        (
            Message::Exit(exit(Status::Signal(9), Cause::TotalLimit(Killed::Term))),
            "0000000e010203046401090100ac0202010201f0a20400",
        ),
        (
            Message::Exit(exit(Status::Signal(9), Cause::IdleLimit(Killed::Kill))),
            "0000000e010203046401090201ac0202010201f0a20400",
        ),
        (
            Message::Exit(exit(Status::Signal(15), Cause::Request(Killed::Kill))),
            "0000000e0102030464010f0301ac0202010201f0a20400",
        ),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_layout_of_every_message_is_what_it_always_was() {
    let rows = table().into_iter().map(|(message, expected)| {
        let mut frame = Vec::new();
        message.encode(0x0102_0304, &mut frame).unwrap();
        (format!("{message:?}"), hex(&frame), expected.to_owned())
    });
    let changed: Vec<_> = rows.filter(|(_, is, was)| is != was).collect();
    assert!(changed.is_empty(), "{changed:#?}");
}

#[test]
fn the_table_holds_every_known_message() {
    use convoke_proto::frame::Tag;
    let held: std::collections::BTreeSet<u8> = table().iter().map(|(m, _)| m.tag().0).collect();
    let known = (0..0x80).filter(|tag| Tag(*tag).is_known());
    assert!(known.eq(held));
}
