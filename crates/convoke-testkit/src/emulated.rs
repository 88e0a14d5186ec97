//! A host whose agent's protocol half is the real one, and whose processes are functions.

pub(crate) mod bootstrap;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use convoke_agent::serve::{Effect, Inbound, Serve};
use convoke_proto::command::{Start, Stdin};
use convoke_proto::exit::{Cause, Exit, Killed, NotStarted, Stage, Status};
use convoke_proto::frame::MAX_DATA;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

/// The platform of every host that is emulated.
pub const PLATFORM: &str = "x86_64-linux";

/// How much output waits for the pipe before no more is taken from the processes.
const MUCH: usize = 256 * 1024;

/// How much is read at once, in bytes: there may be ten thousand links.
const PIECE: usize = 8 * 1024;

/// What the kernel says of a program that does not exist.
const ENOENT: i32 = 2;

/// Emulates processes: what a start request leads to.
#[derive(Clone)]
pub struct Emulated(Arc<Program>);

type Program = dyn Fn(&Start) -> Doing + Send + Sync;

/// What an emulated process does.
#[derive(Clone)]
pub enum Doing {
    /// It says this and ends, without a look at its input.
    Says(Said),
    /// It reads its input to the end, and says what the function makes of it.
    Reads(Arc<Reading>),
    /// It copies its input to its output as it comes.
    Copies,
    /// It says nothing for so long, and ends.
    Sleeps(Duration),
    /// There is no such program.
    IsMissing,
}

/// What a process makes of its request and its whole input.
pub type Reading = dyn Fn(&Start, &[u8]) -> Said + Send + Sync;

/// What an emulated process says before it ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// On stdout.
    pub stdout: Vec<u8>,
    /// On stderr.
    pub stderr: Vec<u8>,
    /// Its exit code.
    pub code: u8,
}

/// Who is told what is asked of an emulated host.
pub(crate) trait Witness: Sync {
    fn start(&self, _request: &Start) {}
    fn kill(&self) {}
    fn stdin(&self, _bytes: &[u8]) {}
}

/// Nobody is told.
impl Witness for () {}

impl fmt::Debug for Emulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulated").finish_non_exhaustive()
    }
}

impl fmt::Debug for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doing::Says(_) => "Says",
            Doing::Reads(_) => "Reads",
            Doing::Copies => "Copies",
            Doing::Sleeps(_) => "Sleeps",
            Doing::IsMissing => "IsMissing",
        })
    }
}

impl Emulated {
    /// Every process is `program`, given its start request and its whole stdin.
    pub fn new(program: impl Fn(&Start, &[u8]) -> Said + Send + Sync + 'static) -> Self {
        let reading: Arc<Reading> = Arc::new(program);
        Emulated::with(move |_| Doing::Reads(Arc::clone(&reading)))
    }

    /// What a process does depends on its start request.
    pub fn with(program: impl Fn(&Start) -> Doing + Send + Sync + 'static) -> Self {
        Emulated(Arc::new(program))
    }
}

/// One link, and its processes by channel.
struct Host<'a> {
    serve: Serve,
    processes: BTreeMap<u32, Process>,
    emulated: &'a Emulated,
    witness: &'a dyn Witness,
}

struct Process {
    request: Start,
    doing: Doing,
    stdin: Vec<u8>,
    /// What is left to be said, by stream.
    rest: [(u8, Bytes); 2],
    code: u8,
    phase: Phase,
    /// Which output nobody wants any more.
    unwanted: Vec<u8>,
    began: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Runs,
    /// It has nothing left to do but to say the rest.
    Ended,
    Killed,
}

/// Serves one connection until the end of its input, or of its work if the controller says when.
///
/// `room` is what is set aside for what waits to be sent, in bytes.
///
/// # Panics
/// When the controller breaks the protocol: a bug that a test must see.
pub(crate) async fn serve(
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
    emulated: &Emulated,
    witness: &dyn Witness,
    room: usize,
) -> io::Result<()> {
    let mut host = Host {
        serve: Serve::with_room(PLATFORM, room),
        processes: BTreeMap::new(),
        emulated,
        witness,
    };
    let mut buffer = vec![0; PIECE];
    loop {
        host.work();
        if host.serve.is_finished() {
            return writer.flush().await;
        }
        let wakes = host.wakes();
        tokio::select! {
            () = until(wakes) => {}
            read = reader.read(&mut buffer) => match read? {
                0 => return Ok(()),
                bytes => host.serve.feed(&buffer[..bytes]).unwrap(),
            },
            wrote = writer.write(host.serve.outgoing()), if !host.serve.outgoing().is_empty() => {
                let bytes = wrote?;
                host.serve.sent(bytes);
            }
        }
    }
}

