//! What may have become of a command whose exit never came, or of files and questions: decided here, from facts that no longer
//! change.

use std::time::{Duration, SystemTime};

use convoke_connect::connector::Ending;
use convoke_connect::error::ConnectErrorKind;
use convoke_proto::command::Limits;
use convoke_proto::fault::Violation;
use convoke_proto::hello::Liveness;

use crate::error::LinkError;
use crate::outcome::{Fate, Lost, Outcome, Unreachable, UnreachableKind};
use crate::process::{Broken, EXIT_MARGIN};

/// All that is known once the link is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    request: Request,
    hello: Heard,
    error: LinkError,
    ending: Option<Ending>,
    /// Whether some of what belongs to the request had not left.
    is_half: bool,
}

/// What the host was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To run a command, on these terms.
    Command(Terms),
    /// To take files.
    Put,
    /// To give files of this machine their content.
    Get,
    /// To answer.
    Questions,
}

/// How far our request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    /// Nothing of it was written to the pipe.
    Unsent,
    /// Some of it was, so that the agent may have all of it.
    Sent,
}

/// Whether the agent's hello came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Hello,
}

/// What the agent was told: how long it may take to end the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    grace: Duration,
    give_up: Duration,
}

impl Terms {
    pub(super) fn new(limits: Limits, liveness: Liveness) -> Self {
        // The agent gives up no earlier than this, whatever it is told.
        let give_up_ms = liveness.give_up_ms.max(Liveness::MIN_GIVE_UP_MS);
        Terms {
            grace: Duration::from_millis(limits.grace_ms.into()),
            give_up: Duration::from_millis(give_up_ms.into()),
        }
    }
}

impl Known {
    /// `ending` is how the connection ended, when that is known.
    pub(super) fn new(broken: Broken, is_greeted: bool, ending: Option<Ending>) -> Self {
        Known {
            request: match broken.was_sent() {
                true => Request::Sent,
                false => Request::Unsent,
            },
            hello: match is_greeted {
                true => Heard::Hello,
                false => Heard::Nothing,
            },
            is_half: broken.is_half(),
            error: broken.error,
            ending,
        }
    }

    /// Unreachable when nothing can have run, else lost.
    pub(super) fn outcome(self, asked: Asked, now: SystemTime) -> Outcome {
        if self.may_have_run() {
            let fate = self.fate(asked, now);
            let text = match self.hello {
                Heard::Hello => self.error.to_string(),
                Heard::Nothing => no_hello(self.error).text,
            };
            return Outcome::Lost(Lost { text, fate });
        }
        Outcome::Unreachable(match self.hello {
            Heard::Nothing => no_hello(self.error),
            Heard::Hello => gone(self.error),
        })
    }

    /// Whether the agent may have started the command.
    ///
    /// It says hello before it starts anything, and what it says arrives in order. So nothing ran where
    /// the connection ended in good order without a hello; one that was cut or fell silent may have
    /// lost it, and one that we dropped may have held it behind what we did not understand.
    fn may_have_run(&self) -> bool {
        match (self.request, self.hello, &self.error) {
            (Request::Unsent, _, _) => false,
            (Request::Sent, Heard::Hello, _) => true,
            // That is a hello, and an agent starts nothing for a controller of another protocol.
            (_, _, LinkError::Violation(Violation::Protocol { .. })) => false,
            (_, _, LinkError::Closed) => !matches!(self.ending, Some(Ending::Exited { .. })),
            (_, _, _) => true,
        }
    }

    fn fate(&self, asked: Asked, now: SystemTime) -> Fate {
        match asked {
            Asked::Command(terms) => self.fate_of_command(terms, now),
            // An agent that lacks the end of a file throws it away.
            Asked::Put if self.is_half => Fate::NotPlaced,
            Asked::Put => Fate::MaybePlaced,
            Asked::Get => Fate::NotPlaced,
            Asked::Questions => Fate::Unanswered,
        }
    }

    /// What the command may still be doing.
    fn fate_of_command(&self, terms: Terms, now: SystemTime) -> Fate {
        let once_noticed = now + terms.grace + EXIT_MARGIN;
        match (&self.ending, &self.error) {
            // An agent ends, or its guard in its place, when what it started is ended.
            (Some(Ending::Exited { .. }), _) => Fate::Ended,
            (Some(Ending::Killed { .. }), _) => Fate::Unknown,
            // The connection ended because we gave it up, which says nothing of the agent.
            (Some(Ending::Unknown { .. }), LinkError::Silent(_) | LinkError::Overdue(_)) => {
                Fate::EndsBy(once_noticed + terms.give_up)
            }
            (Some(Ending::Unknown { .. }), _) => Fate::Unknown,
            // The far end closed its side, so it knows.
            (None, LinkError::Closed) => Fate::EndsBy(once_noticed),
            // Whether it has noticed that we left is not known; its own patience ends some time.
            (None, _) => Fate::EndsBy(once_noticed + terms.give_up),
        }
    }
}

