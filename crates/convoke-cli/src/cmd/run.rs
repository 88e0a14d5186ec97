//! `convoke run`: a command on hosts, from its plan to the exit code.
//!
//! Three threads. The engine's runs the hosts; the renderer's may be kept waiting by whoever reads our output;
//! ours does nothing but listen for signals, so that the second Ctrl-C works whatever the others are stuck in.

use std::io;
use std::sync::Arc;
use std::thread;

use convoke::action::{Action, QUEUE};
use convoke::agents::Agents;
use convoke::cancel::Cancel;
use convoke::connect::surroundings::Surroundings;
use convoke::event::Event;
use convoke::host::{Reach, Work};
use convoke::outcome::CancelCause;
use convoke::process::{Command, Input};
use convoke::report::Report;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use super::print;
use crate::args::ExitRule;
use crate::config::{Output, OutputForm, Paper, PaperKind, Rehearsal, Run, Stdin, Volume};
use crate::descriptors;
use crate::error::Usage;
use crate::exit::{self, Stop};
use crate::plan::{Parts, Plan};
use crate::render::Mode;
use crate::render::drive::{self, Job, Note, Shown};
use crate::render::outdir::{self, Outdir};
use crate::render::screen::{Broken, Line};
use crate::selection;
use crate::signals::{self, Signals};
use crate::stdin::{Alarm, Spool, Straight};

/// Plans, carries out, and returns the exit code.
///
/// # Errors
/// What the operator has to mend; nothing has been started then.
pub(crate) fn run(config: Run) -> Result<u8, Usage> {
    let hosts = selection::hosts(&config.selection, config.stdin)?;
    let reach = Reach::new(Surroundings::of_this_process(), Agents::embedded());
    let parts = Parts {
        hosts: &hosts,
        work: config.command,
        stdin: config.stdin,
        pace: config.pace,
        mode: Mode::of(&config.output, hosts.len()),
        outdir: config.output.outdir.clone(),
        safety: config.output.safety,
        exit_rule: config.exit_rule,
        room: descriptors::hosts_that_fit(match config.output.outdir {
            Some(_) => outdir::DESCRIPTORS,
            None => 0,
        }),
    };
    let plan = Plan::new(parts, &reach.registry)?;
    match config.rehearsal {
        Rehearsal::Dry => show(&plan, &config.output),
        Rehearsal::Wet if plan.hosts.is_empty() => Ok(exit::OK),
        Rehearsal::Wet => carry_out(plan, reach, config.output, config.exit_rule),
    }
}

/// The dry run: the plan, and nothing else.
fn show(plan: &Plan, output: &Output) -> Result<u8, Usage> {
    let mut text = Vec::new();
    match output.form {
        OutputForm::Json => crate::render::push_json(&plan.summary(), output.stdout, &mut text)
            .map_err(|error| Usage::new(format!("failed to write the plan: {error}")))?,
        _ => text.extend(plan.text().into_bytes()),
    }
    Ok(print(&text))
}

fn carry_out(plan: Plan, reach: Reach, output: Output, rule: ExitRule) -> Result<u8, Usage> {
    let runtime = runtime().map_err(no_threads)?;
    let signals = {
        let _inside = runtime.enter();
        Signals::listen().map_err(no_threads)?
    };
    let (cancel, line) = (Cancel::new(), Line::default());
    if output.stderr.kind == PaperKind::Terminal {
        signals::tidy_before_suspension(line.clone()).map_err(no_threads)?;
    }
    let (note, notes) = mpsc::channel(NOTES);
    let (alarm, alarms) = mpsc::channel(1);
    let (events_in, events) = mpsc::channel(QUEUE);
    let (report_in, report) = oneshot::channel();
    let (shown_in, shown) = oneshot::channel();
    let input = input(&plan, &output, alarm)?;
    let stderr = output.stderr;
    let outdir = outdir(&plan, &output)?;
    if let Some(warning) = plan.warning.clone().filter(|_| output.talk > Volume::Quiet) {
        // There is room: it is the first note.
        let _ = note.try_send(Note::Plain(warning));
    }
    let job = Job {
        mode: plan.mode,
        hosts: plan.names().collect(),
        facts: plan.facts(),
        cancel: cancel.clone(),
        output,
        events,
        notes,
        line: line.clone(),
        report,
        outdir,
    };
    let engine = Engine {
        plan,
        input,
        reach,
        cancel: cancel.clone(),
    };
    // None is joined: when we leave at once it may be stuck, and else it is at its end.
    spawn("renderer", move || drop(shown_in.send(drive::run(job))))?;
    spawn("engine", move || engine.run(events_in, report_in))?;
    let attention = Attention {
        signals,
        alarms,
        cancel,
        note,
        line,
        stderr,
        stop: None,
    };
    let ended = runtime.block_on(attention.until(shown));
    Ok(code(ended, rule))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Usage> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map(drop).map_err(no_threads)
}

