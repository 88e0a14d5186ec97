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
    /// What is known of what the host was asked for.
    pub fate: Fate,
}

/// What is known about a command, a file or questions whose link died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The agent ends it: by this time at the latest it no longer runs.
    EndsBy(SystemTime),
    /// The agent's guard has ended it.
    Ended,
    /// Nothing is known of a command.
    Unknown,
    /// The file did not take its place: if there was one before, that stands.
    NotPlaced,
    /// Whether the file took its place is not known. It is the old one, or, whole, the new one.
    MaybePlaced,
    /// Operations or questions: what was not answered may be done or not, and does not go on.
    Unanswered,
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
            Fate::NotPlaced => "not_placed",
            Fate::MaybePlaced => "maybe_placed",
            Fate::Unanswered => "unanswered",
        }
    }
}
