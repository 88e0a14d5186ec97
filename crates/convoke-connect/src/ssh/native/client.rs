//! The connector: hosts over ssh, in this process.

use std::fmt;
use std::sync::Arc;

use russh::Channel;
use russh::client::{Handle, Msg};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;
use super::contact::{Beginning, Caller, Contact};
use super::fault::Stage;
use super::handler::{Command, Handler, Streams};
use super::hops::Hops;
use super::introduction::introduce;
use super::noise::{Both, Noise};
use super::notes::Notes;
use super::pipes::{Connection, Input};
use super::programs::Programs;
use super::sight::Sight;
use super::verify::Verifier;
use crate::ask::Ask;
use crate::connector::{Connector, Ending, Pipes, Request, Route};
use crate::endpoint::Endpoint;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::future::BoxFuture;
use crate::ssh::SshOptions;
use crate::ssh::chain::Leg;
use crate::ssh::config::Configuration;
use crate::ssh::proxy::Proxy;
use crate::ssh::resolve::{Course, Resolved, Resolver};
use crate::ssh::target::Target;
use crate::ssh::terms::Terms;
use crate::surroundings::Surroundings;
use crate::trail::{Remark, Trail};

/// From how much input on the session is given no more until it has written, in bytes: three full packets.
const BACKLOG: usize = 96 * 1024;

/// How much output waits here for its reader, in bytes, beside what the kernel holds.
const PIPE: usize = 128 * 1024;

/// Reaches hosts over ssh without the system's `ssh`, but as that is configured.
///
/// Each host has a connection and a channel of its own; a hop has one connection for all behind it.
/// What is read from files (known hosts, keys) and what is asked (passphrases) is kept: an instance
/// serves one run.
pub struct Native {
    resolver: Resolver,
    hops: Hops,
    verifier: Arc<Verifier>,
    programs: Arc<Programs>,
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native").finish_non_exhaustive()
    }
}

impl Native {
    /// A connector that does what ssh does with `options`.
    pub fn new(options: SshOptions) -> Self {
        Self::sharing(Arc::new(Configuration::new(options)))
    }

    /// The same, with what others have found out of the configuration.
    pub fn sharing(configuration: Arc<Configuration>) -> Self {
        Native {
            verifier: Arc::new(Verifier::new(configuration.options().clone())),
            resolver: Resolver::new(configuration),
            hops: Hops::default(),
            programs: Arc::default(),
        }
    }

    /// Whom `endpoint` names.
    pub(super) fn target(&self, endpoint: &Endpoint) -> Result<Target, ConnectError> {
        let target = Target::parse(endpoint)?;
        let checked = self.resolver.options().check();
        checked.map_err(|why| ConnectError::new(ConnectErrorKind::Configuration, why))?;
        Ok(target)
    }

    /// What is known of `endpoint`.
    pub(in crate::ssh) async fn resolved(
        &self,
        endpoint: &Endpoint,
        surroundings: &Surroundings,
    ) -> Result<Arc<Resolved>, ConnectError> {
        let target = self.target(endpoint)?;
        self.resolver.of(&target, surroundings).await
    }

    /// Starts the command; the host is introduced before if it is not known, and somebody may be asked.
    async fn begin(&self, request: Request<'_>) -> Result<Pipes, ConnectError> {
        let notes = Notes::default();
        let unknown = match self.start(request, &notes).await {
            Err(error) if error.kind == ConnectErrorKind::HostKeyUnknown => error,
            started => return started,
        };
        // Without its key it is somebody on the way who is not known.
        let Some(sight) = notes.looked_at() else {
            return Err(unknown);
        };
        let resolved = self.resolved(request.endpoint, request.surroundings);
        let resolved = resolved.await?;
        let caller = self.caller(request.ask, request.surroundings, request.trail);
        match introduce(&sight, &resolved.native()?.terms, caller).await {
            true => self.start(request, &Notes::default()).await,
            false => Err(unknown),
        }
    }

