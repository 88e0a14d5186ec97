//! The connector: hosts over ssh, in this process.

use std::fmt;
use std::sync::{Arc, OnceLock};

use russh::client::{Config, Handle, Msg};
use russh::{Channel, SshId};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::auth::{self, Door};
use super::config::Configuration;
use super::dial::{Dialed, GREETING, dial};
use super::fault::{self, Peer, Stage};
use super::force::Way;
use super::handler::Handler;
use super::keys::KeyFiles;
use super::notes::Notes;
use super::pipes::{Connection, Input};
use super::resolve::{Resolved, Resolver, not_served};
use super::settings::Settings;
use super::terms::Terms;
use super::verify::{Books, Named};
use super::words::Account;
use crate::connector::{Connector, Ending, Pipes, Request, Route};
use crate::endpoint::Endpoint;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::future::BoxFuture;
use crate::ssh::SshOptions;
use crate::ssh::openssh::explained::place;
use crate::ssh::target::Target;
use crate::surroundings::Surroundings;

/// How much a server may send before it must be told that there is room, in bytes.
const WINDOW: u32 = 2 * 1024 * 1024;

/// How much output waits here for its reader, in bytes, beside what the kernel holds.
const PIPE: usize = 128 * 1024;

/// Reaches hosts over ssh without the system's `ssh`, but as that is configured.
///
/// Each connection is one TCP connection with one channel. What is read from files (known hosts, keys)
/// and what is asked (passphrases) is kept: an instance serves one run.
pub struct Native {
    resolver: Arc<Resolver>,
    books: Books,
    keys: KeyFiles,
    account: OnceLock<Account>,
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native").finish_non_exhaustive()
    }
}

/// What came of opening a connection, before its command runs.
struct Open {
    session: Handle<Handler>,
    notes: Notes,
    peer: Peer,
    stdout: DuplexStream,
    stderr: DuplexStream,
    ending: oneshot::Receiver<Ending>,
}

impl Native {
    /// A connector that does what ssh does with `options`.
    pub fn new(options: SshOptions) -> Self {
        Self::sharing(Arc::new(Configuration::new(options)))
    }

    /// The same, with what others have found out of the configuration.
    pub fn sharing(configuration: Arc<Configuration>) -> Self {
        Native {
            resolver: Arc::new(Resolver::new(configuration)),
            books: Books::default(),
            keys: KeyFiles::default(),
            account: OnceLock::new(),
        }
    }

    /// What it knows of configurations.
    pub(super) fn resolver(&self) -> &Arc<Resolver> {
        &self.resolver
    }

    /// Whom `endpoint` names.
    pub(super) fn target(&self, endpoint: &Endpoint) -> Result<Target, ConnectError> {
        let target = Target::parse(endpoint)?;
        let checked = self.resolver.options().check();
        checked.map_err(|why| ConnectError::new(ConnectErrorKind::Configuration, why))?;
        Ok(target)
    }

    /// By which ssh a host is reached of which this is known: its keys may be beyond us.
    pub(super) async fn way(
        &self,
        resolved: &Resolved,
        target: &Target,
        surroundings: &Surroundings,
    ) -> Result<Way, ConnectError> {
        if resolved.way != Way::Native {
            return Ok(resolved.way.clone());
        }
        let terms = self.read(&resolved.settings, target, surroundings)?;
        let beyond = auth::beyond(&terms.login, &self.keys).await;
        Ok(beyond.map_or(Way::Native, Way::System))
    }

    fn read(
        &self,
        settings: &Settings,
        target: &Target,
        surroundings: &Surroundings,
    ) -> Result<Terms, ConnectError> {
        let account = self.account.get_or_init(|| Account::of(surroundings));
        Terms::read(settings, target, account, surroundings)
    }

    async fn terms(
        &self,
        endpoint: &Endpoint,
        surroundings: &Surroundings,
    ) -> Result<Terms, ConnectError> {
        let target = self.target(endpoint)?;
        let resolved = self.resolver.of(&target, surroundings).await?;
        let terms = self.read(resolved.native()?, &target, surroundings)?;
        match auth::beyond(&terms.login, &self.keys).await {
            Some(option) => Err(not_served(&option)),
            None => Ok(terms),
        }
    }

