//! What the operator has to mend before anything starts.

use std::fmt::Write as _;
use std::io;

/// A usage or configuration error: nothing has been started, and the exit code is 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Usage {
    /// What is wrong, and where.
    pub(crate) what: String,
    /// What the operator could do about it.
    pub(crate) hint: Option<String>,
}

impl Usage {
    /// An error without a hint.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Usage {
            what: what.into(),
            hint: None,
        }
    }

    /// The same error with a hint.
    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Usage {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The lines for stderr.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("error: {}\n", self.what);
        if let Some(hint) = &self.hint {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "hint: {hint}");
        }
        text
    }
}

/// An error of this machine in words, without its number.
pub(crate) fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}
