//! One command on one host, from its start request to its outcome.

mod capture;
mod input;

use std::io;
use std::time::Duration;

use bstr::BString;
use bytes::Bytes;
use convoke_proto::command::{Leftovers, Limits, Shell, Start, Stdin};
use convoke_proto::exit::{Cause, Exit, Stage};
use tokio::time::Instant;

use crate::cancel::Cancel;
use crate::error::{LinkError, StartError};
use crate::event::Stream;
use crate::failure::in_words;
use crate::link::{Channel, Delivery, Link, Receipt};
use crate::outcome::{
    Cancelled, Exited, Failed, FailureCause, Limit, NotStarted, Outcome, TimedOut,
};
use crate::printable::printable;

pub use input::{Input, Reader, Source};

pub(crate) use capture::{Capture, Captured};
pub(crate) use input::Once;

use input::Feed;

/// How long beyond the grace a killed command's exit is waited for before its host counts as lost:
/// the agent searches the tree again after KILL, on a machine that may be busy.
pub(crate) const EXIT_MARGIN: Duration = Duration::from_secs(10);

/// The errno of an argument list that is too long, on every Linux.
const E2BIG: i32 = 7;

/// The errno of an argument that cannot be, such as one with a NUL byte, on every Linux.
const EINVAL: i32 = 22;

/// The errno of a command whose end was asked for before it began, on every Linux.
const ECANCELED: i32 = 125;

/// A command and its input.
#[derive(Debug, Clone)]
pub struct Command {
    /// What the host is asked to start.
    pub start: Program,
    /// Where its stdin comes from.
    pub input: Input,
}

/// What a host is asked to start: what a caller may choose of a [`Start`] request. Its stdin follows from
/// the command's input, and streams above 2 can be neither fed nor read here yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments; the program is looked up in the `PATH` of the new process.
    pub argv: Vec<BString>,
    /// Whether the command goes through the account's login shell.
    pub shell: Shell,
    /// The working directory; the login home when absent.
    pub cwd: Option<BString>,
    /// Variables set on top of the login environment; a later pair wins.
    pub env: Vec<(BString, BString)>,
    /// The file mode mask (octal `0` to `0o777`); the login's own when absent.
    pub umask: Option<u16>,
    /// When the host ends the process by itself.
    pub limits: Limits,
    /// What becomes of processes that outlive the main process.
    pub leftovers: Leftovers,
    /// Who it runs as, by name or number, with all groups of that user; the login's own user when absent.
    /// Takes an agent that runs as root.
    pub user: Option<BString>,
    /// Its primary group, by name or number, instead of that of its user.
    pub group: Option<BString>,
}

impl Command {
    /// A command from an argument vector: no shell on the way, every byte except NUL arrives.
    pub fn new<A: Into<BString>>(argv: impl IntoIterator<Item = A>) -> Self {
        Command {
            start: Program {
                argv: argv.into_iter().map(Into::into).collect(),
                shell: Shell::default(),
                cwd: None,
                env: Vec::new(),
                umask: None,
                limits: Limits::default(),
                leftovers: Leftovers::default(),
                user: None,
                group: None,
            },
            input: Input::None,
        }
    }

    /// A line for the host's `/bin/sh`, with its positional parameters `$1`, `$2`, …; no implicit
    /// `-e`.
    pub fn shell<A: Into<BString>>(
        line: impl Into<BString>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let fixed = ["/bin/sh".into(), "-c".into(), line.into(), "sh".into()];
        Self::new(
            fixed
                .into_iter()
                .chain(arguments.into_iter().map(Into::into)),
        )
    }

    fn request(&self) -> Start {
        let program = self.start.clone();
        Start {
            shell: program.shell,
            cwd: program.cwd,
            env: program.env,
            umask: program.umask,
            stdin: match self.input {
                Input::None => Stdin::Null,
                Input::Bytes(_) | Input::Source(_) => Stdin::Stream,
            },
            limits: program.limits,
            leftovers: program.leftovers,
            user: program.user,
            group: program.group,
            ..Start::new(program.argv)
        }
    }
}

/// Why a command's exit never came.
#[derive(Debug, Clone)]
pub(crate) struct Broken {
    /// How the link ended, or what was waited for in vain.
    pub(crate) error: LinkError,
    /// Whether the request was sent; none when the link took no request any more.
    receipt: Option<Receipt>,
    /// Whether the agent certainly lacks some of what belongs to the request.
    is_half: bool,
}

impl Broken {
    /// The link took no request any more.
    pub(crate) fn unsent(error: LinkError) -> Self {
        Broken {
            error,
            receipt: None,
            is_half: false,
        }
    }

