//! An open connection whose far end is an agent.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use convoke_connect::connector::{Close, Ending, Pipes, Request};
use convoke_proto::hello::{Hello, LinkId};
use tokio::time::{timeout, timeout_at};

use crate::bootstrap::{self, Greeting, Nonce};
use crate::event::{AgentOrigin, Connected, Emitter};
use crate::link::{self, CLOSE_LIMIT, Link, LinkError};
use crate::outcome::{Outcome, Unreachable, UnreachableKind};
use crate::process::Broken;

use super::aftermath::{Known, Terms, no_hello};
use super::noise::Noise;
use super::{Host, Reach, random};

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

    /// What it says beside the command.
    pub(super) fn noise(&self) -> &Noise {
        &self.noise
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
        tracing::info!(
            "connected by {}, agent {}, {}",
            self.connector,
            self.origin.as_str(),
            hello.platform
        );
        Connected {
            connector: self.connector,
            agent: self.origin,
            platform: hello.platform.clone(),
        }
    }

    /// Ends the connection: what still runs is ended by the agent. Waits at most [`CLOSE_LIMIT`] for
    /// the far end, and says how it ended when that is known.
    pub async fn close(self) -> Option<Ending> {
        self.link.close().await;
        timeout(CLOSE_LIMIT, self.close.close()).await.ok()
    }

    /// Ends a connection on which a command's exit did not come, and says what became of the command.
    pub(super) async fn aftermath(
        self,
        broken: Broken,
        terms: Terms,
        events: &mut Emitter,
    ) -> Outcome {
        let Connection {
            link, close, noise, ..
        } = self;
        let hello = link.close().await;
        let ending = timeout(ENDING_LIMIT, close.close()).await.ok();
        let known = Known::new(broken, hello.is_some(), ending);
        match known.outcome(terms, SystemTime::now()) {
            Outcome::Unreachable(unreachable) => {
                Outcome::Unreachable(noise.explain(unreachable).await)
            }
            outcome => {
                noise.report(events).await;
                outcome
            }
        }
    }
}

fn too_long(limit: Duration) -> Unreachable {
    Unreachable {
        kind: UnreachableKind::Timeout,
        text: format!("no answer within {} s", limit.as_secs()),
        hint: None,
    }
}
