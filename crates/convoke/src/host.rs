//! One host from its endpoint to the outcome of its work.

mod aftermath;
mod attempt;
mod clock;
mod connection;
mod look;
mod noise;
mod operations;
mod places;
mod tries;

use std::sync::Arc;
use std::time::Duration;

use convoke_connect::ask::{Ask, Nobody};
use convoke_connect::endpoint::{Endpoint, EndpointError};
use convoke_connect::registry::Registry;
use convoke_connect::surroundings::Surroundings;
use convoke_connect::terminal::Terminal;
use convoke_proto::credit::{Budget, CONTROLLER_BUDGET};
use convoke_proto::hello::Liveness;
use tokio::time::Instant;

use crate::agents::Agents;
use crate::cancel::Cancel;
use crate::error::LinkError;
use crate::event::{Emitter, Kind};
use crate::files::{self, Download, Turn, Turns, Upload};
use crate::link::Delivery;
use crate::outcome::{CancelCause, Cancelled, Checked, Outcome, Unreachable};
use crate::process::{self, Broken, Command};

pub use clock::Questions;
pub use connection::Connection;
pub use look::look;
pub use operations::{Absence, Operations};
pub use places::Places;

use aftermath::{Asked, Terms, gone};
use attempt::Failure;

/// How long a host may take from the first packet to the answer of its shell, all attempts together.
const CONNECT_LIMIT: Duration = Duration::from_secs(20);

/// A machine that can be reached: a name and an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    name: Arc<str>,
    endpoint: Endpoint,
}

/// What a host is asked to do.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant)] // There is one for all hosts of an action.
pub enum Work {
    /// To run one command.
    Process(Command),
    /// To take files.
    Put(Vec<Upload>),
    /// To give files.
    Get(Vec<Download>),
    /// To do operations, which go out in one flight. Every answer is a [`Kind::Answer`]; the outcome is
    /// [`Outcome::Done`], or [`Outcome::Failed`] when some could not be done.
    Operations(Operations),
    /// To answer, and nothing else: the outcome is [`Outcome::Checked`], or why there is no working
    /// link.
    Check,
}

/// By which means hosts are reached; shared by all hosts of a run.
///
/// ```
/// use std::sync::Arc;
/// use convoke::agents::Agents;
/// use convoke::connect::ask::{Ask, Question, Unanswered, Zeroizing};
/// use convoke::connect::future::BoxFuture;
/// use convoke::connect::surroundings::Surroundings;
/// use convoke::host::Reach;
///
/// struct Vault;
///
/// impl Ask for Vault {
///     fn ask<'a>(
///         &'a self,
///         question: &'a Question,
///     ) -> BoxFuture<'a, Result<Zeroizing<String>, Unanswered>> {
///         Box::pin(async move { Err(question.unanswered()) })
///     }
/// }
///
/// let reach = Reach {
///     ask: Arc::new(Vault),
///     ..Reach::new(Surroundings::of_this_process(), Agents::embedded())
/// };
/// # drop(reach);
/// ```
#[derive(Clone)]
pub struct Reach {
    /// Which connector opens which scheme.
    pub registry: Registry,
    /// The machine and account we run on.
    pub surroundings: Arc<Surroundings>,
    /// The agents we can send.
    pub agents: Arc<Agents>,
    /// Who answers questions about passphrases and passwords; asked by connectors of this process only.
    pub ask: Arc<dyn Ask>,
    /// Whether somebody is being asked; no connect limit goes on meanwhile.
    pub questions: Questions,
    /// What all links may buffer together.
    pub budget: Budget,
    /// How long silence is tolerated.
    pub liveness: Liveness,
    /// How long a host may take until its shell answers, all attempts together; the wait for a place
    /// does not count, nor the time in which [`Reach::ask`] is asked something for any host.
    pub connect_limit: Duration,
    /// How many hosts are connected at once.
    pub connecting: Places,
    /// How many hosts move files at once, of those that are connected; an agent that is sent is one.
    pub turns: Turns,
    /// The operator's terminal, when a program that connects may ask there itself. Only for a run on
    /// one host: it is lent to one program at a time, which has two minutes for its questions.
    pub terminal: Option<Terminal>,
}