    /// A request was made, and its answer never came.
    pub(crate) fn sent(error: LinkError, receipt: Receipt) -> Self {
        Broken {
            error,
            receipt: Some(receipt),
            is_half: false,
        }
    }

    /// The request was made, and what belongs to it had not all left.
    pub(crate) fn half(self) -> Self {
        Broken {
            is_half: true,
            ..self
        }
    }

    /// Whether the agent certainly lacks some of what belongs to the request.
    pub(crate) fn is_half(&self) -> bool {
        self.is_half
    }

    /// Whether the agent may know of the request. Final once the link is closed.
    pub(crate) fn was_sent(&self) -> bool {
        self.receipt.as_ref().is_some_and(Receipt::was_sent)
    }
}

/// What a command says of itself while it runs.
#[derive(Debug)]
pub(crate) enum Said {
    /// It was started.
    Started {
        /// Its process number on the host.
        pid: u32,
    },
    /// A piece of output.
    Output { stream: Stream, data: Bytes },
}

/// Takes what a command says, in the order in which it does.
pub(crate) trait Listener: Send {
    /// Takes it. As long as this waits, no more is read from the host.
    fn hear(&mut self, said: Said) -> impl Future<Output = ()> + Send;
}

/// What came of a command.
#[derive(Debug)]
pub(crate) enum Ending {
    Outcome(Outcome),
    /// Its input could not be read to its end, so that it was not started, or ended.
    Unread(io::Error),
}

impl From<Ending> for Outcome {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Outcome(outcome) => outcome,
            Ending::Unread(error) => Outcome::Failed(Failed {
                cause: FailureCause::Here {
                    text: format!("failed to read the input: {}", in_words(&error)),
                },
                also: Vec::new(),
                more: 0,
            }),
        }
    }
}

/// A command that was asked for, until its outcome is known.
///
/// Waiting for the listener stops reading from the host, which stops the command: that is the
/// back-pressure. A cancelled command, or one whose input cannot be read any further, is killed on the host, and
/// what it said until its end is still sent. Dropping it ends the command.
pub(crate) struct Running<'a> {
    channel: Channel,
    feed: Feed,
    limits: Limits,
    cancel: &'a Cancel,
    /// Once it is killed: when its exit is overdue.
    kill_by: Option<Instant>,
    /// Why its input ended before its end.
    unread: Option<io::Error>,
}

/// Asks for a command on an open link. Its ending when it cannot be asked for.
pub(crate) async fn start<'a>(
    link: &Link,
    command: &Command,
    cancel: &'a Cancel,
) -> Result<Result<Running<'a>, Ending>, Broken> {
    let request = command.request();
    if let Some(why) = request.reason_against() {
        return Ok(Err(Ending::Outcome(refused(EINVAL, why))));
    }
    let feed = match Feed::open(&command.input) {
        Ok(feed) => feed,
        Err(error) => return Ok(Err(Ending::Unread(error))),
    };
    let channel = match link.start(request).await {
        Ok(channel) => channel,
        Err(StartError::Oversized(error)) => {
            return Ok(Err(Ending::Outcome(refused(E2BIG, error))));
        }
        Err(StartError::Lost(error)) => return Err(Broken::unsent(error)),
    };
    Ok(Ok(Running {
        channel,
        feed,
        limits: command.start.limits,
        cancel,
        kill_by: None,
        unread: None,
    }))
}

