//! What could not be done, and by whom.

use convoke_proto::operation::Failure;

use crate::failure;

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
}

impl FailureCause {
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
