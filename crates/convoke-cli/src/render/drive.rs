//! The rendering thread: takes events from the queue until the run is over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use convoke::cancel::Cancel;
use convoke::event::{Event, Kind, Stream};
use convoke::outcome::CancelCause;
use convoke::report::Report;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use super::escape::one_line;
use super::floor::Floor;
use super::outdir::Outdir;
use super::progress::Progress;
use super::recap::{self, Count, Facts};
use super::screen::{Broken, Line, Screen};
use super::{Mode, View, view};
use crate::config::{Output, PaperKind, Volume};

/// How often the progress line is drawn.
const TICK: Duration = Duration::from_millis(250);

/// How often it is drawn at most while files move, however fast they do.
const FAST_TICK: Duration = Duration::from_millis(100);

/// How long gathering goes on before the operator is told why nothing is seen.
const PATIENCE: Duration = Duration::from_secs(10);

/// How wide a terminal is that does not say: as narrow as any in use.
const NARROW: usize = 80;

/// What is rendered, and from where it comes.
pub(crate) struct Job {
    /// The form of it.
    pub(crate) mode: Mode,
    /// Where it goes.
    pub(crate) output: Output,
    /// All hosts of the run, in host order.
    pub(crate) hosts: Vec<Arc<str>>,
    /// Whether the terminal shows what the operator types for the hosts: a line of ours would be in it.
    pub(crate) is_typed: bool,
    /// What hints need to know.
    pub(crate) facts: Facts,
    /// What happens; closed when the run is over.
    pub(crate) events: mpsc::Receiver<Event>,
    /// Lines of our own for stderr.
    pub(crate) notes: mpsc::Receiver<Note>,
    /// When it may be written to the terminal.
    pub(crate) floor: Floor,
    /// Whether a progress line is shown, for those who leave without us.
    pub(crate) line: Line,
    /// What became of it all; comes when `events` is closed.
    pub(crate) report: oneshot::Receiver<Report>,
    /// Where results are kept as files.
    pub(crate) outdir: Option<Outdir>,
    /// Stops the run when its output cannot be shown.
    pub(crate) cancel: Cancel,
}

/// Lines of our own for stderr.
#[derive(Debug)]
pub(crate) enum Note {
    /// Something to know.
    Plain(String),
    /// The answer to a key that the terminal has echoed.
    Answer(String),
}

/// What came of a run and of showing it.
#[derive(Debug)]
pub(crate) struct Shown {
    /// What became of the hosts.
    pub(crate) report: Report,
    /// Why not everything was shown.
    pub(crate) broken: Option<Broken>,
    /// Whether everything that was to be kept as files is.
    pub(crate) is_kept: bool,
}

/// Something to do.
enum Next {
    Event(Event),
    Note(Note),
    Tick,
    Over,
}

/// Renders a run to its end; `None` when the run itself never came to one.
pub(crate) fn run(job: Job) -> Option<Shown> {
    // Without timers only the progress line would be missing; but then threads cannot be had either.
    let clock = Builder::new_current_thread().enable_time().build().ok()?;
    let mut drive = Drive {
        view: view(job.mode, &job.output, &job.hosts, &job.facts),
        screen: Screen::of_this_process(job.line.clone()),
        progress: Progress::new(job.hosts.len(), job.facts.each, Instant::now()),
        drawn: Instant::now(),
        is_told_to_wait: false,
        began: Instant::now(),
        job,
        broken: None,
    };
    drive.job.floor.enter();
    loop {
        match drive.next(&clock) {
            Next::Event(event) => drive.event(event),
            Next::Note(note) => drive.say(&note),
            Next::Tick => drive.tick(),
            Next::Over => break,
        }
    }
    drive.finish()
}

struct Drive {
    job: Job,
    view: Box<dyn View>,
    screen: Screen,
    progress: Progress,
    /// Whether the operator was told why nothing is seen.
    is_told_to_wait: bool,
    began: Instant,
    /// When the progress line was drawn last, or could have been.
    drawn: Instant,
    broken: Option<Broken>,
}

impl Drive {
    /// What to do next. Everything is written before it waits.
    fn next(&mut self, clock: &Runtime) -> Next {
        if self.job.floor.is_wanted() {
            self.write();
            self.job.floor.leave();
            self.job.floor.enter();
        }
        if let Ok(note) = self.job.notes.try_recv() {
            return Next::Note(note);
        }
        match self.job.events.try_recv() {
            Ok(event) => return Next::Event(event),
            Err(mpsc::error::TryRecvError::Disconnected) => return Next::Over,
            Err(mpsc::error::TryRecvError::Empty) => {}
        }
        self.write();
        self.job.floor.leave();
        let next = self.wait(clock);
        self.job.floor.enter();
        next
    }

    /// Writes everything that waits.
    fn write(&mut self) {
        if self.broken.is_none()
            && let Err(broken) = self.screen.flush()
        {
            self.give_up(broken);
        }
    }

