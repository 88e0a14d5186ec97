//! Requests for operations and files: their streams, their answers, and how many the agent holds.

use convoke_proto::file::{
    Access, Creation, Durability, FileKind, Get, NewFile, Open, Ownership, Stat, Stored, Time,
};
use convoke_proto::operation::{Failure, Field, Operate, Operation, Reason};

use super::*;

pub(super) fn stat() -> Stat {
    let time = Time {
        seconds: 0,
        nanoseconds: 0,
    };
    Stat {
        kind: FileKind::File,
        mode: 0o644,
        uid: 0,
        gid: 0,
        owner: "root".into(),
        group: "root".into(),
        size: 3,
        modified: time,
        changed: time,
        inode: 1,
        device: 1,
        links: 1,
        target: None,
        digests: Vec::new(),
    }
}

/// One request of each kind: operations, a new file, a file to send, an open one.
pub(super) fn requests() -> [Message; 4] {
    [
        operate(1),
        Message::Put(NewFile {
            path: "a".into(),
            inside: None,
            mode: None,
            ownership: Ownership::default(),
            durability: Durability::Synced,
        }),
        Message::Get(Get {
            path: "a".into(),
            offset: 0,
            limit: None,
        }),
        Message::Open(Open {
            path: "a".into(),
            access: Access::Read,
            creation: Creation::Never,
            mode: None,
            ownership: Ownership::default(),
        }),
    ]
}

fn operate(count: usize) -> Message {
    Message::Operate(Operate {
        operations: vec![Operation::Facts; count],
    })
}

fn failure(value: &str) -> Failure {
    Failure {
        field: Field::Path,
        value: value.into(),
        reason: Reason::Errno(2),
        path: None,
    }
}

/// A link with these requests on channels 1, 2, …, and their effects taken.
fn asked(requests: &[Message]) -> Serve {
    let mut serve = open();
    for (channel, request) in (1..).zip(requests) {
        serve.feed(&frame(channel, request)).unwrap();
    }
    while serve.next_effect().is_some() {}
    said(&mut serve);
    serve
}

fn refused(serve: &mut Serve) -> bool {
    let answers = said(serve);
    let is_fault = |(_, incoming): &(u32, Incoming)| matches!(incoming, Incoming::Message(Message::Fault(fault)) if fault.kind == FaultKind::Invalid);
    assert!(answers.len() <= 1);
    answers.iter().any(is_fault)
}

#[test]
fn requests_for_files_are_handed_on_in_order() {
    let mut serve = open();
    for (channel, request) in (1..).zip(requests()) {
        serve.feed(&frame(channel, &request)).unwrap();
    }
    assert!(matches!(
        serve.next_effect(),
        Some(Effect::Operate { channel: 1, operations }) if operations == [Operation::Facts]
    ));
    assert!(matches!(
        serve.next_effect(),
        Some(Effect::Put { channel: 2, .. })
    ));
    assert!(matches!(
        serve.next_effect(),
        Some(Effect::Get { channel: 3, .. })
    ));
    assert!(matches!(
        serve.next_effect(),
        Some(Effect::Open { channel: 4, .. })
    ));
    assert_eq!((serve.next_effect(), said(&mut serve)), (None, vec![]));
}

#[test]
fn a_file_that_comes_is_let_in_once_it_was_begun() {
    let put = [requests()[1].clone()];
    let mut serve = asked(&put);
    assert!(serve.feed(&raw(1, 0x80, b"early")).is_err());
    let mut serve = asked(&put);
    serve.accepted(1);
    assert!(matches!(
        said(&mut serve)[..],
        [(
            1,
            Incoming::Message(Message::Credit(Credit { stream: 0, .. }))
        )]
    ));
    serve.feed(&raw(1, 0x80, &[7; 20_000])).unwrap();
    assert_eq!(serve.take_input(1, 0).concat().len(), 20_000);
    assert_eq!(serve.inbound(1, 0), Inbound::Nothing);
    assert_eq!(said(&mut serve), [], "credit for what is still in memory");
    // What was taken and is not written counts as much as what waits.
    let over = FIRST_WINDOW - 20_000 + 1;
    assert!(serve.feed(&raw(1, 0x80, &vec![7; over])).is_err());
    let mut serve = asked(&put);
    serve.accepted(1);
    serve.feed(&raw(1, 0x80, &[7; 20_000])).unwrap();
    serve.take_input(1, 0);
    said(&mut serve);
    serve.written(1, 0, 20_000);
    assert_eq!(said(&mut serve).len(), 1, "no credit for what was written");
    serve
        .feed(&frame(1, &Message::Eof(Stream { stream: 0 })))
        .unwrap();
    assert_eq!(serve.inbound(1, 0), Inbound::Ended);
    let stored = Stored {
        path: "/a".into(),
        size: 20_000,
        replaced: false,
    };
    serve.stored(1, stored.clone());
    assert_eq!(said(&mut serve), [message(1, Message::Stored(stored))]);
    // The peer may not know yet.
    serve.feed(&raw(1, 0x80, b"late")).unwrap();
}

