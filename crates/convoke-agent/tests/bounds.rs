//! Much at once, and nothing at all: what a link may take of its host.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod driver;

use std::fs;

use bstr::BString;
use convoke_proto::codec::Incoming;
use convoke_proto::credit::MAX_WINDOW;
use convoke_proto::fault::FaultKind;
use convoke_proto::file::{Access, Digest, Follow};
use convoke_proto::message::Message;
use convoke_proto::operation::{Operate, Operation, Reason};
use driver::ask::{answers, get, names, new_file, open, operate, path, pattern, stat};
use driver::host::{self, eventually};
use driver::{Agent, End, Finished, rounds};

#[test]
fn many_at_once_with_kills_and_a_lost_link_leave_nothing() {
    let place = tempfile::tempdir().unwrap();
    let large = place.path().join("large");
    fs::File::create(&large).unwrap().set_len(1 << 20).unwrap();
    for _ in 0..rounds(3, 50) {
        let mut agent = Agent::start();
        let mut channels = Vec::new();
        for number in 0..200 {
            let digest = Operation::Stat {
                path: path(&large),
                follow: Follow::Yes,
                digests: vec![Digest::Blake3],
            };
            let file = place.path().join(format!("new{number}"));
            channels.push(match number % 5 {
                0 => operate(&mut agent, vec![digest, stat("/")]),
                1 => operate(&mut agent, vec![stat("/"); 100]),
                2 => agent.ask(&get(&large)),
                3 => agent.ask(&Message::Put(new_file(&file))),
                _ => agent.ask(&open(&large, Access::Read)),
            });
        }
        for channel in channels.iter().step_by(3) {
            agent.send(*channel, &Message::Kill);
        }
        for channel in channels.iter().step_by(3) {
            let mut end = agent.finish(*channel).end;
            // It was open before it was to end.
            while let Some(End::Other(Message::Opened(_))) = end {
                end = agent.finish(*channel).end;
            }
            let is_over = matches!(end, Some(End::Other(Message::Done | Message::Failed(_))));
            assert!(is_over, "{end:?}");
        }
        agent.hang_up();
        agent.wait();
        assert_eq!(names(place.path()), ["large"]);
        driver::host::assert_no_process_of(agent.link);
    }
}

#[test]
fn requests_beyond_a_bound_are_refused() {
    let mut agent = Agent::start();
    let content: BString = vec![0; 2 << 20].into();
    let place = tempfile::tempdir().unwrap();
    // None of these is done, as an answer before it waits for credit.
    let operations = vec![stat("/"); 4_000];
    let channel = agent.ask(&Message::Operate(Operate { operations }));
    let mut refused = false;
    let write = |number: u32| Operation::WriteAt {
        file: number,
        offset: None,
        content: content.clone(),
    };
    let mut others = Vec::new();
    let filler = vec![stat("/"); 4_000];
    for number in 0..80 {
        let mut operations = filler.clone();
        operations.push(write(number));
        others.push(agent.ask(&Message::Operate(Operate { operations })));
    }
    for channel in others {
        agent.send(channel, &Message::Kill);
        refused |= matches!(
            agent.finish(channel).end,
            Some(End::Other(Message::Fault(fault))) if fault.kind == FaultKind::Invalid
        );
    }
    assert!(refused);
    agent.credit(channel, 1, MAX_WINDOW);
    assert_eq!(answers(&mut agent, channel).len(), 4_000);
    drop(place);
    agent.close();
}

#[test]
fn an_agent_at_rest_does_not_wake() {
    let mut agent = Agent::start();
    let channel = operate(&mut agent, vec![stat("/")]);
    answers(&mut agent, channel);
    let switches = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", agent.worker)).unwrap();
        let of_task = |task: fs::DirEntry| {
            let status = fs::read_to_string(task.path().join("status")).unwrap();
            let line = status
                .lines()
                .find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
            line.unwrap().trim().parse::<u64>().unwrap()
        };
        tasks.map(|task| of_task(task.unwrap())).sum::<u64>()
    };
    let (mut before, mut still) = (switches(), 0);
    eventually("the threads of the agent sleep", || {
        let now = switches();
        still = if now == before { still + 1 } else { 0 };
        before = now;
        // Two hundred looks, each with a pause.
        still > 200
    });
    agent.close();
}

#[test]
fn files_that_are_sent_take_little_memory() {
    let mut agent = Agent::start();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, pattern(1_000_000)).unwrap();
    // More than are sent at once, each with credit for a piece.
    let mut channels = Vec::new();
    for _ in 0..1500 {
        let channel = agent.ask(&get(&file));
        agent.credit(channel, 1, 128 * 1024);
        channels.push(channel);
    }
    let (mut sent, mut refused) = (Vec::new(), 0);
    for channel in channels {
        match agent.next_of(channel) {
            Incoming::Message(Message::Opened(_)) => sent.push(channel),
            Incoming::Message(Message::Failed(failure)) => {
                assert_eq!(failure.reason, Reason::Errno(libc::EMFILE));
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((sent.len(), refused), (1024, 476));
    for channel in &sent {
        agent.read_bytes(*channel, &mut Finished::default(), 128 * 1024);
    }
    let peak = host::peak_memory(agent.worker);
    assert!(peak < 32 * 1024, "{peak} KiB");
    // The end of one makes room for another.
    agent.send(sent[0], &Message::Kill);
    assert!(matches!(
        agent.next_of(sent[0]),
        Incoming::Message(Message::Failed(_))
    ));
    let another = agent.ask(&get(&file));
    assert!(matches!(
        agent.next_of(another),
        Incoming::Message(Message::Opened(_))
    ));
    agent.hang_up();
    agent.wait();
}
