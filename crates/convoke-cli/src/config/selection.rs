//! Which hosts are meant.

use crate::args;

/// A host expression, and whether it may select nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The expression as typed.
    pub(crate) expr: String,
    /// Whether it may select nothing.
    pub(crate) empty: Empty,
}

/// Whether an empty selection is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Empty {
    /// It is.
    Refused,
    /// It is not.
    Allowed,
}

impl Selection {
    /// The hosts of an expression.
    pub(super) fn new(expr: String, pace: &args::Pace) -> Self {
        Selection {
            expr,
            empty: Empty::of(pace.allow_empty),
        }
    }
}

impl Empty {
    /// What `--allow-empty` says.
    pub(super) fn of(is_allowed: bool) -> Self {
        match is_allowed {
            true => Empty::Allowed,
            false => Empty::Refused,
        }
    }
}
