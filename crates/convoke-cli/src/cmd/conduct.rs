//! Work on hosts, from its beginning to the exit code.
//!
//! Three threads. The engine's works on the hosts, with others where much moves; the renderer's may be kept waiting
//! by whoever reads our output; ours does nothing but listen for signals, so that the second Ctrl-C works whatever
//! the others are stuck in.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::thread;

use convoke::action::{Action, QUEUE};
use convoke::cancel::Cancel;
use convoke::connect::registry::Registry;
use convoke::event::Event;
use convoke::host::Reach;
use convoke::report::Report;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use crate::args::ExitRule;
use crate::config::{Output, Paper, PaperKind, Volume};
use crate::error::{Usage, in_words};
use crate::exit::{self, Stop};
use crate::operator::{Echo, Operator};
use crate::render::Mode;
use crate::render::drive::{self, Job, Note, Shown};
use crate::render::floor::Floor;
use crate::render::outdir::Outdir;
use crate::render::recap::Facts;
use crate::render::screen::{Broken, Line};
use crate::signals::{self, Signals};
use crate::stdin::Unread;

/// How many lines of ours may wait for the renderer: there are a handful in a whole run.
const NOTES: usize = 8;

/// Nobody but the engine itself.
pub(super) const ONE: NonZeroUsize = NonZeroUsize::MIN;

/// Something to be done, and how it is shown.
pub(super) struct Undertaking {
    /// What is done.
    pub(super) action: Action,
    /// By which means hosts are reached; the operator answers.
    pub(super) reach: Reach,
    /// Who is asked.
    pub(super) operator: Operator,
    /// All hosts, in host order.
    pub(super) hosts: Vec<Arc<str>>,
    /// Whether our stdin is typed meanwhile.
    pub(super) is_typed: bool,
    /// What hints about failures need to know.
    pub(super) facts: Facts,
    /// The form of the output.
    pub(super) mode: Mode,
    /// Where it goes.
    pub(super) output: Output,
    /// Where results are kept as files.
    pub(super) outdir: Option<Outdir>,
    /// What the operator should know beforehand.
    pub(super) warning: Option<String>,
    /// Says that something could not be read.
    pub(super) alarms: mpsc::Receiver<Unread>,
    /// What the exit code says.
    pub(super) exit_rule: ExitRule,
    /// How many threads work on the hosts.
    pub(super) hands: NonZeroUsize,
}

/// Does it, and returns the exit code.
///
/// # Errors
/// This machine has no thread for it; nothing has been started then.
pub(super) fn carry_out(undertaking: Undertaking) -> Result<u8, Usage> {
    let exit_rule = undertaking.exit_rule;
    let runtime = runtime(ONE).map_err(no_threads)?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::listen().map_err(no_threads)?
    };
    let stage = Stage::of(&undertaking);
    let _nothing_left = NothingLeft(undertaking.reach.registry.clone());
    let _restored = Restored(stage.echo.clone());
    if undertaking.output.stderr.kind == PaperKind::Terminal || stage.echo.is_some() {
        let (line, echo) = (stage.line.clone(), stage.echo.clone());
        signals::tidy_before_suspension(line, echo).map_err(no_threads)?;
    }
    if let Some(stop) = runtime.block_on(prepare(&undertaking.operator, &mut signals))? {
        return Ok(stop.code());
    }
    let (attention, shown) = begin(undertaking, stage, signals)?;
    let ended = runtime.block_on(attention.until(shown));
    Ok(code(ended, exit_rule))
}

/// What those share who write to the operator's terminal.
struct Stage {
    /// The right to write.
    floor: Floor,
    /// The progress line.
    line: Line,
    /// What is typed unseen.
    echo: Option<Echo>,
}

