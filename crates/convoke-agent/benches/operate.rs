//! What an operation costs beside an empty request, and what files cost, over one link in the same run.
#![allow(clippy::unwrap_used)]

mod controller;

use std::time::{Duration, Instant};

use controller::Link;
use convoke_proto::codec::Incoming;
use convoke_proto::credit::MAX_WINDOW;
use convoke_proto::file::{Durability, Follow, Get, NewFile, Ownership};
use convoke_proto::frame::{Header, MAX_DATA, Tag};
use convoke_proto::message::{Credit, Message, Stream};
use convoke_proto::operation::{Operate, Operation};

const SEQUENTIAL: u32 = 5_000;
const ROUNDS: usize = 7;
const BATCH: usize = 5_000;
const FILE: usize = 256 * 1024 * 1024;

fn main() {
    let mut link = Link::open();
    let mut all: [Vec<f64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        let noop = rate(SEQUENTIAL, || link.noop());
        let stat = rate(SEQUENTIAL, || link.stats(1));
        all[0].push(noop);
        all[1].push(stat);
        all[2].push(stat / noop);
    }
    let [noop, stat, share] = all.map(median);
    println!("{:34} {noop:10.0} /s", "empty requests, one by one");
    println!("{:34} {stat:10.0} /s", "stats, one by one");
    println!("{:34} {share:10.2}", "their share");
    let batch = (0..ROUNDS).map(|_| rate(1, || link.stats(BATCH)) * BATCH as f64);
    println!(
        "{:34} {:10.0} /s",
        "stats, 5,000 in one request",
        median(batch.collect())
    );
    let place = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = place
        .path()
        .join("file")
        .into_os_string()
        .into_encoded_bytes();
    let megabytes = FILE as f64 / 1e6;
    let put = (0..ROUNDS).map(|_| rate(1, || link.put(&path)) * megabytes);
    println!(
        "{:34} {:10.0} MB/s",
        "put 256 MiB into memory",
        median(put.collect())
    );
    let get = (0..ROUNDS).map(|_| rate(1, || link.get(&path)) * megabytes);
    println!(
        "{:34} {:10.0} MB/s",
        "get 256 MiB from memory",
        median(get.collect())
    );
    link.rest();
}

fn rate(count: u32, mut one: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..count).for_each(|_| one());
    f64::from(count) / start.elapsed().as_secs_f64()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

impl Link {
    /// Asks with credit for all that can come.
    fn ask(&mut self, message: Message) {
        self.channel += 1;
        let credit = Credit {
            stream: 1,
            bytes: MAX_WINDOW as u32,
        };
        self.send(&[
            (self.channel, message),
            (self.channel, Message::Credit(credit)),
        ]);
    }

    fn stats(&mut self, count: usize) {
        let stat = Operation::Stat {
            path: "/etc/passwd".into(),
            follow: Follow::Yes,
            digests: Vec::new(),
        };
        self.ask(Message::Operate(Operate {
            operations: vec![stat; count],
        }));
        let mut bytes = 0;
        loop {
            match self.next() {
                Incoming::Data { body, .. } => bytes += body.len(),
                Incoming::Message(Message::Done) => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(bytes > 40 * count, "{bytes} bytes for {count} stats");
    }

    fn put(&mut self, path: &[u8]) {
        self.channel += 1;
        let channel = self.channel;
        let file = NewFile {
            path: path.into(),
            inside: None,
            mode: None,
            ownership: Ownership::default(),
            durability: Durability::Unsynced,
        };
        self.send(&[(channel, Message::Put(file))]);
        let header = |length| Header {
            length,
            channel,
            tag: Tag::data(0),
        };
        let body = vec![7; MAX_DATA];
        let (mut left, mut credit) = (FILE, 0);
        while left > 0 {
            while credit == 0 {
                match self.next() {
                    Incoming::Message(Message::Credit(more)) => credit += more.bytes as usize,
                    other => panic!("{other:?}"),
                }
            }
            let count = left.min(credit).min(MAX_DATA);
            self.write(&header(count).to_bytes());
            self.write(&body[..count]);
            left -= count;
            credit -= count;
        }
        self.send(&[(channel, Message::Eof(Stream { stream: 0 }))]);
        loop {
            match self.next() {
                Incoming::Message(Message::Credit(_)) => {}
                Incoming::Message(Message::Stored(stored)) => {
                    assert_eq!(stored.size, FILE as u64);
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn get(&mut self, path: &[u8]) {
        self.ask(Message::Get(Get {
            path: path.into(),
            offset: 0,
            limit: None,
        }));
        let (mut total, mut owed) = (0, 0);
        loop {
            match self.next() {
                Incoming::Data { body, .. } => {
                    total += body.len();
                    owed += body.len();
                }
                Incoming::Message(Message::Done) => break,
                Incoming::Message(Message::Opened(_) | Message::Eof(_)) => {}
                other => panic!("{other:?}"),
            }
            if owed >= MAX_WINDOW / 2 {
                self.credit(1, owed);
                owed = 0;
            }
        }
        assert_eq!(total, FILE);
    }

    /// Prints how often the threads of the agent woke in a second without a request.
    fn rest(&mut self) {
        std::thread::sleep(Duration::from_millis(200));
        let before = self.switches();
        std::thread::sleep(Duration::from_secs(1));
        println!(
            "{:34} {:10}",
            "wake-ups in a second at rest",
            self.switches() - before
        );
    }

    fn switches(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.worker())).unwrap();
        let of_task = |task: std::fs::DirEntry| {
            let status = std::fs::read_to_string(task.path().join("status")).unwrap();
            let lines = status.lines().filter(|line| line.contains("ctxt_switches"));
            let counts =
                lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
            counts.sum::<u64>()
        };
        tasks.flatten().map(of_task).sum()
    }
}
