//! What the agent does over one link: empty requests, short commands, and a flood of lines.
//!
//! Prints rates, and beside the short commands the bare spawn loop of the same process.
#![allow(clippy::unwrap_used)]

mod controller;

use std::ffi::CString;
use std::process::Command;
use std::time::Instant;

use controller::Link;
use convoke_agent::spawn::{Directory, Program, Spawner};
use convoke_proto::codec::Incoming;
use convoke_proto::command::Start;
use convoke_proto::frame::{HEADER_LEN, Header, Tag};
use convoke_proto::message::{Credit, Message};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{WaitOptions, waitpid};

const NOOPS: u32 = 200_000;
const SEQUENTIAL: u32 = 20_000;
const TRUES: u32 = 50;
const LINES: &str =
    "yes 'a line of a log, neither short nor long, as they are' | head -c 200000000";

fn main() {
    let mut link = Link::open();
    println!(
        "{:34} {:>10}",
        "resident memory of the idle worker",
        link.resident()
    );
    println!(
        "{:34} {:10.0} /s",
        "empty requests, one by one",
        link.sequential()
    );
    println!(
        "{:34} {:10.0} /s",
        "empty requests, pipelined",
        link.pipelined()
    );
    compare("true, bare spawn loop and link", "/s", 40, bare, || {
        link.trues()
    });
    compare("200 MB, cat and cat, and link", "MB/s", 7, cats, || {
        link.lines()
    });
    let before = link.processor_time();
    link.lines();
    let used = link.processor_time() - before;
    println!("{:34} {:8.0} ms", "processor time of 200 MB", used * 1e3);
    println!(
        "{:34} {:>10}",
        "resident memory of the worker",
        link.resident()
    );
}

/// Runs two ways in turn, so that whatever else the machine does meets both; prints the medians and
/// the best of each, and how the second stands to the first.
fn compare(
    name: &str,
    unit: &str,
    rounds: usize,
    mut one: impl FnMut() -> f64,
    mut other: impl FnMut() -> f64,
) {
    let mut rates: (Vec<f64>, Vec<f64>) = (0..rounds).map(|_| (one(), other())).unzip();
    rates.0.sort_by(f64::total_cmp);
    rates.1.sort_by(f64::total_cmp);
    for (word, at) in [("median", rounds / 2), ("best", rounds - 1)] {
        let (one, other) = (rates.0[at], rates.1[at]);
        println!(
            "{name:34} {one:8.0} {other:8.0} {unit}  {:.2} {word}",
            other / one
        );
    }
}

impl Link {
    fn sequential(&mut self) -> f64 {
        let start = Instant::now();
        for _ in 0..SEQUENTIAL {
            self.noop();
        }
        f64::from(SEQUENTIAL) / start.elapsed().as_secs_f64()
    }

    fn pipelined(&mut self) -> f64 {
        const BATCH: u32 = 1_000;
        let start = Instant::now();
        for _ in 0..NOOPS / BATCH {
            let first = self.channel + 1;
            self.channel += BATCH;
            let batch: Vec<_> = (first..=self.channel)
                .map(|channel| (channel, Message::Noop))
                .collect();
            self.send(&batch);
            (0..BATCH).for_each(|_| drop(self.next()));
        }
        f64::from(NOOPS) / start.elapsed().as_secs_f64()
    }

    fn start(&mut self, start: Start) {
        self.channel += 1;
        let bytes = 4 << 20;
        let credit = |stream| Message::Credit(Credit { stream, bytes });
        let channel = self.channel;
        self.send(&[
            (channel, Message::Start(start)),
            (channel, credit(1)),
            (channel, credit(2)),
        ]);
    }

    fn trues(&mut self) -> f64 {
        let start = Instant::now();
        for _ in 0..TRUES {
            self.start(Start::new(["/bin/true"]));
            while !matches!(self.next(), Incoming::Message(Message::Exit(_))) {}
        }
        f64::from(TRUES) / start.elapsed().as_secs_f64()
    }

    fn lines(&mut self) -> f64 {
        let start = Instant::now();
        self.start(Start::new(["/bin/sh", "-c", LINES]));
        let (mut total, mut owed) = (0, 0);
        let mut skimmer = Skimmer::default();
        while !skimmer.saw_exit {
            let data = skimmer.skim(self.read());
            total += data;
            owed += data;
            if owed >= 1 << 20 {
                self.credit(1, owed);
                owed = 0;
            }
        }
        assert_eq!(total, 200_000_000);
        200.0 / start.elapsed().as_secs_f64()
    }

    /// The seconds of processor time that the worker has used.
    fn processor_time(&self) -> f64 {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.worker())).unwrap();
        text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
    }

    /// What `/proc` says of the worker's memory.
    fn resident(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.worker())).unwrap();
        let line = |name| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        format!("{}, at most {}", line("VmRSS:"), line("VmHWM:"))
    }
}

/// Counts the bytes of data frames without copying them, so that the agent is what is measured.
#[derive(Default)]
struct Skimmer {
    header: Vec<u8>,
    body: usize,
    is_data: bool,
    saw_exit: bool,
}

impl Skimmer {
    fn skim(&mut self, mut bytes: &[u8]) -> usize {
        let mut data = 0;
        while !bytes.is_empty() {
            let count = match self.body {
                0 => 1,
                body => body.min(bytes.len()),
            };
            let (now, later) = bytes.split_at(count);
            bytes = later;
            if self.body > 0 {
                self.body -= count;
                data += if self.is_data { count } else { 0 };
                continue;
            }
            self.header.extend_from_slice(now);
            if let Some(header) = self.header.first_chunk::<HEADER_LEN>() {
                let header = Header::parse(header).unwrap();
                self.body = header.length;
                self.is_data = header.tag.stream().is_some();
                self.saw_exit |= header.tag == Tag::EXIT;
                self.header.clear();
            }
        }
        data
    }
}

/// The same spawn, in a loop of its own.
fn bare() -> f64 {
    let mut spawner = Spawner::new();
    let text = |s: &str| CString::new(s).unwrap();
    let start = Instant::now();
    for _ in 0..TRUES {
        let (out, out_in) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (err, err_in) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let (input_out, input) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let program = Program {
            name: text("/bin/true"),
            argv: vec![text("/bin/true")],
            env: vec![text("PATH=/bin:/usr/bin")],
            credentials: None,
            directory: Directory::Given(text("/")),
            umask: None,
            files: vec![(input_out, 0), (out_in, 1), (err_in, 2)],
            dies_with_us: false,
        };
        let pid = spawner.spawn(&program).unwrap();
        waitpid(Some(pid), WaitOptions::empty()).unwrap();
        drop((out, err, input));
    }
    f64::from(TRUES) / start.elapsed().as_secs_f64()
}

fn cats() -> f64 {
    let start = Instant::now();
    let line = format!("{LINES} | cat | cat >/dev/null");
    Command::new("/bin/sh")
        .args(["-c", &line])
        .status()
        .unwrap();
    200.0 / start.elapsed().as_secs_f64()
}
