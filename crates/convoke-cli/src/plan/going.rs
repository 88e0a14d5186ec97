//! How hosts will be gone through, in words and as it is serialised: the same for every plan.

use std::os::unix::ffi::OsStringExt as _;

use bstr::BString;
use convoke::action::OnFailure;
use serde::Serialize;

use super::quote::quoted;
use super::shown::{Text, lossless};
use crate::config::{Pace, Reaching};
use crate::render::words;

/// How hosts are gone through.
pub(super) struct Going<'a> {
    pub(super) reaching: &'a Reaching,
    pub(super) pace: &'a Pace,
    /// How many there are.
    pub(super) hosts: usize,
    /// How many at once.
    pub(super) fanout: usize,
}

impl Going<'_> {
    /// It as lines for people.
    pub(super) fn lines(&self, mut line: impl FnMut(&str, &str)) {
        let ssh = self.ssh_words();
        if !ssh.is_empty() {
            line("ssh", &quoted(&ssh));
        }
        if let Some(hosts) = self.reaching.connecting {
            let hosts = words::count(hosts, "host", "hosts");
            line("connecting", &format!("{hosts} at once"));
        }
        if let Some(limit) = self.reaching.connect_limit {
            line(
                "connect limit",
                &humantime::format_duration(limit).to_string(),
            );
        }
        line("at once", &words::count(self.fanout, "host", "hosts"));
        if let Some(stop) = self.stop_at() {
            let hosts = words::count(stop, "failed host", "failed hosts");
            let then = match self.pace.on_failure {
                OnFailure::StopAll => "everything is ended",
                OnFailure::GoOn => "nothing new is started",
            };
            line("stop at", &format!("{hosts}: {then}"));
        }
    }

    /// How many failed hosts stop the run.
    fn stop_at(&self) -> Option<usize> {
        self.pace.stop_at(self.hosts)
    }

    /// What was asked of ssh, as its own command line says it.
    fn ssh_words(&self) -> Vec<BString> {
        let words = self.reaching.ssh_words();
        words
            .into_iter()
            .map(|word| word.into_vec().into())
            .collect()
    }

    /// It as it is serialised.
    pub(super) fn summary(&self) -> GoingSummary {
        let limit = self.reaching.connect_limit;
        GoingSummary {
            ssh: self.ssh_words().iter().map(lossless).collect(),
            connecting: self.reaching.connecting,
            connect_timeout_ms: limit.map(|limit| limit.as_millis() as u64),
            fanout: self.fanout,
            stop_at_failures: self.stop_at(),
            fail_fast: self.pace.on_failure == OnFailure::StopAll,
        }
    }
}

#[derive(Serialize)]
pub(super) struct GoingSummary {
    ssh: Vec<Text>,
    connecting: Option<usize>,
    connect_timeout_ms: Option<u64>,
    fanout: usize,
    stop_at_failures: Option<usize>,
    fail_fast: bool,
}
