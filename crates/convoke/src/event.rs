//! Something that happened on a host.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bstr::BString;
use bytes::Bytes;
use convoke_proto::operation::{Answer, Failure};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tokio::sync::mpsc;

use crate::answer;
use crate::hex::hex;
use crate::lossless;
use crate::outcome::{Outcome, milliseconds};

/// The number of the JSON form of an event; raised when a consumer has to change.
pub const SCHEMA: u32 = 1;

/// Something that happened on a host.
///
/// Of one host, events arrive in the order of their `seq`, which counts from 0 without gaps; the
/// last of each step is [`Kind::Ended`]. Serialised, an event is one JSON object: `schema`, `run`,
/// `host`, `step`, `seq`, `at` (RFC 3339, UTC), `kind` (a word) and `data` (by kind).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The run it belongs to.
    pub run: RunId,
    /// The host's name, as in its expression.
    pub host: Arc<str>,
    /// The step.
    pub step: Step,
    /// Its number among the events of this host in this run.
    pub seq: u64,
    /// When the controller saw it.
    pub at: SystemTime,
    /// What happened.
    pub kind: Kind,
}

/// The name of a run: 16 random hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RunId(Arc<str>);

/// The number of a step with its path, such as `2.1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step(Arc<str>);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// An attempt to reach the host begins.
    Connecting {
        /// Which one, from 1.
        attempt: u32,
    },
    /// The host answers: an agent runs there.
    Connected(Connected),
    /// The command was started.
    Started {
        /// Its process number on the host.
        pid: u32,
    },
    /// A piece of output, in the order of its stream; pieces are not lines.
    Output {
        /// Which stream.
        stream: Stream,
        /// The bytes, at most 64 KiB.
        data: Bytes,
    },
    /// How far the files of the step are. Says again all that an earlier one said, so that one may be missed.
    Progress(Progress),
    /// A file is where it shall be.
    Moved(Moved),
    /// The host answers one of the operations that it was asked for, in their order.
    Answer {
        /// Which one, from 0.
        operation: usize,
        /// The path or the name that it was about, as it was asked for.
        subject: Option<BString>,
        /// What it answers, or why it cannot.
        reply: Result<Answer, Failure>,
    },
    /// Something the connection itself said: a banner, a warning of ssh. Not the command's output.
    Notice {
        /// The text, as it came.
        text: Bytes,
    },
    /// The step is over; its last event.
    Ended(Outcome),
}

/// How far the files of a step are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How many bytes have moved.
    pub bytes: u64,
    /// How many there are, when that is known. A file may turn out to hold more or less.
    pub total: Option<u64>,
}

/// A file is where it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The file on the host.
    pub path: BString,
    /// The file on this machine, if it is one.
    pub here: Option<PathBuf>,
    /// How many bytes it holds.
    pub bytes: u64,
    /// Whether it took the place of another one on the host; absent when it came from there.
    pub replaced: Option<bool>,
}

/// A host answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// The connector that opened it, which need not be the one its endpoint names.
    pub connector: &'static str,
    /// Whether the agent had to be sent.
    pub agent: AgentOrigin,
    /// The host's platform, such as `x86_64-linux`.
    pub platform: String,
    /// How long it took from the begin of the attempt that reached the host to its agent's hello.
    pub took: Duration,
}

/// Where the agent came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentOrigin {
    /// The host had it.
    Cached,
    /// It was sent over this connection.
    Sent,
}

/// The two output streams of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Sends the events of one host in one step, numbered and stamped. Clones share the numbering.
#[derive(Debug, Clone)]
pub struct Emitter {
    run: RunId,
    host: Arc<str>,
    step: Step,
    seq: Arc<AtomicU64>,
    queue: mpsc::Sender<Event>,
}

impl Emitter {
    /// An emitter into `queue`, whose first event has the number 0.
    pub fn new(run: RunId, host: Arc<str>, step: Step, queue: mpsc::Sender<Event>) -> Self {
        Emitter {
            run,
            host,
            step,
            seq: Arc::default(),
            queue,
        }
    }

