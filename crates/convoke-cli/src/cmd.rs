//! The verbs, one file each.

pub(crate) mod hosts;
pub(crate) mod run;