impl Stage {
    fn of(undertaking: &Undertaking) -> Self {
        let (floor, line) = undertaking.operator.stage();
        let papers = [undertaking.output.stdout, undertaking.output.stderr];
        let is_in_the_way = papers.into_iter().any(Paper::is_terminal);
        Stage {
            // What we write elsewhere is in the way of no question.
            floor: if is_in_the_way {
                floor
            } else {
                Floor::default()
            },
            line,
            echo: undertaking.operator.echo(),
        }
    }
}

/// Starts the renderer and the engine; what our own thread does meanwhile, and what the renderer says at its end.
fn begin(
    undertaking: Undertaking,
    stage: Stage,
    signals: Signals,
) -> Result<(Attention, oneshot::Receiver<Option<Shown>>), Usage> {
    let cancel = Cancel::new();
    let (note, notes) = mpsc::channel(NOTES);
    let (events_in, events) = mpsc::channel(QUEUE);
    let (report_in, report) = oneshot::channel();
    let (shown_in, shown) = oneshot::channel();
    let output = undertaking.output;
    let attention = Attention {
        signals,
        alarms: undertaking.alarms,
        cancel: cancel.clone(),
        note,
        line: stage.line.clone(),
        echo: stage.echo,
        stderr: output.stderr,
        stop: None,
    };
    if let Some(warning) = undertaking.warning.filter(|_| output.talk > Volume::Quiet) {
        // There is room: it is the first note.
        let _ = attention.note.try_send(Note::Plain(warning));
    }
    let job = Job {
        mode: undertaking.mode,
        hosts: undertaking.hosts,
        is_typed: undertaking.is_typed,
        facts: undertaking.facts,
        cancel: cancel.clone(),
        output,
        events,
        notes,
        floor: stage.floor,
        line: stage.line,
        report,
        outdir: undertaking.outdir,
    };
    let engine = Engine {
        runtime: runtime(undertaking.hands).map_err(no_threads)?,
        action: undertaking.action,
        reach: Reach {
            ask: Arc::new(undertaking.operator),
            ..undertaking.reach
        },
        cancel,
    };
    // None is joined: when we leave at once it may be stuck, and else it is at its end.
    spawn("renderer", move || drop(shown_in.send(drive::run(job))))?;
    spawn("engine", move || engine.run(events_in, report_in))?;
    Ok((attention, shown))
}

/// Asks the operator for what must be known beforehand; what stops that stops everything.
async fn prepare(operator: &Operator, signals: &mut Signals) -> Result<Option<Stop>, Usage> {
    tokio::select! {
        biased;
        stop = signals.next() => Ok(Some(stop)),
        prepared = operator.prepare() => prepared.map(|()| None),
    }
}

/// Shows what is typed, whatever ends the run and whoever still asks.
struct Restored(Option<Echo>);

impl Drop for Restored {
    fn drop(&mut self) {
        if let Some(echo) = &self.0 {
            echo.restore();
        }
    }
}

/// Leaves no program of a connector behind, whatever ends the run and whoever still connects.
struct NothingLeft(Registry);

impl Drop for NothingLeft {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Starts a thread of ours.
pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Usage> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map(drop).map_err(no_threads)
}

fn no_threads(error: io::Error) -> Usage {
    Usage::new(format!("failed to start threads: {}", in_words(&error)))
}

/// Where tasks are worked on: by the thread that waits for them, or by `hands` of its own.
fn runtime(hands: NonZeroUsize) -> io::Result<Runtime> {
    if hands == ONE {
        return Builder::new_current_thread().enable_all().build();
    }
    try_threads(hands)?;
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(hands.get()).enable_all().build()
}

/// Whether this machine has so many threads for us: a runtime that gets fewer panics.
fn try_threads(count: NonZeroUsize) -> io::Result<()> {
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock();
    let waiting = || {
        let gate = Arc::clone(&gate);
        thread::Builder::new().spawn(move || drop(gate.lock()))
    };
    let threads: io::Result<Vec<_>> = (0..count.get()).map(|_| waiting()).collect();
    drop(closed);
    // None of them panics.
    threads?.into_iter().for_each(|thread| drop(thread.join()));
    Ok(())
}

