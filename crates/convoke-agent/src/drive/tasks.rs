//! What the loop does for requests that are no processes: asks for jobs, and says what became of them.
//!
//! Each is a [`Task`] from its request to its last message. What it works on is either here, or away with
//! the one job of it that is under way.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use convoke_proto::command::{Start, Stdin};
use convoke_proto::exit::{NotStarted, Stage};
use convoke_proto::file::{Get, NewFile, Open, Stat};
use convoke_proto::operation::{Failure, Field, Operation, Reason};

use super::Worker;
use crate::job::{AHEAD, Content, Job, Operations, Report};
use crate::order::Person;
use crate::process::MAX_WAITING;
use crate::serve::{Inbound, Serve};
use crate::verbs::Incoming;

/// How many lists of operations are under way at once; others wait for the end of one. Each may hold
/// answers that wait for credit.
const MAX_OPERATING: usize = 64;

/// How much of a file is read at once, in bytes: two full frames, which a pipe of ours takes at once.
const PIECE: usize = 128 * 1024;

/// How long the end of the link waits for jobs that leave nothing behind: a name service has
/// answered by then, and who still waits for a disk may do so for ever.
pub(super) const FAREWELL: Duration = Duration::from_secs(10);

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Task {
    work: Work,
    /// Whether its end was asked for.
    killed: bool,
}

#[derive(Debug)]
enum Work {
    /// None once its end was asked for.
    Identifying {
        request: Option<Box<Start>>,
        /// Streams of which nothing is wanted.
        unwanted: BTreeSet<u8>,
    },
    /// None while a job goes on with them.
    Operating {
        operations: Option<Operations>,
        stop: Arc<AtomicBool>,
        unwanted: bool,
    },
    /// None while a job works on it.
    Putting(Option<Incoming>),
    /// None while a job works on it.
    Getting {
        content: Option<Content>,
        unwanted: bool,
    },
    Opening,
    /// A file that operations may use, or that is being closed.
    Open,
}

/// The lists of operations that are under way, and those that wait for the end of one.
#[derive(Debug, Default)]
pub(super) struct Queue {
    under_way: usize,
    waiting: VecDeque<(u32, Operations)>,
}

impl Worker {
    pub(super) fn operate(&mut self, channel: u32, operations: Vec<Operation>) {
        let stop = Arc::new(AtomicBool::new(false));
        let operations = Operations::new(operations, Arc::clone(&stop));
        self.begin(
            channel,
            Work::Operating {
                operations: None,
                stop,
                unwanted: false,
            },
        );
        self.queue.waiting.push_back((channel, operations));
        self.begin_operations();
    }

    /// Finds out as whom a process runs, before it is started.
    pub(super) fn identify(&mut self, channel: u32, request: Box<Start>) {
        let (user, group) = (request.user.clone(), request.group.clone());
        self.begin(
            channel,
            Work::Identifying {
                request: Some(request),
                unwanted: BTreeSet::new(),
            },
        );
        self.crew.ask(channel, Job::Identify { user, group });
    }

    pub(super) fn put(&mut self, channel: u32, file: Box<NewFile>) {
        self.begin(channel, Work::Putting(None));
        self.crew.ask(channel, Job::Begin(file));
    }

    pub(super) fn get(&mut self, channel: u32, request: Get) {
        let getting = Work::Getting {
            content: None,
            unwanted: false,
        };
        self.begin(channel, getting);
        self.crew.ask(channel, Job::Read(request));
    }

    pub(super) fn open_file(&mut self, channel: u32, request: Box<Open>) {
        self.begin(channel, Work::Opening);
        self.crew.ask(channel, Job::Open(request));
    }

    fn begin(&mut self, channel: u32, work: Work) {
        let killed = false;
        self.tasks.insert(channel, Task { work, killed });
    }

