//! What ssh's configuration makes of a host, and which ssh serves it: found out once a run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::chain::{Around, Chain, Leg, Unreachable};
use super::config::{Configuration, Destination};
use super::force::{Credentials, Way, World, way};
use super::here;
use super::native::auth::{self, Agents};
use super::native::keys::KeyFiles;
use super::settings::Settings;
use super::terms::{Ours, Terms};
use super::words::Unserved;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::ssh::SshOptions;
use crate::ssh::target::Target;
use crate::surroundings::Surroundings;

/// Why a host is left to an ssh that does not say what it would do.
pub(super) const UNTOLD: &str = "a configuration that only it understands";

const ELSEWHERE: &str = "openssh:HOST is reached with every option that ssh has";

/// Only the system's ssh serves a host, because of an option with its value.
fn not_served(option: &str) -> ConnectError {
    let text = format!("the native client does not serve {option}");
    ConnectError {
        hint: Some(ELSEWHERE.into()),
        ..ConnectError::new(ConnectErrorKind::Configuration, text)
    }
}

/// The settings of the hosts of one run. What was resolved is kept until the host was reached.
#[derive(Debug)]
pub(super) struct Resolver {
    configuration: Arc<Configuration>,
    hosts: Mutex<HashMap<Target, Arc<OnceCell<Arc<Resolved>>>>>,
    chain: Chain,
    keys: KeyFiles,
    agents: Agents,
    credentials: OnceCell<Credentials>,
}

/// What is known of one host.
#[derive(Debug)]
pub(super) struct Resolved {
    /// Why only ssh itself could tell its settings, if that was so.
    pub(super) asked: Option<String>,
    /// Whether it is this machine itself.
    pub(super) is_here: bool,
    /// How the native client reaches it, or the option for which it cannot.
    course: Result<Course, String>,
}

/// How the native client reaches a host.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) terms: Terms,
    /// The hops on the way, in the order in which they are connected to.
    pub(super) legs: Vec<Arc<Leg>>,
}

impl Resolver {
    pub(super) fn new(configuration: Arc<Configuration>) -> Self {
        Resolver {
            chain: Chain::new(Arc::clone(&configuration)),
            configuration,
            hosts: Mutex::default(),
            keys: KeyFiles::default(),
            agents: Agents::default(),
            credentials: OnceCell::new(),
        }
    }

    /// What was asked of every ssh beside its configuration.
    pub(super) fn options(&self) -> &SshOptions {
        self.configuration.options()
    }

    /// The key files of the run.
    pub(super) fn keys(&self) -> &KeyFiles {
        &self.keys
    }

    /// The ssh-agents of the run.
    pub(super) fn agents(&self) -> &Agents {
        &self.agents
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

    /// Lets go of what is known of a host that was reached: ten thousand take a hundred megabytes.
    pub(super) fn forget(&self, target: &Target) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.remove(target);
    }

    async fn resolve(
        &self,
        target: &Target,
        surroundings: &Surroundings,
    ) -> Result<Arc<Resolved>, ConnectError> {
        let destination = Destination::from(target);
        let Some(told) = self.configuration.of(&destination, surroundings).await? else {
            return Ok(Arc::new(Resolved {
                asked: None,
                is_here: false,
                course: Err(UNTOLD.into()),
            }));
        };
        let defaults = self.configuration.defaults(surroundings).await?;
        let is_ours = self.options().is_silent() && here::is_ours(target, surroundings);
        let is_here = is_ours && here::stays(target, &told.settings, defaults.get("user"));
        if is_here {
            return Ok(Arc::new(Resolved {
                asked: told.asked.clone(),
                is_here,
                course: Err("this machine, which needs no ssh".into()),
            }));
        }
        let credentials = self
            .credentials
            .get_or_init(|| Credentials::look(surroundings));
        let world = World {
            defaults,
            surroundings,
            credentials: *credentials.await,
        };
        let course = match self.course(target, &told.settings, &world).await {
            Ok(course) => Ok(course),
            Err(Unreachable::Lacks(option)) => Err(option),
            Err(Unreachable::Wrong(error)) => return Err(error),
        };
        Ok(Arc::new(Resolved {
            asked: told.asked.clone(),
            is_here,
            course,
        }))
    }

    /// How a host with these settings is reached.
    async fn course(
        &self,
        target: &Target,
        settings: &Settings,
        world: &World<'_>,
    ) -> Result<Course, Unreachable> {
        if let Way::System(option) = way(settings, world) {
            return Err(Unreachable::Lacks(option));
        }
        // One that is only configured is started by neither ssh.
        let master = settings.get("controlmaster").unwrap_or("false");
        if self.options().mentions("controlmaster") && !matches!(master, "false" | "no") {
            return Err(Unreachable::Lacks(format!("controlmaster {master}")));
        }
        let surroundings = world.surroundings;
        let Some(owner) = self.configuration.owner(surroundings).await? else {
            return Err(Unreachable::Lacks("an account that nobody knows".into()));
        };
        let ours = Ours {
            defaults: world.defaults,
            owner,
            surroundings,
        };
        let terms = Terms::read(settings, target, &ours);
        let terms = terms.map_err(|Unserved(option)| Unreachable::Lacks(option))?;
        let around = Around {
            surroundings,
            owner,
            credentials: world.credentials,
        };
        let legs = self.chain.to(&terms, &around).await?;
        for leg in &legs {
            if let Some(option) = self.beyond(&leg.terms).await {
                return Err(Unreachable::Lacks(leg.names(&option)));
            }
        }
        match self.beyond(&terms).await {
            Some(option) => Err(Unreachable::Lacks(option)),
            None => Ok(Course { terms, legs }),
        }
    }

    async fn beyond(&self, terms: &Terms) -> Option<String> {
        auth::beyond(&terms.login, &self.keys, &self.agents).await
    }
}

impl Course {
    /// The server that has the work of the connection.
    pub(super) fn server(&self) -> &str {
        let first = self.legs.first().map_or(&self.terms, |leg| &leg.terms);
        &first.server
    }
}

impl Resolved {
    /// How the native client reaches it, if it can follow all of its settings.
    ///
    /// # Errors
    /// [`ConnectErrorKind::Configuration`] when it cannot, with the option that is in force.
    pub(super) fn native(&self) -> Result<&Course, ConnectError> {
        self.course.as_ref().map_err(|option| not_served(option))
    }

    /// The option for which it is left to the system's ssh.
    pub(super) fn lacks(&self) -> Option<&str> {
        self.course.as_ref().err().map(String::as_str)
    }
}
