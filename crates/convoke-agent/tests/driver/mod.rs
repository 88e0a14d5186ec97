//! A small blocking controller that speaks to the real agent, and a check that nothing is left behind.
#![allow(dead_code, unreachable_pub)] // Every test binary uses its own part.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use convoke_proto::codec::{Decoder, Incoming};
use convoke_proto::command::{Limits, Start};
use convoke_proto::credit::MAX_WINDOW;
use convoke_proto::exit::{Exit, NotStarted};
use convoke_proto::frame::{Header, LINK_CHANNEL, Tag};
use convoke_proto::hello::{Capabilities, Hello, LinkId, Liveness, PROTOCOL};
use convoke_proto::message::{Credit, Message, Stream};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub mod ask;
pub mod frozen;
pub mod held;
pub mod host;
pub mod tree;
pub mod user;

/// Longer than anything takes on a busy machine; a test that waits for this has failed.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// How many rounds a test of chance runs: few by default, many with `CONVOKE_TEST_FULL=1`.
pub fn rounds(few: usize, many: usize) -> usize {
    match std::env::var_os("CONVOKE_TEST_FULL") {
        Some(value) if value == "1" => many,
        _ => few,
    }
}

/// The controller's end of a link to an agent.
pub struct Agent {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    stderr: Option<ChildStderr>,
    decoder: Decoder,
    early: Vec<(u32, Incoming)>,
    next_channel: u32,
    pub link: LinkId,
    pub worker: i32,
}

/// Everything that arrived on a channel.
#[derive(Debug, Default)]
pub struct Finished {
    pub pid: u32,
    pub streams: BTreeMap<u8, Vec<u8>>,
    pub ended: Vec<u8>,
    pub refused: Vec<u8>,
    pub end: Option<End>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Exit(Exit),
    NotStarted(NotStarted),
    Other(Message),
}

impl Finished {
    pub fn exit(&self) -> &Exit {
        match &self.end {
            Some(End::Exit(exit)) => exit,
            other => panic!("no exit but {other:?}"),
        }
    }

    pub fn not_started(&self) -> &NotStarted {
        match &self.end {
            Some(End::NotStarted(why)) => why,
            other => panic!("started: {other:?}"),
        }
    }

    pub fn text(&self, stream: u8) -> String {
        String::from_utf8_lossy(self.streams.get(&stream).map_or(&[][..], Vec::as_slice))
            .into_owned()
    }

    pub fn stdout(&self) -> String {
        self.text(1)
    }
}

/// The agent's binary with a plain environment.
pub fn agent_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convoke-agent"));
    command
        .env_clear()
        .env("HOME", "/")
        .env("SHELL", "/bin/sh")
        .env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command
}

/// A start request for a line of `sh`.
pub fn sh(line: &str) -> Start {
    Start::new(["/bin/sh", "-c", line])
}

/// Limits that only say how long a TERM may take.
pub fn grace(grace_ms: u32) -> Limits {
    Limits {
        grace_ms,
        ..Limits::default()
    }
}

impl Agent {
    pub fn start() -> Self {
        Self::run(agent_command())
    }

    /// Starts an agent by `command` and exchanges hellos.
    pub fn run(command: Command) -> Self {
        let mut agent = Self::silent(command);
        agent.greet();
        agent.worker = host::children_of(agent.guard())
            .first()
            .copied()
            .unwrap_or(0);
        agent
    }

    /// Starts an agent and says nothing.
    pub fn silent(mut command: Command) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mut link = [0; 16];
        link[..4].copy_from_slice(&std::process::id().to_be_bytes());
        link[4..8].copy_from_slice(&COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let time = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        link[8..].copy_from_slice(&(time.as_nanos() as u64).to_be_bytes());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        Agent {
            input: child.stdin.take(),
            output: child.stdout.take().unwrap(),
            stderr: child.stderr.take(),
            child,
            decoder: Decoder::new(),
            early: Vec::new(),
            next_channel: 1,
            link: LinkId(link),
            worker: 0,
        }
    }

    pub fn greet(&mut self) {
        self.send(LINK_CHANNEL, &Message::Hello(self.hello()));
        match self.next() {
            Some((LINK_CHANNEL, Incoming::Message(Message::Hello(hello)))) => {
                assert_eq!((hello.protocol, hello.link), (PROTOCOL, self.link));
                assert!(hello.platform.ends_with("-linux"));
            }
            other => panic!("no hello but {other:?}"),
        }
    }