impl Work {
    /// What may have become of it is decided by its kind.
    fn asked(&self, liveness: Liveness) -> Asked {
        match self {
            Work::Process(command) => Asked::Command(Terms::new(command.start.limits, liveness)),
            Work::Put(_) => Asked::Put,
            Work::Get(list) if list.iter().any(Download::is_placed) => Asked::Get,
            Work::Get(_) | Work::Operations(_) | Work::Check => Asked::Questions,
        }
    }
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
            questions: Questions::default(),
            budget: Budget::new(CONTROLLER_BUDGET),
            liveness: Liveness::default(),
            connect_limit: CONNECT_LIMIT,
            connecting: Places::default(),
            turns: Turns::default(),
            terminal: None,
        }
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
        connection = Connection::make(host, reach, Some(events)) => connection.map_err(not_reached),
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
    let mut turn = Turn::default();
    let done = match work {
        Work::Process(command) => process(&connection, command, events, cancel).await,
        Work::Put(uploads) => {
            let put = async {
                greet(&connection, events).await?;
                files::put(
                    connection.link(),
                    uploads,
                    events,
                    (&reach.turns, &mut turn),
                )
                .await
            };
            unless_cancelled(put, cancel).await
        }
        Work::Get(downloads) => {
            let get = async {
                greet(&connection, events).await?;
                files::get(
                    connection.link(),
                    downloads,
                    events,
                    (&reach.turns, &mut turn),
                )
                .await
            };
            unless_cancelled(get, cancel).await
        }
        Work::Operations(list) => {
            let answers = operations::perform(&connection, list, events);
            unless_cancelled(answers, cancel).await
        }
        Work::Check => return checked(connection, events, cancel).await,
    };
    match done {
        Ok(outcome) => {
            connection.noise().report(events).await;
            (outcome, Some(connection.holding(turn)))
        }
        Err(broken) => {
            let asked = work.asked(reach.liveness);
            let outcome = match connection.aftermath(broken, asked, events).await {
                // It was stopped, and not by the link.
                Outcome::Unreachable(_) if cancel.is_fired() => cancelled(cancel),
                outcome => outcome,
            };
            (outcome, None)
        }
    }
}

/// Sees whether a host answers; gives the connection back while it is whole.
async fn checked(
    mut connection: Connection,
    events: &mut Emitter,
    cancel: &Cancel,
) -> (Outcome, Option<Connection>) {
    let checked = tokio::select! {
        biased;
        () = cancel.fired() => return (cancelled(cancel), Some(connection)),
        checked = check(&connection, events) => checked,
    };
    match checked {
        Ok(checked) => (Outcome::Checked(checked), Some(connection)),
        Err(unreachable) => {
            let unreachable = connection.explain(unreachable).await;
            (Outcome::Unreachable(unreachable), None)
        }
    }
}

/// Waits for the hello, and measures how long the answer to a request for nothing takes.
async fn check(connection: &Connection, events: &mut Emitter) -> Result<Checked, Unreachable> {
    let hello = connection.hello().await?;
    connection.introduce(&hello, events).await;
    let began = Instant::now();
    let mut answer = connection.link().send_noop().await.map_err(gone)?;
    connection.link().finish();
    match answer.next().await {
        Delivery::Lost(error) => return Err(gone(error)),
        Delivery::Fault(fault) => return Err(gone(LinkError::Refused { text: fault.text })),
        _ => {}
    }
    Ok(Checked {
        round_trip: began.elapsed(),
    })
}

/// Runs a command: it is asked for at once, and its host announced when the hello comes.
async fn process(
    connection: &Connection,
    command: &Command,
    events: &mut Emitter,
    cancel: &Cancel,
) -> Result<Outcome, Broken> {
    let mut running = match process::start(connection.link(), command, cancel).await? {
        Ok(running) => running,
        Err(ending) => return Ok(ending.into()),
    };
    // Nothing follows: the agent need not wait for us to say goodbye.
    connection.link().finish();
    let hello = running.first(connection.greeting()).await?;
    let connected = Kind::Connected(connection.announce(&hello));
    running.wait_for(events.send(connected)).await;
    if let Some(notice) = connection.noise().notice() {
        running.wait_for(events.send(notice)).await;
    }
    Ok(running.finish(events).await?.into())
}

/// Waits for the hello, before anything is asked for, and announces the host.
async fn greet(connection: &Connection, events: &mut Emitter) -> Result<(), Broken> {
    let hello = connection.greeting().await.map_err(Broken::unsent)?;
    connection.introduce(&hello, events).await;
    Ok(())
}

/// Does work whose end it is when nobody waits for it any more: files that move are thrown away where they were
/// to stand, and operations that have not begun never do.
async fn unless_cancelled(
    work: impl Future<Output = Result<Outcome, Broken>>,
    cancel: &Cancel,
) -> Result<Outcome, Broken> {
    tokio::select! {
        biased;
        () = cancel.fired() => Ok(Outcome::Cancelled(Cancelled {
            was_running: true,
            why: cancel.cause(),
            survivors: Vec::new(),
        })),
        done = work => done,
    }
}

/// The outcome of a host that was not reached.
fn not_reached(failure: Failure) -> Outcome {
    match failure {
        Failure::Unreachable(unreachable) => Outcome::Unreachable(unreachable),
        Failure::Interrupted => Outcome::Cancelled(Cancelled {
            why: CancelCause::Operator,
            was_running: false,
            survivors: Vec::new(),
        }),
    }
}

/// The outcome of work that was cancelled before it began.
fn cancelled(cancel: &Cancel) -> Outcome {
    Outcome::Cancelled(Cancelled {
        why: cancel.cause(),
        was_running: false,
        survivors: Vec::new(),
    })
}
