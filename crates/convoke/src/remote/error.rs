//! Why a verb failed on a host.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use bstr::BString;
use convoke_proto::file::FileKind;
use convoke_proto::operation::{Failure, Field, Reason};

use crate::error::LinkError;
use crate::failure::{errno_words, refused, word};
use crate::outcome::{Exited, NotStarted, Stage, TimedOut, Unreachable};
use crate::printable::{escaped, printable};
use crate::process::Broken;
use crate::transfer::Undone;

/// "No such file or directory" on every Linux.
const ENOENT: i32 = 2;
const EPERM: i32 = 1;

const EACCES: i32 = 13;

/// A symbolic link where none is followed, or links that lead round.
const ELOOP: i32 = 40;

/// How much of a complaint is shown, in bytes.
const MAX_COMPLAINT: usize = 200;

/// Why a verb failed on a host.
///
/// Each variant is something a caller can act on. Paths are absolute, as the host understood them. The text of an
/// error is safe to print.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum VerbError {
    /// Something that was asked for cannot be. Nothing was done, and the host is as good as before.
    #[error("the {field} cannot be \"{}\": {why}", escaped(.value))]
    Usage {
        /// Which part of the request, such as `path`, `mode`, `cwd` or `user`.
        field: &'static str,
        /// Its value.
        value: BString,
        /// What is wrong with it.
        why: Cow<'static, str>,
    },
    /// The login may not run commands as somebody else: only root may.
    #[error(
        "the {field} cannot be \"{}\": only a login as root runs commands as somebody else",
        escaped(.name)
    )]
    NotRoot {
        /// `user` or `group`.
        field: &'static str,
        /// Its name or number.
        name: BString,
    },
    /// The host knows no such user.
    #[error("there is no user \"{}\"", escaped(.name))]
    UnknownUser {
        /// The name or number.
        name: BString,
    },
    /// The host knows no such group.
    #[error("there is no group \"{}\"", escaped(.name))]
    UnknownGroup {
        /// The name or number.
        name: BString,
    },
    /// The name service of the host did not answer in time.
    #[error("the name service of the host did not answer about \"{}\"", escaped(.name))]
    NoAnswer {
        /// Who was asked about.
        name: BString,
    },
    /// Nothing stands at the path.
    #[error("\"{}\": no such file or directory", escaped(.path))]
    NotFound {
        /// The path.
        path: BString,
    },
    /// The login may not do that.
    #[error("{}", refused(.path, .part.as_ref().map(Part::words), *.errno))]
    Permission {
        /// What it may not be done to.
        path: BString,
        /// What is to blame when it is not the path: whose the file shall be, or is.
        part: Option<Part>,
        /// `EPERM` or `EACCES`.
        errno: i32,
    },
    /// The host's kernel refused it for any other reason.
    #[error("{}", refused(.path, .part.as_ref().map(Part::words), *.errno))]
    Errno {
        /// What it was to be done to.
        path: BString,
        /// What is to blame when it is not the path.
        part: Option<Part>,
        /// Its number.
        errno: i32,
    },
    /// Something stands at the path that is neither replaced nor read as a whole.
    #[error("\"{}\": it is no regular file but of kind {}", escaped(.path), .kind.as_str())]
    Kind {
        /// The path.
        path: BString,
        /// What stands there.
        kind: FileKind,
    },
    /// There is more of it than was asked for, or than can be carried.
    #[error("\"{}\": it is too long", escaped(.what))]
    TooLong {
        /// The path, or the program that says so much.
        what: BString,
    },
    /// The file became shorter, or another, while it was read: what came is a part of it.
    #[error("\"{}\": it changed while it was fetched", escaped(.path))]
    Changed {
        /// The path.
        path: BString,
    },
    /// A command did not exit with 0.
    #[error("{}", ended(.0))]
    Failed(Box<Completed>),
    /// A command could not be started, for another reason than a field of it.
    #[error("failed to start: {} at stage {}", errno_words(.0.errno), .0.stage.as_str())]
    NotStarted(NotStarted),
    /// There is no such program.
    #[error("there is no program \"{}\"", escaped(.name))]
    NoProgram {
        /// Its name.
        name: BString,
        /// Where it was looked for.
        tried: Vec<BString>,
    },
    /// A command reached one of its limits, and was ended.
    #[error("the command was ended, as its {} limit was reached", .0.timed_out.limit.as_str())]
    TimedOut(Box<CutShort>),
    /// What a command was to read could not be read on this machine, and it was ended or never started.
    #[error("failed to read the input of the command: {error}")]
    Input {
        /// Why.
        #[source]
        error: Arc<io::Error>,
        /// What it wrote to stdout until then.
        stdout: BString,
        /// What it wrote to stderr until then.
        stderr: BString,
    },
    /// There was no working link.
    #[error("unreachable: {}", .0.text)]
    Unreachable(Unreachable),
    /// The link ended before the answer came.
    #[error("lost: {error}")]
    Lost {
        /// How.
        #[source]
        error: LinkError,
        /// Whether the request may have reached the host, and been done.
        may_be_done: bool,
    },
    /// The agent took no such request. Nothing was done, and the host is as good as before.
    #[error("the agent refused the request: {}", printable(.text.as_bytes()))]
    Refused {
        /// Its words, as they came.
        text: String,
    },
    /// It was stopped before it was done.
    #[error("it was stopped")]
    Cancelled,
    /// What was to be in a file could not be read on this machine.
    #[error("failed to read what is to be sent: {0}")]
    Content(#[source] Arc<io::Error>),
    /// The verb panicked on this machine; only this host is concerned.
    #[error("the verb panicked: {text}")]
    Crashed {
        /// What the panic said.
        text: String,
    },
}

