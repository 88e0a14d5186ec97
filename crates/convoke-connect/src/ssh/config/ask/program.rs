//! The ssh program, which is asked a question by its arguments.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::Semaphore;

use crate::error::ConnectError;
use crate::ssh::openssh::child;
use crate::ssh::session::{self, Session};
use crate::start::start;
use crate::surroundings::Surroundings;

/// How many answers are waited for at once; each takes a few milliseconds of a processor.
const AT_ONCE: usize = 4;

/// How long an answer may take: a `Match exec` may ask a service somewhere.
const LIMIT: Duration = Duration::from_secs(10);

/// How often that limit may be reached in a run, so that the limits do not add up over all hosts.
pub(super) const SILENCES: usize = AT_ONCE;

/// An ssh that answers.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    turns: Semaphore,
    pub(super) limit: Duration,
    /// How often the limit was reached.
    silences: AtomicUsize,
    /// The first error that is one for all hosts.
    pub(super) broken: OnceLock<String>,
}

impl Program {
    pub(super) fn new(path: &Path) -> Self {
        Program {
            path: path.to_owned(),
            turns: Semaphore::new(AT_ONCE),
            limit: LIMIT,
            silences: AtomicUsize::new(0),
            broken: OnceLock::new(),
        }
    }

    /// What it said; None when there is no use in asking it, or when it takes too long.
    pub(super) async fn ask(
        &self,
        arguments: &[OsString],
        surroundings: &Surroundings,
    ) -> Result<Option<Output>, ConnectError> {
        let Ok(_turn) = self.turns.acquire().await else {
            return Ok(None);
        };
        if self.broken.get().is_some() || self.silences.load(Ordering::Relaxed) >= SILENCES {
            return Ok(None);
        }
        // What a condition runs must not find our terminal.
        let mut command = session::command(&self.path, Session::Own, surroundings);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let running = match start(&mut command, SigSet::empty()) {
            Ok(running) => running,
            Err(error) => return Err(child::not_started(&command, error)),
        };
        let group = running.id().and_then(|id| Pid::from_raw(id as i32));
        let mut output = std::pin::pin!(running.wait_with_output());
        // Dropped before what awaits ssh: until that one is, nobody else can have ssh's number.
        let mut group = Group(group);
        match tokio::time::timeout(self.limit, &mut output).await {
            Ok(output) => {
                group.0 = None;
                Ok(output.ok())
            }
            Err(_) => {
                self.silences.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            }
        }
    }
}

/// The processes of an ssh that reads its configuration, with those of its `Match exec`. They are ended
/// when it is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Fails when nobody is there any more, or not yet: then there is only what is killed anyway.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