#[test]
fn only_the_streams_of_a_request_are_there() {
    let eof = |stream| Message::Eof(Stream { stream });
    let credit = |stream| Message::Credit(Credit { stream, bytes: 1 });
    let [operate, put, get, open] = requests();
    for (request, wrong) in [
        (&operate, raw(1, 0x80, b"x")),
        (&operate, frame(1, &credit(2))),
        (&put, frame(1, &credit(1))),
        (&put, raw(1, 0x81, b"x")),
        (&get, frame(1, &eof(0))),
        (&get, frame(1, &eof(1))),
        (&open, frame(1, &credit(1))),
        (&open, frame(1, &eof(0))),
    ] {
        let mut serve = asked(std::slice::from_ref(request));
        assert!(serve.feed(&wrong).is_err(), "{request:?} {wrong:?}");
    }
}

#[test]
fn the_end_of_a_request_is_asked_for_once_it_is_known() {
    for request in requests() {
        let mut serve = asked(&[request]);
        serve.feed(&frame(1, &Message::Kill)).unwrap();
        assert_eq!(serve.next_effect(), Some(Effect::Kill { channel: 1 }));
        serve.failed(1, failure("/a"));
        serve.feed(&frame(1, &Message::Kill)).unwrap();
        assert_eq!(serve.next_effect(), None);
    }
}

#[test]
fn a_failure_fits_its_frame_whatever_it_repeats() {
    let mut serve = asked(&[requests()[1].clone()]);
    serve.failed(1, failure(&"/a".repeat(100_000)));
    let [(1, Incoming::Message(Message::Failed(failure)))] = &said(&mut serve)[..] else {
        panic!("no failure");
    };
    assert_eq!(failure.value.len(), Failure::MAX_VALUE);
}

#[test]
fn a_stat_that_fits_no_frame_is_a_failure() {
    let mut serve = asked(&[requests()[2].clone()]);
    serve.opened(
        1,
        Stat {
            owner: vec![b'o'; 100_000].into(),
            ..stat()
        },
    );
    assert!(matches!(
        &said(&mut serve)[..],
        [(1, Incoming::Message(Message::Failed(failure)))] if failure.reason == Reason::TooLong
    ));
}

#[test]
fn a_list_without_operations_is_refused() {
    let mut serve = open();
    serve.feed(&frame(1, &operate(0))).unwrap();
    assert!(refused(&mut serve));
    assert_eq!(serve.next_effect(), None);
}

#[test]
fn more_requests_than_the_agent_holds_are_refused_until_some_are_over() {
    let mut serve = open();
    let long = operate(convoke_proto::operation::MAX_OPERATIONS);
    let held = (1..1000)
        .take_while(|channel| {
            serve.feed(&frame(*channel, &long)).unwrap();
            !refused(&mut serve)
        })
        .count() as u32;
    assert!((2..200).contains(&held), "{held}");
    // Each that is over makes room for one.
    serve.done(1);
    said(&mut serve);
    serve.feed(&frame(1000, &long)).unwrap();
    assert!(!refused(&mut serve));
    serve.feed(&frame(1001, &long)).unwrap();
    assert!(refused(&mut serve));
    // What is small beside it counts, too.
    let small = (1002..200_000)
        .take_while(|channel| {
            serve.feed(&frame(*channel, &requests()[3])).unwrap();
            !refused(&mut serve)
        })
        .count();
    assert!(small < MAX_WEIGHT / 512);
}

#[test]
fn a_process_that_runs_weighs_nothing() {
    let mut serve = open();
    for channel in 1..70_000 {
        serve.feed(&frame(channel, &Message::Start(cat()))).unwrap();
        while serve.next_effect().is_some() {}
        serve.started(channel, channel);
        assert!(
            !said(&mut serve)
                .iter()
                .any(|(_, incoming)| matches!(incoming, Incoming::Message(Message::Fault(_))))
        );
    }
}

#[test]
fn an_open_file_keeps_no_link() {
    let mut serve = asked(&[requests()[3].clone()]);
    serve.feed(&frame(0, &Message::Finish)).unwrap();
    assert!(!serve.is_finished());
    serve.opened(1, stat());
    serve.at_rest(1);
    said(&mut serve);
    assert!(serve.is_finished());
}
