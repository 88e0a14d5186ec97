//! What became of one step on one host.

use std::time::{Duration, SystemTime};

use bstr::BString;
use convoke_connect::error::ConnectErrorKind;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

pub use convoke_proto::exit::{Killed, Stage, Status, Survivor};
pub use convoke_proto::operation::{Failure, Field, Reason};

use crate::failure;

/// What became of one step on one host: every (host, step) ends in exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The command ran and ended by itself.
    Exited(Exited),
    /// The host was asked for nothing but an answer, and gave it.
    Checked(Checked),
    /// The host did all that it was asked for, and there was no process to exit.
    Done(Done),
    /// Something that was asked for, and was no process, could not be done.
    Failed(Failed),
    /// It could not be started.
    NotStarted(NotStarted),
    /// A limit was reached; its tree was killed, its output so far kept.
    TimedOut(TimedOut),
    /// There was no working link.
    Unreachable(Unreachable),
    /// The link died after the start and did not come back.
    Lost(Lost),
    /// The operator stopped it, pending or running, or a failure elsewhere stopped it running.
    Cancelled(Cancelled),
    /// It was never started.
    Skipped(Skipped),
    /// Our own task panicked; only this host is affected.
    Crashed {
        /// What the panic said.
        text: String,
    },
}

/// The command ran and ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exited {
    /// Its exit code or the signal that ended it.
    pub status: Status,
    /// How many processes of its tree live on.
    pub left_running: u32,
    /// Whether output of a leftover process was cut.
    pub stream_cut: bool,
    /// Leftovers that were to be killed and may not be signalled.
    pub survivors: Vec<Survivor>,
}

/// The host has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// How long the answer to one request took on the open link.
    pub round_trip: Duration,
}

/// The host did what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// How many bytes of files went there or came from there.
    pub bytes: u64,
}

/// Something could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The first thing that could not.
    pub cause: FailureCause,
    /// The next ones that could not; as many as can be read.
    pub also: Vec<FailureCause>,
    /// How many could not beside these.
    pub more: usize,
}

/// Who could not do what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureCause {
    /// The host.
    Host(Failure),
    /// This machine: a file to be sent could not be read, or one that came not be written.
    Here {
        /// The facts, in words, safe to print.
        text: String,
    },
}

/// The command could not be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotStarted {
    /// How far it came.
    pub stage: Stage,
    /// The host's error number.
    pub errno: i32,
    /// The directory, or the paths of the program, that were tried.
    pub tried: Vec<BString>,
    /// What was wrong with the request, in words, when nothing was tried because of it.
    pub why: Option<String>,
}

/// A limit was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedOut {
    /// Which limit.
    pub limit: Limit,
    /// What it took to end the tree.
    pub killed: Killed,
    /// Processes of the tree that may not be signalled.
    pub survivors: Vec<Survivor>,
}

/// The two limits of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// From start to end.
    Total,
    /// Without output.
    Idle,
}

/// There was no working link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreachable {
    /// What kind of failure it is.
    pub kind: UnreachableKind,
    /// The facts, in words, safe to print.
    pub text: String,
    /// What the user can do about it.
    pub hint: Option<String>,
}

/// Why there was no working link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum UnreachableKind {
    /// There was no connection.
    Connect(ConnectErrorKind),
    /// There was no answer in time: within the connect limit, or within that of the network.
    Timeout,
    /// The host's shell never answered the bootstrap.
    NoShell,
    /// There is no agent for the host's platform.
    NoAgent,
    /// The host has no directory where the agent may be put and run.
    NoPlace,
    /// The agent did not arrive whole.
    Upload,
    /// The agent did not answer, or with something else than a hello.
    Hello,
}

/// The link died after the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Why, in words, safe to print.
    pub text: String,
    /// What the command may still be doing.
    pub fate: Fate,
}

/// What is known about a command whose link died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The agent ends it: by this time at the latest it no longer runs.
    EndsBy(SystemTime),
    /// The agent's guard has ended it.
    Ended,
    /// Nothing is known.
    Unknown,
}

/// The operator stopped it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cancelled {
    /// Why.
    pub why: CancelCause,
    /// Whether it had been started.
    pub was_running: bool,
    /// Processes of its tree that may not be signalled.
    pub survivors: Vec<Survivor>,
}

