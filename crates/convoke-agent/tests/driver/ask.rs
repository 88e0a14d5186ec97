//! Requests besides processes, and what comes back.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bstr::BString;
use convoke_proto::codec::Incoming;
use convoke_proto::credit::MAX_WINDOW;
use convoke_proto::file::{
    Access, Creation, Durability, Follow, Get, NewFile, Open, Ownership, Stat,
};
use convoke_proto::frame::MAX_DATA;
use convoke_proto::message::Message;
use convoke_proto::operation::{Failure, Operate, Operation, Record, Records};

use super::{Agent, End};

/// A path as it goes over the wire.
pub fn path(path: &Path) -> BString {
    path.as_os_str().as_bytes().into()
}

/// What is true of a path.
pub fn stat(of: impl Into<BString>) -> Operation {
    Operation::Stat {
        path: of.into(),
        follow: Follow::Yes,
        digests: Vec::new(),
    }
}

/// A new file, not synced.
pub fn new_file(at: &Path) -> NewFile {
    NewFile {
        path: path(at),
        inside: None,
        mode: None,
        ownership: Ownership::default(),
        durability: Durability::Unsynced,
    }
}

/// The request for a whole file.
pub fn get(of: &Path) -> Message {
    Message::Get(Get {
        path: path(of),
        offset: 0,
        limit: None,
    })
}

/// The request for a file that is there.
pub fn open(of: &Path, access: Access) -> Message {
    Message::Open(Open {
        path: path(of),
        access,
        creation: Creation::Never,
        mode: None,
        ownership: Ownership::default(),
    })
}

/// Asks for operations with credit for their answers.
pub fn operate(agent: &mut Agent, operations: Vec<Operation>) -> u32 {
    let channel = agent.ask(&Message::Operate(Operate { operations }));
    agent.credit(channel, 1, MAX_WINDOW);
    channel
}

/// The records of answers.
pub fn records(bytes: &[u8]) -> Vec<Record> {
    let mut splitter = Records::default();
    splitter.feed(bytes);
    let records = std::iter::from_fn(|| splitter.next().unwrap()).collect();
    assert!(splitter.is_empty());
    records
}

/// All answers of a list.
pub fn answers(agent: &mut Agent, channel: u32) -> Vec<Record> {
    let finished = agent.finish(channel);
    assert_eq!(finished.end, Some(End::Other(Message::Done)));
    records(finished.streams.get(&1).map_or(&[][..], Vec::as_slice))
}

/// What stands in a directory, by name.
pub fn names(of: &Path) -> Vec<String> {
    let entries = fs::read_dir(of).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// Waits until a file that is asked for has begun; returns its credit.
pub fn accepted(agent: &mut Agent, channel: u32) -> usize {
    match agent.next_of(channel) {
        Incoming::Message(Message::Credit(credit)) => credit.bytes as usize,
        other => panic!("no credit but {other:?}"),
    }
}

/// Sends all of a file as credit comes; returns its last message.
pub fn upload(agent: &mut Agent, file: NewFile, content: &[u8]) -> Message {
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
pub fn download(agent: &mut Agent, of: &Path) -> (Vec<u8>, Box<Stat>) {
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

/// Why a request failed.
pub fn failed(agent: &mut Agent, channel: u32) -> Failure {
    loop {
        match agent.next_of(channel) {
            Incoming::Message(Message::Failed(failure)) => return failure,
            Incoming::Message(Message::Credit(_)) | Incoming::Data { .. } => {}
            other => panic!("no failure but {other:?}"),
        }
    }
}

/// Some bytes that do not repeat soon.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}
