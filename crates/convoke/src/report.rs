//! The fold over what happened on all hosts.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::outcome::Outcome;

/// What became of an action on every host, in host order whatever order the results arrived in.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// One result a host, in the order of the action's list.
    pub results: Vec<HostResult>,
    /// Whether failures stopped the action: hosts were skipped, or cancelled by `--fail-fast`.
    pub stopped_early: bool,
}

/// What became of one host.
#[derive(Debug, Clone)]
pub struct HostResult {
    /// The host's name.
    pub host: Arc<str>,
    /// What became of it.
    pub outcome: Outcome,
}

impl Report {
    /// Whether every host is ok; true for no hosts.
    pub fn is_ok(&self) -> bool {
        self.results.iter().all(|result| result.outcome.is_ok())
    }

    /// The results that are not ok, in host order.
    pub fn failures(&self) -> impl Iterator<Item = &HostResult> {
        self.results.iter().filter(|result| !result.outcome.is_ok())
    }
}

/// The host's name under `host`, beside the facts of its outcome.
impl Serialize for HostResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Flat<'a> {
            host: &'a str,
            #[serde(flatten)]
            outcome: &'a Outcome,
        }
        Flat {
            host: &self.host,
            outcome: &self.outcome,
        }
        .serialize(serializer)
    }
}