impl Host<'_> {
    /// Does what can be done without waiting.
    fn work(&mut self) {
        while let Some(effect) = self.serve.next_effect() {
            self.take(effect);
        }
        let serve = &mut self.serve;
        let witness = self.witness;
        self.processes.retain(|channel, process| {
            process.step(serve, *channel, witness);
            !process.end(serve, *channel)
        });
    }

    /// When the next process that sleeps wakes up.
    fn wakes(&self) -> Option<Instant> {
        self.processes.values().filter_map(Process::wakes).min()
    }

    fn take(&mut self, effect: Effect) {
        match effect {
            Effect::Start { channel, request } => self.start(channel, *request),
            Effect::Kill { channel } => {
                self.witness.kill();
                if let Some(process) = self.processes.get_mut(&channel) {
                    process.phase = Phase::Killed;
                    process.rest = [(1, Bytes::new()), (2, Bytes::new())];
                }
            }
            Effect::Discard { channel, stream } => {
                if let Some(process) = self.processes.get_mut(&channel) {
                    process.unwanted.push(stream);
                }
            }
            Effect::Close(violation) => panic!("{violation}"),
            _ => {}
        }
    }

    fn start(&mut self, channel: u32, request: Start) {
        self.witness.start(&request);
        let doing = (self.emulated.0)(&request);
        if let Doing::IsMissing = doing {
            let tried = request.argv.into_iter().take(1).collect();
            let (stage, errno) = (Stage::Exec, ENOENT);
            return self.serve.not_started(
                channel,
                NotStarted {
                    stage,
                    errno,
                    tried,
                },
            );
        }
        self.serve.started(channel, 1000 + channel);
        let process = Process {
            request,
            doing,
            stdin: Vec::new(),
            rest: [(1, Bytes::new()), (2, Bytes::new())],
            code: 0,
            phase: Phase::Runs,
            unwanted: Vec::new(),
            began: Instant::now(),
        };
        self.processes.insert(channel, process);
    }
}

/// Never without a time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl Process {
    fn wakes(&self) -> Option<Instant> {
        match self.doing {
            Doing::Sleeps(time) => Some(self.began + time),
            _ => None,
        }
    }

    /// Lets it read, end and write as far as it can.
    fn step(&mut self, serve: &mut Serve, channel: u32, witness: &dyn Witness) {
        if self.phase == Phase::Runs {
            self.run(serve, channel, witness);
        }
        for (stream, rest) in &mut self.rest {
            if self.unwanted.contains(stream) {
                rest.clear();
            }
            while !rest.is_empty() && serve.outgoing().len() < MUCH {
                match send(serve, channel, *stream, rest) {
                    0 => break,
                    length => rest.advance(length),
                }
            }
        }
    }

    fn run(&mut self, serve: &mut Serve, channel: u32, witness: &dyn Witness) {
        match &self.doing {
            Doing::Says(said) => self.say(said.clone()),
            Doing::Reads(reading) => {
                let reading = Arc::clone(reading);
                if self.request.stdin == Stdin::Null || self.read(serve, channel) {
                    witness.stdin(&self.stdin);
                    self.say(reading(&self.request, &self.stdin));
                }
            }
            Doing::Copies => {
                let ended = match self.unwanted.contains(&1) {
                    true => self.read(serve, channel),
                    false => copy(serve, channel),
                };
                self.stdin.clear();
                if ended {
                    self.phase = Phase::Ended;
                }
            }
            Doing::Sleeps(_) if self.wakes() <= Some(Instant::now()) => self.phase = Phase::Ended,
            Doing::Sleeps(_) | Doing::IsMissing => {}
        }
    }

    fn say(&mut self, said: Said) {
        self.rest = [(1, said.stdout.into()), (2, said.stderr.into())];
        self.code = said.code;
        self.phase = Phase::Ended;
    }

    /// Takes what waits on stdin; whether it has ended.
    fn read(&mut self, serve: &mut Serve, channel: u32) -> bool {
        loop {
            let length = match serve.inbound(channel, 0) {
                Inbound::Bytes(bytes) => {
                    self.stdin.extend_from_slice(bytes);
                    bytes.len()
                }
                Inbound::Nothing => return false,
                Inbound::Ended => return true,
            };
            serve.consumed(channel, 0, length);
        }
    }

    /// Reports its end when it has said everything; whether it has.
    fn end(&self, serve: &mut Serve, channel: u32) -> bool {
        let has_more = self.rest.iter().any(|(_, rest)| !rest.is_empty());
        if self.phase == Phase::Runs || has_more {
            return false;
        }
        serve.end_output(channel, 1);
        serve.end_output(channel, 2);
        let (status, cause) = match self.phase {
            Phase::Killed => (Status::Signal(15), Cause::Request(Killed::Term)),
            _ => (Status::Code(self.code), Cause::Itself),
        };
        serve.exited(
            channel,
            Exit {
                status,
                cause,
                left_running: 0,
                cut_streams: Vec::new(),
                survivors: Vec::new(),
            },
        );
        true
    }
}

/// Sends of `bytes` what credit allows; how many they were.
fn send(serve: &mut Serve, channel: u32, stream: u8, bytes: &[u8]) -> usize {
    let put = serve.send(channel, stream, |room| {
        let length = room.len().min(bytes.len());
        room[..length].copy_from_slice(&bytes[..length]);
        Ok::<_, io::Error>(length)
    });
    put.unwrap_or(0)
}

/// Copies stdin to stdout as far as credit allows; whether stdin has ended.
fn copy(serve: &mut Serve, channel: u32) -> bool {
    loop {
        let room = serve.credit(channel, 1).min(MAX_DATA);
        let piece = match serve.inbound(channel, 0) {
            Inbound::Bytes(_) if room == 0 || serve.outgoing().len() >= MUCH => return false,
            Inbound::Bytes(bytes) => bytes[..bytes.len().min(room)].to_vec(),
            Inbound::Nothing => return false,
            Inbound::Ended => return true,
        };
        let sent = send(serve, channel, 1, &piece);
        serve.consumed(channel, 0, sent);
    }
}