fn no_threads(error: io::Error) -> Usage {
    Usage::new(format!("failed to start threads: {error}"))
}

/// How many lines of ours may wait for the renderer: there are a handful in a whole run.
const NOTES: usize = 8;

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Where results are kept as files, if they are to be.
fn outdir(plan: &Plan, output: &Output) -> Result<Option<Outdir>, Usage> {
    let Some(path) = &output.outdir else {
        return Ok(None);
    };
    let hosts: Vec<_> = plan.names().collect();
    let made = Outdir::new(path, &hosts);
    made.map(Some).map_err(|(path, error)| {
        Usage::new(format!("failed to keep results in {path:?}: {error}"))
            .hint("--outdir DIR takes a directory that is ours, or makes it")
    })
}

/// Our stdin as the plan wants it. For several hosts it is being read from now on.
fn input(plan: &Plan, output: &Output, alarm: Alarm) -> Result<Input, Usage> {
    match (plan.stdin, plan.hosts.len()) {
        (Stdin::Unread, _) => return Ok(Input::None),
        (Stdin::Sent, 0 | 1) => return Ok(Input::Source(Arc::new(Straight { alarm }))),
        (Stdin::Sent, _) => {}
    }
    let no_spool = |error| {
        let directory = &output.temporary;
        Usage::new(format!(
            "failed to make a spool for stdin in {directory:?}: {error}"
        ))
        .hint("TMPDIR names another directory")
    };
    let spool = Spool::new(&output.temporary, alarm).map_err(no_spool)?;
    let filled = spool.clone();
    spawn("stdin", move || filled.fill(io::stdin().lock()))?;
    Ok(Input::Source(Arc::new(spool)))
}

/// What the engine's thread owns.
struct Engine {
    plan: Plan,
    input: Input,
    reach: Reach,
    cancel: Cancel,
}

impl Engine {
    /// Runs to the end. If it cannot, `report` is dropped, which tells the renderer.
    fn run(self, events: mpsc::Sender<Event>, report: oneshot::Sender<Report>) {
        let Ok(runtime) = runtime() else { return };
        let command = Command {
            input: self.input,
            ..self.plan.command()
        };
        let action = Action::everywhere(self.plan.hosts, Work::Process(command))
            .fanout(self.plan.fanout)
            .max_fail(self.plan.max_fail)
            .on_failure(self.plan.on_failure);
        let ended = runtime.block_on(action.run(&self.reach, events, &self.cancel));
        let _ = report.send(ended);
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
    alarms: mpsc::Receiver<io::Error>,
    cancel: Cancel,
    note: mpsc::Sender<Note>,
    line: Line,
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
                    None => self.stop(stop, Note::Answer(stopping(stop))),
                },
                Some(error) = self.alarms.recv() => {
                    let what = format!("error: failed to read stdin: {error}\n");
                    self.stop(Stop::InputFailed, Note::Plain(what));
                }
            }
        }
    }

    /// Ends what runs, gracefully.
    fn stop(&mut self, stop: Stop, why: Note) {
        self.stop.get_or_insert(stop);
        self.cancel.fire(CancelCause::Operator);
        // When there is no room the renderer is stuck, and nobody would read it.
        let _ = self.note.try_send(why);
    }

    fn leave(self, stop: Stop) -> Ended {
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
