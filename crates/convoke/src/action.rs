//! One piece of work on many hosts.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::Instrument as _;

use crate::cancel::Cancel;
use crate::error::MaxFailError;
use crate::event::{Emitter, Event, Kind, RunId, Step};
use crate::host::{self, Host, Reach, Work};
use crate::outcome::{CancelCause, Cancelled, Outcome, SkipCause, Skipped};
use crate::random;
use crate::report::{HostResult, Report};

/// How many hosts are worked on at once unless somebody knows better.
pub const DEFAULT_FANOUT: usize = 512;

/// The same where large files move: twice as many as do [at once](crate::files::Turns), so that the next are
/// connected when it is their turn. A link alone takes a tenth of a megabyte.
pub const TRANSFER_FANOUT: usize = 48;

/// The same where all get a small file. An agent that is sent leaves a link with a fifth of a megabyte.
pub const SMALL_TRANSFER_FANOUT: usize = 192;

/// How many events wait for their consumer. A full queue stops the hosts, so that a slow reader
/// costs at most this many pieces of output.
pub const QUEUE: usize = 64;

/// A list of (host, work), and how to go through it. Nothing happens until [`Action::run`].
#[derive(Debug, Clone)]
pub struct Action {
    list: Vec<(Host, Arc<Work>)>,
    run: RunId,
    fanout: usize,
    max_fail: Option<MaxFail>,
    on_failure: OnFailure,
}

/// How many hosts may fail before nothing new is started. Every outcome that is not ok counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxFail {
    /// So many, at least 1.
    Hosts(usize),
    /// So much of all hosts of the run, 0 to 100 per cent, rounded up, at least 1 host.
    Percent(u8),
}

/// What a failing host means for those that still run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// They go on.
    #[default]
    GoOn,
    /// They are cancelled, and nothing new is started.
    StopAll,
}

impl std::str::FromStr for MaxFail {
    type Err = MaxFailError;

    fn from_str(text: &str) -> Result<Self, MaxFailError> {
        let refuse = || MaxFailError {
            text: text.to_owned(),
        };
        match text.strip_suffix('%') {
            Some(percent) => match percent.parse() {
                Ok(percent @ 0..=100) => Ok(MaxFail::Percent(percent)),
                _ => Err(refuse()),
            },
            None => match text.parse() {
                Ok(hosts @ 1..) => Ok(MaxFail::Hosts(hosts)),
                _ => Err(refuse()),
            },
        }
    }
}

impl MaxFail {
    /// The number of failed hosts, at least 1, at which a run over `hosts` hosts stops.
    pub fn of(self, hosts: usize) -> usize {
        match self {
            MaxFail::Hosts(limit) => limit.max(1),
            MaxFail::Percent(percent) => (hosts * usize::from(percent)).div_ceil(100).max(1),
        }
    }
}

impl Action {
    /// Each host with its own work.
    pub fn new(list: impl IntoIterator<Item = (Host, Work)>) -> Self {
        let list = list.into_iter();
        Self::of(list.map(|(host, work)| (host, Arc::new(work))).collect())
    }

    /// The same work on every host.
    pub fn everywhere(hosts: impl IntoIterator<Item = Host>, work: Work) -> Self {
        let work = Arc::new(work);
        let hosts = hosts.into_iter();
        Self::of(hosts.map(|host| (host, Arc::clone(&work))).collect())
    }

    fn of(list: Vec<(Host, Arc<Work>)>) -> Self {
        Action {
            list,
            run: RunId::new(random::bytes()),
            fanout: DEFAULT_FANOUT,
            max_fail: None,
            on_failure: OnFailure::GoOn,
        }
    }

    /// Works on at most `hosts` at once, at least 1.
    #[must_use]
    pub fn fanout(self, hosts: usize) -> Self {
        Action {
            fanout: hosts.max(1),
            ..self
        }
    }

    /// Starts nothing new once this many hosts have failed; what runs ends.
    #[must_use]
    pub fn max_fail(self, limit: Option<MaxFail>) -> Self {
        Action {
            max_fail: limit,
            ..self
        }
    }

    /// Says what a failing host means for the others.
    #[must_use]
    pub fn on_failure(self, on_failure: OnFailure) -> Self {
        Action { on_failure, ..self }
    }

    /// The name of the run, which all its events carry.
    pub fn id(&self) -> &RunId {
        &self.run
    }

