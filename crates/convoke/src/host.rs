//! One host from its endpoint to the outcome of its work.

mod noise;

use std::sync::Arc;
use std::time::Duration;

use convoke_connect::ask::{Ask, Nobody};
use convoke_connect::connector::{Close, Ending, Pipes, Request};
use convoke_connect::endpoint::{Endpoint, EndpointError};
use convoke_connect::error::{ConnectError, ConnectErrorKind};
use convoke_connect::registry::Registry;
use convoke_connect::surroundings::Surroundings;
use convoke_proto::credit::{Budget, CONTROLLER_BUDGET};
use convoke_proto::hello::{Hello, LinkId, Liveness};
use tokio::time::{timeout, timeout_at};

use crate::agents::Agents;
use crate::bootstrap::{self, Greeting, Nonce};
use crate::cancel::Cancel;
use crate::event::{AgentOrigin, Connected, Emitter, Kind};
use crate::link::{self, CLOSE_LIMIT, Link, LinkError};
use crate::outcome::{Cancelled, Fate, Outcome, Unreachable, UnreachableKind};
use crate::process::{self, Broken, Command};

use noise::Noise;

/// How long a host may take from the first packet to the answer of its shell.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// How long the agent may take to arrive and to say hello once the shell has answered: half a
/// megabyte over a slow modem line.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(120);

/// How long a broken connection is asked how its far end ended before the answer is "unknown".
const ENDING_LIMIT: Duration = Duration::from_secs(1);

/// A machine that can be reached: a name and an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    name: Arc<str>,
    endpoint: Endpoint,
}

/// What a host is asked to do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Work {
    /// To run one command.
    Process(Command),
}

/// By which means hosts are reached; shared by all hosts of a run.
#[derive(Clone)]
pub struct Reach {
    /// Which connector opens which scheme.
    pub registry: Registry,
    /// The machine and account we run on.
    pub surroundings: Arc<Surroundings>,
    /// The agents we can send.
    pub agents: Arc<Agents>,
    /// Who answers questions.
    pub ask: Arc<dyn Ask>,
    /// What all links may buffer together.
    pub budget: Budget,
    /// How long silence is tolerated.
    pub liveness: Liveness,
    /// How long a host may take until its shell answers.
    pub connect_limit: Duration,
}

impl Host {
    /// The host that `name` writes, such as `local:demo1`; the name is also its endpoint.
    ///
    /// # Errors
    /// [`EndpointError`] when the text cannot be an endpoint.
    pub fn new(name: &str) -> Result<Self, EndpointError> {
        Ok(Host {
            name: name.into(),
            endpoint: name.parse()?,
        })
    }

    /// The name, under which its events and results come.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Where it is reached.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }
}

impl Reach {
    /// The connectors of this build, nobody to ask, and the limits of the contract.
    pub fn new(surroundings: Surroundings, agents: Agents) -> Self {
        Reach {
            registry: Registry::with_defaults(),
            surroundings: Arc::new(surroundings),
            agents: Arc::new(agents),
            ask: Arc::new(Nobody),
            budget: Budget::new(CONTROLLER_BUDGET),
            liveness: Liveness::default(),
            connect_limit: CONNECT_LIMIT,
        }
    }
}

/// An open connection whose far end is an agent.
///
/// Dropping it ends the connection at once; [`Connection::close`] says goodbye first.
pub struct Connection {
    link: Link,
    close: Box<dyn Close>,
    noise: Noise,
    connector: &'static str,
    origin: AgentOrigin,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("connector", &self.connector)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Opens `host` and brings the agent there when it is missing: one connection, one command.
    ///
    /// The agent's hello has not been waited for; requests may follow at once. The future may be
    /// dropped at any moment.
    ///
    /// # Errors
    /// Why there is no working link.
    pub async fn open(host: &Host, reach: &Reach) -> Result<Self, Unreachable> {
        let began = tokio::time::Instant::now();
        let nonce = Nonce::random();
        let connector = reach.registry.find(&host.endpoint)?;
        let command = bootstrap::command(&reach.agents, &nonce);
        let opening = connector.open(Request {
            endpoint: &host.endpoint,
            command: &command,
            surroundings: &reach.surroundings,
            ask: &*reach.ask,
            terminal: None,
        });
        let connect_by = began + reach.connect_limit;
        let pipes = timeout_at(connect_by, opening).await;
        let pipes = pipes.map_err(|_| too_long(reach.connect_limit))??;
        let Pipes {
            mut reader,
            mut writer,
            stderr,
            close,
            lent: _lent,
        } = pipes;
        let noise = Noise::listen(stderr);
        let arrival = async {
            let answer = bootstrap::answer(&mut reader, &reach.agents, &nonce);
            let answer = timeout_at(connect_by, answer).await;
            let answer = answer.map_err(|_| too_long(reach.connect_limit))??;
            let greeting = bootstrap::deliver(answer, &mut reader, &mut writer, &reach.agents);
            let greeting = timeout(ARRIVAL_LIMIT, greeting).await;
            Ok::<Greeting, Unreachable>(greeting.map_err(|_| too_long(ARRIVAL_LIMIT))??)
        };
        let greeting = match arrival.await {
            Ok(greeting) => greeting,
            Err(unreachable) => return Err(noise.explain(unreachable).await),
        };
        let options = link::Options {
            id: LinkId(random()),
            liveness: reach.liveness,
            budget: reach.budget.clone(),
        };
        Ok(Connection {
            link: Link::open(reader, writer, greeting.rest, options),
            close,
            noise,
            connector: connector.name(),
            origin: greeting.origin,
        })
    }