    pub fn hello(&self) -> Hello {
        Hello {
            protocol: PROTOCOL,
            capabilities: Capabilities::default(),
            platform: "test".into(),
            link: self.link,
            liveness: Liveness::default(),
        }
    }

    /// The process that was started: the guard.
    pub fn guard(&self) -> i32 {
        self.child.id() as i32
    }

    pub fn send(&mut self, channel: u32, message: &Message) {
        let mut bytes = Vec::new();
        message.encode(channel, &mut bytes).unwrap();
        self.send_bytes(&bytes);
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    pub fn data(&mut self, channel: u32, stream: u8, body: &[u8]) {
        let header = Header {
            length: body.len(),
            channel,
            tag: Tag::data(stream),
        };
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend_from_slice(body);
        self.send_bytes(&bytes);
    }

    pub fn credit(&mut self, channel: u32, stream: u8, bytes: usize) {
        let bytes = bytes as u32;
        self.send(channel, &Message::Credit(Credit { stream, bytes }));
    }

    pub fn eof(&mut self, channel: u32, stream: u8) {
        self.send(channel, &Message::Eof(Stream { stream }));
    }

    /// Sends a start request without credit; returns its channel.
    pub fn request(&mut self, start: Start) -> u32 {
        let channel = self.next_channel;
        self.next_channel += 1;
        self.send(channel, &Message::Start(start));
        channel
    }

    /// Sends a start request with credit for all its streams; returns its channel.
    pub fn start_step(&mut self, start: Start) -> u32 {
        use convoke_proto::command::Direction;
        let extra: Vec<_> = start
            .extra
            .iter()
            .filter(|s| s.direction == Direction::Out)
            .map(|s| s.number)
            .collect();
        let channel = self.request(start);
        for stream in [1, 2].into_iter().chain(extra) {
            self.credit(channel, stream, MAX_WINDOW);
        }
        channel
    }

    /// Sends any request without credit; returns its channel.
    pub fn ask(&mut self, message: &Message) -> u32 {
        let channel = self.next_channel;
        self.next_channel += 1;
        self.send(channel, message);
        channel
    }

    /// The next frame; `None` at the end of the link.
    pub fn next(&mut self) -> Option<(u32, Incoming)> {
        if !self.early.is_empty() {
            return Some(self.early.remove(0));
        }
        self.next_fresh()
    }

    fn next_fresh(&mut self) -> Option<(u32, Incoming)> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(frame) = self.decoder.next().unwrap() {
                return Some(frame);
            }
            wait_readable(&self.output, deadline);
            let mut chunk = [0; 64 * 1024];
            match self.output.read(&mut chunk).unwrap() {
                0 => return None,
                count => self.decoder.feed(&chunk[..count]),
            }
        }
    }

    /// The next frame of `channel`; those of others are kept.
    pub fn next_of(&mut self, channel: u32) -> Incoming {
        if let Some(at) = self.early.iter().position(|(of, _)| *of == channel) {
            return self.early.remove(at).1;
        }
        loop {
            match self.next_fresh() {
                // The agent is out of credit, as its driver knows.
                Some((_, Incoming::Data { body, .. })) if body.is_empty() => {}
                Some((of, incoming)) if of == channel => return incoming,
                Some(other) => self.early.push(other),
                None => panic!("the link ended: {}", self.diagnostics()),
            }
        }
    }

    /// Everything up to the end of `channel`, with new credit for what arrives.
    pub fn finish(&mut self, channel: u32) -> Finished {
        self.finish_with(channel, Finished::default())
    }

    /// The same, after some of it was read.
    pub fn finish_with(&mut self, channel: u32, mut finished: Finished) -> Finished {
        while finished.end.is_none() {
            self.step(channel, &mut finished);
        }
        finished
    }

    /// Reads exactly `count` bytes of stdout and grants no credit for them.
    pub fn read_bytes(&mut self, channel: u32, finished: &mut Finished, count: usize) {
        let mut left = count;
        while left > 0 {
            match self.next_of(channel) {
                Incoming::Data { stream: 1, body } => {
                    left -= body.len();
                    finished
                        .streams
                        .entry(1)
                        .or_default()
                        .extend_from_slice(&body);
                }
                Incoming::Message(Message::Eof(Stream { stream })) => finished.ended.push(stream),
                other => panic!("no data but {other:?}"),
            }
        }
    }

    /// Reads until `stream` of `channel` has brought `text`.
    pub fn read_until(&mut self, channel: u32, stream: u8, text: &str) -> Finished {
        let mut finished = Finished::default();
        while !finished.text(stream).contains(text) {
            self.step(channel, &mut finished);
            assert!(finished.end.is_none(), "ended: {finished:?}");
        }
        finished
    }

    /// Takes one frame of `channel`.
    pub fn step(&mut self, channel: u32, finished: &mut Finished) {
        match self.next_of(channel) {
            Incoming::Data { stream, body } => {
                assert!(
                    !finished.ended.contains(&stream),
                    "data after the end of a stream"
                );
                finished
                    .streams
                    .entry(stream)
                    .or_default()
                    .extend_from_slice(&body);
                self.credit(channel, stream, body.len());
            }
            Incoming::Message(Message::Started(started)) => finished.pid = started.pid,
            Incoming::Message(Message::Eof(Stream { stream })) => finished.ended.push(stream),
            Incoming::Message(Message::Closed(Stream { stream })) => finished.refused.push(stream),
            Incoming::Message(Message::Credit(_)) => {}
            Incoming::Message(Message::Exit(exit)) => {
                let mut ended = finished.ended.clone();
                ended.sort_unstable();
                assert!(
                    ended.starts_with(&[1, 2]),
                    "an exit before the end of its streams: {ended:?}"
                );
                finished.end = Some(End::Exit(exit));
            }
            Incoming::Message(Message::NotStarted(why)) => {
                finished.end = Some(End::NotStarted(why))
            }
            Incoming::Message(other) => finished.end = Some(End::Other(other)),
            Incoming::Unknown(tag) => panic!("unknown {tag:?}"),
        }
    }

    /// Starts and finishes a step.
    pub fn step_of(&mut self, start: Start) -> Finished {
        let channel = self.start_step(start);
        self.finish(channel)
    }

    /// Closes the controller's end without waiting.
    pub fn hang_up(&mut self) {
        self.input = None;
    }

    /// Reads nothing any more; the agent's next write finds the link closed.
    pub fn stop_reading(&mut self) {
        let nothing = std::fs::File::open("/dev/null").unwrap();
        self.output = std::os::fd::OwnedFd::from(nothing).into();
    }

    /// Whether the agent has closed its end.
    pub fn is_hung_up(&mut self) -> bool {
        while let Some(frame) = self.next_fresh() {
            self.early.push(frame);
        }
        true
    }

    /// What the agent wrote to stderr, once it has ended.
    pub fn diagnostics(&mut self) -> String {
        let mut text = Vec::new();
        if let Some(mut stderr) = self.stderr.take() {
            let _ = stderr.read_to_end(&mut text);
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Waits for the end of both processes after the link was closed.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the agent does not end");
            std::thread::yield_now();
        }
    }

    /// Ends the link in good order and checks that nothing of it is left.
    pub fn close(mut self) {
        if self.worker != 0 {
            self.assert_no_descriptors_are_left();
        }
        self.hang_up();
        self.wait();
        host::assert_no_process_of(self.link);
    }

    /// The worker at rest holds: the standard three, the wire, signals, the guard's two
    /// pipes, the bell of its threads, and four in reserve.
    fn assert_no_descriptors_are_left(&self) {
        host::eventually("the worker lets go of its descriptors", || {
            let count =
                std::fs::read_dir(format!("/proc/{}/fd", self.worker)).map_or(0, Iterator::count);
            count <= 13
        });
    }

    /// Sends KILL to one of the two processes.
    pub fn kill_worker(&self) {
        host::kill(self.worker, rustix::process::Signal::KILL);
    }

    pub fn kill_guard(&self) {
        host::kill(self.guard(), rustix::process::Signal::KILL);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn wait_readable(fd: impl AsFd, deadline: Instant) {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).unwrap();
    let ready = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)).unwrap();
    assert!(ready > 0, "nothing arrives");
}
