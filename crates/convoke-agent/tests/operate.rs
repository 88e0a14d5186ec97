//! Operations and files over a link to the real agent.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod driver;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bstr::BString;
use convoke_proto::codec::Incoming;
use convoke_proto::credit::MAX_WINDOW;
use convoke_proto::fault::FaultKind;
use convoke_proto::file::{
    Access, Creation, Digest, Durability, Follow, Get, NewFile, Open, Ownership, Stat,
};
use convoke_proto::frame::MAX_DATA;
use convoke_proto::message::{Message, Stream, Token};
use convoke_proto::operation::{
    Answer, Failure, Field, Operate, Operation, Reason, Record, Records,
};
use driver::host::{self, eventually};
use driver::{Agent, End, Finished, rounds};

fn path(path: &Path) -> BString {
    path.as_os_str().as_bytes().into()
}

fn stat(of: impl Into<BString>) -> Operation {
    Operation::Stat {
        path: of.into(),
        follow: Follow::Yes,
        digests: Vec::new(),
    }
}

fn new_file(at: &Path) -> NewFile {
    NewFile {
        path: path(at),
        inside: None,
        mode: None,
        ownership: Ownership::default(),
        durability: Durability::Unsynced,
    }
}

fn get(of: &Path) -> Message {
    Message::Get(Get {
        path: path(of),
        offset: 0,
        limit: None,
    })
}

fn open(of: &Path, access: Access) -> Message {
    Message::Open(Open {
        path: path(of),
        access,
        creation: Creation::Never,
        mode: None,
        ownership: Ownership::default(),
    })
}

/// Asks for operations with credit for their answers.
fn operate(agent: &mut Agent, operations: Vec<Operation>) -> u32 {
    let channel = agent.ask(&Message::Operate(Operate { operations }));
    agent.credit(channel, 1, MAX_WINDOW);
    channel
}

fn records(bytes: &[u8]) -> Vec<Record> {
    let mut splitter = Records::default();
    splitter.feed(bytes);
    let records = std::iter::from_fn(|| splitter.next().unwrap()).collect();
    assert!(splitter.is_empty());
    records
}

fn answers(agent: &mut Agent, channel: u32) -> Vec<Record> {
    let finished = agent.finish(channel);
    assert_eq!(finished.end, Some(End::Other(Message::Done)));
    records(finished.streams.get(&1).map_or(&[][..], Vec::as_slice))
}

/// What stands in a directory, by name.
fn names(of: &Path) -> Vec<String> {
    let entries = fs::read_dir(of).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// Waits until a file that is asked for has begun; returns its credit.
fn accepted(agent: &mut Agent, channel: u32) -> usize {
    match agent.next_of(channel) {
        Incoming::Message(Message::Credit(credit)) => credit.bytes as usize,
        other => panic!("no credit but {other:?}"),
    }
}

/// Sends all of a file as credit comes; returns its last message.
fn upload(agent: &mut Agent, file: NewFile, content: &[u8]) -> Message {
    let channel = agent.ask(&Message::Put(file));
    let (mut credit, mut rest) = (0, content);
    while !rest.is_empty() {
        while credit == 0 {
            match agent.next_of(channel) {
                Incoming::Message(Message::Credit(more)) => credit += more.bytes as usize,
                Incoming::Message(last) => return last,
                other => panic!("{other:?}"),
            }
        }
        let (now, later) = rest.split_at(rest.len().min(credit).min(MAX_DATA));
        agent.data(channel, 0, now);
        credit -= now.len();
        rest = later;
    }
    agent.eof(channel, 0);
    loop {
        match agent.next_of(channel) {
            Incoming::Message(Message::Credit(_)) => {}
            Incoming::Message(last) => return last,
            other => panic!("{other:?}"),
        }
    }
}

/// The content of a file, and what the host said of it.
fn download(agent: &mut Agent, of: &Path) -> (Vec<u8>, Box<Stat>) {
    let channel = agent.ask(&get(of));
    agent.credit(channel, 1, MAX_WINDOW);
    let Incoming::Message(Message::Opened(stat)) = agent.next_of(channel) else {
        panic!("not opened");
    };
    let mut finished = agent.finish(channel);
    assert_eq!(finished.end, Some(End::Other(Message::Done)));
    assert_eq!(finished.ended, [1]);
    (finished.streams.remove(&1).unwrap_or_default(), stat)
}

fn failed(agent: &mut Agent, channel: u32) -> Failure {
    loop {
        match agent.next_of(channel) {
            Incoming::Message(Message::Failed(failure)) => return failure,
            Incoming::Message(Message::Credit(_)) | Incoming::Data { .. } => {}
            other => panic!("no failure but {other:?}"),
        }
    }
}

/// Some bytes that do not repeat soon.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

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
        Operation::Environment,
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

#[test]
fn a_file_goes_there_and_back() {
    let mut agent = Agent::start();
    let place = tempfile::tempdir().unwrap();
    for (number, length) in [0, 1, 32 * 1024, 3_000_001].into_iter().enumerate() {
        let file = place.path().join(number.to_string());
        let content = pattern(length);
        match upload(&mut agent, new_file(&file), &content) {
            Message::Stored(stored) => {
                assert_eq!((stored.size, stored.replaced), (length as u64, false))
            }
            other => panic!("{other:?}"),
        }
        assert!(fs::read(&file).unwrap() == content);
        let (back, stat) = download(&mut agent, &file);
        assert!(back == content);
        assert_eq!(stat.size, length as u64);
    }
    assert_eq!(names(place.path()), ["0", "1", "2", "3"]);
    agent.close();
}

#[test]
fn a_part_of_a_file_is_read() {
    let mut agent = Agent::start();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, pattern(300_000)).unwrap();
    let channel = agent.ask(&Message::Get(Get {
        path: path(&file),
        offset: 100_000,
        limit: Some(150_000),
    }));
    agent.credit(channel, 1, MAX_WINDOW);
    agent.next_of(channel);
    let finished = agent.finish(channel);
    assert!(finished.streams[&1] == pattern(300_000)[100_000..250_000]);
    agent.close();
}

