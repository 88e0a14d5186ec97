//! The hosts on the way to a host, each as its own configuration makes it.
//!
//! ssh starts another ssh for the last of them, with no options but the file after `-F`, and with what
//! is before it as `-J`; without that, the configuration of the hop itself says how it is reached.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::config::{Configuration, Destination, Owner};
use super::force::{Credentials, Way, World, way_over};
use super::proxy::{Jump, Proxy, is_plain};
use super::resolve::UNTOLD;
use super::terms::{Ours, Terms};
use super::words::Unserved;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::surroundings::Surroundings;

/// The longest way. ssh has no limit: it starts one program after the other.
const LONGEST: usize = 16;

/// A host on the way to others.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) jump: Jump,
    pub(super) terms: Terms,
}

impl Leg {
    /// How it is called in words.
    pub(super) fn name(&self) -> &str {
        &self.jump.hop.host
    }

    /// An option that is in force for it, in words.
    pub(super) fn names(&self, option: &str) -> String {
        of_the_hop(&self.jump, option)
    }
}

fn of_the_hop(jump: &Jump, option: &str) -> String {
    format!("{option}, of the jump host {}", jump.hop.host)
}

/// Why a host cannot be reached over its hops.
#[derive(Debug)]
pub(super) enum Unreachable {
    /// The native client lacks something.
    Lacks(String),
    /// The configuration is wrong, or cannot be read.
    Wrong(ConnectError),
}

impl From<ConnectError> for Unreachable {
    fn from(error: ConnectError) -> Self {
        Unreachable::Wrong(error)
    }
}

/// The hops of a run, each resolved once.
#[derive(Debug)]
pub(super) struct Chain {
    configuration: Arc<Configuration>,
    legs: Mutex<HashMap<Jump, Arc<OnceCell<Arc<Leg>>>>>,
}

impl Chain {
    /// The hops of hosts that have this configuration.
    pub(super) fn new(configuration: Arc<Configuration>) -> Self {
        Chain {
            configuration,
            legs: Mutex::default(),
        }
    }

    /// The hops of a host with these terms, in the order in which they are connected to.
    pub(super) async fn to(
        &self,
        terms: &Terms,
        around: &Around<'_>,
    ) -> Result<Vec<Arc<Leg>>, Unreachable> {
        let mut legs: Vec<Arc<Leg>> = Vec::new();
        let mut next = terms.jump();
        while let Some(jump) = next {
            let at = legs.last().map_or(terms, |leg| &leg.terms);
            let seen = legs.iter().any(|leg| leg.jump == *jump);
            if seen || legs.len() == LONGEST || at.is_reached_over_itself(jump) {
                return Err(looped(jump).into());
            }
            let leg = self.leg(jump, around).await?;
            legs.push(leg);
            next = legs.last().and_then(|leg| leg.terms.jump());
        }
        legs.reverse();
        Ok(legs)
    }

    async fn leg(&self, jump: &Jump, around: &Around<'_>) -> Result<Arc<Leg>, Unreachable> {
        let leg = {
            let mut legs = self.legs.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(legs.entry(jump.clone()).or_default())
        };
        let found = leg.get_or_try_init(|| self.resolve(jump, around));
        found.await.cloned()
    }

    /// What the configuration makes of a hop.
    async fn resolve(&self, jump: &Jump, around: &Around<'_>) -> Result<Arc<Leg>, Unreachable> {
        let name = &jump.hop.host;
        let lacks = |what: &str| Unreachable::Lacks(of_the_hop(jump, what));
        let configuration = &self.configuration;
        let file = configuration.options().config.as_ref();
        if file.is_some_and(|file| !file.to_str().is_some_and(is_plain)) {
            return Err(lacks(
                "the name of the configuration file, which a shell reads",
            ));
        }
        let (hop, before) = (Destination::from(&jump.hop), jump.before.as_deref());
        let told = configuration.of_hop(&hop, before, around.surroundings);
        let Some(told) = told
            .await
            .map_err(|error| super::native::fault::through(name, error))?
        else {
            return Err(lacks(UNTOLD));
        };
        let world = World {
            defaults: configuration.defaults(around.surroundings).await?,
            surroundings: around.surroundings,
            credentials: around.credentials,
        };
        if let Way::System(option) = way_over(&told.settings, &world) {
            return Err(lacks(&option));
        }
        let ours = Ours {
            defaults: world.defaults,
            owner: around.owner,
            surroundings: around.surroundings,
        };
        let terms = Terms::read(&told.settings, &jump.hop, &ours);
        let terms = terms.map_err(|Unserved(option)| lacks(&option))?;
        let jump = jump.clone();
        Ok(Arc::new(Leg { jump, terms }))
    }
}

/// What resolving depends on besides the configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) surroundings: &'a Surroundings,
    pub(super) owner: &'a Owner,
    pub(super) credentials: Credentials,
}

/// ssh says so of the simplest case; of others it starts itself without end.
fn looped(jump: &Jump) -> ConnectError {
    let text = format!("jumphost loop via {}", jump.hop.host);
    ConnectError::new(ConnectErrorKind::Configuration, text)
}

impl Terms {
    /// The last hop on the way there.
    fn jump(&self) -> Option<&Jump> {
        match &self.proxy {
            Proxy::Jump(jump) => Some(jump),
            Proxy::None | Proxy::Command(_) => None,
        }
    }

    /// As ssh.c decides it.
    fn is_reached_over_itself(&self, jump: &Jump) -> bool {
        let Jump { hop, .. } = jump;
        let user = hop.user.as_ref().unwrap_or(&self.login.user);
        hop.host == self.host && hop.port.unwrap_or(22) == self.port && *user == self.login.user
    }
}
