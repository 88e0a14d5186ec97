//! The hops of a run: each is connected to once, for all hosts behind it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::contact::Caller;
use super::hop::{Gate, Hop};
use crate::error::{ConnectError, ConnectErrorKind as Kind};
use crate::future::BoxFuture;
use crate::ssh::chain::Leg;
use crate::ssh::proxy::Jump;
use crate::trail::Trail;

/// How long a hop stays open that nobody uses: the next host of a run may be behind it.
const LINGER: Duration = Duration::from_secs(10);

/// Every hop by the command that ssh would be started with for it.
#[derive(Default)]
pub(super) struct Hops(Mutex<HashMap<Jump, Arc<Slot>>>);

/// One hop.
#[derive(Default)]
struct Slot(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Closed,
    /// Somebody connects. Whoever waits hears what came of it.
    Opening(Opening),
    Open(Kept),
    /// Another attempt must not be made, or could not help.
    Refused(Failure),
}

/// An attempt of somebody else.
#[derive(Clone)]
struct Opening {
    outcome: watch::Receiver<Option<Outcome>>,
    trail: Trail,
}

/// A hop that is held open for those who come.
struct Kept {
    hop: Arc<Hop>,
    _keeper: AbortOnDropHandle<()>,
}

type Outcome = Result<Arc<Hop>, Failure>;

/// A failure that several hosts share.
#[derive(Clone)]
struct Failure(Arc<ConnectError>);

impl Failure {
    /// The same for another host. What lay beneath is in the words already.
    fn again(&self) -> ConnectError {
        let ConnectError {
            kind,
            text,
            hint,
            again,
            ..
        } = &*self.0;
        ConnectError {
            hint: hint.clone(),
            again: *again,
            ..ConnectError::new(*kind, text.as_str())
        }
    }
}

/// What somebody who needs a hop is to do.
enum Turn {
    Take(Arc<Hop>),
    GiveUp(ConnectError),
    Wait(Opening),
    Connect(Attempt),
}

/// The one attempt to connect to a hop.
///
/// When it is dropped, the next who waits makes another; but not when the login had begun, since a
/// further one may lock an account, and each host of a long list would make it.
struct Attempt {
    slot: Arc<Slot>,
    tell: watch::Sender<Option<Outcome>>,
    trail: Trail,
    progress: Progress,
}

/// How far an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The hop knows nothing of us.
    Outside,
    LoggingIn,
    /// It is known what came of it.
    Over,
}

impl Hops {
    fn slot(&self, jump: &Jump) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(jump.clone()).or_default())
    }

    /// The last of `legs`, each of which is reached through the one before it. None without any.
    ///
    /// # Errors
    /// With the name of the hop that failed.
    pub(super) fn reach<'a>(
        &'a self,
        legs: &'a [Arc<Leg>],
        caller: Caller<'a>,
    ) -> BoxFuture<'a, Result<Option<Arc<Hop>>, ConnectError>> {
        Box::pin(async move {
            let Some((leg, before)) = legs.split_last() else {
                return Ok(None);
            };
            let slot = self.slot(&leg.jump);
            loop {
                match slot.turn(leg) {
                    Turn::Take(hop) => return Ok(Some(hop)),
                    Turn::GiveUp(error) => return Err(error),
                    Turn::Wait(Opening { mut outcome, trail }) => {
                        caller.trail.follow(&trail);
                        if let Ok(outcome) = outcome.wait_for(Option::is_some).await
                            && let Some(outcome) = &*outcome
                        {
                            let hop = outcome.as_ref().map_err(Failure::again)?;
                            return Ok(Some(Arc::clone(hop)));
                        }
                    }
                    Turn::Connect(attempt) => {
                        let trail = attempt.trail.clone();
                        caller.trail.follow(&trail);
                        let caller = Caller {
                            trail: &trail,
                            hop: Some(leg.name()),
                            ..caller
                        };
                        // A failure on the way there is not one of this hop.
                        return match self.reach(before, caller).await {
                            Ok(from) => attempt.make(leg, from.as_ref(), caller).await.map(Some),
                            Err(error) => Err(attempt.failed(error, false)),
                        };
                    }
                }
            }
        })
    }
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(self: &Arc<Self>, leg: &Leg) -> Turn {
        let mut state = self.state();
        match &*state {
            State::Open(kept) if !kept.hop.is_closed() => {
                return Turn::Take(Arc::clone(&kept.hop));
            }
            State::Refused(failure) => return Turn::GiveUp(failure.again()),
            // Whoever was connecting was given up, unless the channel is open.
            State::Opening(opening) if opening.outcome.has_changed().is_ok() => {
                return Turn::Wait(opening.clone());
            }
            State::Closed | State::Open(_) | State::Opening(_) => {}
        }
        let (tell, outcome) = watch::channel(None);
        let trail = Trail::through(leg.name());
        *state = State::Opening(Opening {
            outcome,
            trail: trail.clone(),
        });
        Turn::Connect(Attempt {
            slot: Arc::clone(self),
            tell,
            trail,
            progress: Progress::Outside,
        })
    }

    /// Closes a hop that nobody has or had since it was used so often.
    fn close_unused(&self, uses: u64) -> Unused {
        let mut state = self.state();
        let State::Open(Kept { hop, .. }) = &*state else {
            return Unused::Closed;
        };
        if Arc::strong_count(hop) > 1 || hop.uses() != uses {
            return Unused::No(hop.uses());
        }
        *state = State::Closed;
        Unused::Closed
    }
}

