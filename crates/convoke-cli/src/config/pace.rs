//! How hosts are gone through.

use convoke::action::{MaxFail, OnFailure};

use crate::args;

/// How the hosts are gone through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pace {
    /// How many at once, when the operator said.
    pub(crate) fanout: Option<usize>,
    /// How many may fail.
    pub(crate) max_fail: Option<MaxFail>,
    /// What a failure means for the others.
    pub(crate) on_failure: OnFailure,
}

impl Pace {
    /// What the arguments mean.
    pub(super) fn new(pace: &args::Pace) -> Self {
        Pace {
            fanout: pace.fanout,
            max_fail: pace.max_fail,
            on_failure: match pace.fail_fast {
                true => OnFailure::StopAll,
                false => OnFailure::GoOn,
            },
        }
    }

    /// How many failed hosts of so many stop the run.
    pub(crate) fn stop_at(&self, hosts: usize) -> Option<usize> {
        match self.on_failure {
            OnFailure::StopAll => Some(1),
            OnFailure::GoOn => self.max_fail.map(|limit| limit.of(hosts)),
        }
    }
}