impl Running<'_> {
    /// Waits for something that comes before the first delivery is asked for; hears a cancel.
    pub(crate) async fn first<T>(
        &mut self,
        wanted: impl Future<Output = Result<T, LinkError>>,
    ) -> Result<T, Broken> {
        tokio::pin!(wanted);
        loop {
            let overdue = self.kill_by;
            let cancel = self.cancel;
            tokio::select! {
                biased;
                came = &mut wanted => return came.map_err(|error| self.broken(error)),
                () = cancel.fired(), if overdue.is_none() => self.kill(),
                () = until(overdue) => return Err(self.overdue()),
            }
        }
    }

    /// Tells what happens until the command has ended.
    pub(crate) async fn finish(mut self, listener: &mut impl Listener) -> Result<Ending, Broken> {
        loop {
            let credit = self.channel.stdin_credit();
            let room = self.channel.room(credit);
            let overdue = self.kill_by;
            let cancel = self.cancel;
            tokio::select! {
                biased;
                () = cancel.fired(), if overdue.is_none() => self.kill(),
                () = until(overdue) => return Err(self.overdue()),
                // Before the output: that of a host faster than its reader never ends, while input
                // ends with its credit.
                (data, room) = self.feed.next(credit, room), if self.feed.is_ready(credit) => {
                    match data {
                        Ok(Some(data)) => self.channel.send(data, room),
                        Ok(None) => self.channel.end_stdin(),
                        Err(error) => {
                            self.unread = Some(error);
                            self.kill();
                        }
                    }
                }
                delivery = self.channel.next() => {
                    if let Some(outcome) = self.take(delivery, listener).await? {
                        let unread = self.unread.map(Ending::Unread);
                        return Ok(unread.unwrap_or(Ending::Outcome(outcome)));
                    }
                }
            }
        }
    }

    /// Acts on a delivery; the outcome when it is the last.
    async fn take(
        &mut self,
        delivery: Delivery,
        listener: &mut impl Listener,
    ) -> Result<Option<Outcome>, Broken> {
        match delivery {
            Delivery::Started { pid } => {
                self.wait_for(listener.hear(Said::Started { pid })).await;
            }
            Delivery::Output { stream, data } => {
                if let Some(said) = output(stream, data) {
                    self.wait_for(listener.hear(said)).await;
                }
            }
            Delivery::InputClosed { stream: 0 } => self.feed.close(),
            Delivery::Credit { .. } | Delivery::InputClosed { .. } | Delivery::Eof { .. } => {}
            Delivery::Exit(exit) => return Ok(Some(self.outcome(exit))),
            Delivery::NotStarted(reason) if self.kill_by.is_some() && reason.errno == ECANCELED => {
                return Ok(Some(Outcome::Cancelled(Cancelled {
                    why: self.cancel.cause(),
                    was_running: false,
                    survivors: Vec::new(),
                })));
            }
            Delivery::NotStarted(reason) => {
                return Ok(Some(Outcome::NotStarted(NotStarted {
                    stage: reason.stage,
                    errno: reason.errno,
                    tried: reason.tried,
                    why: None,
                })));
            }
            Delivery::Fault(fault) => {
                let why = printable(fault.text.as_bytes());
                return Ok(Some(refused(EINVAL, why)));
            }
            // The link delivers no such thing on the channel of a process.
            Delivery::Done | Delivery::Opened(_) | Delivery::Stored(_) | Delivery::Failed(_) => {
                return Err(self.broken(LinkError::Closed));
            }
            Delivery::Lost(error) => return Err(self.broken(error)),
        }
        Ok(None)
    }

    /// Waits until something is taken; a cancel is heard meanwhile.
    pub(crate) async fn wait_for(&mut self, taken: impl Future<Output = ()>) {
        let cancel = self.cancel;
        tokio::pin!(taken);
        if self.kill_by.is_none() {
            tokio::select! {
                () = &mut taken => return,
                () = cancel.fired() => self.kill(),
            }
        }
        taken.await;
        // The time for which somebody else was waited is not the host's.
        if self.kill_by.is_some() {
            self.expect_exit();
        }
    }

    fn kill(&mut self) {
        self.channel.kill();
        self.feed.close();
        self.expect_exit();
    }

    fn expect_exit(&mut self) {
        self.kill_by = Some(Instant::now() + self.grace() + EXIT_MARGIN);
    }

    fn grace(&self) -> Duration {
        Duration::from_millis(self.limits.grace_ms.into())
    }

    fn broken(&self, error: LinkError) -> Broken {
        Broken::sent(error, self.channel.receipt())
    }

    fn overdue(&self) -> Broken {
        self.broken(LinkError::Overdue(self.grace() + EXIT_MARGIN))
    }

    fn outcome(&self, exit: Exit) -> Outcome {
        let survivors = exit.survivors;
        let timed_out = |limit, killed, survivors| {
            Outcome::TimedOut(TimedOut {
                limit,
                killed,
                survivors,
            })
        };
        match exit.cause {
            Cause::Itself => Outcome::Exited(Exited {
                status: exit.status,
                left_running: exit.left_running,
                stream_cut: !exit.cut_streams.is_empty(),
                survivors,
            }),
            Cause::TotalLimit(killed) => timed_out(Limit::Total, killed, survivors),
            Cause::IdleLimit(killed) => timed_out(Limit::Idle, killed, survivors),
            Cause::Request(_) => Outcome::Cancelled(Cancelled {
                why: self.cancel.cause(),
                was_running: true,
                survivors,
            }),
        }
    }
}

/// Waits until then; for ever when there is no time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// The outcome of a request that never became a process.
fn refused(errno: i32, why: impl ToString) -> Outcome {
    Outcome::NotStarted(NotStarted {
        stage: Stage::Exec,
        errno,
        tried: Vec::new(),
        why: Some(why.to_string()),
    })
}

/// What a piece of a stream says; streams above 2 say nothing.
fn output(stream: u8, data: Bytes) -> Option<Said> {
    let stream = match stream {
        1 => Stream::Stdout,
        2 => Stream::Stderr,
        _ => return None,
    };
    Some(Said::Output { stream, data })
}