/// What the engine's thread owns.
struct Engine {
    runtime: Runtime,
    action: Action,
    reach: Reach,
    cancel: Cancel,
}

impl Engine {
    /// Runs to the end. If it does not get there, `report` is dropped, which tells the renderer.
    fn run(self, events: mpsc::Sender<Event>, report: oneshot::Sender<Report>) {
        let runtime = self.runtime;
        let ended = runtime.block_on(self.action.run(&self.reach, events, &self.cancel));
        let _ = report.send(ended);
        // What it has begun to end would be cut short with it.
        self.reach.registry.end();
        // A read from our stdin may be stuck in a thread of the runtime.
        runtime.shutdown_background();
    }
}

/// How a run ended.
enum Ended {
    /// It came to its end; `None` when a thread of ours died.
    Shown(Option<Shown>, Option<Stop>),
    /// The operator did not want to wait for that.
    Left(Stop),
}

/// What our own thread does during a run.
struct Attention {
    signals: Signals,
    alarms: mpsc::Receiver<Unread>,
    cancel: Cancel,
    note: mpsc::Sender<Note>,
    line: Line,
    echo: Option<Echo>,
    stderr: Paper,
    /// What stopped the run; the first of them.
    stop: Option<Stop>,
}

impl Attention {
    async fn until(mut self, mut shown: oneshot::Receiver<Option<Shown>>) -> Ended {
        loop {
            tokio::select! {
                biased;
                shown = &mut shown => return Ended::Shown(shown.ok().flatten(), self.stop),
                stop = self.signals.next() => match self.stop {
                    Some(first) => return self.leave(first),
                    None if self.cancel.is_fired() => return self.leave(stop),
                    None => {
                        let was_asked = self.echo.as_ref().is_some_and(Echo::restore);
                        self.stop(stop, match was_asked {
                            true => Note::Plain(stopping(stop)),
                            false => Note::Answer(stopping(stop)),
                        });
                    }
                },
                Some(Unread { what, error }) = self.alarms.recv() => {
                    let error = in_words(&error);
                    let what = format!("error: failed to read {what}: {error}\n");
                    self.stop(Stop::InputFailed, Note::Plain(what));
                }
            }
        }
    }

    /// Ends what runs, gracefully.
    fn stop(&mut self, stop: Stop, why: Note) {
        self.stop.get_or_insert(stop);
        self.cancel.fire(stop.cause());
        // When there is no room the renderer is stuck, and nobody would read it.
        let _ = self.note.try_send(why);
    }

    fn leave(self, stop: Stop) -> Ended {
        if let Some(echo) = &self.echo {
            echo.restore();
        }
        let words = "left at once; the hosts end what runs\n";
        self.line.leave(words, self.stderr);
        Ended::Left(stop)
    }
}

fn stopping(stop: Stop) -> String {
    let why = match stop {
        Stop::Interrupt => "interrupted: ending what runs; Ctrl-C again leaves at once",
        Stop::Terminate => "terminated: ending what runs",
        Stop::Hangup => "hung up: ending what runs",
        Stop::OutputClosed | Stop::OutputFailed | Stop::InputFailed => "ending what runs",
    };
    format!("{why}\n")
}

fn code(ended: Ended, rule: ExitRule) -> u8 {
    match ended {
        Ended::Left(stop) => stop.code(),
        Ended::Shown(None, stop) => stop.map_or(exit::BUG, Stop::code),
        Ended::Shown(Some(shown), stop) => {
            let broken = shown.broken.map(|broken| match broken {
                Broken::Closed => Stop::OutputClosed,
                Broken::Failed { .. } => Stop::OutputFailed,
            });
            let lost = (!shown.is_kept).then_some(Stop::OutputFailed);
            exit::code(&shown.report, stop.or(broken).or(lost), rule)
        }
    }
}
