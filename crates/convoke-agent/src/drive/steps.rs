//! What the loop does for its steps: starting, feeding, ending and reporting them.

use std::time::Instant;

use bstr::BString;
use convoke_proto::command::Start;
use convoke_proto::exit::{NotStarted, Stage, Status};
use convoke_proto::operation::Failure;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::process::{WaitStatus, geteuid};

use super::Worker;
use crate::kill::{members, strike};
use crate::order::{Mark, Person};
use crate::process::{Output, Process, Streams, not_forked};
use crate::register::{Owner, Record};
use crate::spawn::Program;
use crate::tree::{self, Seen};

/// How often trees are looked at again at once because a process ended during the look.
const LOOKS: usize = 8;

impl Worker {
    /// Starts a process at once, when it is known as whom and where it runs; else finds that out first.
    pub(super) fn start(&mut self, channel: u32, request: Box<Start>) {
        let (user, group) = (&request.user, &request.group);
        let is_other = user.is_some() || group.is_some();
        if is_other && !geteuid().is_root() {
            let why = not_allowed(&request);
            return self.serve.not_started(channel, why);
        }
        if is_other || !self.verbs.login().knows_account() {
            return self.identify(channel, request);
        }
        self.start_here(channel, &request, Instant::now());
    }

    /// Starts a process as ourselves.
    pub(super) fn start_here(&mut self, channel: u32, request: &Start, requested: Instant) {
        let started = self.prepare(channel, request, None);
        let started = started.and_then(|(program, streams)| {
            let pid = self.spawner.spawn(&program)?;
            Ok((pid, streams))
        });
        match started {
            Ok((pid, streams)) => {
                let process = Process::new(channel, request, pid, streams, requested);
                self.begun(channel, process);
            }
            Err(why) => self.not_begun(channel, request, why),
        }
    }

    /// Notes that a process is about to start, and makes all that it needs. Whatever comes of it, one of
    /// [`Worker::begun`], [`Worker::not_begun`] and the record of its end must follow.
    pub(super) fn prepare(
        &mut self,
        channel: u32,
        request: &Start,
        person: Option<&Person>,
    ) -> Result<(Program, Streams), NotStarted> {
        if self.guard.is_full() {
            return Err(not_forked(Errno::AGAIN));
        }
        self.tell(Record::Begin {
            channel,
            grace_ms: request.limits.grace_ms,
        });
        let mark = Mark {
            link: self.link,
            channel,
        };
        let (login, service) = (self.verbs.login(), self.verbs.service());
        let mut program = login.program(request, &mark, service, person)?;
        let streams = Streams::make(request, &mut program)?;
        Ok((program, streams))
    }

    /// A process runs.
    pub(super) fn begun(&mut self, channel: u32, process: Process) {
        self.childless = false;
        let pid = process.pid().as_raw_nonzero().get();
        self.tell(Record::Running { channel, pid });
        self.serve.started(channel, pid as u32);
        self.processes.insert(channel, process);
    }

    /// No process came of a request.
    pub(super) fn not_begun(&mut self, channel: u32, request: &Start, mut why: NotStarted) {
        let name = match why.stage {
            Stage::User => &request.user,
            Stage::Group => &request.group,
            _ => &None,
        };
        why.tried.extend(name.as_ref().map(shortened));
        self.tell(Record::End { channel });
        self.serve.not_started(channel, why);
    }

    pub(super) fn kill(&mut self, channel: u32, now: Instant) {
        if let Some(process) = self.processes.get_mut(&channel) {
            process.kill_on_request(&mut self.serve, now);
        }
        self.kill_task(channel);
    }

    /// The link is gone: what runs is ended, what is over is reported to nobody.
    pub(super) fn abandon_steps(&mut self, now: Instant) {
        for process in self.processes.values_mut() {
            process.kill_on_request(&mut self.serve, now);
            for output in &mut process.outputs {
                output.discard();
            }
            process.inputs.clear();
        }
    }

    pub(super) fn credited(&mut self, channel: u32, stream: u8, now: Instant) {
        let outputs = self.processes.get(&channel).map(|process| &process.outputs);
        let is_meant = |output: &Output| output.number() == stream && output.has_begun();
        let index = outputs.and_then(|outputs| outputs.iter().position(is_meant));
        if let Some(index) = index {
            self.pump_output(channel, index, now);
        }
        self.pump_task(channel);
    }

    pub(super) fn discard(&mut self, channel: u32, stream: u8) {
        let outputs = self
            .processes
            .get_mut(&channel)
            .map(|process| &mut process.outputs);
        let output =
            outputs.and_then(|outputs| outputs.iter_mut().find(|output| output.number() == stream));
        if let Some(output) = output {
            output.discard();
        }
        self.discard_task(channel, stream);
    }

    pub(super) fn input_arrived(&mut self, channel: u32, stream: u8) {
        let inputs = self
            .processes
            .get_mut(&channel)
            .map(|process| &mut process.inputs);
        let input =
            inputs.and_then(|inputs| inputs.iter_mut().find(|input| input.number() == stream));
        if let Some(input) = input {
            input.pump(channel, &mut self.serve);
        }
        self.pump_task(channel);
    }

    pub(super) fn pump_output(&mut self, channel: u32, index: usize, now: Instant) {
        if let Some(process) = self.processes.get_mut(&channel) {
            process.pump_output(index, &mut self.serve, &mut self.spare, now);
        }
    }

    pub(super) fn pump_input(&mut self, channel: u32, index: usize, flags: PollFlags) {
        let inputs = self
            .processes
            .get_mut(&channel)
            .map(|process| &mut process.inputs);
        let Some(input) = inputs.and_then(|inputs| inputs.get_mut(index)) else {
            return;
        };
        if flags.contains(PollFlags::ERR) {
            input.close(channel, &mut self.serve);
        } else {
            input.pump(channel, &mut self.serve);
        }
    }

