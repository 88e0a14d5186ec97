//! A connection to one server: reached, known to be the right one, and logged in to.

use std::sync::Arc;

use russh::SshId;
use russh::client::{Config, Handle};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::asking::Asking;
use super::auth::{Agents, Door};
use super::backlog::Backlog;
use super::dial::{Dialed, dial};
use super::fault::{self, Peer, Stage};
use super::greeting::GREETING;
use super::handler::{Handler, Streams};
use super::hop::Hop;
use super::keys::KeyFiles;
use super::noise::Noise;
use super::notes::Notes;
use super::programs::Programs;
use super::verify::{Host, Verifier};
use crate::ask::Ask;
use crate::error::ConnectError;
use crate::ssh::proxy::Proxy;
use crate::ssh::terms::Terms;
use crate::surroundings::Surroundings;
use crate::trail::Trail;

/// How much a server may send before it must be told that there is room, in bytes.
const WINDOW: u32 = 2 * 1024 * 1024;

/// For whom a connection is made, and what all those of a run have in common.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) verifier: &'a Arc<Verifier>,
    pub(super) keys: &'a KeyFiles,
    pub(super) agents: &'a Agents,
    pub(super) ask: &'a dyn Ask,
    /// The name of the hop that is connected, if it is one.
    pub(super) hop: Option<&'a str>,
    pub(super) surroundings: &'a Surroundings,
    pub(super) trail: &'a Trail,
    pub(super) programs: &'a Arc<Programs>,
}

/// Where a connection begins, and what ends it.
#[derive(Clone, Copy)]
pub(super) struct Beginning<'a> {
    /// The hop that it leads through; without one it begins here.
    pub(super) from: Option<&'a Arc<Hop>>,
    /// What is said on the way.
    pub(super) noise: &'a Noise,
    /// What is heard of its end.
    pub(super) notes: &'a Notes,
    pub(super) cut: &'a CancellationToken,
    /// What it is given and has not written.
    pub(super) backlog: &'a Backlog,
}

/// A connection to the right server.
pub(super) struct Contact {
    pub(super) session: Handle<Handler>,
    notes: Notes,
    peer: Peer,
    /// What a program on the way says, if there is one.
    said: Option<Noise>,
}

impl Contact {
    /// Connects to a server, which knows nothing of us yet.
    pub(super) async fn make(
        terms: &Terms,
        beginning: Beginning<'_>,
        streams: Streams,
        caller: Caller<'_>,
    ) -> Result<Self, ConnectError> {
        let by_command = matches!(terms.proxy, Proxy::Command(_)) && beginning.from.is_none();
        let said = by_command.then(|| beginning.noise.clone());
        let connected = Self::in_time(terms, beginning, streams, caller).await;
        match connected {
            Ok(contact) => Ok(Contact { said, ..contact }),
            Err(error) => Err(explained(error, said.as_ref())),
        }
    }

    /// Connects within `ConnectTimeout`.
    async fn in_time(
        terms: &Terms,
        beginning: Beginning<'_>,
        streams: Streams,
        caller: Caller<'_>,
    ) -> Result<Self, ConnectError> {
        caller.trail.wait("while connecting");
        let dialing = dial(terms, beginning, caller);
        let Some(limit) = terms.limit else {
            let dialed = dialing.await?;
            return Self::exchange(terms, dialed, beginning, streams, caller).await;
        };
        let deadline = Instant::now() + limit;
        let dialed = timeout_at(deadline, dialing).await;
        let dialed = dialed.map_err(|_| match terms.proxy {
            Proxy::Command(_) => fault::greeting_timeout(),
            Proxy::None | Proxy::Jump(_) => fault::timeout(&terms.host, terms.port, limit),
        })??;
        let peer = dialed.peer.clone();
        let exchange = Self::exchange(terms, dialed, beginning, streams, caller);
        let exchanged = timeout_at(deadline, exchange).await;
        exchanged.map_err(|_| fault::late_timeout(&peer))?
    }

    /// Exchanges keys, and judges the server's.
    async fn exchange(
        terms: &Terms,
        dialed: Dialed,
        beginning: Beginning<'_>,
        streams: Streams,
        caller: Caller<'_>,
    ) -> Result<Self, ConnectError> {
        let Dialed {
            line,
            peer,
            address,
        } = dialed;
        caller.trail.wait("during the key exchange");
        let host = Host::new(&terms.host, terms.port, address);
        let judge = caller.verifier;
        let judge = judge.judge(host, &terms.rules, caller.surroundings);
        judge.read().await;
        let mut preferred = terms.offered.clone();
        let (certified, plain) = judge.preferred();
        preferred.host_key_certificates = certified.into();
        preferred.key = plain.into();
        let config = Config {
            client_id: SshId::Standard(GREETING.into()),
            limits: terms.rekey.clone(),
            window_size: WINDOW,
            preferred,
            keepalive_interval: terms.alive.interval,
            keepalive_max: terms.alive.missing,
            nodelay: true,
            ..Config::default()
        };
        let notes = beginning.notes.clone();
        let handler = Handler {
            judge,
            shown: None,
            notes: notes.clone(),
            host: terms.host.clone(),
            streams,
            cut: beginning.cut.clone(),
            backlog: beginning.backlog.clone(),
            trail: caller.trail.clone(),
            banner: 0,
        };
        let exchanged = russh::client::connect_stream(Arc::new(config), line, handler).await;
        let session = match exchanged {
            Ok(session) => session,
            Err(error) => return Err(notes.why(&peer, Stage::Exchange, error)),
        };
        notes.agree_with(session.agent_session_binding())?;
        Ok(Contact {
            session,
            notes,
            peer,
            said: None,
        })
    }

    /// Logs in.
    ///
    /// # Errors
    /// [`crate::error::ConnectErrorKind::Authentication`] when the server does not let us in.
    pub(super) async fn enter(
        &mut self,
        terms: &Terms,
        caller: Caller<'_>,
    ) -> Result<(), ConnectError> {
        caller.trail.wait("while logging in");
        let careful;
        let login = match self.notes.is_distrusted() {
            true => {
                careful = terms.login.without_secrets();
                &careful
            }
            false => &terms.login,
        };
        let asking = Asking::new(caller.ask, caller.hop, login);
        let door = Door {
            session: &mut self.session,
            notes: &self.notes,
            peer: &self.peer,
            host: &terms.host,
            login,
            keys: caller.keys,
            agents: caller.agents,
            asking: &asking,
        };
        let entered = door.enter().await;
        entered.map_err(|error| explained(error, self.said.as_ref()))
    }

    /// Why it came to its end at `stage`; `error` is all that the client itself says.
    pub(super) fn why(&self, stage: Stage, error: russh::Error) -> ConnectError {
        let error = self.notes.why(&self.peer, stage, error);
        explained(error, self.said.as_ref())
    }
}

/// An error with what a program on the way said of it.
fn explained(error: ConnectError, said: Option<&Noise>) -> ConnectError {
    match said {
        Some(said) => fault::by_command(error, &said.last()),
        None => error,
    }
}