    /// Waits for room in the queue and sends an event. When nobody listens any more it is dropped:
    /// whoever stopped listening also cancels the run.
    pub async fn send(&mut self, kind: Kind) {
        let Ok(place) = self.queue.reserve().await else {
            return;
        };
        place.send(self.event(kind));
    }

    /// Sends an event if there is room in the queue; else it is dropped, and nothing waits.
    pub(crate) fn offer(&mut self, kind: Kind) {
        if let Ok(place) = self.queue.try_reserve() {
            place.send(self.event(kind));
        }
    }

    fn event(&self, kind: Kind) -> Event {
        Event {
            run: self.run.clone(),
            host: Arc::clone(&self.host),
            step: self.step.clone(),
            seq: self.seq.fetch_add(1, Ordering::Relaxed),
            at: SystemTime::now(),
            kind,
        }
    }
}

impl RunId {
    /// A new name from eight random bytes.
    pub fn new(random: [u8; 8]) -> Self {
        RunId(hex(&random).into())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Step {
    /// The first and only step of a run with one step.
    pub fn first() -> Self {
        Step("1".into())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Kind {
    /// The kind's word in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Kind::Connecting { .. } => "connecting",
            Kind::Connected(_) => "connected",
            Kind::Started { .. } => "started",
            Kind::Output {
                stream: Stream::Stdout,
                ..
            } => "stdout",
            Kind::Output {
                stream: Stream::Stderr,
                ..
            } => "stderr",
            Kind::Progress(_) => "progress",
            Kind::Moved(_) => "moved",
            Kind::Answer { .. } => "answer",
            Kind::Notice { .. } => "notice",
            Kind::Ended(_) => "ended",
        }
    }
}

impl AgentOrigin {
    /// The origin's word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            AgentOrigin::Cached => "cached",
            AgentOrigin::Sent => "sent",
        }
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = humantime::format_rfc3339_micros(self.at).to_string();
        let mut map = serializer.serialize_map(Some(8))?;
        map.serialize_entry("schema", &SCHEMA)?;
        map.serialize_entry("run", &*self.run.0)?;
        map.serialize_entry("host", &*self.host)?;
        map.serialize_entry("step", &*self.step.0)?;
        map.serialize_entry("seq", &self.seq)?;
        map.serialize_entry("at", &at)?;
        map.serialize_entry("kind", self.kind.word())?;
        map.serialize_entry("data", &Data(&self.kind))?;
        map.end()
    }
}

/// The `data` of an event's JSON form.
struct Data<'a>(&'a Kind);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Kind::Ended(outcome) = self.0 {
            return outcome.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            Kind::Connecting { attempt } => map.serialize_entry("attempt", attempt)?,
            Kind::Connected(connected) => {
                map.serialize_entry("connector", connected.connector)?;
                map.serialize_entry("agent", connected.agent.as_str())?;
                map.serialize_entry("platform", &connected.platform)?;
                map.serialize_entry("took_ms", &milliseconds(connected.took))?;
            }
            Kind::Started { pid } => map.serialize_entry("pid", pid)?,
            Kind::Output { data, .. } => lossless::whole(&mut map, data)?,
            Kind::Progress(progress) => {
                map.serialize_entry("bytes", &progress.bytes)?;
                map.serialize_entry("total", &progress.total)?;
            }
            Kind::Moved(moved) => {
                let here = moved.here.as_ref();
                let here = here.map(|path| path.as_os_str().as_encoded_bytes());
                lossless::field(&mut map, "path", &moved.path)?;
                lossless::optional(&mut map, "here", here)?;
                map.serialize_entry("bytes", &moved.bytes)?;
                map.serialize_entry("replaced", &moved.replaced)?;
            }
            Kind::Answer {
                operation,
                subject,
                reply,
            } => {
                map.serialize_entry("operation", operation)?;
                let subject = subject.as_ref().map(|subject| subject.as_slice());
                lossless::optional(&mut map, "subject", subject)?;
                answer::entries(reply, &mut map)?;
            }
            Kind::Notice { text } => lossless::whole(&mut map, text)?,
            Kind::Ended(_) => {}
        }
        map.end()
    }
}