    /// Connects to the host, logs in, and starts the command.
    async fn start(&self, request: Request<'_>, notes: &Notes) -> Result<Pipes, ConnectError> {
        let resolved = self
            .resolved(request.endpoint, request.surroundings)
            .await?;
        let Course { terms, legs } = resolved.native()?;
        let caller = self.caller(request.ask, request.surroundings, request.trail);
        let hop = self.hops.reach(legs, caller).await?;
        note_way(legs, caller.trail);
        let cut = CancellationToken::new();
        // Whatever happens from here on, dropping it ends the connection.
        let guard = cut.clone().drop_guard();
        let noise = Noise::default();
        let backlog = Backlog::of(BACKLOG);
        let (streams, far) = pipes();
        let beginning = Beginning {
            from: hop.as_ref(),
            noise: &noise,
            notes,
            cut: &cut,
            backlog: &backlog,
        };
        let mut contact = Contact::make(terms, beginning, streams, caller).await?;
        contact.enter(terms, caller).await?;
        caller.trail.wait("while starting the command");
        let channel = match run(&contact.session, terms, request.command).await {
            Ok(channel) => channel,
            Err(error) => return Err(contact.why(Stage::Session, error)),
        };
        caller.trail.arrive();
        self.resolver.forget(&self.target(request.endpoint)?);
        // Output does not come through the channel, but through the handler.
        let (_, writing) = channel.split();
        if let Some(hop) = &hop {
            noise.add(&hop.said());
            noise.end();
        }
        let is_quiet = hop.is_none() && !matches!(terms.proxy, Proxy::Command(_));
        Ok(Pipes {
            reader: Box::new(far.stdout),
            writer: Box::new(Input::new(writing, backlog)),
            stderr: match is_quiet {
                true => Box::new(far.stderr),
                false => Box::new(Both::new(noise, far.stderr)),
            },
            close: Box::new(Connection {
                session: contact.session,
                ending: far.ending,
                cut: guard,
            }),
            lent: None,
        })
    }

    /// For whom connections are made.
    fn caller<'a>(
        &'a self,
        ask: &'a dyn Ask,
        surroundings: &'a Surroundings,
        trail: &'a Trail,
    ) -> Caller<'a> {
        Caller {
            verifier: &self.verifier,
            keys: self.resolver.keys(),
            agents: self.resolver.agents(),
            ask,
            hop: None,
            surroundings,
            trail,
            programs: &self.programs,
        }
    }

    /// Looks at the key of a host, by the same way as a connection and without logging in there. Nothing
    /// is written down. `ask` is for hops on the way.
    ///
    /// # Errors
    /// The host was not reached, or the native client cannot reach it as ssh would.
    pub async fn look(
        &self,
        endpoint: &Endpoint,
        surroundings: &Surroundings,
        ask: &dyn Ask,
        trail: &Trail,
    ) -> Result<Sight, ConnectError> {
        let resolved = self.resolved(endpoint, surroundings).await?;
        let Course { terms, legs } = resolved.native()?;
        let caller = self.caller(ask, surroundings, trail);
        let hop = self.hops.reach(legs, caller).await?;
        let cut = CancellationToken::new();
        let _guard = cut.clone().drop_guard();
        let notes = Notes::default();
        let beginning = Beginning {
            from: hop.as_ref(),
            noise: &Noise::default(),
            notes: &notes,
            cut: &cut,
            backlog: &Backlog::of(0),
        };
        let made = Contact::make(terms, beginning, Streams::Look, caller).await;
        match (notes.looked_at(), made) {
            (Some(sight), _) => Ok(sight),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => {
                let text = "the host showed no key";
                Err(ConnectError::new(ConnectErrorKind::Closed, text))
            }
        }
    }
}

/// Says over which hosts it goes.
fn note_way(legs: &[Arc<Leg>], trail: &Trail) {
    let names: Vec<_> = legs.iter().map(|leg| leg.name()).collect();
    if !names.is_empty() {
        trail.remark(Remark::Note(format!(
            "reached through {}",
            names.join(", ")
        )));
    }
}

/// The far ends of the pipes of a command.
struct Far {
    stdout: DuplexStream,
    stderr: DuplexStream,
    ending: oneshot::Receiver<Ending>,
}

/// Both ends of the pipes of a command.
fn pipes() -> (Streams, Far) {
    let (near_out, stdout) = duplex(PIPE);
    let (near_err, stderr) = duplex(PIPE);
    let (told, ending) = oneshot::channel();
    let near = Command {
        stdout: Some(near_out),
        stderr: Some(near_err),
        ending: Some(told),
    };
    let far = Far {
        stdout,
        stderr,
        ending,
    };
    (Streams::Command(near), far)
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
            let resolved = self.resolved(endpoint, surroundings).await?;
            Ok(Route {
                server: Some(resolved.native()?.server().to_owned()),
                ..Route::default()
            })
        })
    }

    fn open<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Pipes, ConnectError>> {
        Box::pin(self.begin(request))
    }

    fn end(&self) {
        self.programs.end();
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
