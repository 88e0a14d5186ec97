//! One step on this host: its main process, its streams, its limits, and how it ends.

mod input;
mod output;
mod pace;

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use convoke_proto::command::{Direction, Leftovers, Limits, Start, Stdin};
use convoke_proto::exit::{Cause, Exit, Killed, NotStarted, Stage, Status, Survivor};
use rustix::fs::{OFlags, fchown, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Gid, Pid, Uid};

use crate::kill::{Ended, Killing};
use crate::serve::Serve;
use crate::spawn::{Credentials, Program};

pub use input::Input;
pub use output::{MAX_WAITING, Output};

/// What an exit says of a main process that could neither be signalled nor waited for: the signal it
/// was sent in vain. It is then among the survivors.
const UNKILLED: Status = Status::Signal(libc::SIGKILL as u8);

/// A step between its start and its exit.
#[derive(Debug)]
pub struct Process {
    channel: u32,
    pid: Pid,
    limits: Limits,
    leftovers: Leftovers,
    /// When it was asked for.
    requested: Instant,
    started: Instant,
    last_output: Instant,
    /// Whether the idle clock stands still until something is read.
    idle_stands: bool,
    phase: Phase,
    status: Option<Status>,
    /// The streams from the process.
    pub outputs: Vec<Output>,
    /// The streams to the process.
    pub inputs: Vec<Input>,
}

#[derive(Debug)]
enum Phase {
    /// The main process runs.
    Running,
    /// Its tree is being ended.
    Killing(Why, Killing),
    /// It is over but for its streams.
    Draining(Cause, Vec<Survivor>),
}

/// Why a tree is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The total limit was reached.
    TotalLimit,
    /// The idle limit was reached.
    IdleLimit,
    /// The controller asked for it, or is gone.
    Request,
    /// The main process left it behind and the request said to kill what is left.
    Leftovers,
}

impl Process {
    /// The step of a main process that runs, on `streams`; it was asked for at `requested`.
    pub fn new(
        channel: u32,
        request: &Start,
        pid: Pid,
        streams: Streams,
        requested: Instant,
    ) -> Self {
        let now = Instant::now();
        Process {
            channel,
            pid,
            limits: request.limits,
            leftovers: request.leftovers,
            requested,
            started: now,
            last_output: now,
            idle_stands: false,
            phase: Phase::Running,
            status: None,
            outputs: streams.outputs,
            inputs: streams.inputs,
        }
    }

    /// The main process.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether the main process has not been reaped.
    pub fn main_runs(&self) -> bool {
        self.status.is_none()
    }

    /// How long it has been running.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// Notes how the main process ended.
    pub fn main_ended(&mut self, status: Status, now: Instant) {
        self.status = Some(status);
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        match self.leftovers {
            Leftovers::Release => self.drain(Cause::Itself, Vec::new()),
            Leftovers::Kill => self.kill(Why::Leftovers, now),
        }
    }

    /// Whether its main process has ended by itself and nothing is done about what it left.
    pub fn is_released(&self) -> bool {
        matches!(self.phase, Phase::Draining(Cause::Itself, _))
            && self.leftovers == Leftovers::Release
    }

    /// Begins to end the tree, unless that has begun.
    pub fn kill(&mut self, why: Why, now: Instant) {
        if matches!(self.phase, Phase::Running) {
            let grace = Duration::from_millis(self.limits.grace_ms.into());
            let main = self.pid.as_raw_nonzero().get();
            self.phase = Phase::Killing(why, Killing::new(self.channel, Some(main), grace, now));
        }
    }

    /// The controller asks for the end: of the tree, or of waiting for streams when it is over.
    pub fn kill_on_request(&mut self, serve: &mut Serve, now: Instant) {
        self.kill(Why::Request, now);
        self.release_streams_when_over(serve);
    }