/// Why a step was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CancelCause {
    /// The operator asked for it.
    #[default]
    Operator,
    /// Another host failed, and the run was to stop at the first failure.
    FailFast,
}

/// It was never started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Why.
    pub why: SkipCause,
}

/// Why a step was never started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkipCause {
    /// Too many hosts had failed.
    MaxFail,
    /// Another host failed, and the run was to stop at the first failure.
    FailFast,
}

impl Outcome {
    /// The outcome's word in reports: `exited`, `not_started`, …
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Exited(_) => "exited",
            Outcome::Checked(_) => "checked",
            Outcome::Done(_) => "done",
            Outcome::Failed(_) => "failed",
            Outcome::NotStarted(_) => "not_started",
            Outcome::TimedOut(_) => "timed_out",
            Outcome::Unreachable(_) => "unreachable",
            Outcome::Lost(_) => "lost",
            Outcome::Cancelled(_) => "cancelled",
            Outcome::Skipped(_) => "skipped",
            Outcome::Crashed { .. } => "crashed",
        }
    }

    /// The verdict beside the facts: it exited with 0, the host that was checked has answered, or all that was
    /// asked for is done.
    pub fn is_ok(&self) -> bool {
        match self {
            Outcome::Exited(exited) => exited.status == Status::Code(0),
            Outcome::Checked(_) | Outcome::Done(_) => true,
            _ => false,
        }
    }
}

impl UnreachableKind {
    /// The kind's word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            UnreachableKind::Connect(kind) => kind.as_str(),
            UnreachableKind::Timeout => "timeout",
            UnreachableKind::NoShell => "no_shell",
            UnreachableKind::NoAgent => "no_agent",
            UnreachableKind::NoPlace => "no_place",
            UnreachableKind::Upload => "upload",
            UnreachableKind::Hello => "hello",
        }
    }
}

impl Limit {
    /// The limit's word in reports: `total` or `idle`.
    pub fn as_str(self) -> &'static str {
        match self {
            Limit::Total => "total",
            Limit::Idle => "idle",
        }
    }
}

impl CancelCause {
    /// The cause's word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            CancelCause::Operator => "operator",
            CancelCause::FailFast => "fail_fast",
        }
    }
}

impl SkipCause {
    /// The cause's word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            SkipCause::MaxFail => "max_fail",
            SkipCause::FailFast => "fail_fast",
        }
    }
}

/// One flat object: the word under `outcome`, the verdict under `ok`, then the facts.
impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("outcome", self.word())?;
        map.serialize_entry("ok", &self.is_ok())?;
        match self {
            Outcome::Exited(exited) => exited.entries(&mut map)?,
            Outcome::Checked(checked) => {
                map.serialize_entry("round_trip_ms", &milliseconds(checked.round_trip))?;
            }
            Outcome::Done(done) => map.serialize_entry("bytes", &done.bytes)?,
            Outcome::Failed(failed) => failed.entries(&mut map)?,
            Outcome::NotStarted(start) => start.entries(&mut map)?,
            Outcome::TimedOut(timed_out) => {
                map.serialize_entry("limit", timed_out.limit.as_str())?;
                map.serialize_entry("killed_by", killed_by(timed_out.killed))?;
                survivors(&mut map, &timed_out.survivors)?;
            }
            Outcome::Unreachable(unreachable) => {
                map.serialize_entry("kind", unreachable.kind.as_str())?;
                map.serialize_entry("text", &unreachable.text)?;
                if let Some(hint) = &unreachable.hint {
                    map.serialize_entry("hint", hint)?;
                }
            }
            Outcome::Lost(lost) => {
                map.serialize_entry("text", &lost.text)?;
                map.serialize_entry("fate", lost.fate.as_str())?;
                map.serialize_entry("may_run_until", &lost.fate.time())?;
            }
            Outcome::Cancelled(cancelled) => {
                map.serialize_entry("why", cancelled.why.as_str())?;
                map.serialize_entry("was_running", &cancelled.was_running)?;
                survivors(&mut map, &cancelled.survivors)?;
            }
            Outcome::Skipped(skipped) => map.serialize_entry("why", skipped.why.as_str())?,
            Outcome::Crashed { text } => map.serialize_entry("text", text)?,
        }
        map.end()
    }
}

