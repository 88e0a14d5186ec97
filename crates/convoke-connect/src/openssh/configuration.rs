//! What ssh's configuration makes of a host: as ssh itself explains it, asked as rarely as possible.

mod explained;
mod guess;

use std::collections::{BTreeMap, HashMap};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::{OnceCell, Semaphore};

use super::options::SshOptions;
use super::target::Target;
use super::{child, diagnose};
use crate::error::{ConnectError, ConnectErrorKind};
use crate::surroundings::Surroundings;

pub(crate) use explained::place;
pub(super) use explained::{Explained, Proxy, keyword};

use guess::Guess;

/// How many explanations are asked for at once; each takes a few milliseconds of a processor.
const AT_ONCE: usize = 4;

/// How long an explanation may take: a `Match exec` may ask a service somewhere.
const LIMIT: Duration = Duration::from_secs(10);

/// The configuration of one run. What was explained once is kept, and the surroundings are those of
/// the first question.
#[derive(Debug)]
pub(super) struct Configuration {
    /// What can be told of all hosts without asking again.
    known: OnceCell<Known>,
    hosts: Mutex<HashMap<Target, Arc<OnceCell<Arc<Explained>>>>>,
    login: OnceCell<Option<String>>,
    turns: Semaphore,
    /// The first error in its text, which is one for all hosts.
    broken: OnceLock<String>,
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
            login: OnceCell::new(),
            turns: Semaphore::new(AT_ONCE),
            broken: OnceLock::new(),
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
            let explained = self.explained(target, options, surroundings).await?;
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
        let explained = host.get_or_try_init(async || {
            let output = self.ask(options.explaining(target, surroundings)).await?;
            Ok(Arc::new(Explained::parse(&output)))
        });
        explained.await.cloned()
    }

    /// The login that ssh uses when nothing says otherwise; None when ssh does not tell.
    pub(super) async fn login(
        &self,
        options: &SshOptions,
        surroundings: &Surroundings,
    ) -> Result<Option<String>, Unexplained> {
        let login = self.login.get_or_try_init(async || {
            let output = self
                .ask(options.built_in("localhost", surroundings))
                .await?;
            Ok(Explained::parse(&output).user)
        });
        login.await.cloned()
    }

    async fn ask(&self, mut command: Command) -> Result<Output, Unexplained> {
        let turn = self.turns.acquire().await;
        let _turn = turn.map_err(|_| Unexplained::Unknown)?;
        if let Some(text) = self.broken.get() {
            return Err(Unexplained::Wrong(wrong(text)));
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let output = match command.spawn() {
            Ok(running) => tokio::time::timeout(LIMIT, running.wait_with_output()).await,
            Err(error) => return Err(Unexplained::Wrong(child::not_started(&command, error))),
        };
        let Ok(Ok(output)) = output else {
            return Err(Unexplained::Unknown);
        };
        if output.status.success() {
            return Ok(output);
        }
        match diagnose::configuration(&output.stderr) {
            Some(text) => {
                let text = self.broken.get_or_init(|| text);
                Err(Unexplained::Wrong(wrong(text)))
            }
            None => Err(Unexplained::Unknown),
        }
    }
}

fn wrong(text: &str) -> ConnectError {
    ConnectError::new(ConnectErrorKind::Configuration, text)
}

/// The settings that ssh printed, by their names.
type Settings = BTreeMap<String, String>;
