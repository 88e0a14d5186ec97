//! What became of one step on one host.

mod failed;
mod flat;
mod reach;

use std::time::Duration;

use bstr::BString;

pub use convoke_proto::exit::{Killed, Stage, Status, Survivor};
pub use convoke_proto::operation::{Failure, Field, Reason};

pub use failed::{Failed, FailureCause};
pub(crate) use flat::milliseconds;
pub use reach::{Fate, Lost, Unreachable, UnreachableKind};

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
    /// The operator stopped it, pending or running, or a failure elsewhere or on this machine did.
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

/// It was stopped.
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
    /// What it was to read could not be read on this machine.
    Input,
    /// What the hosts say could not be written on this machine, or nobody reads it any more.
    Output,
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
            CancelCause::Input => "input",
            CancelCause::Output => "output",
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
