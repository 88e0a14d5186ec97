//! How a process ended, or why it never began.

use bstr::BString;
use serde::{Deserialize, Serialize};

/// The end of a step on its host: always the last message of its channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// What the kernel said about the main process.
    pub status: Status,
    /// Why it ended.
    pub cause: Cause,
    /// How many processes of its tree lived on when it ended, and were released.
    pub left_running: u32,
    /// Streams that were cut because a leftover process kept writing to them.
    pub cut_streams: Vec<u8>,
    /// Processes of its tree that the agent may not signal; at most [`Exit::MAX_SURVIVORS`].
    pub survivors: Vec<Survivor>,
}

impl Exit {
    /// How many survivors an exit names at most; a fork bomb of another user must not fill a frame.
    pub const MAX_SURVIVORS: usize = 256;
}

/// The wait status of a main process: an exit code or a signal, never mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It called exit with this code, 0 to 255.
    Code(u8),
    /// This signal ended it.
    Signal(u8),
}

/// Why a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// By itself.
    Itself,
    /// The total limit was reached and its tree was killed.
    TotalLimit(Killed),
    /// The idle limit was reached and its tree was killed.
    IdleLimit(Killed),
    /// The controller asked for its end.
    Request(Killed),
}

/// What it took to end a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Killed {
    /// TERM was enough.
    Term,
    /// The grace passed and KILL was sent.
    Kill,
}

/// A process that belongs to a step but may not be signalled by the agent's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivor {
    /// Its process number on the host.
    pub pid: u32,
    /// The real user it runs as.
    pub uid: u32,
}

/// Why a process could not be started; the only and last message of its channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotStarted {
    /// How far the start came.
    pub stage: Stage,
    /// The error number of the host's kernel.
    pub errno: i32,
    /// The directory, or the paths of the program, that were tried.
    pub tried: Vec<BString>,
}

/// How far a start came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Entering the working directory.
    Cwd,
    /// Becoming the user.
    User,
    /// Executing the program.
    Exec,
    /// Making pipes or the process itself.
    Fork,
    /// Joining the group.
    Group,
}

impl Stage {
    /// The stage's word in reports: `cwd`, `user`, `group`, `exec` or `fork`.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Cwd => "cwd",
            Stage::User => "user",
            Stage::Exec => "exec",
            Stage::Fork => "fork",
            Stage::Group => "group",
        }
    }
}
