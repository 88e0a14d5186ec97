//! Why there was no working link, or none any more.

use std::time::SystemTime;

use convoke_connect::error::ConnectErrorKind;

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

impl Fate {
    /// The fate's word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Fate::EndsBy(_) => "ends_by",
            Fate::Ended => "ended",
            Fate::Unknown => "unknown",
        }
    }
}
