//! A host whose agent's protocol half is the real one, and whose processes are functions.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use convoke_agent::serve::{Effect, Inbound, Serve};
use convoke_proto::command::{Start, Stdin};
use convoke_proto::exit::{Cause, Exit, Killed, Status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::{Log, PLATFORM};

/// How much output waits for the pipe before no more is taken from the processes.
const MUCH: usize = 256 * 1024;

/// Emulates processes: what a start request leads to. A process without stdin ends at once; one with
/// stdin ends at the end of its input, and is given it.
#[derive(Clone)]
pub struct Emulated(Arc<Program>);

/// A process as a function: what it is asked and reads, and what it says.
type Program = dyn Fn(&Start, &[u8]) -> Said + Send + Sync;

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

impl fmt::Debug for Emulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulated").finish_non_exhaustive()
    }
}

impl Emulated {
    /// Every process is `program`, given its start request and its whole stdin.
    pub fn new(program: impl Fn(&Start, &[u8]) -> Said + Send + Sync + 'static) -> Self {
        Emulated(Arc::new(program))
    }
}

struct Process {
    request: Start,
    stdin: Vec<u8>,
    /// What is left to be said, by stream, once it has ended.
    rest: Option<[(u8, Bytes); 2]>,
    code: u8,
    was_killed: bool,
}

/// Serves one connection until the end of its input.
pub(super) async fn serve(
    reader: &mut DuplexStream,
    writer: &mut DuplexStream,
    host: &Emulated,
    log: &Log,
) -> io::Result<()> {
    let mut serve = Serve::new(PLATFORM);
    let mut processes: BTreeMap<u32, Process> = BTreeMap::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while let Some(effect) = serve.next_effect() {
            take(&mut serve, &mut processes, effect, log);
        }
        for (channel, process) in &mut processes {
            step(&mut serve, *channel, process, host, log);
        }
        processes.retain(|channel, process| !end(&mut serve, *channel, process));
        tokio::select! {
            read = reader.read(&mut buffer) => match read? {
                0 => return Ok(()),
                // A controller that breaks the protocol is a bug that a test must see.
                bytes => serve.feed(&buffer[..bytes]).unwrap(),
            },
            wrote = writer.write(serve.outgoing()), if !serve.outgoing().is_empty() => {
                let bytes = wrote?;
                serve.sent(bytes);
            }
        }
    }
}

fn take(serve: &mut Serve, processes: &mut BTreeMap<u32, Process>, effect: Effect, log: &Log) {
    match effect {
        Effect::Start { channel, request } => {
            log.note(|record| record.starts.push((*request).clone()));
            serve.started(channel, 1000 + channel);
            let process = Process {
                request: *request,
                stdin: Vec::new(),
                rest: None,
                code: 0,
                was_killed: false,
            };
            processes.insert(channel, process);
        }
        Effect::Kill { channel } => {
            log.note(|record| record.kills += 1);
            if let Some(process) = processes.get_mut(&channel) {
                process.was_killed = true;
                process.rest = Some([(1, Bytes::new()), (2, Bytes::new())]);
            }
        }
        Effect::Close(violation) => panic!("{violation}"),
        _ => {}
    }
}

/// Lets a process read, end and write as far as it can.
fn step(serve: &mut Serve, channel: u32, process: &mut Process, host: &Emulated, log: &Log) {
    let ended = process.request.stdin == Stdin::Null || read(serve, channel, process);
    if ended && process.rest.is_none() {
        let said = (host.0)(&process.request, &process.stdin);
        log.note(|record| record.stdin.extend_from_slice(&process.stdin));
        process.code = said.code;
        process.rest = Some([(1, said.stdout.into()), (2, said.stderr.into())]);
    }
    for (stream, rest) in process.rest.iter_mut().flatten() {
        while !rest.is_empty() && serve.outgoing().len() < MUCH {
            let put = serve.send(channel, *stream, |room| {
                let length = room.len().min(rest.len());
                room[..length].copy_from_slice(&rest[..length]);
                Ok::<_, io::Error>(length)
            });
            match put {
                Ok(0) | Err(_) => break,
                Ok(length) => rest.advance(length),
            }
        }
    }
}

/// Takes what waits on stdin; whether it has ended.
fn read(serve: &mut Serve, channel: u32, process: &mut Process) -> bool {
    loop {
        let length = match serve.inbound(channel, 0) {
            Inbound::Bytes(bytes) => {
                process.stdin.extend_from_slice(bytes);
                bytes.len()
            }
            Inbound::Nothing => return false,
            Inbound::Ended => return true,
        };
        serve.consumed(channel, 0, length);
    }
}

/// Ends a process that has said everything; whether it did.
fn end(serve: &mut Serve, channel: u32, process: &Process) -> bool {
    let Some(rest) = &process.rest else {
        return false;
    };
    if rest.iter().any(|(_, rest)| !rest.is_empty()) {
        return false;
    }
    serve.end_output(channel, 1);
    serve.end_output(channel, 2);
    let (status, cause) = match process.was_killed {
        true => (Status::Signal(15), Cause::Request(Killed::Term)),
        false => (Status::Code(process.code), Cause::Itself),
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