    async fn start(&self, request: Request<'_>) -> Result<Pipes, ConnectError> {
        let terms = self.terms(request.endpoint, request.surroundings).await?;
        let cut = CancellationToken::new();
        // Whatever happens from here on, dropping it ends the connection.
        let guard = cut.clone().drop_guard();
        let mut open = self.connect(&terms, &cut).await?;
        let door = Door {
            session: &mut open.session,
            notes: &open.notes,
            peer: &open.peer,
            host: &terms.host,
            login: &terms.login,
            keys: &self.keys,
            ask: request.ask,
        };
        door.enter().await?;
        let channel = match run(&open.session, &terms, request.command).await {
            Ok(channel) => channel,
            Err(error) => return Err(open.notes.why(&open.peer, Stage::Session, error)),
        };
        // Output does not come through the channel, but through the handler.
        let (_, writing) = channel.split();
        Ok(Pipes {
            reader: Box::new(open.stdout),
            writer: Box::new(Input::new(writing)),
            stderr: Box::new(open.stderr),
            close: Box::new(Connection {
                session: open.session,
                ending: open.ending,
                cut: guard,
            }),
            lent: None,
        })
    }

    /// A connection to the right server, which knows nothing of us yet.
    async fn connect(&self, terms: &Terms, cut: &CancellationToken) -> Result<Open, ConnectError> {
        let Some(limit) = terms.limit else {
            let dialed = dial(terms, cut).await?;
            return self.exchange(terms, dialed, cut).await;
        };
        let deadline = tokio::time::Instant::now() + limit;
        let dialed = tokio::time::timeout_at(deadline, dial(terms, cut)).await;
        let dialed = dialed.map_err(|_| fault::timeout(&terms.host, terms.port, limit))??;
        let peer = dialed.peer.clone();
        let exchange = self.exchange(terms, dialed, cut);
        let exchanged = tokio::time::timeout_at(deadline, exchange).await;
        exchanged.map_err(|_| fault::late_timeout(&peer))?
    }

    /// Exchanges keys, and judges the server's.
    async fn exchange(
        &self,
        terms: &Terms,
        dialed: Dialed,
        cut: &CancellationToken,
    ) -> Result<Open, ConnectError> {
        let Dialed { line, peer } = dialed;
        let named = Named {
            host: &terms.host,
            port: terms.port,
            alias: terms.alias.as_deref(),
            smallest_rsa: terms.smallest_rsa,
        };
        let expected = self.books.expected(&named, &terms.known_hosts);
        let mut preferred = terms.offered.clone();
        expected.order(preferred.key.to_mut());
        let config = Config {
            client_id: SshId::Standard(GREETING.into()),
            window_size: WINDOW,
            preferred,
            keepalive_interval: terms.alive.interval,
            keepalive_max: terms.alive.missing,
            nodelay: true,
            ..Config::default()
        };
        let (near_out, stdout) = duplex(PIPE);
        let (near_err, stderr) = duplex(PIPE);
        let (told, ending) = oneshot::channel();
        let notes = Notes::default();
        let handler = Handler {
            expected,
            notes: notes.clone(),
            stdout: Some(near_out),
            stderr: Some(near_err),
            ending: Some(told),
            cut: cut.clone(),
            banner: 0,
        };
        match russh::client::connect_stream(Arc::new(config), line, handler).await {
            Ok(session) => Ok(Open {
                session,
                notes,
                peer,
                stdout,
                stderr,
                ending,
            }),
            Err(error) => Err(notes.why(&peer, Stage::Exchange, error)),
        }
    }
}

/// Starts the command. Nothing here waits for the server but the number of the channel.
async fn run(
    session: &Handle<Handler>,
    terms: &Terms,
    command: &str,
) -> Result<Channel<Msg>, russh::Error> {
    let channel = session.channel_open_session().await?;
    for (name, value) in &terms.environment {
        channel
            .set_env(false, name.as_str(), value.as_str())
            .await?;
    }
    channel.exec(true, command).await?;
    Ok(channel)
}

impl Connector for Native {
    fn name(&self) -> &'static str {
        "ssh+native"
    }

    fn check(&self, endpoint: &Endpoint) -> Result<(), ConnectError> {
        self.target(endpoint).map(drop)
    }

    fn route<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        surroundings: &'a Surroundings,
    ) -> BoxFuture<'a, Result<Route, ConnectError>> {
        Box::pin(async {
            let terms = self.terms(endpoint, surroundings).await?;
            Ok(Route {
                server: Some(place(&terms.host, terms.port)),
                ..Route::default()
            })
        })
    }

    fn open<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Pipes, ConnectError>> {
        Box::pin(self.start(request))
    }

    fn diagnose(
        &self,
        _endpoint: &Endpoint,
        ending: Option<&Ending>,
        _noise: &[u8],
    ) -> Option<ConnectError> {
        match ending {
            Some(Ending::Unknown { remark }) => {
                Some(ConnectError::new(ConnectErrorKind::Closed, remark.as_str()))
            }
            _ => None,
        }
    }
}
