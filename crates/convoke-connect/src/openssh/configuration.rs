//! What ssh's configuration makes of a host: as ssh itself explains it, asked as rarely as possible.

mod explained;
mod guess;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;
use tokio::sync::{OnceCell, Semaphore};

use super::options::SshOptions;
use super::target::Target;
use super::{child, diagnose};
use crate::error::{ConnectError, ConnectErrorKind};
use crate::start::start;
use crate::surroundings::Surroundings;

pub(crate) use explained::place;
pub(super) use explained::{Explained, Patience, keyword};

use guess::Guess;

/// How many explanations are asked for at once; each takes a few milliseconds of a processor.
const AT_ONCE: usize = 4;

/// How long an explanation may take: a `Match exec` may ask a service somewhere.
const LIMIT: Duration = Duration::from_secs(10);

/// How often that limit may be reached in a run, so that the limits do not add up over all hosts.
const SILENCES: usize = AT_ONCE;

/// The configuration of one run. What was explained once, or could not be, is kept, and the surroundings are those of
/// the first question.
#[derive(Debug)]
pub(super) struct Configuration {
    /// What can be told of all hosts without asking again.
    known: OnceCell<Known>,
    hosts: Mutex<HashMap<Target, Arc<OnceCell<Answer>>>>,
    turns: Semaphore,
    /// The first error that is one for all hosts.
    broken: OnceLock<String>,
    limit: Duration,
    /// How often the limit was reached.
    silences: AtomicUsize,
}

/// What ssh said of one host.
#[derive(Debug, Clone)]
enum Answer {
    Explained(Arc<Explained>),
    /// What is wrong.
    Wrong(String),
    Unknown,
}

/// How hosts differ.
#[derive(Debug)]
enum Known {
    /// In ways that only ssh can tell.
    Nothing,
    /// At most in the server that they are reached by.
    Ways(Guess),
}

/// Why there is no explanation.
#[derive(Debug)]
pub(super) enum Unexplained {
    /// The configuration is wrong, or there is no ssh.
    Wrong(ConnectError),
    /// This ssh cannot explain it, or something else went wrong that connecting will show.
    Unknown,
}

impl Default for Configuration {
    fn default() -> Self {
        Configuration {
            known: OnceCell::new(),
            hosts: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
            broken: OnceLock::new(),
            limit: LIMIT,
            silences: AtomicUsize::new(0),
        }
    }
}

impl Configuration {
    /// What is made of `target`, without asking ssh if it can be told without.
    pub(super) async fn of(
        &self,
        target: &Target,
        options: &SshOptions,
        surroundings: &Surroundings,
    ) -> Result<Arc<Explained>, Unexplained> {
        let known = self.known.get_or_try_init(async || {
            let explained = match self.explained(target, options, surroundings).await {
                Ok(explained) => explained,
                Err(Unexplained::Unknown) => return Ok(Known::Nothing),
                Err(wrong) => return Err(wrong),
            };
            if explained::may_overrule(&explained.files, options) {
                return Ok(Known::Nothing);
            }
            let guess = Guess::read(&explained.files, options);
            Ok(guess.map_or(Known::Nothing, Known::Ways))
        });
        match known.await? {
            Known::Nothing => self.explained(target, options, surroundings).await,
            Known::Ways(guess) => Ok(Arc::new(guess.of(target, options))),
        }
    }

    /// What is made of `target`, from ssh itself.
    pub(super) async fn explained(
        &self,
        target: &Target,
        options: &SshOptions,
        surroundings: &Surroundings,
    ) -> Result<Arc<Explained>, Unexplained> {
        let host = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(hosts.entry(target.clone()).or_default())
        };
        let answer =
            host.get_or_try_init(async || self.answer(target, options, surroundings).await);
        match answer.await.map_err(Unexplained::Wrong)? {
            Answer::Explained(explained) => Ok(Arc::clone(explained)),
            Answer::Wrong(text) => Err(Unexplained::Wrong(wrong(text))),
            Answer::Unknown => Err(Unexplained::Unknown),
        }
    }

    /// Asks ssh for one host. Only that ssh could not be started is an error, and not remembered.
    async fn answer(
        &self,
        target: &Target,
        options: &SshOptions,
        surroundings: &Surroundings,
    ) -> Result<Answer, ConnectError> {
        let ask = |overruled| self.ask(options.explaining(target, overruled, surroundings));
        let mut overruled = Vec::new();
        let mut said = ask(&[]).await?;
        // An ssh that says so has the option set, and fails with it before it explains anything.
        if said.as_ref().is_some_and(explained::wants_to_fork) {
            overruled.push(explained::NO_FORK);
            said = ask(&[explained::NO_FORK]).await?;
        }
        let Some(output) = said else {
            return Ok(self
                .broken
                .get()
                .cloned()
                .map_or(Answer::Unknown, Answer::Wrong));
        };
        if output.status.success() {
            let mut explained = Explained::parse(&output);
            explained.overruled.extend(overruled);
            return Ok(Answer::Explained(Arc::new(explained)));
        }
        let Some(mistake) = diagnose::configuration(&output.stderr) else {
            return Ok(Answer::Unknown);
        };
        if mistake.is_everywhere {
            let _ = self.broken.set(mistake.text.clone());
        }
        Ok(Answer::Wrong(mistake.text))
    }

    /// What a program said that reads the configuration; None when there is no use in asking it, or
    /// when it takes too long.
    async fn ask(&self, mut command: Command) -> Result<Option<Output>, ConnectError> {
        let Ok(_turn) = self.turns.acquire().await else {
            return Ok(None);
        };
        if self.broken.get().is_some() || self.silences.load(Ordering::Relaxed) >= SILENCES {
            return Ok(None);
        }
        command
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

fn wrong(text: &str) -> ConnectError {
    ConnectError::new(ConnectErrorKind::Configuration, text)
}

/// The settings that ssh printed, by their names.
type Settings = BTreeMap<String, String>;
