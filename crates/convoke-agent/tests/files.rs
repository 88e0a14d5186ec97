//! Files over a link to the real agent.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod driver;

use std::fs;
use std::path::Path;

use convoke_proto::codec::Incoming;
use convoke_proto::credit::MAX_WINDOW;
use convoke_proto::file::{Access, Get};
use convoke_proto::message::{Message, Stream};
use convoke_proto::operation::{Answer, Failure, Field, Operation, Reason, Record};
use driver::ask::{
    accepted, answers, download, failed, get, names, new_file, open, operate, path, pattern, upload,
};
use driver::{Agent, End, Finished, rounds};

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
