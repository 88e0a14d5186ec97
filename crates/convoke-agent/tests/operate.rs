//! Operations over a link to the real agent.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod driver;

use std::fs;

use convoke_proto::codec::Incoming;
use convoke_proto::credit::MAX_WINDOW;
use convoke_proto::fault::FaultKind;
use convoke_proto::file::{Digest, Follow, Ownership};
use convoke_proto::message::{Message, Token};
use convoke_proto::operation::{Answer, Failure, Operate, Operation, Reason, Record};
use driver::ask::{answers, names, operate, path, records, stat};
use driver::{Agent, End, Finished};

#[test]
fn operations_are_answered_in_order_whatever_fails() {
    let mut agent = Agent::start();
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("new");
    let make = Operation::MakeDirectory {
        path: path(&directory),
        mode: None,
        ownership: Ownership::default(),
        parents: convoke_proto::operation::Parents::Exist,
    };
    let operations = vec![
        stat("/"),
        make.clone(),
        make,
        stat(path(&directory)),
        stat("/no/such"),
        Operation::Environment {
            user: None,
            cwd: None,
        },
    ];
    let channel = operate(&mut agent, operations);
    let answers = answers(&mut agent, channel);
    assert!(
        matches!(
            answers.as_slice(),
            [
                Record::Last(Answer::Stat(Some(_))),
                Record::Last(Answer::Done),
                Record::Failed(Failure {
                    reason: Reason::Errno(libc::EEXIST),
                    ..
                }),
                Record::Last(Answer::Stat(Some(_))),
                Record::Last(Answer::Stat(None)),
                Record::Last(Answer::Environment(_)),
            ]
        ),
        "{answers:?}"
    );
    agent.close();
}

#[test]
fn an_empty_list_of_operations_is_refused() {
    let mut agent = Agent::start();
    let channel = agent.ask(&Message::Operate(Operate { operations: vec![] }));
    match agent.next_of(channel) {
        Incoming::Message(Message::Fault(fault)) => assert_eq!(fault.kind, FaultKind::Invalid),
        other => panic!("{other:?}"),
    }
    agent.close();
}

#[test]
fn a_long_list_is_answered_as_credit_comes_and_held_back_without() {
    let mut agent = Agent::start();
    const COUNT: usize = 16_000;
    let operations = vec![stat("/"); COUNT];
    let channel = agent.ask(&Message::Operate(Operate { operations }));
    agent.credit(channel, 1, 100);
    let mut finished = Finished::default();
    agent.read_bytes(channel, &mut finished, 100);
    // The agent is free for others meanwhile, and holds no more than it has to.
    let other = operate(&mut agent, vec![stat("/")]);
    assert_eq!(answers(&mut agent, other).len(), 1);
    agent.credit(channel, 1, MAX_WINDOW);
    let finished = agent.finish_with(channel, finished);
    let bytes = finished.streams.get(&1).unwrap();
    assert_eq!(records(bytes).len(), COUNT);
    agent.close();
}

#[test]
fn parked_lists_hold_nobody_up() {
    let mut agent = Agent::start();
    let place = tempfile::tempdir().unwrap();
    for number in 0..1_500 {
        fs::write(place.path().join(format!("{number:0200}")), "").unwrap();
    }
    let list = Operation::List {
        path: path(place.path()),
    };
    let parked: Vec<u32> = (0..10)
        .map(|_| {
            let operations = vec![list.clone(), stat("/")];
            agent.ask(&Message::Operate(Operate { operations }))
        })
        .collect();
    let other = operate(&mut agent, vec![list, stat("/")]);
    let free = answers(&mut agent, other);
    assert!(matches!(
        free.as_slice(),
        [Record::Part(_), .., Record::Last(_)]
    ));
    for channel in parked {
        agent.credit(channel, 1, MAX_WINDOW);
        assert_eq!(answers(&mut agent, channel), free);
    }
    agent.close();
}

#[test]
fn operations_that_have_not_begun_are_cancelled() {
    let mut agent = Agent::start();
    let place = tempfile::tempdir().unwrap();
    let touch = |number: usize| Operation::Touch {
        path: path(&place.path().join(format!("{number:05}"))),
        time: None,
        mode: None,
        ownership: Ownership::default(),
    };
    let operations = (0..16_000).map(touch).collect();
    let channel = agent.ask(&Message::Operate(Operate { operations }));
    agent.send(channel, &Message::Kill);
    let finished = agent.finish(channel);
    assert_eq!(finished.end, Some(End::Other(Message::Done)));
    let count = names(place.path()).len();
    assert!(count < 16_000, "all were done");
    let other = operate(&mut agent, vec![stat("/")]);
    answers(&mut agent, other);
    assert_eq!(names(place.path()).len(), count, "some were done later");
    agent.close();
}

#[test]
fn the_loop_goes_on_while_an_operation_takes_long() {
    let mut agent = Agent::start();
    let place = tempfile::tempdir().unwrap();
    let large = place.path().join("large");
    fs::File::create(&large).unwrap().set_len(64 << 20).unwrap();
    let digest = Operation::Stat {
        path: path(&large),
        follow: Follow::Yes,
        digests: vec![Digest::Sha512],
    };
    // More than there are threads.
    let slow: Vec<u32> = (0..12)
        .map(|_| operate(&mut agent, vec![digest.clone()]))
        .collect();
    for token in 0..20 {
        agent.send(0, &Message::Ping(Token(token)));
        let answer = agent.next_of(0);
        assert_eq!(answer, Incoming::Message(Message::Pong(Token(token))));
    }
    assert_eq!(agent.step_of(driver::sh("echo out")).stdout(), "out\n");
    let mut digests: Vec<_> = slow
        .into_iter()
        .flat_map(|channel| answers(&mut agent, channel))
        .collect();
    assert_eq!(digests.len(), 12);
    digests.dedup();
    assert_eq!(digests.len(), 1);
    agent.close();
}
