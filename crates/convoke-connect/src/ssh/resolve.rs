//! The settings of a host: what ssh's configuration makes of it, resolved once a run.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::{OnceCell, Semaphore};

use super::force::{Credentials, Way, World, way};
use super::settings::Settings;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::openssh::options::SshOptions;
use crate::openssh::target::Target;
use crate::openssh::{child, diagnose};
use crate::surroundings::Surroundings;

/// How many hosts are resolved at once by a program; each takes a few milliseconds of a processor.
const AT_ONCE: usize = 4;

/// How long one may take: a `Match exec` may ask a service somewhere.
const LIMIT: Duration = Duration::from_secs(10);

const ELSEWHERE: &str = "openssh:HOST is reached with every option that ssh has";

fn wrong(text: String) -> ConnectError {
    ConnectError::new(ConnectErrorKind::Configuration, text)
}

/// The settings of the hosts of one run. What was resolved once is kept.
#[derive(Debug)]
pub(super) struct Resolver {
    options: SshOptions,
    hosts: Mutex<HashMap<Target, Arc<OnceCell<Arc<Settings>>>>>,
    /// Of an ssh that nobody configured.
    defaults: OnceCell<Settings>,
    credentials: OnceCell<Credentials>,
    turns: Semaphore,
}

impl Resolver {
    pub(super) fn new(options: SshOptions) -> Self {
        Resolver {
            options,
            hosts: Mutex::default(),
            defaults: OnceCell::new(),
            credentials: OnceCell::new(),
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// The settings of `target`, all of which the native client can follow.
    ///
    /// # Errors
    /// [`ConnectErrorKind::Configuration`] when it cannot, with the option that is in force.
    pub(super) async fn of(
        &self,
        target: &Target,
        surroundings: &Surroundings,
    ) -> Result<Arc<Settings>, ConnectError> {
        let host = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(hosts.entry(target.clone()).or_default())
        };
        let found = host.get_or_try_init(async || {
            let settings = self.settings(target, &self.options, surroundings).await?;
            self.check(&settings, surroundings).await?;
            Ok(Arc::new(settings))
        });
        found.await.cloned()
    }

    /// Whether the native client does everything that is in force.
    async fn check(
        &self,
        settings: &Settings,
        surroundings: &Surroundings,
    ) -> Result<(), ConnectError> {
        let built_in = || self.ask(self.options.built_in("localhost", surroundings));
        let defaults = self.defaults.get_or_try_init(built_in);
        let credentials = self
            .credentials
            .get_or_init(|| Credentials::look(surroundings));
        let world = World {
            defaults: defaults.await?,
            surroundings,
            credentials: *credentials.await,
        };
        match way(settings, &world) {
            Way::Native => Ok(()),
            Way::System(option) => Err(ConnectError {
                hint: Some(ELSEWHERE.into()),
                ..wrong(format!("the native client does not serve {option}"))
            }),
        }
    }

    /// Asks the system's ssh, which only prints what it would do.
    async fn settings(
        &self,
        target: &Target,
        options: &SshOptions,
        surroundings: &Surroundings,
    ) -> Result<Settings, ConnectError> {
        self.ask(options.resolving(target, surroundings)).await
    }

    async fn ask(&self, mut command: Command) -> Result<Settings, ConnectError> {
        let turn = self.turns.acquire().await;
        let _turn = turn.map_err(|_| wrong("the run is over".into()))?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let running = command
            .spawn()
            .map_err(|error| child::not_started(&command, error))?;
        let output = tokio::time::timeout(LIMIT, running.wait_with_output()).await;
        let Ok(output) = output else {
            return Err(wrong(format!("ssh -G did not end in {LIMIT:?}")));
        };
        let output = output.map_err(|error| child::not_started(&command, error))?;
        if !output.status.success() {
            let text = diagnose::configuration(&output.stderr);
            let text = text.map_or_else(|| "ssh -G failed".into(), |mistake| mistake.text);
            return Err(wrong(text));
        }
        Ok(Settings::parse(&String::from_utf8_lossy(&output.stdout)))
    }
}