    /// Waits for something to do.
    fn wait(&mut self, clock: &Runtime) -> Next {
        let (events, notes) = (&mut self.job.events, &mut self.job.notes);
        let wait = async {
            tokio::select! {
                biased;
                Some(note) = notes.recv() => Next::Note(note),
                event = events.recv() => event.map_or(Next::Over, Next::Event),
            }
        };
        match self.job.output.talk {
            Volume::Quiet => clock.block_on(wait),
            _ => clock
                .block_on(async { tokio::time::timeout(TICK, wait).await.unwrap_or(Next::Tick) }),
        }
    }

    fn event(&mut self, event: Event) {
        self.progress.note(&event, Instant::now());
        if let Some(outdir) = &mut self.job.outdir {
            let failed = outdir.event(&event);
            self.complain(&failed);
        }
        if self.broken.is_some() {
            return;
        }
        // Events of this kind may leave no time in which nothing happens.
        let is_progress = matches!(event.kind, Kind::Progress(_));
        let shown = match &event.kind {
            Kind::Notice { text } if self.job.mode != Mode::Json => self.notice(&event.host, text),
            _ => self.view.event(event, &mut self.screen),
        };
        if let Err(broken) = shown {
            self.give_up(broken);
        } else if is_progress && self.drawn.elapsed() >= FAST_TICK {
            self.write();
            self.tick();
        }
    }

    /// Says what failed, unless nobody is there any more.
    fn complain(&mut self, lines: &str) {
        if !matches!(self.broken, Some(Broken::Closed)) {
            self.screen.say(lines);
        }
    }

    fn say(&mut self, note: &Note) {
        match note {
            Note::Answer(lines) if self.job.output.stderr.is_terminal() => {
                self.screen.interject(lines);
            }
            Note::Answer(lines) | Note::Plain(lines) => self.screen.say(lines),
        }
    }

    /// What a connection said: only for those who want to hear it.
    fn notice(&mut self, host: &str, text: &[u8]) -> Result<(), Broken> {
        if self.job.output.talk < Volume::Verbose {
            return Ok(());
        }
        let sink = self.screen.sink(Stream::Stderr)?;
        for line in text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = format!("{host} says: {}\n", one_line(line));
            sink.buffer().extend_from_slice(line.as_bytes());
        }
        Ok(sink.settle()?)
    }

    fn tick(&mut self) {
        self.drawn = Instant::now();
        let is_overdue = self.view.is_silent() && self.began.elapsed() >= PATIENCE;
        if is_overdue && !std::mem::replace(&mut self.is_told_to_wait, true) {
            self.screen.say("gathering; Ctrl-C shows what has come\n");
        }
        let is_drawn = self.job.output.stderr.kind == PaperKind::Terminal
            && self.job.output.talk == Volume::Normal
            && (self.job.hosts.len() > 1 || self.job.mode == Mode::Files)
            && !self.job.is_typed
            && self.broken.is_none()
            && is_foreground();
        if is_drawn && let Some(line) = self.progress.line(Instant::now(), width()) {
            self.screen.draw(&line);
        }
    }

    /// Nothing more can be shown: ends the run, and takes in what still comes.
    fn give_up(&mut self, broken: Broken) {
        self.job.cancel.fire(CancelCause::Output);
        self.screen.erase();
        if let Broken::Failed { .. } = &broken {
            self.screen.say(&format!("error: {broken}\n"));
        }
        self.broken = Some(broken);
    }

    fn finish(mut self) -> Option<Shown> {
        let report = self.job.report.blocking_recv().ok()?;
        if self.broken.is_none() {
            let (view, screen) = (&mut self.view, &mut self.screen);
            self.broken = view.finish(screen).and_then(|()| screen.flush()).err();
            if let Some(failed @ Broken::Failed { .. }) = &self.broken {
                self.screen.say(&format!("error: {failed}\n"));
            }
        }
        self.screen.erase();
        let mut is_kept = true;
        if let Some(outdir) = &mut self.job.outdir {
            let failed = outdir.finish(&report);
            is_kept = outdir.is_whole();
            if !matches!(self.broken, Some(Broken::Closed)) {
                self.screen.say(&failed);
            }
        }
        let is_closed = matches!(self.broken, Some(Broken::Closed));
        if !is_closed {
            let facts = &self.job.facts;
            // In a log or a mail of cron, that nothing happened is no news.
            let count = match self.job.output.stderr.is_terminal() {
                false if self.job.output.talk == Volume::Normal => Count::WithFailures,
                _ => Count::Always,
            };
            self.screen.say(&match self.job.output.talk {
                Volume::Quiet => recap::errors(&report, facts),
                _ => recap::text(&report, facts, count),
            });
            let is_measured = self.job.mode == Mode::Files && count == Count::Always;
            if is_measured && self.job.output.talk > Volume::Quiet {
                self.screen
                    .say(&recap::volume(&report, self.began.elapsed()));
            }
        }
        Some(Shown {
            report,
            broken: self.broken,
            is_kept,
        })
    }
}

/// Whether the terminal is ours: a job in the background does not write over the line of a shell.
fn is_foreground() -> bool {
    rustix::termios::tcgetpgrp(rustix::stdio::stderr())
        .map_or(true, |group| group == rustix::process::getpgrp())
}

/// The width of the terminal in columns.
fn width() -> usize {
    match rustix::termios::tcgetwinsize(rustix::stdio::stderr()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => NARROW,
    }
}