enum Unused {
    Closed,
    /// It was used so often.
    No(u64),
}

/// Closes the hop of a slot when nobody uses it any more.
async fn keep(slot: Weak<Slot>) {
    let mut uses = 0;
    loop {
        tokio::time::sleep(LINGER).await;
        let Some(slot) = slot.upgrade() else { return };
        match slot.close_unused(uses) {
            Unused::Closed => return,
            Unused::No(now) => uses = now,
        }
    }
}

impl Attempt {
    async fn make(
        mut self,
        leg: &Leg,
        from: Option<&Arc<Hop>>,
        caller: Caller<'_>,
    ) -> Result<Arc<Hop>, ConnectError> {
        let gate = match Gate::reach(leg, from, caller).await {
            Ok(gate) => gate,
            Err(error) => {
                let is_final = fails_for_good(error.kind);
                return Err(self.failed(error, is_final));
            }
        };
        self.progress = Progress::LoggingIn;
        match gate.enter(leg, caller).await {
            Ok(hop) => Ok(self.done(hop)),
            Err(error) => Err(self.failed(error, true)),
        }
    }

    fn done(mut self, hop: Hop) -> Arc<Hop> {
        self.progress = Progress::Over;
        let hop = Arc::new(hop);
        let keeper = tokio::spawn(keep(Arc::downgrade(&self.slot)));
        *self.slot.state() = State::Open(Kept {
            hop: Arc::clone(&hop),
            _keeper: AbortOnDropHandle::new(keeper),
        });
        let _ = self.tell.send(Some(Ok(Arc::clone(&hop))));
        hop
    }

    fn failed(mut self, error: ConnectError, is_final: bool) -> ConnectError {
        self.progress = Progress::Over;
        let failure = Failure(Arc::new(error));
        self.settle(&failure, is_final);
        failure.again()
    }

    fn settle(&self, failure: &Failure, is_final: bool) {
        *self.slot.state() = match is_final {
            true => State::Refused(failure.clone()),
            false => State::Closed,
        };
        let _ = self.tell.send(Some(Err(failure.clone())));
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.progress == Progress::LoggingIn {
            let waits = self.trail.waits();
            let text = waits.map_or_else(String::new, |wait| wait.explain("no answer"));
            let failure = Failure(Arc::new(ConnectError::new(Kind::Timeout, text)));
            self.settle(&failure, true);
        }
    }
}

/// Whether another attempt cannot help, though nobody has begun to log in.
fn fails_for_good(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::HostKeyUnknown | Kind::HostKeyChanged | Kind::HostKeyRevoked | Kind::Configuration
    )
}
