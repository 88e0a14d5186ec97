//! Hosts over ssh, by the `ssh` program of the system: `openssh:` endpoints, and those `ssh:` endpoints
//! that need it.
//!
//! What ssh does with a host is decided by the user's configuration. What is passed to it on top, and
//! why, is written down in `docs/ssh.md`.

pub(crate) mod child;
pub(crate) mod diagnose;
pub(crate) mod explained;
mod filter;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::options::{Asking, SshOptions};
use super::target::Target;
use crate::connector::{Connector, Ending, Pipes, Request, Route};
use crate::endpoint::Endpoint;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::future::BoxFuture;
use crate::ssh::config::{Configuration, Destination};
use crate::surroundings::Surroundings;

use child::Chatter;
use diagnose::KeyAgent;
use explained::{Explained, Patience};

/// How much longer than its caller an ssh waits for a server. It is meant for an ssh that nobody ends,
/// because its caller was killed.
const AFTER_THE_CALLER: Duration = Duration::from_secs(5);

/// Reaches hosts by running the system's `ssh`, one for each connection.
///
/// Each runs in a session of its own and never asks anything, unless it is lent the terminal. An instance
/// serves one run.
#[derive(Debug)]
pub struct Openssh {
    configuration: Arc<Configuration>,
    /// What the first ssh had of it, for hints.
    key_agent: OnceLock<KeyAgent>,
}

impl Openssh {
    /// A connector that passes `options` to every ssh.
    pub fn new(options: SshOptions) -> Self {
        Self::sharing(Arc::new(Configuration::new(options)))
    }

    /// The same, with what others have found out of the configuration.
    pub fn sharing(configuration: Arc<Configuration>) -> Self {
        Openssh {
            configuration,
            key_agent: OnceLock::new(),
        }
    }

    fn options(&self) -> &SshOptions {
        self.configuration.options()
    }

    fn target(&self, endpoint: &Endpoint) -> Result<Target, ConnectError> {
        let target = Target::parse(endpoint)?;
        let checked = self.options().check();
        checked.map_err(|why| ConnectError::new(ConnectErrorKind::Configuration, why))?;
        Ok(target)
    }

    fn chatter(&self) -> Chatter {
        match self.options().mentions("loglevel") {
            true => Chatter::Theirs,
            false => Chatter::Ours,
        }
    }

    /// What the configuration makes of `target`; nothing, when this ssh cannot tell.
    async fn explained(
        &self,
        target: &Target,
        surroundings: &Surroundings,
    ) -> Result<Explained, ConnectError> {
        let destination = Destination::from(target);
        let told = self.configuration.of(&destination, surroundings).await?;
        Ok(match told {
            Some(told) => Explained::of(&told.settings),
            None => Explained::plain(target, self.options()),
        })
    }

    async fn server(
        &self,
        endpoint: &Endpoint,
        surroundings: &Surroundings,
    ) -> Result<Route, ConnectError> {
        let target = self.target(endpoint)?;
        let explained = self.explained(&target, surroundings).await?;
        Ok(Route {
            server: Some(explained.server()),
            ..Route::default()
        })
    }

    async fn start(&self, request: Request<'_>) -> Result<Pipes, ConnectError> {
        let target = self.target(request.endpoint)?;
        let surroundings = request.surroundings;
        let explained = self.explained(&target, surroundings).await?;
        let chatter = self.chatter();
        let command = |asking| {
            let overruled = &explained.overruled;
            let command = request.command;
            self.options()
                .connecting(&target, command, overruled, asking, surroundings)
        };
        if let Some(terminal) = request.terminal {
            let started =
                child::start_on(command(Asking::Allowed(request.limit)), chatter, terminal)?;
            if let Some(pipes) = started {
                let _ = self.key_agent.set(KeyAgent::Unneeded);
                return Ok(pipes);
            }
        }
        let _ = self.key_agent.set(KeyAgent::of(surroundings));
        let is_endless = explained.patience == Patience::Endless;
        let limit = is_endless.then_some(request.limit + AFTER_THE_CALLER);
        child::start(command(Asking::Forbidden(limit)), chatter)
    }
}

impl Connector for Openssh {
    fn name(&self) -> &'static str {
        "openssh"
    }

    fn check(&self, endpoint: &Endpoint) -> Result<(), ConnectError> {
        self.target(endpoint).map(drop)
    }

    fn route<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        surroundings: &'a Surroundings,
    ) -> BoxFuture<'a, Result<Route, ConnectError>> {
        Box::pin(self.server(endpoint, surroundings))
    }

    fn open<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Pipes, ConnectError>> {
        Box::pin(self.start(request))
    }

    fn diagnose(
        &self,
        _endpoint: &Endpoint,
        ending: Option<&Ending>,
        noise: &[u8],
    ) -> Option<ConnectError> {
        let key_agent = self.key_agent.get().copied();
        let key_agent = key_agent.unwrap_or(KeyAgent::Named);
        diagnose::diagnose(ending, noise, key_agent, self.chatter())
    }
}
