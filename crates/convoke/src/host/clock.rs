//! The time of an attempt, which stands still while its host waits for an answer of the operator.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use convoke_connect::ask::{Ask, Question, Topic, Unanswered, Zeroizing};
use convoke_connect::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// Passes questions on, and takes the time without the wait for answers.
pub(super) struct Clock<'a> {
    ask: &'a dyn Ask,
    hand: Mutex<Hand>,
    /// It was stopped, or goes on.
    turned: Notify,
}

/// How much time has passed.
struct Hand {
    /// Until it stood still last.
    before: Duration,
    /// Since when it goes; it stands while a question is open.
    since: Instant,
    open: usize,
}

/// A question that is open; dropping it lets the clock go on.
struct Open<'c>(&'c Clock<'c>);

/// The time is up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Late;

impl<'a> Clock<'a> {
    /// A clock that goes from now on; `ask` answers.
    pub(super) fn new(ask: &'a dyn Ask) -> Self {
        Clock {
            ask,
            hand: Mutex::new(Hand {
                before: Duration::ZERO,
                since: Instant::now(),
                open: 0,
            }),
            turned: Notify::new(),
        }
    }

    /// How much time has passed.
    pub(super) fn passed(&self) -> Duration {
        self.hand().passed()
    }

    /// Waits for `work` until so much time has passed in all.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Late> {
        tokio::pin!(work);
        loop {
            let turned = self.turned.notified();
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = turned => {}
                () = self.until(limit) => return Err(Late),
            }
        }
    }

    /// Waits until so much time has passed, if it does not stand still now.
    async fn until(&self, limit: Duration) {
        let left = {
            let hand = self.hand();
            (hand.open == 0).then(|| limit.saturating_sub(hand.passed()))
        };
        match left {
            Some(left) => sleep(left).await,
            None => std::future::pending().await,
        }
    }

    fn open(&self) -> Open<'_> {
        {
            let mut hand = self.hand();
            hand.before = hand.passed();
            hand.open += 1;
        }
        self.turned.notify_waiters();
        Open(self)
    }

    /// Nothing panics while the lock is held, so a poisoned one still holds whole values.
    fn hand(&self) -> MutexGuard<'_, Hand> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hand {
    fn passed(&self) -> Duration {
        match self.open {
            0 => self.before + self.since.elapsed(),
            _ => self.before,
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        {
            let mut hand = self.0.hand();
            hand.open -= 1;
            hand.since = Instant::now();
        }
        self.0.turned.notify_waiters();
    }
}

impl Ask for Clock<'_> {
    fn answers(&self, topic: Topic) -> bool {
        self.ask.answers(topic)
    }

    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, Unanswered>> {
        Box::pin(async move {
            let _open = self.open();
            self.ask.ask(question).await
        })
    }
}

#[cfg(test)]
mod tests {
    use convoke_connect::ask::Visible;

    use super::*;

    /// Answers after so many seconds.
    struct Slow(u64);

    impl Ask for Slow {
        fn ask<'a>(
            &'a self,
            _: &'a Question,
        ) -> BoxFuture<'a, Result<Zeroizing<String>, Unanswered>> {
            Box::pin(async {
                sleep(Duration::from_secs(self.0)).await;
                Ok(Zeroizing::new("pw".into()))
            })
        }
    }

    /// Works for two seconds, asks, and works for as many again.
    async fn work(clock: &Clock<'_>, seconds: u64) {
        let question = Question {
            what: "password".into(),
            topic: Topic::Password,
            visible: Visible::No,
            wrong: 0,
        };
        sleep(Duration::from_secs(seconds)).await;
        clock.ask(&question).await.unwrap();
        sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn it_stands_still_while_a_question_is_open() {
        let slow = Slow(600);
        let clock = Clock::new(&slow);
        let limit = Duration::from_secs(5);
        assert_eq!(clock.within(limit, work(&clock, 2)).await, Ok(()));
        assert_eq!(clock.passed().as_secs(), 4);
        assert_eq!(clock.within(limit, work(&clock, 2)).await, Err(Late));
        assert_eq!(clock.passed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_when_a_question_is_taken_back() {
        let slow = Slow(600);
        let clock = Clock::new(&slow);
        let asked = tokio::time::timeout(Duration::from_secs(7), work(&clock, 2));
        assert!(asked.await.is_err());
        let never = clock.within(Duration::from_secs(3), std::future::pending::<()>());
        assert_eq!(never.await, Err(Late));
        assert_eq!(clock.passed().as_secs(), 3);
    }
}