    /// Nobody waits for streams any more: those of a step that is else over end here.
    pub fn release_streams_when_over(&mut self, serve: &mut Serve) {
        if matches!(self.phase, Phase::Draining(..)) {
            self.release_streams(serve);
        }
    }

    fn release_streams(&mut self, serve: &mut Serve) {
        for output in &mut self.outputs {
            let cut = output.has_bytes();
            output.release(self.channel, serve, cut);
        }
    }

    /// Ending the tree, if that has begun.
    pub fn killing(&mut self) -> Option<&mut Killing> {
        match &mut self.phase {
            Phase::Killing(_, killing) => Some(killing),
            _ => None,
        }
    }

    /// Takes note when the tree that is being ended is gone; whether it is.
    pub fn check_killed(&mut self, now: Instant) -> bool {
        let Phase::Killing(why, killing) = &self.phase else {
            return false;
        };
        let Some(Ended { killed, survivors }) = killing.ended(self.status.is_some(), now) else {
            return false;
        };
        self.drain(why.cause(killed), survivors);
        true
    }

    fn drain(&mut self, cause: Cause, survivors: Vec<Survivor>) {
        self.phase = Phase::Draining(cause, survivors);
        self.outputs.iter_mut().for_each(Output::begin_drain);
    }

    /// Reads from an outbound stream what may be sent.
    pub fn pump_output(&mut self, index: usize, serve: &mut Serve, spare: &mut [u8], now: Instant) {
        let Some(output) = self.outputs.get_mut(index) else {
            return;
        };
        if output.pump(self.channel, serve, spare, now) > 0 {
            self.last_output = now;
            self.idle_stands = false;
        }
        if output.has_ended() && matches!(self.phase, Phase::Running) {
            self.outputs
                .iter_mut()
                .for_each(|output| output.await_exit(now));
        }
    }

    /// Does what is due: limits while it runs, the end of streams when it is over.
    pub fn tick(&mut self, serve: &mut Serve, spare: &mut [u8], now: Instant) {
        self.outputs.iter_mut().for_each(|output| output.wake(now));
        match &self.phase {
            Phase::Running => self.check_limits(serve, now),
            Phase::Killing(..) => {}
            Phase::Draining(..) => {
                for index in 0..self.outputs.len() {
                    self.pump_output(index, serve, spare, now);
                }
                for output in &mut self.outputs {
                    output.tick(self.channel, serve, now);
                }
            }
        }
    }

    fn check_limits(&mut self, serve: &Serve, now: Instant) {
        if self.total_at().is_some_and(|at| now >= at) {
            self.kill(Why::TotalLimit, now);
        } else if self.idle_at().is_some_and(|at| now >= at) {
            let held_back = |output: &Output| output.is_held_back(self.channel, serve);
            if self.outputs.iter().any(held_back) {
                self.idle_stands = true;
            } else {
                self.kill(Why::IdleLimit, now);
            }
        }
    }

    /// When [`Process::tick`] or a look at its tree is due.
    pub fn deadline(&self) -> Option<Instant> {
        let due = match &self.phase {
            Phase::Running => self.total_at().into_iter().chain(self.idle_at()).min(),
            Phase::Killing(_, killing) => Some(killing.due()),
            Phase::Draining(..) => self.outputs.iter().filter_map(Output::deadline).min(),
        };
        let rests = self.outputs.iter().filter_map(Output::rests_until);
        rests.chain(due).min()
    }

    fn total_at(&self) -> Option<Instant> {
        let total = Duration::from_millis(self.limits.total_ms?);
        self.requested.checked_add(total)
    }

    fn idle_at(&self) -> Option<Instant> {
        let idle = Duration::from_millis(self.limits.idle_ms.filter(|_| !self.idle_stands)?);
        self.last_output.checked_add(idle)
    }

