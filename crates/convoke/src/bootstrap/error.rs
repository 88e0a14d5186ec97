//! Why no agent runs on a host.

use std::io;

use crate::outcome::{Unreachable, UnreachableKind};

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
}

impl BootstrapError {
    pub(super) fn new(kind: UnreachableKind, text: impl Into<String>) -> Self {
        BootstrapError {
            kind,
            text: text.into(),
            hint: None,
            source: None,
        }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        BootstrapError {
            hint: Some(hint.into()),
            ..self
        }
    }

    pub(super) fn source(self, source: io::Error) -> Self {
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
