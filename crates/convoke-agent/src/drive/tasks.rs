//! What the loop does for requests that are no processes: asks for jobs, and says what became of them.
//!
//! Each is a [`Task`] from its request to its last message. What it works on is either here, or away with
//! the one job of it that is under way.

mod files;
mod starts;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bstr::BString;
use convoke_proto::command::Start;
use convoke_proto::file::{Get, NewFile, Open};
use convoke_proto::operation::{Failure, Field, Operation, Reason};

use super::Worker;
use crate::job::{AHEAD, Content, Job, Operations, Report};
use crate::process::{MAX_WAITING, Streams};
use crate::serve::Serve;
use crate::spawn::Birth;
use crate::verbs::Incoming;

/// How many lists of operations are under way at once; others wait for the end of one. Each may hold
/// answers that wait for credit.
const MAX_OPERATING: usize = 64;

/// How many files are open at once for one link, to be sent or for operations.
const MAX_FILES: usize = 1024;

/// How long the start of a process as somebody else may take: entering its directory and reading the
/// program, both of which that user may keep from coming to an end.
const START_PATIENCE: Duration = Duration::from_secs(10);

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
    requested: Instant,
}

impl Task {
    /// When a process that has not begun is given up.
    pub(super) fn gives_up_at(&self) -> Option<Instant> {
        let (request, patience) = match &self.work {
            Work::Identifying { request, .. } => (request.as_deref()?, None),
            Work::Starting { half, until, .. } => (&*half.as_ref()?.request, Some(*until)),
            _ => return None,
        };
        let total = request.limits.total_ms.map(Duration::from_millis);
        let limit = total.and_then(|total| self.requested.checked_add(total));
        limit.into_iter().chain(patience).min()
    }
}

/// A process that is about to be one.
#[derive(Debug)]
struct Half {
    request: Box<Start>,
    streams: Streams,
}

#[derive(Debug)]
enum Work {
    /// None once its end was asked for.
    Identifying {
        request: Option<Box<Start>>,
        /// Streams of which nothing is wanted.
        unwanted: BTreeSet<u8>,
    },
    /// None once its end was asked for.
    Starting {
        half: Option<Half>,
        birth: Arc<Birth>,
        unwanted: BTreeSet<u8>,
        until: Instant,
    },
    /// None while a job goes on with them.
    Operating {
        operations: Option<Operations>,
        /// Whether one of them makes a file now.
        puts: Arc<AtomicBool>,
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
        let puts = Arc::new(AtomicBool::new(false));
        let operations = Operations::new(operations, Arc::clone(&stop), Arc::clone(&puts));
        self.begin(
            channel,
            Work::Operating {
                operations: None,
                puts,
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
        if self.open_files >= MAX_FILES {
            let path = request.path;
            return self.serve.failed(channel, too_many(path));
        }
        self.open_files += 1;
        let getting = Work::Getting {
            content: None,
            unwanted: false,
        };
        self.begin(channel, getting);
        self.crew.ask(channel, Job::Read(request));
    }

    pub(super) fn open_file(&mut self, channel: u32, request: Box<Open>) {
        if self.open_files >= MAX_FILES {
            let path = request.path;
            return self.serve.failed(channel, too_many(path));
        }
        self.open_files += 1;
        self.begin(channel, Work::Opening);
        self.crew.ask(channel, Job::Open(request));
    }

    fn begin(&mut self, channel: u32, work: Work) {
        let task = Task {
            work,
            killed: false,
            requested: Instant::now(),
        };
        self.tasks.insert(channel, task);
    }

    /// Takes what became of a job.
    pub(super) fn take_report(&mut self, channel: u32, report: Report) {
        match report {
            Report::Operated(operations) => self.operated(channel, operations),
            Report::Ready(ready, count) => self.ready(channel, ready, count),
            Report::Stored(Ok(stored)) => {
                self.end_task(channel);
                self.serve.stored(channel, stored);
            }
            Report::Abandoned => self.fail(channel, cancelled()),
            Report::Stored(Err(failure)) => self.fail(channel, failure),
            Report::Reading(opened) => self.reading(channel, opened),
            Report::ReadOn(read, asked) => {
                self.reading_bytes = self.reading_bytes.saturating_sub(asked);
                self.read_on(channel, read);
            }
            Report::Opened(opened) => self.opened(channel, opened),
            Report::Closed => self.done(channel),
            Report::Identified(found) => self.identified(channel, found),
            Report::Started(started) => self.started(channel, started),
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
            Work::Identifying { .. } | Work::Starting { .. } | Work::Opening | Work::Open => {}
        }
    }

    /// The controller wants no more of what a task sends.
    pub(super) fn discard_task(&mut self, channel: u32, stream: u8) {
        match self.tasks.get_mut(&channel).map(|task| &mut task.work) {
            Some(Work::Operating { unwanted, .. } | Work::Getting { unwanted, .. }) => {
                *unwanted = true;
            }
            Some(Work::Identifying { unwanted, .. } | Work::Starting { unwanted, .. }) => {
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
            Work::Identifying { .. } | Work::Starting { .. } => {
                return self.give_up_start(channel, libc::ECANCELED, None);
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
        let leaves_something = |task: &Task| match &task.work {
            Work::Putting(_) => true,
            Work::Operating { puts, .. } => puts.load(Ordering::Relaxed),
            _ => false,
        };
        let mut tasks = self.tasks.values();
        tasks.any(|task| is_patient || leaves_something(task))
    }

    /// Goes on with those tasks that waited for room before the wire, when there is some.
    pub(super) fn pump_crowded(&mut self) {
        if self.crowded.is_empty() || !self.has_room() {
            return;
        }
        // Those first that had no turn the last time.
        let mut before = std::mem::take(&mut self.crowded);
        let after = before.split_off(&self.next_crowded);
        let mut all = after.into_iter().chain(before);
        while self.has_room()
            && let Some(channel) = all.next()
        {
            self.pump_task(channel);
        }
        let left: Vec<u32> = all.collect();
        self.next_crowded = left.first().copied().unwrap_or_default();
        self.crowded.extend(left);
    }

    /// Whether more may be read that will wait for the wire.
    fn has_room(&self) -> bool {
        self.serve.outgoing().len() + self.reading_bytes < MAX_WAITING
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
            ..
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

    fn done(&mut self, channel: u32) {
        if self.end_task(channel) {
            self.serve.done(channel);
        }
    }

    fn fail(&mut self, channel: u32, failure: Failure) {
        if self.end_task(channel) {
            self.serve.failed(channel, failure);
        }
    }

    /// Whether there was such a task.
    fn end_task(&mut self, channel: u32) -> bool {
        let ended = self.tasks.remove(&channel);
        if let Some(Work::Getting { .. } | Work::Opening | Work::Open) =
            ended.as_ref().map(|task| &task.work)
        {
            self.open_files = self.open_files.saturating_sub(1);
        }
        ended.is_some()
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

/// No more files are opened for one link.
fn too_many(path: BString) -> Failure {
    Failure {
        field: Field::Path,
        value: path,
        reason: Reason::Errno(libc::EMFILE),
        path: None,
    }
}

fn cancelled() -> Failure {
    Failure {
        field: Field::Request,
        value: "".into(),
        reason: Reason::Cancelled,
        path: None,
    }
}