    /// Whether nothing but the exit is left to say.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Draining(..)) && self.outputs.iter().all(Output::is_over)
    }

    /// Uses the step up: its exit, and the pipes that somebody still holds.
    pub fn finish(self, left_running: u32) -> (Exit, Vec<OwnedFd>) {
        let (cause, survivors) = match self.phase {
            Phase::Draining(cause, survivors) => (cause, survivors),
            _ => (Cause::Itself, Vec::new()),
        };
        let cut = self.outputs.iter().filter(|output| output.was_cut());
        let exit = Exit {
            status: self.status.unwrap_or(UNKILLED),
            cause,
            left_running,
            cut_streams: cut.map(Output::number).collect(),
            survivors,
        };
        let held = self.outputs.into_iter().filter_map(Output::into_held_pipe);
        (exit, held.collect())
    }
}

impl Why {
    fn cause(self, killed: Killed) -> Cause {
        match self {
            Why::TotalLimit => Cause::TotalLimit(killed),
            Why::IdleLimit => Cause::IdleLimit(killed),
            Why::Request => Cause::Request(killed),
            Why::Leftovers => Cause::Itself,
        }
    }
}

/// Our ends of the pipes of a process.
#[derive(Debug)]
pub struct Streams {
    outputs: Vec<Output>,
    inputs: Vec<Input>,
}

impl Streams {
    /// Makes the pipes that `request` asks for, and gives their other ends to the program.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn make(request: &Start, program: &mut Program) -> Result<Self, NotStarted> {
        let mut pipes = Pipes::default();
        pipes.make(request).map_err(not_forked)?;
        if let Some(credentials) = &program.credentials {
            pipes.give_to(credentials);
        }
        program.files = pipes.theirs;
        Ok(Streams {
            outputs: pipes.outputs,
            inputs: pipes.inputs,
        })
    }
}

/// The pipes of a process before it starts.
#[derive(Default)]
struct Pipes {
    outputs: Vec<Output>,
    inputs: Vec<Input>,
    theirs: Vec<(OwnedFd, i32)>,
}

impl Pipes {
    fn make(&mut self, request: &Start) -> Result<(), Errno> {
        if request.stdin == Stdin::Stream {
            self.make_input(0)?;
        }
        self.make_output(1)?;
        self.make_output(2)?;
        for extra in &request.extra {
            match extra.direction {
                Direction::In => self.make_input(extra.number)?,
                Direction::Out => self.make_output(extra.number)?,
            }
        }
        Ok(())
    }

    /// Lets another user open them by name, as `/dev/stderr`.
    fn give_to(&self, credentials: &Credentials) {
        let owner = Some(Uid::from_raw(credentials.uid));
        let group = Some(Gid::from_raw(credentials.gid));
        for (pipe, _) in &self.theirs {
            // Most programs only use what they were given.
            let _ = fchown(pipe, owner, group);
        }
    }

    fn make_output(&mut self, number: u8) -> Result<(), Errno> {
        let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        set_blocking(&theirs)?;
        self.outputs.push(Output::new(number, ours));
        self.theirs.push((theirs, number.into()));
        Ok(())
    }

    fn make_input(&mut self, number: u8) -> Result<(), Errno> {
        let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        set_blocking(&theirs)?;
        self.inputs.push(Input::new(number, ours));
        self.theirs.push((theirs, number.into()));
        Ok(())
    }
}

/// Makes a pipe wait again, as programs expect. It has no other flag that could be set.
fn set_blocking(pipe: &OwnedFd) -> Result<(), Errno> {
    fcntl_setfl(pipe, OFlags::empty())
}

/// Makes the descriptor return instead of wait.
///
/// # Errors
/// The kernel refuses it for this kind of descriptor.
pub fn set_nonblocking(fd: impl AsFd) -> Result<(), Errno> {
    let flags = fcntl_getfl(&fd)?;
    fcntl_setfl(fd, flags | OFlags::NONBLOCK)
}

/// No process was made of a request.
pub fn not_forked(errno: Errno) -> NotStarted {
    NotStarted {
        stage: Stage::Fork,
        errno: errno.raw_os_error(),
        tried: Vec::new(),
    }
}
