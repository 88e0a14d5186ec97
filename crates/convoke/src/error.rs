//! Everything that can go wrong in this crate and is no outcome.

use std::io;
use std::time::Duration;

use convoke_connect::error::{ConnectError, ConnectErrorKind};
use convoke_proto::fault::Violation;
use convoke_proto::message::Oversized;

use crate::outcome::{Unreachable, UnreachableKind};

/// A text that is neither a number of hosts nor a percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is neither a number of hosts, 1 or more, nor a percentage up to 100%")]
pub struct MaxFailError {
    /// The text.
    pub text: String,
}

/// A text that is not a platform agents exist for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a platform such as \"x86_64-linux\"")]
pub struct PlatformError(pub(crate) String);

/// Why no agent runs on a host although it was reached.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct BootstrapError {
    /// What kind of failure it is: no shell, no agent, no place, or the upload.
    pub kind: UnreachableKind,
    /// The facts, in words, safe to print: completes "failed to start the agent: …".
    pub text: String,
    /// What the user can do about it.
    pub hint: Option<String>,
    /// What lay beneath.
    #[source]
    pub source: Option<io::Error>,
    /// Whether the connection ended before the host had answered, so that it may be to blame itself.
    pub(crate) is_early: bool,
}

impl BootstrapError {
    pub(crate) fn new(kind: UnreachableKind, text: impl Into<String>) -> Self {
        BootstrapError {
            kind,
            text: text.into(),
            hint: None,
            source: None,
            is_early: false,
        }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        BootstrapError {
            hint: Some(hint.into()),
            ..self
        }
    }

    pub(crate) fn source(self, source: io::Error) -> Self {
        BootstrapError {
            text: format!("{}: {source}", self.text),
            source: Some(source),
            ..self
        }
    }
}

impl From<BootstrapError> for Unreachable {
    fn from(error: BootstrapError) -> Self {
        Unreachable {
            kind: error.kind,
            text: error.text,
            hint: error.hint,
        }
    }
}

/// Why a link ended, or could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The other end closed it: all that it had said was heard.
    #[error("the connection was closed")]
    Closed,
    /// This end closed it.
    #[error("the connection was closed on this end")]
    Dropped,
    /// Reading or writing failed.
    #[error("the connection broke: {text}")]
    Broken {
        /// The system's words.
        text: String,
    },
    /// The other end broke the protocol, or something else wrote to the connection.
    #[error("the connection was dropped: {0}")]
    Violation(#[from] Violation),
    /// The other end was silent for too long.
    #[error("no sign of life for {} s", .0.as_secs())]
    Silent(Duration),
    /// The other end was to end a process, and did not say in time that it had.
    #[error("the command was to end, and its exit did not come within {} s", .0.as_secs())]
    Overdue(Duration),
    /// The agent gave an answer that answers nothing.
    #[error("the agent gave an answer that cannot be read")]
    Unreadable,
    /// The agent refused a request.
    #[error("the agent refused the request: {text}")]
    Refused {
        /// Its words.
        text: String,
    },
}

/// Why a process could not be asked for.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The request does not fit a frame.
    #[error(transparent)]
    Oversized(#[from] Oversized),
    /// The link is over.
    #[error(transparent)]
    Lost(#[from] LinkError),
}

impl From<ConnectError> for Unreachable {
    fn from(error: ConnectError) -> Self {
        let kind = match error.kind {
            ConnectErrorKind::Timeout => UnreachableKind::Timeout,
            kind => UnreachableKind::Connect(kind),
        };
        Unreachable {
            kind,
            text: error.text,
            hint: error.hint,
        }
    }
}