    /// Takes what became of a job.
    pub(super) fn take_report(&mut self, channel: u32, report: Report) {
        match report {
            Report::Operated(operations) => self.operated(channel, operations),
            Report::Ready(ready, count) => self.ready(channel, ready, count),
            Report::Stored(Ok(stored)) => {
                self.tasks.remove(&channel);
                self.serve.stored(channel, stored);
            }
            Report::Abandoned => self.fail(channel, cancelled()),
            Report::Stored(Err(failure)) => self.fail(channel, failure),
            Report::Reading(opened) => self.reading(channel, opened),
            Report::ReadOn(read) => self.read_on(channel, read),
            Report::Opened(opened) => self.opened(channel, opened),
            Report::Closed => self.done(channel),
            Report::Identified(found) => self.identified(channel, found),
        }
    }

    /// Goes on with a task: there may be credit, room or bytes for it.
    pub(super) fn pump_task(&mut self, channel: u32) {
        let Some(task) = self.tasks.get_mut(&channel) else {
            return;
        };
        match &mut task.work {
            Work::Operating { operations, .. } => {
                if let Some(operations) = operations.take() {
                    self.operated(channel, operations);
                }
            }
            Work::Putting(incoming) => {
                if let Some(incoming) = incoming.take() {
                    self.put_on(channel, incoming);
                }
            }
            Work::Getting { content, .. } => {
                if let Some(content) = content.take() {
                    self.get_on(channel, content);
                }
            }
            Work::Identifying { .. } | Work::Opening | Work::Open => {}
        }
    }

    /// The controller wants no more of what a task sends.
    pub(super) fn discard_task(&mut self, channel: u32, stream: u8) {
        match self.tasks.get_mut(&channel).map(|task| &mut task.work) {
            Some(Work::Operating { unwanted, .. } | Work::Getting { unwanted, .. }) => {
                *unwanted = true;
            }
            Some(Work::Identifying { unwanted, .. }) => {
                unwanted.insert(stream);
            }
            _ => {}
        }
        self.pump_task(channel);
    }

    /// The end of a task was asked for.
    pub(super) fn kill_task(&mut self, channel: u32) {
        let Some(task) = self.tasks.get_mut(&channel) else {
            return;
        };
        let is_first = !std::mem::replace(&mut task.killed, true);
        match &mut task.work {
            Work::Identifying { request, .. } => {
                // Its job goes on; there is nothing that could stop a name service.
                *request = None;
                let why = not_identified(libc::ECANCELED, &cancelled());
                self.serve.not_started(channel, why);
            }
            Work::Operating { stop, .. } => stop.store(true, Ordering::Relaxed),
            Work::Open if is_first => match self.crew.files().remove(channel) {
                Some(file) => self.crew.ask(channel, Job::Close(file)),
                None => self.done(channel),
            },
            _ => {}
        }
        let is_waiting = |(waiting, _): &(u32, Operations)| *waiting == channel;
        if let Some(place) = self.queue.waiting.iter().position(is_waiting) {
            self.queue.waiting.remove(place);
            return self.done(channel);
        }
        self.pump_task(channel);
    }

    /// The link is gone: nothing more is begun, and what was is taken back.
    pub(super) fn abandon_tasks(&mut self, now: Instant) {
        self.farewell = Some(now + FAREWELL);
        let all: Vec<u32> = self.tasks.keys().copied().collect();
        all.into_iter().for_each(|channel| self.kill_task(channel));
    }

    /// Whether the end of the link waits for a task: at most a moment, but for files that would be left half
    /// written.
    pub(super) fn waits_for_tasks(&self, now: Instant) -> bool {
        let is_patient = self.farewell.is_none_or(|until| now < until);
        let leaves_something = |task: &Task| matches!(task.work, Work::Putting(_));
        let mut tasks = self.tasks.values();
        tasks.any(|task| is_patient || leaves_something(task))
    }