/// The reason when the link ended before the agent's hello.
pub(super) fn no_hello(error: LinkError) -> Unreachable {
    Unreachable {
        kind: UnreachableKind::Hello,
        text: format!("the agent did not say hello: {error}"),
        hint: None,
    }
}

/// The reason when the link ended after the hello and before anything was asked.
pub(super) fn gone(error: LinkError) -> Unreachable {
    Unreachable {
        kind: match error {
            LinkError::Silent(_) => UnreachableKind::Timeout,
            _ => UnreachableKind::Connect(ConnectErrorKind::Closed),
        },
        text: format!("the agent answered, and then: {error}"),
        hint: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of it, in short: `never`, or the fate with the seconds until the end.
    fn verdict(known: Known) -> String {
        let limits = Limits {
            grace_ms: 7_000,
            ..Limits::default()
        };
        let now = SystemTime::UNIX_EPOCH;
        let asked = Asked::Command(Terms::new(limits, Liveness::default()));
        match known.outcome(asked, now) {
            Outcome::Unreachable(_) => "never".to_owned(),
            Outcome::Lost(lost) => match lost.fate {
                Fate::EndsBy(time) => {
                    let left = time.duration_since(now).unwrap() - EXIT_MARGIN;
                    format!("within {} s", left.as_secs())
                }
                fate => fate.as_str().to_owned(),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_may_have_run_follows_from_what_was_sent_and_heard_and_from_the_ends() {
        use Heard::{Hello, Nothing};
        use Request::{Sent, Unsent};
        let exited = Some(Ending::Exited { code: 127 });
        let killed = Some(Ending::Killed { signal: 9 });
        let unknown = Some(Ending::Unknown {
            remark: "255".into(),
        });
        let broken = LinkError::Broken {
            text: "reset".into(),
        };
        let silent = LinkError::Silent(Duration::from_secs(30));
        let overdue = LinkError::Overdue(Duration::from_secs(20));
        let garbage = LinkError::Violation(Violation::NotAFrame {
            bytes: "oops".into(),
        });
        let protocol = LinkError::Violation(Violation::Protocol { theirs: 9, ours: 1 });
        let closed = LinkError::Closed;
        let (soon, late) = ("within 7 s", "within 607 s");
        let rows = [
            (Unsent, Nothing, &closed, &exited, "never"),
            (Unsent, Nothing, &silent, &None, "never"),
            (Unsent, Hello, &closed, &unknown, "never"),
            (Unsent, Hello, &overdue, &None, "never"),
            (Sent, Nothing, &closed, &exited, "never"),
            (Sent, Nothing, &closed, &killed, "unknown"),
            (Sent, Nothing, &closed, &unknown, "unknown"),
            (Sent, Nothing, &closed, &None, soon),
            (Sent, Nothing, &protocol, &None, "never"),
            (Sent, Nothing, &garbage, &exited, "ended"),
            (Sent, Nothing, &garbage, &None, late),
            (Sent, Nothing, &broken, &None, late),
            (Sent, Nothing, &silent, &None, late),
            (Sent, Nothing, &overdue, &None, late),
            (Sent, Nothing, &overdue, &exited, "ended"),
            (Sent, Hello, &closed, &exited, "ended"),
            (Sent, Hello, &closed, &killed, "unknown"),
            (Sent, Hello, &closed, &unknown, "unknown"),
            (Sent, Hello, &closed, &None, soon),
            (Sent, Hello, &LinkError::Dropped, &None, late),
            (Sent, Hello, &garbage, &None, late),
            (Sent, Hello, &broken, &None, late),
            (Sent, Hello, &broken, &unknown, "unknown"),
            (Sent, Hello, &silent, &None, late),
            (Sent, Hello, &silent, &unknown, late),
            (Sent, Hello, &silent, &killed, "unknown"),
            (Sent, Hello, &silent, &exited, "ended"),
            (Sent, Hello, &overdue, &None, late),
            (Sent, Hello, &overdue, &unknown, late),
        ];
        for (request, hello, error, ending, expected) in rows {
            let known = Known {
                request,
                hello,
                error: error.clone(),
                ending: ending.clone(),
                is_half: false,
            };
            assert_eq!(verdict(known.clone()), expected, "{known:?}");
        }
    }

    #[test]
    fn an_agent_gives_up_no_earlier_than_it_may() {
        let hasty = Liveness {
            give_up_ms: 1,
            ..Liveness::default()
        };
        let terms = Terms::new(Limits::default(), hasty);
        assert_eq!(terms.give_up, Duration::from_secs(30));
    }
}