    /// Goes through the list, one isolated task a host, and sends what happens to `events`.
    ///
    /// Of each host events come in order, the outcome last; a full queue stops the hosts. When
    /// `cancel` fires, pending hosts are cancelled and running ones ended; their last output still
    /// comes. Dropping the future ends every connection at once, and the agents end what runs.
    pub async fn run(self, reach: &Reach, events: mpsc::Sender<Event>, cancel: &Cancel) -> Report {
        let stop_at = match (self.on_failure, self.max_fail) {
            (OnFailure::StopAll, _) => Some(1),
            (OnFailure::GoOn, limit) => limit.map(|limit| limit.of(self.list.len())),
        };
        let mut run = Run {
            outcomes: vec![None; self.list.len()],
            tasks: JoinSet::new(),
            running: HashMap::new(),
            failed: 0,
            cancel: cancel.child(),
            reach: reach.clone(),
            events,
            action: self,
        };
        let mut next = 0;
        while next < run.outcomes.len() || !run.tasks.is_empty() {
            let is_stopped = stop_at.is_some_and(|limit| run.failed >= limit);
            if is_stopped && run.action.on_failure == OnFailure::StopAll {
                run.cancel.fire(CancelCause::FailFast);
            }
            let may_start = next < run.outcomes.len() && !is_stopped && !run.cancel.is_fired();
            if may_start && run.tasks.len() < run.action.fanout {
                run.start(next);
                next += 1;
            } else if let Some(ended) = run.tasks.join_next_with_id().await {
                run.ended(ended).await;
            } else {
                let why = run.pending_outcome(is_stopped);
                run.never_started(next, why).await;
                next += 1;
            }
        }
        run.report()
    }
}

/// An action on its way.
struct Run {
    action: Action,
    reach: Reach,
    events: mpsc::Sender<Event>,
    cancel: Cancel,
    tasks: JoinSet<Outcome>,
    /// Which host a task works on, and the numbering of its events, which survives a panic.
    running: HashMap<Id, (usize, Emitter)>,
    outcomes: Vec<Option<Outcome>>,
    failed: usize,
}

impl Run {
    fn emitter(&self, index: usize) -> Emitter {
        let (host, _) = &self.action.list[index];
        Emitter::new(
            self.action.run.clone(),
            Arc::clone(host.name()),
            Step::first(),
            self.events.clone(),
        )
    }

    fn start(&mut self, index: usize) {
        let (host, work) = self.action.list[index].clone();
        let emitter = self.emitter(index);
        let mut events = emitter.clone();
        let (reach, cancel) = (self.reach.clone(), self.cancel.child());
        let span = tracing::error_span!("host", name = %host.name());
        let task = async move { host::run(&host, &work, &reach, &mut events, &cancel).await };
        let task = self.tasks.spawn(task.instrument(span));
        self.running.insert(task.id(), (index, emitter));
    }

    async fn ended(&mut self, ended: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), crashed(error)),
        };
        let Some((index, mut emitter)) = self.running.remove(&id) else {
            return;
        };
        if let Outcome::Crashed { .. } = outcome {
            emitter.send(Kind::Ended(outcome.clone())).await;
        }
        self.failed += usize::from(is_failure(&outcome));
        self.outcomes[index] = Some(outcome);
    }

    fn pending_outcome(&self, is_stopped: bool) -> Outcome {
        match is_stopped {
            true => Outcome::Skipped(Skipped {
                why: match self.action.on_failure {
                    OnFailure::StopAll => SkipCause::FailFast,
                    OnFailure::GoOn => SkipCause::MaxFail,
                },
            }),
            false => Outcome::Cancelled(Cancelled {
                why: self.cancel.cause(),
                was_running: false,
                survivors: Vec::new(),
            }),
        }
    }

    async fn never_started(&mut self, index: usize, outcome: Outcome) {
        let mut emitter = self.emitter(index);
        emitter.send(Kind::Ended(outcome.clone())).await;
        self.outcomes[index] = Some(outcome);
    }

    fn report(self) -> Report {
        let was_stopped = |outcome: &Outcome| match outcome {
            Outcome::Skipped(_) => true,
            Outcome::Cancelled(cancelled) => cancelled.why == CancelCause::FailFast,
            _ => false,
        };
        let hosts = self.action.list.into_iter().map(|(host, _)| host);
        let results: Vec<HostResult> = hosts
            .zip(self.outcomes)
            .map(|(host, outcome)| HostResult {
                host: Arc::clone(host.name()),
                outcome: outcome.unwrap_or_else(|| Outcome::Crashed {
                    text: "its task left no outcome".to_owned(),
                }),
            })
            .collect();
        Report {
            stopped_early: results.iter().any(|result| was_stopped(&result.outcome)),
            results,
        }
    }
}

/// Whether an outcome counts for `--max-fail`: every one that is not ok, but for what was stopped, by the operator or
/// because our input or output failed.
fn is_failure(outcome: &Outcome) -> bool {
    let by_us = matches!(
        outcome,
        Outcome::Cancelled(cancelled) if cancelled.why != CancelCause::FailFast
    );
    !outcome.is_ok() && !by_us
}

fn crashed(error: JoinError) -> Outcome {
    let text = last_words(error);
    Outcome::Crashed { text }
}

/// What a task said that ended before its time.
pub(crate) fn last_words(error: JoinError) -> String {
    match error.try_into_panic() {
        Ok(panic) => panic_text(&*panic),
        Err(error) => error.to_string(),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".to_owned())
}