    /// Goes on with those tasks that waited for room before the wire, when there is some; whether there
    /// were any.
    pub(super) fn pump_crowded(&mut self) -> bool {
        if self.crowded.is_empty() || self.serve.outgoing().len() >= MAX_WAITING {
            return false;
        }
        let crowded = std::mem::take(&mut self.crowded);
        crowded
            .into_iter()
            .for_each(|channel| self.pump_task(channel));
        true
    }

    fn identified(&mut self, channel: u32, found: Result<Option<Box<Person>>, Failure>) {
        let Some(Task {
            work:
                Work::Identifying {
                    request: Some(request),
                    unwanted,
                },
            ..
        }) = self.tasks.remove(&channel)
        else {
            return;
        };
        let person = match found {
            Ok(person) => person,
            Err(failure) => {
                let errno = match failure.reason {
                    Reason::Errno(errno) => errno,
                    Reason::NoAnswer => libc::ETIMEDOUT,
                    _ => libc::ENOENT,
                };
                let why = not_identified(errno, &failure);
                return self.serve.not_started(channel, why);
            }
        };
        self.start_as(channel, &request, person.as_deref());
        // What came meanwhile.
        for stream in unwanted {
            self.discard(channel, stream);
        }
        if request.stdin == Stdin::Stream {
            self.input_arrived(channel, 0);
        }
        for extra in &request.extra {
            self.input_arrived(channel, extra.number);
        }
    }

    fn begin_operations(&mut self) {
        while self.queue.under_way < MAX_OPERATING {
            let Some((channel, operations)) = self.queue.waiting.pop_front() else {
                return;
            };
            self.queue.under_way += 1;
            self.crew.ask(channel, Job::Operate(operations));
        }
    }

    fn operated(&mut self, channel: u32, mut all: Operations) {
        let Some(Task {
            work:
                Work::Operating {
                    operations,
                    unwanted,
                    ..
                },
            killed,
        }) = self.tasks.get_mut(&channel)
        else {
            return;
        };
        if *unwanted || *killed {
            all.forget_answers();
        }
        let is_full = send_answers(&mut self.serve, channel, &mut all);
        if *killed || (all.are_done() && all.answers().is_empty()) {
            self.queue.under_way -= 1;
            self.done(channel);
            self.begin_operations();
        } else if !all.are_done() && all.answers().len() < AHEAD {
            self.crew.ask(channel, Job::Operate(all));
        } else {
            *operations = Some(all);
            self.crowded.extend(is_full.then_some(channel));
        }
    }

    fn ready(&mut self, channel: u32, ready: Result<Incoming, Failure>, count: usize) {
        match ready {
            Ok(incoming) => {
                match count {
                    0 => self.serve.accepted(channel),
                    count => self.serve.written(channel, 0, count),
                }
                self.put_on(channel, incoming);
            }
            Err(failure) => self.fail(channel, failure),
        }
    }

    fn put_on(&mut self, channel: u32, file: Incoming) {
        let Some(Task {
            work: Work::Putting(incoming),
            killed,
        }) = self.tasks.get_mut(&channel)
        else {
            return;
        };
        if *killed {
            return self.crew.ask(channel, Job::Abandon(file));
        }
        match self.serve.inbound(channel, 0) {
            Inbound::Bytes(_) => {
                let bytes = self.serve.take_input(channel, 0);
                self.crew.ask(channel, Job::Write(file, bytes));
            }
            Inbound::Ended => self.crew.ask(channel, Job::Finish(file)),
            Inbound::Nothing => *incoming = Some(file),
        }
    }

    fn reading(&mut self, channel: u32, opened: Result<(Content, Stat), Failure>) {
        match opened {
            Ok((content, stat)) => {
                let is_killed = |task: &Task| task.killed;
                if !self.tasks.get(&channel).is_some_and(is_killed) {
                    self.serve.opened(channel, stat);
                }
                self.get_on(channel, content);
            }
            Err(failure) => self.fail(channel, failure),
        }
    }

