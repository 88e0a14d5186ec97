//! Why a link ended.

use std::time::Duration;

use convoke_proto::fault::Violation;

/// Why a link ended, or could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// The agent refused a request.
    #[error("the agent refused the request: {text}")]
    Refused {
        /// Its words.
        text: String,
    },
}