    /// Reaps every process that ended; whether there was one.
    pub(super) fn reap(&mut self, now: Instant) -> bool {
        let mut any = false;
        loop {
            match self.errands.reap() {
                Ok(Some((pid, status))) => {
                    any = true;
                    self.ended(pid.as_raw_nonzero().get(), status, now);
                }
                Ok(None) => break,
                Err(_) => {
                    self.childless = true;
                    break;
                }
            }
        }
        if any {
            let killings = self.processes.values_mut().filter_map(Process::killing);
            killings.for_each(|killing| killing.look_again(now));
        }
        any
    }

    pub(super) fn ended(&mut self, pid: i32, status: WaitStatus, now: Instant) {
        // The number of a main process that was reaped may be somebody else's by now.
        let is_main = |(_, process): &(&u32, &mut Process)| {
            process.main_runs() && process.pid().as_raw_nonzero().get() == pid
        };
        let Some((channel, process)) = self.processes.iter_mut().find(is_main) else {
            return;
        };
        let channel = *channel;
        process.main_ended(status_of(status), now);
        let released = process.is_released();
        self.tell(Record::Reaped { channel });
        if released {
            self.tell(Record::Released { channel });
        }
    }

    /// Does what is due for every step.
    pub(super) fn tick(&mut self, now: Instant) {
        for process in self.processes.values_mut() {
            process.tick(&mut self.serve, &mut self.spare, now);
        }
        for _ in 0..LOOKS {
            self.end_trees(now);
            if !self.reap_while_killing(now) {
                break;
            }
        }
    }

    /// A death during the look may have hidden a process that began meanwhile.
    fn reap_while_killing(&mut self, now: Instant) -> bool {
        let killing = self
            .processes
            .values_mut()
            .any(|process| process.killing().is_some());
        killing && self.reap(now)
    }

    fn end_trees(&mut self, now: Instant) {
        let mut killings: Vec<_> = self
            .processes
            .values_mut()
            .filter_map(Process::killing)
            .collect();
        if self.childless {
            killings
                .iter_mut()
                .for_each(|killing| killing.nothing_left());
        } else if killings.iter().any(|killing| killing.due() <= now) {
            let (register, errands) = (&mut self.register, &self.errands);
            self.reserve
                .lend(|| strike(register, errands, &mut killings, now));
        }
    }

    /// Reports every step that is over.
    pub(super) fn finish_steps(&mut self, now: Instant) {
        for process in self.processes.values_mut() {
            if process.check_killed(now) {
                process.tick(&mut self.serve, &mut self.spare, now);
            }
            if self.wire.is_none() {
                process.release_streams_when_over(&mut self.serve);
            }
        }
        let over = self
            .processes
            .iter()
            .filter(|(_, process)| process.is_over());
        for channel in over.map(|(channel, _)| *channel).collect::<Vec<_>>() {
            if let Some(process) = self.processes.remove(&channel) {
                self.finish(channel, process, now);
            }
        }
    }

    fn finish(&mut self, channel: u32, process: Process, now: Instant) {
        let left = match process.is_released() && !self.childless {
            true => self.release(channel, &process, now),
            false => 0,
        };
        self.tell(Record::End { channel });
        let (exit, held) = process.finish(left);
        self.held.extend(held.into_iter().map(Some));
        self.serve.exited(channel, exit);
    }

    /// Lets go of what a step left running, and counts it.
    ///
    /// A stray may be of this step or of another one that runs: it counts only when this step is alone,
    /// but is spared as soon as it may be of this one.
    fn release(&mut self, channel: u32, process: &Process, now: Instant) -> u32 {
        if self.only_main_processes_are_left() {
            return 0;
        }
        let (register, errands) = (&mut self.register, &self.errands);
        let Some(census) = self.reserve.lend(|| register.census(errands)) else {
            return 0;
        };
        let began = tree::ticks_before_now(process.age(now));
        let mut left = members(&census, |owner| owner == Owner::Step(channel));
        let alone = self.register.steps().len() == 1;
        let mut strays = members(&census, |owner| owner == Owner::Stray);
        strays.retain(|stray| began.is_none_or(|began| stray.start >= began));
        let count = left.len() + if alone { strays.len() } else { 0 };
        left.extend(strays);
        for Seen {
            pid,
            session,
            start,
            ..
        } in left
        {
            self.tell(Record::Spared {
                pid,
                session,
                start,
            });
        }
        count as u32
    }

    /// Asks the kernel for our children, where it tells: spares a look at every process of the host.
    fn only_main_processes_are_left(&self) -> bool {
        let mains: Vec<i32> = self
            .register
            .steps()
            .values()
            .filter_map(|step| step.main)
            .collect();
        let apart = self.errands.known();
        let is_known = |child: &i32| mains.contains(child) || apart.contains(*child);
        tree::children().is_some_and(|children| children.iter().all(is_known))
    }
}

/// Nobody but root runs programs as somebody else.
fn not_allowed(request: &Start) -> NotStarted {
    let stage = match request.user {
        Some(_) => Stage::User,
        None => Stage::Group,
    };
    NotStarted {
        stage,
        errno: libc::EPERM,
        tried: request
            .user
            .iter()
            .chain(&request.group)
            .take(1)
            .map(shortened)
            .collect(),
    }
}

/// As much of a name as fits every message.
fn shortened(name: &BString) -> BString {
    let most = Failure::MAX_VALUE;
    name.get(..most).map_or_else(|| name.clone(), BString::from)
}

fn status_of(status: WaitStatus) -> Status {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Status::Code(code as u8),
        (None, signal) => Status::Signal(signal.unwrap_or_default() as u8),
    }
}