    fn read_on(&mut self, channel: u32, read: Result<Content, Failure>) {
        match read {
            Ok(content) => {
                send_piece(&mut self.serve, channel, content.piece());
                if content.has_ended() {
                    self.serve.end_output(channel, 1);
                    self.done(channel);
                } else {
                    self.get_on(channel, content);
                }
            }
            Err(failure) => self.fail(channel, failure),
        }
    }

    fn get_on(&mut self, channel: u32, file: Content) {
        let Some(Task {
            work: Work::Getting { content, unwanted },
            killed,
        }) = self.tasks.get_mut(&channel)
        else {
            return;
        };
        if *killed {
            return self.fail(channel, cancelled());
        }
        if *unwanted {
            self.serve.end_output(channel, 1);
            return self.done(channel);
        }
        let credit = self.serve.credit(channel, 1);
        if credit > 0 && self.serve.outgoing().len() < MAX_WAITING {
            let count = credit.min(PIECE);
            return self.crew.ask(channel, Job::ReadOn(file, count));
        }
        *content = Some(file);
        self.crowded.extend((credit > 0).then_some(channel));
    }

    fn opened(&mut self, channel: u32, opened: Result<(File, Stat), Failure>) {
        let Some(task) = self.tasks.get_mut(&channel) else {
            return;
        };
        match opened {
            Ok((file, _)) if task.killed => {
                self.crew.ask(channel, Job::Close(Arc::new(file)));
                // Not open for the controller, so that its end is no news.
                self.fail(channel, cancelled());
            }
            Ok((file, stat)) => {
                task.work = Work::Open;
                self.crew.files().insert(channel, file);
                self.serve.opened(channel, stat);
                self.serve.at_rest(channel);
            }
            Err(failure) => self.fail(channel, failure),
        }
    }

    fn done(&mut self, channel: u32) {
        if self.tasks.remove(&channel).is_some() {
            self.serve.done(channel);
        }
    }

    fn fail(&mut self, channel: u32, failure: Failure) {
        if self.tasks.remove(&channel).is_some() {
            self.serve.failed(channel, failure);
        }
    }
}

/// Sends answers as far as credit and room go; whether it was room that was missing.
fn send_answers(serve: &mut Serve, channel: u32, operations: &mut Operations) -> bool {
    while !operations.answers().is_empty() && serve.credit(channel, 1) > 0 {
        if serve.outgoing().len() >= MAX_WAITING {
            return true;
        }
        let sent = send_frame(serve, channel, operations.answers());
        operations.sent(sent);
    }
    false
}

/// Sends a piece of a file, which is never longer than there was credit when it was asked for.
fn send_piece(serve: &mut Serve, channel: u32, mut piece: &[u8]) {
    while !piece.is_empty() && serve.credit(channel, 1) > 0 {
        let sent = send_frame(serve, channel, piece);
        piece = piece.get(sent..).unwrap_or_default();
    }
}

fn send_frame(serve: &mut Serve, channel: u32, bytes: &[u8]) -> usize {
    let copy = |room: &mut [u8]| {
        let count = room.len().min(bytes.len());
        if let (Some(room), Some(bytes)) = (room.get_mut(..count), bytes.get(..count)) {
            room.copy_from_slice(bytes);
        }
        Ok::<_, std::convert::Infallible>(count)
    };
    let Ok(sent) = serve.send(channel, 1, copy);
    sent
}

/// A process was not started because it is not known as whom.
fn not_identified(errno: i32, failure: &Failure) -> NotStarted {
    let stage = match failure.field {
        Field::Group => Stage::Group,
        _ => Stage::User,
    };
    let name = failure.clone().shortened().value;
    NotStarted {
        stage,
        errno,
        tried: Some(name)
            .filter(|name| !name.is_empty())
            .into_iter()
            .collect(),
    }
}

fn cancelled() -> Failure {
    Failure {
        field: Field::Request,
        value: "".into(),
        reason: Reason::Cancelled,
    }
}
