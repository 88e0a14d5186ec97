//! What ssh's configuration makes of a host, and which ssh serves it: found out once a run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::config::{Configuration, Destination};
use super::force::{Credentials, Way, World, way};
use super::settings::Settings;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::ssh::SshOptions;
use crate::ssh::target::Target;
use crate::surroundings::Surroundings;

/// Why a host is left to an ssh that does not say what it would do.
const UNTOLD: &str = "a configuration that only it understands";

const ELSEWHERE: &str = "openssh:HOST is reached with every option that ssh has";

/// Only the system's ssh serves a host, because of an option with its value.
pub(super) fn not_served(option: &str) -> ConnectError {
    let text = format!("the native client does not serve {option}");
    ConnectError {
        hint: Some(ELSEWHERE.into()),
        ..ConnectError::new(ConnectErrorKind::Configuration, text)
    }
}

/// The settings of the hosts of one run. What was resolved once is kept.
#[derive(Debug)]
pub(super) struct Resolver {
    configuration: Arc<Configuration>,
    hosts: Mutex<HashMap<Target, Arc<OnceCell<Arc<Resolved>>>>>,
    credentials: OnceCell<Credentials>,
}

/// What is known of one host.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) settings: Settings,
    /// Why only ssh itself could tell them, if that was so.
    pub(super) asked: Option<String>,
    pub(super) way: Way,
}

impl Resolver {
    pub(super) fn new(configuration: Arc<Configuration>) -> Self {
        Resolver {
            configuration,
            hosts: Mutex::default(),
            credentials: OnceCell::new(),
        }
    }

    /// What was asked of every ssh beside its configuration.
    pub(super) fn options(&self) -> &SshOptions {
        self.configuration.options()
    }

    /// The account that ssh connects as where nothing says otherwise.
    pub(super) async fn login(
        &self,
        surroundings: &Surroundings,
    ) -> Result<Option<String>, ConnectError> {
        let defaults = self.configuration.defaults(surroundings).await?;
        Ok(defaults.get("user").map(str::to_owned))
    }

    /// What is known of `target`.
    ///
    /// # Errors
    /// When ssh refuses the configuration, or the options.
    pub(super) async fn of(
        &self,
        target: &Target,
        surroundings: &Surroundings,
    ) -> Result<Arc<Resolved>, ConnectError> {
        let host = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            match hosts.get(target) {
                Some(host) => Arc::clone(host),
                None => Arc::clone(hosts.entry(target.clone()).or_default()),
            }
        };
        let found = host.get_or_try_init(|| self.resolve(target, surroundings));
        found.await.cloned()
    }

    async fn resolve(
        &self,
        target: &Target,
        surroundings: &Surroundings,
    ) -> Result<Arc<Resolved>, ConnectError> {
        let destination = Destination::from(target);
        let Some(told) = self.configuration.of(&destination, surroundings).await? else {
            return Ok(Arc::new(Resolved {
                settings: Settings::default(),
                asked: None,
                way: Way::System(UNTOLD.into()),
            }));
        };
        let credentials = self
            .credentials
            .get_or_init(|| Credentials::look(surroundings));
        let world = World {
            defaults: self.configuration.defaults(surroundings).await?,
            surroundings,
            credentials: *credentials.await,
        };
        let way = way(&told.settings, &world);
        let told = Arc::unwrap_or_clone(told);
        Ok(Arc::new(Resolved {
            settings: told.settings,
            asked: told.asked,
            way,
        }))
    }
}

impl Resolved {
    /// Itself, if the native client can follow all of it.
    ///
    /// # Errors
    /// [`ConnectErrorKind::Configuration`] when it cannot, with the option that is in force.
    pub(super) fn native(&self) -> Result<&Settings, ConnectError> {
        match &self.way {
            Way::Native => Ok(&self.settings),
            Way::System(option) => Err(not_served(option)),
        }
    }
}
