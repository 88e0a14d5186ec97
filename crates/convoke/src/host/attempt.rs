//! Attempts to connect a host: until its shell has answered, or another one has no point.

use std::time::Duration;

use convoke_connect::connector::{Close, Connector, Ending, Pipes, Request, Route};
use convoke_connect::error::{Again, ConnectError};
use convoke_connect::trail::{Remark, Trail};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};

use crate::bootstrap::{self, Answer, Nonce};
use crate::error::BootstrapError;
use crate::event::{Emitter, Kind};
use crate::outcome::{Unreachable, UnreachableKind};

use super::clock::Clock;
use super::noise::Noise;
use super::tries::Tries;
use super::{Host, Reach};

/// How long a connection may take while a program has the operator's terminal: a person looks for a
/// password or for a token meanwhile.
const TERMINAL_LIMIT: Duration = Duration::from_secs(120);

/// How long a connection that was closed without an answer is asked how it ended.
const ENDING_LIMIT: Duration = Duration::from_secs(1);

/// The signal of Ctrl-C.
const SIGINT: i32 = 2;

/// A connection whose host's shell has answered.
pub(super) struct Reached {
    pub(super) reader: Box<dyn AsyncRead + Send + Unpin>,
    pub(super) writer: Box<dyn AsyncWrite + Send + Unpin>,
    pub(super) close: Box<dyn Close>,
    pub(super) noise: Noise,
    pub(super) answer: Answer,
    /// Who opened it.
    pub(super) connector: &'static str,
    /// When the attempt began that did.
    pub(super) began: Instant,
}

/// Why a host was not reached.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no working link.
    Unreachable(Unreachable),
    /// The operator interrupted the program that had the terminal.
    Interrupted,
}

/// Why an attempt failed, and whether another one may help.
struct Failed {
    failure: Failure,
    again: Again,
}

/// One attempt.
struct Attempt<'a> {
    host: &'a Host,
    reach: &'a Reach,
    connector: &'a dyn Connector,
    clock: &'a Clock<'a>,
    /// What is left of the connect limit.
    left: Duration,
}

/// Connects `host` as often as it may help, and waits for the first answer of its shell.
pub(super) async fn reach(
    host: &Host,
    reach: &Reach,
    mut events: Option<&mut Emitter>,
) -> Result<Reached, Failure> {
    let asked = reach.registry.find(&host.endpoint)?;
    // The connector limits each of its questions; the wait for its turn is not the host's time.
    let Route {
        instead,
        remark,
        server,
    } = asked.route(&host.endpoint, &reach.surroundings).await?;
    if let Some(remark) = remark {
        tracing::info!("{remark}");
    }
    let connector = instead.unwrap_or(asked);
    let mut tries = Tries::new(reach, server);
    loop {
        let place = tries.place().await;
        if let Some(events) = &mut events {
            let attempt = tries.number;
            events.send(Kind::Connecting { attempt }).await;
        }
        let clock = Clock::new(&*reach.ask, &reach.questions);
        let attempt = Attempt {
            host,
            reach,
            connector: &*connector,
            clock: &clock,
            left: tries.left,
        };
        let Failed { failure, again } = match attempt.make().await {
            Ok(reached) => return Ok(reached),
            Err(failed) => failed,
        };
        drop(place);
        if !tries.go_on(clock.passed(), again, failure.text()).await {
            return Err(failure.after(tries.number));
        }
    }
}

impl Attempt<'_> {
    /// Makes it, and tells what was noticed.
    async fn make(&self) -> Result<Reached, Failed> {
        let trail = Trail::new();
        let made = self.connect(&trail).await;
        tell(&trail);
        made
    }

    async fn connect(&self, trail: &Trail) -> Result<Reached, Failed> {
        let began = Instant::now();
        let nonce = Nonce::random();
        let agents = &self.reach.agents;
        let command = bootstrap::command(agents, &nonce);
        let opening = self.connector.open(Request {
            endpoint: &self.host.endpoint,
            command: &command,
            surroundings: &self.reach.surroundings,
            ask: self.clock,
            terminal: self.reach.terminal.as_ref(),
            limit: self.left,
            trail,
        });
        let limit = self.reach.connect_limit;
        let pipes = self.clock.within(self.left, opening).await;
        let Pipes {
            mut reader,
            writer,
            stderr,
            close,
            lent,
        } = pipes.map_err(|_| Failed::from(given_up(limit, trail)))??;
        let mut noise = Noise::listen(stderr);
        let patience = Patience::new(limit, self.left, lent.is_some());
        let answer = bootstrap::answer(&mut reader, agents, &nonce);
        let answer = self.clock.within(patience.left, answer).await;
        let was_lent = lent.is_some();
        drop(lent);
        match answer {
            Ok(Ok(answer)) => Ok(Reached {
                reader,
                writer,
                close,
                noise,
                answer,
                connector: self.connector.name(),
                began,
            }),
            Ok(Err(error)) if error.is_early => {
                drop((reader, writer));
                let ending = timeout(ENDING_LIMIT, close.close());
                let (ending, words) = tokio::join!(ending, noise.last_words());
                let ending = ending.ok();
                if was_lent && is_interrupt(ending.as_ref()) {
                    return Err(Failed::interrupted());
                }
                Err(self.diagnose(error, ending.as_ref(), &words))
            }
            Ok(Err(error)) => {
                let words = noise.last_words().await;
                Err(Noise::explain(&words, error.into()).into())
            }
            Err(_) => {
                // Ended, it may say what it was waiting for.
                drop((reader, writer, close));
                let words = noise.last_words().await;
                Err(self.out_of_time(patience.limit, &words).into())
            }
        }
    }

    /// The connection ended before the host's shell had answered.
    fn diagnose(&self, error: BootstrapError, ending: Option<&Ending>, words: &[u8]) -> Failed {
        match self.connector.diagnose(&self.host.endpoint, ending, words) {
            Some(error) => {
                Noise::note(words);
                error.into()
            }
            None => Noise::explain(words, error.into()).into(),
        }
    }

    /// The connect limit has passed: it says what was waited for last, if anything tells.
    fn out_of_time(&self, limit: Duration, words: &[u8]) -> Unreachable {
        let late = too_long(limit);
        match self.connector.diagnose(&self.host.endpoint, None, words) {
            Some(error) => Unreachable {
                text: format!("{}: {}", late.text, error.text),
                hint: error.hint,
                ..late
            },
            None => Noise::explain(words, late),
        }
    }
}

