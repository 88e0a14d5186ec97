//! Which job is next, and a loop that a broken wire leaves with jobs.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use std::fs::File;
use std::io::Write;

use convoke_proto::file::{Durability, Get, NewFile, Ownership};
use convoke_proto::hello::{Capabilities, Hello, LinkId, Liveness, PROTOCOL};
use convoke_proto::message::{Credit, Message};
use convoke_proto::operation::{Operate, Operation};
use rustix::pipe::{PipeFlags, pipe_with};

use super::*;
use crate::drive::Wire;
use crate::drive::tasks::FAREWELL;
use crate::guard;
use crate::signals::Signals;

#[test]
fn short_jobs_do_not_wait_behind_long_ones() {
    let read = || {
        Job::Read(Get {
            path: "/".into(),
            offset: 0,
            limit: None,
        })
    };
    let identify = Job::Identify {
        user: None,
        group: None,
    };
    let mut board = Board {
        jobs: (0..8).map(|channel| (channel, read())).collect(),
        long: 0,
        reports: Vec::new(),
        helm: Helm::Taken,
        watch: Watch::Nobody,
        lent: 0,
        threads: 0,
        idle: 0,
    };
    for channel in 0..MAX_LONG as u32 {
        assert!(matches!(board.next_job(), Some((of, _)) if of == channel));
    }
    assert!(board.next_job().is_none(), "every thread waits for a disk");
    board.jobs.push_back((9, identify));
    assert!(matches!(board.next_job(), Some((9, Job::Identify { .. }))));
    board.long -= 1;
    assert!(matches!(board.next_job(), Some((6, _))));
}

fn send(wire: &mut File, channel: u32, message: &Message) {
    let mut bytes = Vec::new();
    message.encode(channel, &mut bytes).unwrap();
    wire.write_all(&bytes).unwrap();
}

fn hello() -> Message {
    Message::Hello(Hello {
        protocol: PROTOCOL,
        capabilities: Capabilities::default(),
        platform: "test".into(),
        link: LinkId([1; 16]),
        liveness: Liveness::default(),
    })
}

#[test]
fn what_a_broken_wire_takes_back_is_not_slept_over() {
    let (input, theirs) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
    let (answers, output) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
    let mut theirs = File::from(theirs);
    let (_guard, end) = guard::connect().unwrap();
    let wire = Wire::over(input, output);
    let mut worker = Box::new(Worker::new(wire, Signals::none().unwrap(), end).unwrap());
    let crew = Arc::clone(&worker.crew);
    let place = tempfile::tempdir().unwrap();

    // A file that is being made, and answers that are about to be sent.
    send(&mut theirs, 0, &hello());
    let file = NewFile {
        path: place.path().join("new").to_str().unwrap().into(),
        inside: None,
        mode: None,
        ownership: Ownership::default(),
        durability: Durability::Unsynced,
    };
    send(&mut theirs, 1, &Message::Put(file));
    worker.turn(false);
    let (channel, begin) = crew.board().jobs.pop_front().unwrap();
    worker.take_report(channel, begin.run(&crew.verbs, &crew.files));
    let operations = vec![Operation::Home { user: None }];
    send(&mut theirs, 2, &Message::Operate(Operate { operations }));
    let bytes = 1000;
    send(
        &mut theirs,
        2,
        &Message::Credit(Credit { stream: 1, bytes }),
    );
    worker.turn(true);

    drop(answers);
    let began = Instant::now();
    crew.lead(worker);
    assert!(crew.board().is_over());
    assert!(began.elapsed() < FAREWELL / 2, "it slept instead");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}
