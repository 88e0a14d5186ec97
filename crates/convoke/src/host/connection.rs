//! An open connection whose far end is an agent.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use convoke_connect::connector::{Close, Ending};
use convoke_connect::error::ConnectErrorKind;
use convoke_proto::hello::{Hello, LinkId};
use tokio::time::{Instant, timeout};

use crate::bootstrap;
use crate::error::LinkError;
use crate::event::{AgentOrigin, Connected, Emitter, Kind};
use crate::files::{Pulse, Turn};
use crate::link::{self, CLOSE_LIMIT, Link};
use crate::outcome::{Outcome, Unreachable, UnreachableKind};
use crate::process::Broken;
use crate::random;

use super::aftermath::{Asked, Known, no_hello};
use super::attempt::{self, Failure, Reached, too_long};
use super::noise::Noise;
use super::{Host, Reach};

/// How long the agent may take to arrive and to say hello once the shell has answered: half a
/// megabyte over a slow modem line.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(120);

/// How long a broken connection is asked how its far end ended before the answer is "unknown".
const ENDING_LIMIT: Duration = Duration::from_secs(1);

/// An open connection whose far end is an agent.
///
/// Dropping it ends the connection at once; [`Connection::close`] says goodbye first.
pub struct Connection {
    link: Link,
    close: Box<dyn Close>,
    noise: Noise,
    connector: &'static str,
    origin: AgentOrigin,
    /// When the attempt began that reached the host.
    began: Instant,
    /// Held until all is closed.
    _turn: Turn,
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
        match Self::make(host, reach, None).await {
            Ok(connection) => Ok(connection),
            Err(Failure::Unreachable(unreachable)) => Err(unreachable),
            Err(Failure::Interrupted) => Err(Unreachable {
                kind: UnreachableKind::Connect(ConnectErrorKind::Authentication),
                text: "it was interrupted at the terminal".to_owned(),
                hint: None,
            }),
        }
    }

    /// Like [`Connection::open`], but tells an interrupt at the terminal from a failure.
    /// Each attempt is an event, when somebody listens.
    pub(super) async fn make(
        host: &Host,
        reach: &Reach,
        events: Option<&mut Emitter>,
    ) -> Result<Self, Failure> {
        let Reached {
            mut reader,
            mut writer,
            close,
            mut noise,
            answer,
            connector,
            began,
        } = attempt::reach(host, reach, events).await?;
        let is_awaited = answer.wants_agent();
        let delivery = bootstrap::deliver(answer, &mut reader, &mut writer, &reach.agents);
        let delivery = timeout(ARRIVAL_LIMIT, delivery);
        let delivered = match is_awaited {
            // Half a megabyte is on its way, as with a file.
            true => {
                let (mut turn, pulse) = (Turn::default(), Pulse::default());
                reach.turns.take(&mut turn, &pulse, delivery).await
            }
            false => delivery.await,
        };
        let greeting = match delivered {
            Ok(delivered) => delivered.map_err(Unreachable::from),
            Err(_) => Err(too_long(ARRIVAL_LIMIT)),
        };
        let greeting = match greeting {
            Ok(greeting) => greeting,
            Err(unreachable) => {
                let words = noise.last_words().await;
                return Err(Noise::explain(&words, unreachable).into());
            }
        };
        let options = link::Options {
            id: LinkId(random::bytes()),
            liveness: reach.liveness,
            budget: reach.budget.clone(),
        };
        Ok(Connection {
            link: Link::open(reader, writer, greeting.rest, options),
            close,
            noise,
            connector,
            origin: greeting.origin,
            began,
            _turn: Turn::default(),
        })
    }

    /// Holds the turn to move files until it is closed: what waited for the host goes only then.
    pub(super) fn holding(self, turn: Turn) -> Self {
        Connection {
            _turn: turn,
            ..self
        }
    }

    /// The agent session.
    #[doc(hidden)]
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// What it says beside the command.
    pub(super) fn noise(&self) -> &Noise {
        &self.noise
    }

    /// Adds its last words to the reason why it is of no use.
    pub(crate) async fn explain(&mut self, unreachable: Unreachable) -> Unreachable {
        Noise::explain(&self.noise.last_words().await, unreachable)
    }

    /// Waits for the agent's hello.
    ///
    /// # Errors
    /// Why there is no working link.
    pub async fn hello(&self) -> Result<Arc<Hello>, Unreachable> {
        self.greeting().await.map_err(no_hello)
    }

    /// Waits for the agent's hello, or for the end of the link.
    pub(super) async fn greeting(&self) -> Result<Arc<Hello>, LinkError> {
        let hello = timeout(ARRIVAL_LIMIT, self.link.hello()).await;
        hello.unwrap_or(Err(LinkError::Silent(ARRIVAL_LIMIT)))
    }

    /// What is said of the connection once the hello has come.
    pub(super) fn announce(&self, hello: &Hello) -> Connected {
        let took = self.began.elapsed();
        tracing::info!(
            "connected by {} in {} ms, agent {}, {}",
            self.connector,
            took.as_millis(),
            self.origin.as_str(),
            hello.platform
        );
        Connected {
            connector: self.connector,
            agent: self.origin,
            platform: hello.platform.clone(),
            took,
        }
    }

    /// Says that the host answers, and what its connection said so far.
    pub(super) async fn introduce(&self, hello: &Hello, events: &mut Emitter) {
        let connected = Kind::Connected(self.announce(hello));
        events.send(connected).await;
        self.noise.report(events).await;
    }

    /// Ends the connection: what still runs is ended by the agent. Waits at most [`CLOSE_LIMIT`] for
    /// the far end, and says how it ended when that is known.
    pub async fn close(self) -> Option<Ending> {
        self.link.close().await;
        timeout(CLOSE_LIMIT, self.close.close()).await.ok()
    }

    /// Ends a connection on which an answer did not come, and says what became of what was asked for.
    pub(super) async fn aftermath(
        self,
        broken: Broken,
        asked: Asked,
        events: &mut Emitter,
    ) -> Outcome {
        let Connection {
            link,
            close,
            mut noise,
            ..
        } = self;
        let hello = link.close().await;
        let ending = timeout(ENDING_LIMIT, close.close()).await.ok();
        let known = Known::new(broken, hello.is_some(), ending);
        match known.outcome(asked, SystemTime::now()) {
            Outcome::Unreachable(unreachable) => {
                let words = noise.last_words().await;
                Outcome::Unreachable(Noise::explain(&words, unreachable))
            }
            outcome => {
                noise.report(events).await;
                outcome
            }
        }
    }
}