    /// The agent session.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Waits for the agent's hello.
    ///
    /// # Errors
    /// Why there is no working link.
    pub async fn hello(&self) -> Result<Arc<Hello>, Unreachable> {
        let hello = timeout(ARRIVAL_LIMIT, self.link.hello()).await;
        hello
            .unwrap_or(Err(LinkError::Silent(ARRIVAL_LIMIT)))
            .map_err(|error| Unreachable {
                kind: UnreachableKind::Hello,
                text: format!("the agent did not say hello: {error}"),
                hint: None,
            })
    }

    /// Ends the connection: what still runs is ended by the agent. Waits at most [`CLOSE_LIMIT`] for
    /// the far end, and says how it ended when that is known.
    pub async fn close(self) -> Option<Ending> {
        self.end(CLOSE_LIMIT).await
    }

    async fn end(self, limit: Duration) -> Option<Ending> {
        self.link.close().await;
        timeout(limit, self.close.close()).await.ok()
    }
}

/// Does `work` on `host` and sends what happens, with the outcome as the last event.
///
/// Never fails: whatever goes wrong is the outcome. When `cancel` fires, what runs is ended and its
/// last output still sent.
pub async fn run(
    host: &Host,
    work: &Work,
    reach: &Reach,
    events: &mut Emitter,
    cancel: &Cancel,
) -> Outcome {
    let connection = tokio::select! {
        biased;
        () = cancel.fired() => Err(cancelled(cancel)),
        connection = Connection::open(host, reach) => connection.map_err(Outcome::Unreachable),
    };
    let (outcome, connection) = match connection {
        Ok(connection) => with(connection, work, reach, events, cancel).await,
        Err(outcome) => (outcome, None),
    };
    events.send(Kind::Ended(outcome.clone())).await;
    if let Some(connection) = connection {
        connection.close().await;
    }
    outcome
}

/// Does the work on an open connection; gives the connection back while it is whole.
async fn with(
    connection: Connection,
    work: &Work,
    reach: &Reach,
    events: &mut Emitter,
    cancel: &Cancel,
) -> (Outcome, Option<Connection>) {
    let Work::Process(command) = work;
    let mut greeter = events.clone();
    let running = process::run(&connection.link, command, events, cancel);
    let ended = {
        tokio::pin!(running);
        // The command was asked for already; its host is announced when the hello comes.
        let early = tokio::select! {
            biased;
            hello = connection.hello() => Err(hello),
            ended = &mut running => Ok(ended),
        };
        match early {
            // Cancelled, and the agent never said a word: nothing is known to have run.
            Ok(Err(_)) if cancel.is_fired() => return (cancelled(cancel), None),
            Ok(ended) => ended,
            Err(Err(unreachable)) => {
                let unreachable = connection.noise.explain(unreachable).await;
                return (Outcome::Unreachable(unreachable), None);
            }
            Err(Ok(hello)) => {
                // Side by side: while the queue of events is full, a cancel must still be heard. The
                // announcement waits for its place first, so it comes first.
                let announced = announce(&connection, &hello, &mut greeter);
                tokio::join!(announced, running).1
            }
        }
    };
    match ended {
        Ok(outcome) => {
            connection.noise.report(events).await;
            (outcome, Some(connection))
        }
        Err(broken) => {
            connection.noise.report(events).await;
            (failed(connection, broken, command, reach).await, None)
        }
    }
}

/// The outcome of a command that was cancelled before it ran.
fn cancelled(cancel: &Cancel) -> Outcome {
    Outcome::Cancelled(Cancelled {
        why: cancel.cause(),
        was_running: false,
        survivors: Vec::new(),
    })
}

async fn announce(connection: &Connection, hello: &Hello, events: &mut Emitter) {
    tracing::info!(
        "connected by {}, agent {}, {}",
        connection.connector,
        connection.origin.as_str(),
        hello.platform
    );
    let connected = Connected {
        connector: connection.connector,
        agent: connection.origin,
        platform: hello.platform.clone(),
    };
    events.send(Kind::Connected(connected)).await;
    connection.noise.report(events).await;
}

/// The outcome of a command whose channel ended without an exit.
async fn failed(
    connection: Connection,
    broken: Broken,
    command: &Command,
    reach: &Reach,
) -> Outcome {
    let give_up = Duration::from_millis(reach.liveness.give_up_ms.into());
    let ends_by = broken.ends_by(command.start.limits, give_up);
    let fate = match connection.end(ENDING_LIMIT).await {
        Some(Ending::Exited { .. }) => Fate::Ended,
        Some(Ending::Killed { .. } | Ending::Unknown { .. }) => Fate::Unknown,
        None => Fate::EndsBy(ends_by),
    };
    broken.lost(fate)
}

fn too_long(limit: Duration) -> Unreachable {
    Unreachable {
        kind: UnreachableKind::Timeout,
        text: format!("no answer within {} s", limit.as_secs()),
        hint: None,
    }
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel has random bytes on every system we run on");
    bytes
}

impl From<ConnectError> for Unreachable {
    fn from(error: ConnectError) -> Self {
        let kind = match error.kind {
            ConnectErrorKind::Resources => UnreachableKind::Resources,
            ConnectErrorKind::Endpoint => UnreachableKind::Endpoint,
            _ => UnreachableKind::Spawn,
        };
        Unreachable {
            kind,
            text: error.text,
            hint: None,
        }
    }
}