/// How long an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Patience {
    /// The limit, for words.
    limit: Duration,
    /// What is left of it.
    left: Duration,
}

impl Patience {
    fn new(limit: Duration, left: Duration, is_terminal_lent: bool) -> Self {
        match is_terminal_lent {
            true => Patience {
                limit: limit.max(TERMINAL_LIMIT),
                left: left.max(TERMINAL_LIMIT),
            },
            false => Patience { limit, left },
        }
    }
}

/// Whether a program that had the terminal was ended by Ctrl-C there.
fn is_interrupt(ending: Option<&Ending>) -> bool {
    matches!(ending, Some(Ending::Killed { signal: SIGINT }))
}

pub(super) fn too_long(limit: Duration) -> Unreachable {
    Unreachable {
        kind: UnreachableKind::Timeout,
        text: format!("no answer within {}", in_words(limit)),
        hint: None,
    }
}

/// Tells what was noticed on the way.
pub(super) fn tell(trail: &Trail) {
    for remark in trail.take_remarks() {
        match remark {
            Remark::Note(text) => tracing::info!("{text}"),
            Remark::Warning(text) => tracing::warn!("{text}"),
        }
    }
}

/// The same of an attempt that was given up there.
pub(super) fn given_up(limit: Duration, trail: &Trail) -> Unreachable {
    let late = too_long(limit);
    match trail.waits() {
        Some(wait) => Unreachable {
            text: wait.explain(&late.text),
            ..late
        },
        None => late,
    }
}

/// A limit as the operator may have written it: `20 s`, `1.5 s`, `500 ms`.
fn in_words(limit: Duration) -> String {
    match limit.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{} ms", limit.as_millis()),
        seconds => format!("{seconds} s"),
    }
}

impl Failure {
    fn text(&self) -> &str {
        match self {
            Failure::Unreachable(unreachable) => &unreachable.text,
            Failure::Interrupted => "interrupted",
        }
    }

    /// Says how many attempts were made when it was more than one.
    fn after(self, attempts: u32) -> Self {
        match self {
            Failure::Unreachable(unreachable) if attempts > 1 => {
                Failure::Unreachable(Unreachable {
                    text: format!("{} ({attempts} attempts)", unreachable.text),
                    ..unreachable
                })
            }
            failure => failure,
        }
    }
}

impl<E: Into<Unreachable>> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::Unreachable(error.into())
    }
}

impl Failed {
    fn interrupted() -> Self {
        Failed {
            failure: Failure::Interrupted,
            again: Again::Pointless,
        }
    }
}

impl From<ConnectError> for Failed {
    fn from(error: ConnectError) -> Self {
        let again = error.again;
        let failure = error.into();
        Failed { failure, again }
    }
}

impl From<Unreachable> for Failed {
    fn from(unreachable: Unreachable) -> Self {
        Failed {
            failure: Failure::Unreachable(unreachable),
            again: Again::Pointless,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_at_the_terminal_has_two_minutes() {
        let second = Duration::from_secs(1);
        for (limit, left, is_lent, expected) in [
            (20, 15, false, (20, 15)),
            (20, 15, true, (120, 120)),
            (300, 299, true, (300, 299)),
        ] {
            let patience = Patience::new(limit * second, left * second, is_lent);
            let (limit, left) = expected;
            let expected = Patience {
                limit: limit * second,
                left: left * second,
            };
            assert_eq!(patience, expected);
        }
    }

    #[test]
    fn a_limit_is_not_rounded() {
        for (ms, words) in [(500, "500 ms"), (1_500, "1.5 s"), (20_000, "20 s")] {
            assert_eq!(in_words(Duration::from_millis(ms)), words);
        }
    }

    #[test]
    fn only_ctrl_c_is_an_interrupt() {
        assert!(is_interrupt(Some(&Ending::Killed { signal: 2 })));
        for ending in [
            None,
            Some(Ending::Killed { signal: 15 }),
            Some(Ending::Exited { code: 130 }),
        ] {
            assert!(!is_interrupt(ending.as_ref()), "{ending:?}");
        }
    }
}
