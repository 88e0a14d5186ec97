//! How often a host is tried within its connect limit, and with which pauses.

use std::time::Duration;

use convoke_connect::error::Again;
use tokio::time::sleep;

use super::Reach;
use super::places::Place;
use crate::random;

/// How often a host is tried.
const TRIES: u32 = 3;

/// The shortest pause before the second attempt; it doubles with each. A server that turned us away
/// because it was busy needs a moment.
const PAUSE: Duration = Duration::from_millis(150);

/// The attempts to connect one host.
///
/// The connect limit covers all of them and the pauses between, but neither the wait for a place nor the
/// time in which the operator is asked something. A place is kept meanwhile: the server counts the
/// connection.
pub(super) struct Tries<'a> {
    reach: &'a Reach,
    /// The server that counts connections.
    server: Option<String>,
    /// What is left of the connect limit.
    pub(super) left: Duration,
    /// The attempt that is made, from 1.
    pub(super) number: u32,
}

impl<'a> Tries<'a> {
    pub(super) fn new(reach: &'a Reach, server: Option<String>) -> Self {
        Tries {
            reach,
            server,
            left: reach.connect_limit,
            number: 1,
        }
    }

    /// Waits for a place for the next attempt.
    pub(super) async fn place(&self) -> Place {
        self.reach.connecting.take(self.server.as_deref()).await
    }

    /// An attempt that took so long has failed, so that another one may help or not. Whether it is made;
    /// then this returns when it is time.
    pub(super) async fn go_on(&mut self, took: Duration, again: Again, why: &str) -> bool {
        let pause = pause(self.number);
        self.left = self.left.saturating_sub(took + pause);
        if again == Again::Pointless || self.number == TRIES || self.left.is_zero() {
            return false;
        }
        tracing::info!("attempt {} failed: {why}", self.number);
        sleep(pause).await;
        self.number += 1;
        true
    }
}

/// How long to wait after so many attempts: hosts that failed together do not come back together.
fn pause(attempts: u32) -> Duration {
    let shortest = PAUSE * 2_u32.pow(attempts - 1);
    let share = f64::from(u32::from_ne_bytes(random::bytes())) / f64::from(u32::MAX);
    shortest + shortest.mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_and_is_at_most_twice_its_shortest() {
        for (attempts, shortest) in [(1, 150), (2, 300)] {
            for _ in 0..100 {
                let pause = pause(attempts).as_millis();
                assert!((shortest..=2 * shortest).contains(&pause), "{pause}");
            }
        }
    }
}