/// A part of what was asked for, beside its path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// Which: `owner`, `group`, `mode` or `user`.
    pub field: &'static str,
    /// Its value: that of the request, or the number of whom the file belongs to.
    pub value: BString,
}

impl Part {
    fn words(&self) -> (&str, &[u8]) {
        (self.field, &self.value)
    }
}

/// What came of a command that ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completed {
    /// What it wrote to stdout; empty when it was not captured.
    pub stdout: BString,
    /// What it wrote to stderr; empty when it was not captured.
    pub stderr: BString,
    /// How it ended.
    pub exit: Exited,
}

/// What came of a command that reached a limit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CutShort {
    /// What it wrote to stdout until then.
    pub stdout: BString,
    /// What it wrote to stderr until then.
    pub stderr: BString,
    /// Which limit it was, and how the command was ended.
    pub timed_out: TimedOut,
}

impl Completed {
    /// Whether it exited with 0.
    pub fn is_ok(&self) -> bool {
        self.exit.status == crate::outcome::Status::Code(0)
    }
}

impl VerbError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            VerbError::Unreachable(unreachable) => unreachable.hint.as_deref().map(Cow::from),
            VerbError::NoProgram { name, .. } if name.contains(&b' ') => {
                Some("`Run::line` gives a line to the host's shell".into())
            }
            VerbError::Errno { errno: ELOOP, .. } => Some(
                "a symbolic link is in the way: it leads round, or stands where something is to be written"
                    .into(),
            ),
            VerbError::NotRoot { .. } => {
                Some("log in as root, or run `sudo` or `su` as a command".into())
            }
            _ => None,
        }
    }

    pub(crate) fn usage(
        field: &'static str,
        value: impl Into<BString>,
        why: impl Into<Cow<'static, str>>,
    ) -> Self {
        VerbError::Usage {
            field,
            value: value.into(),
            why: why.into(),
        }
    }

    /// The agent said something that answers nothing.
    pub(crate) fn unreadable() -> Self {
        VerbError::Lost {
            error: LinkError::Unreadable,
            may_be_done: true,
        }
    }

    /// A command that never became a process.
    pub(crate) fn not_started(reason: NotStarted, program: &BString) -> Self {
        let first = reason.tried.first().cloned().unwrap_or_default();
        let field = match reason.stage {
            Stage::Cwd => "cwd",
            Stage::User => "user",
            Stage::Group => "group",
            Stage::Exec if reason.why.is_some() => "argv",
            Stage::Exec if reason.errno == ENOENT => {
                return VerbError::NoProgram {
                    name: program.clone(),
                    tried: reason.tried,
                };
            }
            Stage::Exec if reason.errno == EACCES => {
                return VerbError::Permission {
                    path: reason.tried.into_iter().next().unwrap_or(program.clone()),
                    part: None,
                    errno: EACCES,
                };
            }
            Stage::Exec | Stage::Fork => return VerbError::NotStarted(reason),
        };
        let why = match (reason.stage, reason.errno, reason.why) {
            (_, _, Some(why)) => why.into(),
            (Stage::User | Stage::Group, ENOENT, None) => "the host knows no such name".into(),
            (Stage::User | Stage::Group, EPERM, None) => {
                return VerbError::NotRoot { field, name: first };
            }
            (_, errno, None) => errno_words(errno).into(),
        };
        VerbError::Usage {
            field,
            value: first,
            why,
        }
    }
}

