//! The time of an attempt, which stands still while the operator is asked something.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use convoke_connect::ask::{Ask, Asker, Question, Topic, Unanswered, Zeroizing};
use convoke_connect::future::BoxFuture;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// Whether questions are open, and how long some were. Clones share it.
///
/// All hosts of a run wait while one of them is asked about: others may need the same answer, or be behind the
/// same jump host, and the run does not end before.
#[derive(Clone, Default)]
pub struct Questions(Arc<Shared>);

#[derive(Default)]
struct Shared {
    time: Mutex<Time>,
    /// A question was asked or answered.
    turned: Notify,
}

/// The time of the operator.
#[derive(Default)]
struct Time {
    open: usize,
    /// Since when a question is open, if one is.
    since: Option<Instant>,
    /// How long questions were open before.
    before: Duration,
}

/// Passes questions on, and takes the time without the wait for answers.
pub(super) struct Clock<'a> {
    ask: &'a dyn Ask,
    questions: &'a Questions,
    began: Instant,
    /// The time of the operator until then.
    before: Duration,
}

/// A question that is open, until this is dropped.
struct Open<'q>(&'q Questions);

/// The time is up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Late;

impl fmt::Debug for Questions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.time().open;
        f.debug_struct("Questions").field("open", &open).finish()
    }
}

impl Questions {
    fn open(&self) -> Open<'_> {
        {
            let mut time = self.time();
            time.open += 1;
            time.since.get_or_insert_with(Instant::now);
        }
        self.0.turned.notify_waiters();
        Open(self)
    }

    /// How long some were open.
    fn took(&self) -> Duration {
        let time = self.time();
        let now = time.since.map_or(Duration::ZERO, |since| since.elapsed());
        time.before + now
    }

    /// Nothing panics while the lock is held, so a poisoned one still holds whole values.
    fn time(&self) -> MutexGuard<'_, Time> {
        self.0.time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        {
            let mut time = self.0.time();
            time.open -= 1;
            if time.open == 0
                && let Some(since) = time.since.take()
            {
                time.before += since.elapsed();
            }
        }
        self.0.0.turned.notify_waiters();
    }
}

impl<'a> Clock<'a> {
    /// A clock that goes from now on; `ask` answers.
    pub(super) fn new(ask: &'a dyn Ask, questions: &'a Questions) -> Self {
        Clock {
            ask,
            questions,
            began: Instant::now(),
            before: questions.took(),
        }
    }

    /// How much time has passed.
    pub(super) fn passed(&self) -> Duration {
        let asked = self.questions.took() - self.before;
        self.began.elapsed().saturating_sub(asked)
    }

    /// Waits for `work` until so much time has passed in all.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Late> {
        tokio::pin!(work);
        loop {
            let turned = self.questions.0.turned.notified();
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
        let stands = self.questions.time().open > 0;
        match stands {
            false => sleep(limit.saturating_sub(self.passed())).await,
            true => std::future::pending().await,
        }
    }
}

impl Ask for Clock<'_> {
    fn answers(&self, topic: Topic, asker: &Asker, wrong: u32) -> bool {
        self.ask.answers(topic, asker, wrong)
    }

    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, Unanswered>> {
        Box::pin(async move {
            let _open = self.questions.open();
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
            asker: Asker::Host,
            visible: Visible::No,
            wrong: 0,
        };
        sleep(Duration::from_secs(seconds)).await;
        clock.ask(&question).await.unwrap();
        sleep(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn it_stands_still_while_a_question_is_open() {
        let (slow, questions) = (Slow(600), Questions::default());
        let clock = Clock::new(&slow, &questions);
        let limit = Duration::from_secs(5);
        assert_eq!(clock.within(limit, work(&clock, 2)).await, Ok(()));
        assert_eq!(clock.passed().as_secs(), 4);
        assert_eq!(clock.within(limit, work(&clock, 2)).await, Err(Late));
        assert_eq!(clock.passed().as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_when_a_question_is_taken_back() {
        let (slow, questions) = (Slow(600), Questions::default());
        let clock = Clock::new(&slow, &questions);
        let asked = tokio::time::timeout(Duration::from_secs(7), work(&clock, 2));
        assert!(asked.await.is_err());
        let never = clock.within(Duration::from_secs(3), std::future::pending::<()>());
        assert_eq!(never.await, Err(Late));
        assert_eq!(clock.passed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn it_stands_still_for_those_who_wait_with_the_one_who_asks() {
        let (slow, questions) = (Slow(600), Questions::default());
        let asking = Clock::new(&slow, &questions);
        let waiting = Clock::new(&slow, &questions);
        let limit = Duration::from_secs(5);
        let (asked, waited) = tokio::join!(
            asking.within(limit, work(&asking, 2)),
            waiting.within(limit, sleep(Duration::from_secs(604))),
        );
        assert_eq!((asked, waited), (Ok(()), Ok(())));
        let late = Clock::new(&slow, &questions);
        let never = late.within(limit, std::future::pending::<()>());
        assert_eq!(never.await, Err(Late));
        assert_eq!(late.passed(), limit);
    }
}
