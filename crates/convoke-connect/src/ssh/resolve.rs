//! What ssh's configuration makes of a host, and which ssh serves it: found out once a run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::OnceCell;

use super::chain::{Around, Chain, Leg, Unreachable};
use super::config::{Configuration, Destination};
use super::force::{Credentials, Way, World, way};
use super::settings::Settings;
use super::terms::Terms;
use super::words::Account;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::ssh::SshOptions;
use crate::ssh::target::Target;
use crate::surroundings::Surroundings;

/// Why a host is left to an ssh that does not say what it would do.
pub(super) const UNTOLD: &str = "a configuration that only it understands";

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
    chain: Chain,
    account: OnceLock<Account>,
    credentials: OnceCell<Credentials>,
}

/// What is known of one host.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) settings: Settings,
    /// Why only ssh itself could tell them, if that was so.
    pub(super) asked: Option<String>,
    pub(super) way: Way,
    /// The hops on the way, in the order in which they are connected to.
    pub(super) legs: Vec<Arc<Leg>>,
}

impl Resolver {
    pub(super) fn new(configuration: Arc<Configuration>) -> Self {
        Resolver {
            chain: Chain::new(configuration.options()),
            configuration,
            hosts: Mutex::default(),
            account: OnceLock::new(),
            credentials: OnceCell::new(),
        }
    }

    /// What was asked of every ssh beside its configuration.
    pub(super) fn options(&self) -> &SshOptions {
        self.configuration.options()
    }

    /// The account that we run as.
    pub(super) fn account(&self, surroundings: &Surroundings) -> &Account {
        self.account.get_or_init(|| Account::of(surroundings))
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
                legs: Vec::new(),
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
        let mut way = way(&told.settings, &world);
        let mut legs = Vec::new();
        if way == Way::Native && told.settings.get("proxyjump").is_some() {
            match self.legs(target, &told.settings, &world).await {
                Ok(found) => legs = found,
                Err(Unreachable::Lacks(option)) => way = Way::System(option),
                Err(Unreachable::Wrong(error)) => return Err(error),
            }
        }
        let told = Arc::unwrap_or_clone(told);
        Ok(Arc::new(Resolved {
            settings: told.settings,
            asked: told.asked,
            way,
            legs,
        }))
    }

    /// The hops on the way to a host.
    async fn legs(
        &self,
        target: &Target,
        settings: &Settings,
        world: &World<'_>,
    ) -> Result<Vec<Arc<Leg>>, Unreachable> {
        let around = Around {
            surroundings: world.surroundings,
            account: self.account(world.surroundings),
            credentials: world.credentials,
        };
        let terms = Terms::read(settings, target, around.account, around.surroundings);
        let terms = terms.map_err(|error| Unreachable::Lacks(error.text))?;
        self.chain.to(&terms, &around).await
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
