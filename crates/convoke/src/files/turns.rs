//! How many hosts move files at once: each holds memory for what is on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::pin;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// How many hosts move files at once unless somebody knows better: what each holds, up to half a megabyte, stays
/// within 64 MB in all, and one uplink is not faster with more.
const EVERYWHERE: usize = 24;

/// How long nothing of a host has moved when the next one may begin beside it: who is stuck holds nobody up.
const STUCK: Duration = Duration::from_secs(5);

/// The turns of hosts that move files. Clones share them.
#[derive(Debug, Clone)]
pub struct Turns(Arc<Semaphore>);

/// The turn of one host, unless it is stuck. Dropping it gives it back, which is time once what the host holds is
/// given back, too.
#[derive(Debug, Default)]
pub(crate) struct Turn(Option<OwnedSemaphorePermit>);

/// Whether anything moves. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pulse(Arc<AtomicU64>);

impl Turns {
    /// So many at once, at least 1.
    pub fn new(hosts: usize) -> Self {
        let hosts = hosts.clamp(1, Semaphore::MAX_PERMITS);
        Turns(Arc::new(Semaphore::new(hosts)))
    }

    /// Does `work` when its turn has come, in the order of asking. May be dropped at any moment.
    pub(crate) async fn take<T>(
        &self,
        turn: &mut Turn,
        pulse: &Pulse,
        work: impl Future<Output = T>,
    ) -> T {
        // Only a closed semaphore gives none, and this one is never closed.
        turn.0 = Arc::clone(&self.0).acquire_owned().await.ok();
        pin!(work);
        while turn.0.is_some() {
            let before = pulse.beats();
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = sleep(STUCK) => turn.0 = turn.0.take().filter(|_| pulse.beats() != before),
            }
        }
        work.await
    }
}

/// 24 at once.
impl Default for Turns {
    fn default() -> Self {
        Turns::new(EVERYWHERE)
    }
}

impl Pulse {
    /// Something has moved.
    pub(super) fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn beats(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_stuck_makes_place_and_who_moves_keeps_it() {
        let turns = Turns::new(1);
        let stuck = Pulse::default();
        let mut held: [Turn; 3] = Default::default();
        let [one, two, three] = &mut held;
        let first = turns.take(one, &stuck, pending::<()>());
        let moving = Pulse::default();
        let second = async {
            let work = async {
                for _ in 0..30 {
                    sleep(Duration::from_secs(1)).await;
                    moving.beat();
                }
            };
            turns.take(two, &moving, work).await;
            // It is held until it is given back.
            sleep(Duration::from_secs(7)).await;
            *two = Turn::default();
        };
        let began = Instant::now();
        let idle = Pulse::default();
        let third = turns.take(three, &idle, async { began.elapsed() });
        tokio::select! {
            biased;
            () = first => unreachable!("it never ends"),
            ((), waited) = async { tokio::join!(second, third) } => {
                assert_eq!(waited, STUCK + Duration::from_secs(37));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_stuck_still_ends() {
        let turns = Turns::new(1);
        let late = async {
            sleep(10 * STUCK).await;
            "done"
        };
        let mut turn = Turn::default();
        let pulse = Pulse::default();
        assert_eq!(turns.take(&mut turn, &pulse, late).await, "done");
        assert!(turn.0.is_none(), "it made place long ago");
        assert_eq!(turns.0.available_permits(), 1);
    }
}