impl Exited {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let (code, signal) = match self.status {
            Status::Code(code) => (Some(code), None),
            Status::Signal(signal) => (None, Some(signal)),
        };
        map.serialize_entry("code", &code)?;
        map.serialize_entry("signal", &signal)?;
        map.serialize_entry("left_running", &self.left_running)?;
        map.serialize_entry("stream_cut", &self.stream_cut)?;
        survivors(map, &self.survivors)
    }
}

impl Failed {
    /// How many failures are kept beside the first one.
    const KEPT: usize = 9;

    /// One thing could not be done.
    pub fn new(cause: FailureCause) -> Self {
        Failed {
            cause,
            also: Vec::new(),
            more: 0,
        }
    }

    /// One more thing could not be done.
    pub fn add(&mut self, cause: FailureCause) {
        match self.also.len() < Self::KEPT {
            true => self.also.push(cause),
            false => self.more += 1,
        }
    }

    /// Takes note of one more thing that could not be done, or of the first.
    pub(crate) fn note(failed: &mut Option<Failed>, cause: FailureCause) {
        match failed {
            Some(failed) => failed.add(cause),
            None => *failed = Some(Failed::new(cause)),
        }
    }

    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.cause.entries(map)?;
        map.serialize_entry("also", &self.also)?;
        map.serialize_entry("more", &self.more)
    }
}

/// An object with the same fields that it has in an outcome.
impl Serialize for FailureCause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.entries(&mut map)?;
        map.end()
    }
}

impl FailureCause {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("where", self.place())?;
        if let FailureCause::Host(failure) = self {
            failure::entries(failure, map)?;
        }
        map.serialize_entry("text", &self.to_string())
    }

    /// Whose failure it is, in reports: `host` or `here`.
    pub fn place(&self) -> &'static str {
        match self {
            FailureCause::Host(_) => "host",
            FailureCause::Here { .. } => "here",
        }
    }
}

/// The facts, in words, safe to print: completes "failed to …: ".
impl std::fmt::Display for FailureCause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FailureCause::Host(failure) => f.write_str(&failure::words(failure)),
            FailureCause::Here { text } => f.write_str(text),
        }
    }
}

impl NotStarted {
    fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("stage", self.stage.as_str())?;
        map.serialize_entry("errno", &self.errno)?;
        let tried: Vec<String> = self.tried.iter().map(|path| path.to_string()).collect();
        map.serialize_entry("tried", &tried)?;
        map.serialize_entry("why", &self.why)
    }
}

impl Fate {
    /// The fate's word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Fate::EndsBy(_) => "ends_by",
            Fate::Ended => "ended",
            Fate::Unknown => "unknown",
        }
    }

    /// The time after which it no longer runs, as RFC 3339, when that is known.
    fn time(self) -> Option<String> {
        match self {
            Fate::EndsBy(time) => Some(humantime::format_rfc3339_seconds(time).to_string()),
            Fate::Ended | Fate::Unknown => None,
        }
    }
}

/// A duration as a number of milliseconds, to the microsecond.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

fn killed_by(killed: Killed) -> &'static str {
    match killed {
        Killed::Term => "TERM",
        Killed::Kill => "KILL",
    }
}

fn survivors<M: SerializeMap>(map: &mut M, survivors: &[Survivor]) -> Result<(), M::Error> {
    #[derive(Serialize)]
    struct Named {
        pid: u32,
        uid: u32,
    }
    let named: Vec<Named> = survivors
        .iter()
        .map(|survivor| Named {
            pid: survivor.pid,
            uid: survivor.uid,
        })
        .collect();
    map.serialize_entry("survivors", &named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survivors_are_a_list_also_when_there_are_none() {
        let exited = Exited {
            status: Status::Code(0),
            left_running: 0,
            stream_cut: false,
            survivors: Vec::new(),
        };
        let timed_out = TimedOut {
            limit: Limit::Total,
            killed: Killed::Term,
            survivors: Vec::new(),
        };
        for outcome in [
            Outcome::Exited(exited),
            Outcome::TimedOut(timed_out),
            Outcome::Cancelled(Cancelled::default()),
        ] {
            let json = serde_json::to_value(&outcome).unwrap();
            assert_eq!(json["survivors"], serde_json::json!([]), "{outcome:?}");
        }
    }
}