/// How a command ended that did not exit with 0, with the last of what it complained about.
fn ended(completed: &Completed) -> String {
    let how = match completed.exit.status {
        crate::outcome::Status::Code(code) => format!("the command exited with {code}"),
        crate::outcome::Status::Signal(signal) => {
            format!("the command was ended by signal {signal}")
        }
    };
    let stderr = completed.stderr.trim_ascii_end();
    let last = stderr.rsplit(|byte| *byte == b'\n').next();
    match last {
        None | Some(b"") => how,
        Some(line) if line.len() <= MAX_COMPLAINT => format!("{how}: {}", printable(line)),
        Some(line) => format!("{how}: {}…", printable(begin(line, MAX_COMPLAINT))),
    }
}

/// At most so many bytes of a text, and no part of a letter.
fn begin(text: &[u8], most: usize) -> &[u8] {
    let is_inside = |at: &usize| matches!(text.get(*at), Some(0x80..=0xbf));
    // No letter has more bytes than four.
    let end = (most.saturating_sub(3)..=most)
        .rev()
        .find(|at| !is_inside(at));
    text.get(..end.unwrap_or(most)).unwrap_or(text)
}

impl From<Failure> for VerbError {
    fn from(failure: Failure) -> Self {
        let Failure {
            field,
            value,
            reason,
            path,
        } = failure;
        match reason {
            Reason::Errno(errno) => refusal(field, value, path, errno),
            Reason::Unknown if field == Field::Group => VerbError::UnknownGroup { name: value },
            Reason::Unknown if matches!(field, Field::Owner | Field::User) => {
                VerbError::UnknownUser { name: value }
            }
            Reason::Unknown => VerbError::usage(word(field), value, "the host knows no such thing"),
            Reason::NoAnswer => VerbError::NoAnswer { name: value },
            Reason::Kind(kind) => VerbError::Kind { path: value, kind },
            Reason::TooLong => VerbError::TooLong { what: value },
            Reason::Invalid => VerbError::usage(word(field), value, "the host takes no such value"),
            Reason::Cancelled => VerbError::Cancelled,
        }
    }
}

/// What the kernel refused.
fn refusal(field: Field, value: BString, path: Option<BString>, errno: i32) -> VerbError {
    let (path, part) = match path {
        // Nothing was to be read: it is a user whom the login cannot become.
        None if (field, errno) == (Field::User, EPERM) => {
            let field = word(field);
            return VerbError::NotRoot { field, name: value };
        }
        None => (value, None),
        Some(path) => {
            let field = word(field);
            (path, Some(Part { field, value }))
        }
    };
    match errno {
        ENOENT => VerbError::NotFound { path },
        EPERM | EACCES => VerbError::Permission { path, part, errno },
        errno => VerbError::Errno { path, part, errno },
    }
}

impl From<Broken> for VerbError {
    fn from(broken: Broken) -> Self {
        let may_be_done = broken.was_sent();
        match broken.error {
            LinkError::Refused { text } => VerbError::Refused { text },
            error => VerbError::Lost { error, may_be_done },
        }
    }
}

impl From<Undone> for VerbError {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Host(failure) => failure.into(),
            Undone::Here(error) => VerbError::Content(Arc::new(error)),
            Undone::Broken(broken) => broken.into(),
        }
    }
}

impl From<Unreachable> for VerbError {
    fn from(unreachable: Unreachable) -> Self {
        VerbError::Unreachable(unreachable)
    }
}

#[cfg(test)]
mod tests;