#[test]
fn what_cannot_be_had_or_made_fails_at_once() {
    let mut agent = Agent::start();
    let place = tempfile::tempdir().unwrap();
    let missing = place.path().join("missing/file");
    for request in [
        get(&missing),
        open(&missing, Access::Read),
        Message::Put(new_file(&missing)),
    ] {
        let channel = agent.ask(&request);
        let failure = failed(&mut agent, channel);
        assert_eq!(failure.reason, Reason::Errno(libc::ENOENT));
    }
    let channel = agent.ask(&get(place.path()));
    assert_eq!(
        failed(&mut agent, channel).reason,
        Reason::Errno(libc::EISDIR)
    );
    agent.close();
}

#[test]
fn a_file_that_is_not_finished_leaves_nothing() {
    let mut agent = Agent::start();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "old").unwrap();
    let channel = agent.ask(&Message::Put(new_file(&file)));
    let credit = accepted(&mut agent, channel);
    agent.data(channel, 0, &pattern(credit / 2));
    agent.send(channel, &Message::Kill);
    assert_eq!(failed(&mut agent, channel).reason, Reason::Cancelled);
    assert_eq!(names(place.path()), ["file"]);
    assert_eq!(fs::read(&file).unwrap(), b"old");
    agent.close();
}

#[test]
fn a_lost_link_leaves_no_half_written_file() {
    let place = tempfile::tempdir().unwrap();
    for round in 0..rounds(5, 100) {
        let mut agent = Agent::start();
        for number in 0..20 {
            let file = place.path().join(format!("file{number}"));
            let channel = agent.ask(&Message::Put(new_file(&file)));
            if number % 2 == 0 {
                let credit = accepted(&mut agent, channel);
                agent.data(channel, 0, &pattern(credit.min(round * 1000)));
            }
        }
        agent.hang_up();
        agent.wait();
        assert_eq!(names(place.path()), [""; 0]);
    }
}

#[test]
fn a_file_that_goes_is_cut() {
    let mut agent = Agent::start();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, pattern(1_000_000)).unwrap();
    let channel = agent.ask(&get(&file));
    agent.credit(channel, 1, 10_000);
    agent.next_of(channel);
    agent.read_bytes(channel, &mut Finished::default(), 10_000);
    agent.send(channel, &Message::Kill);
    assert_eq!(failed(&mut agent, channel).reason, Reason::Cancelled);
    // Who wants no more of the stream, but does not end the request, gets its end in good order.
    let channel = agent.ask(&get(&file));
    agent.credit(channel, 1, 10_000);
    agent.next_of(channel);
    agent.read_bytes(channel, &mut Finished::default(), 10_000);
    agent.send(channel, &Message::Closed(Stream { stream: 1 }));
    let finished = agent.finish(channel);
    assert_eq!(finished.end, Some(End::Other(Message::Done)));
    agent.close();
}

#[test]
fn an_open_file_is_used_by_its_number_until_it_is_closed() {
    let mut agent = Agent::start();
    let place = tempfile::tempdir().unwrap();
    let name = place.path().join("file");
    fs::write(&name, "0123456789").unwrap();
    let file = agent.ask(&open(&name, Access::ReadWrite));
    assert!(matches!(
        agent.next_of(file),
        Incoming::Message(Message::Opened(stat)) if stat.size == 10
    ));
    let write = Operation::WriteAt {
        file,
        offset: Some(8),
        content: "XYZ".into(),
    };
    let read = Operation::ReadAt {
        file,
        offset: 6,
        limit: 100,
    };
    let channel = operate(&mut agent, vec![write, read.clone()]);
    assert_eq!(
        answers(&mut agent, channel),
        [
            Record::Last(Answer::Position(11)),
            Record::Last(Answer::Content("67XYZ".into()))
        ]
    );
    agent.send(file, &Message::Kill);
    assert_eq!(agent.finish(file).end, Some(End::Other(Message::Done)));
    let channel = operate(&mut agent, vec![read]);
    assert!(matches!(
        answers(&mut agent, channel).as_slice(),
        [Record::Failed(Failure {
            field: Field::File,
            ..
        })]
    ));
    agent.close();
}

#[test]
fn an_open_file_keeps_no_link_from_its_end() {
    let mut agent = Agent::start();
    let file = agent.ask(&open(Path::new("/etc/passwd"), Access::Read));
    assert!(matches!(
        agent.next_of(file),
        Incoming::Message(Message::Opened(_))
    ));
    agent.send(0, &Message::Finish);
    assert!(agent.is_hung_up());
    assert!(agent.wait().success());
}

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
            let finished = agent.finish(*channel);
            assert!(matches!(
                finished.end,
                Some(End::Other(Message::Done | Message::Failed(_)))
            ));
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
