//! What the loop does for requests that are no processes: asks for jobs, and says what became of them.
//!
//! Each is a [`Task`] from its request to its last message. What it works on is either here, or away with
//! the one job of it that is under way.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bstr::BString;
use convoke_proto::command::{Start, Stdin};
use convoke_proto::exit::{NotStarted, Stage};
use convoke_proto::file::{Get, NewFile, Open, Stat};
use convoke_proto::operation::{Failure, Field, Operation, Reason};
use rustix::process::Pid;

use super::Worker;
use crate::job::{AHEAD, Content, Job, Operations, Report};
use crate::order::Person;
use crate::process::{MAX_WAITING, Process, Streams};
use crate::register::Record;
use crate::serve::{Inbound, Serve};
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

    /// Gives up the starts whose time is over.
    pub(super) fn give_up_starts(&mut self, now: Instant) {
        let is_due = |task: &Task| task.gives_up_at().is_some_and(|at| now >= at);
        let due = self.tasks.iter().filter(|(_, task)| is_due(task));
        for channel in due.map(|(channel, _)| *channel).collect::<Vec<_>>() {
            let name = self.tasks.get(&channel).and_then(|task| match &task.work {
                Work::Identifying { request, .. } => request.as_ref()?.user.clone(),
                Work::Starting { half, .. } => half.as_ref()?.request.user.clone(),
                _ => None,
            });
            self.give_up_start(channel, libc::ETIMEDOUT, name);
        }
    }

    /// Says that no process comes of a request. A job for it goes on: there is nothing that could stop a name
    /// service; a child that is half born is killed.
    fn give_up_start(&mut self, channel: u32, errno: i32, name: Option<BString>) {
        let is_open = match self.tasks.get_mut(&channel).map(|task| &mut task.work) {
            Some(Work::Identifying { request, .. }) => request.take().is_some(),
            Some(Work::Starting { half, birth, .. }) => {
                self.errands.give_up(birth);
                half.take().is_some()
            }
            _ => false,
        };
        if is_open {
            let failure = Failure {
                field: Field::User,
                value: name.unwrap_or_default(),
                reason: Reason::Cancelled,
            };
            self.serve
                .not_started(channel, not_identified(errno, &failure));
        }
    }

    fn identified(&mut self, channel: u32, found: Result<Option<Box<Person>>, Failure>) {
        let Some(Task {
            work:
                Work::Identifying {
                    request: Some(request),
                    unwanted,
                },
            requested,
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
        match person {
            Some(person) => self.start_as(channel, request, &person, unwanted, requested),
            None => {
                self.start_here(channel, &request, requested);
                self.catch_up(channel, &request, unwanted);
            }
        }
    }

    /// Starts a process as somebody else, by a job: from the moment in which the child is theirs, they can make
    /// it wait for ever.
    fn start_as(
        &mut self,
        channel: u32,
        request: Box<Start>,
        person: &Person,
        unwanted: BTreeSet<u8>,
        requested: Instant,
    ) {
        let (program, streams) = match self.prepare(channel, &request, Some(person)) {
            Ok(prepared) => prepared,
            Err(why) => return self.not_begun(channel, &request, why),
        };
        let birth = Arc::<Birth>::default();
        let starting = Work::Starting {
            half: Some(Half { request, streams }),
            birth: Arc::clone(&birth),
            unwanted,
            until: Instant::now() + START_PATIENCE,
        };
        let task = Task {
            work: starting,
            killed: false,
            requested,
        };
        self.tasks.insert(channel, task);
        let start = Job::Start {
            program: Box::new(program),
            birth,
            errands: Arc::clone(&self.errands),
        };
        self.crew.ask(channel, start);
    }

    fn started(&mut self, channel: u32, started: Result<Pid, NotStarted>) {
        let Some(Task {
            work: Work::Starting { half, unwanted, .. },
            requested,
            ..
        }) = self.tasks.remove(&channel)
        else {
            return;
        };
        match (half, started) {
            (Some(Half { request, streams }), Ok(pid)) => {
                let process = Process::new(channel, &request, pid, streams, requested);
                self.begun(channel, process);
                self.catch_up(channel, &request, unwanted);
                if let Some(status) = self.errands.release(pid) {
                    self.ended(pid.as_raw_nonzero().get(), status, Instant::now());
                }
            }
            (Some(Half { request, .. }), Err(why)) => self.not_begun(channel, &request, why),
            (None, started) => {
                if let Ok(pid) = started {
                    self.errands.abandon(pid);
                }
                self.tell(Record::End { channel });
            }
        }
    }

    /// Takes note of what came while a process was about to begin.
    fn catch_up(&mut self, channel: u32, request: &Start, unwanted: BTreeSet<u8>) {
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
            ..
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

    fn get_on(&mut self, channel: u32, mut file: Content) {
        let has_room = self.has_room();
        let Some(Task {
            work: Work::Getting { content, unwanted },
            killed,
            ..
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
        if credit > 0 && has_room {
            let count = credit.min(PIECE);
            self.reading_bytes += count;
            return self.crew.ask(channel, Job::ReadOn(file, count));
        }
        file.forget_piece();
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

/// No more files are opened for one link.
fn too_many(path: BString) -> Failure {
    Failure {
        field: Field::Path,
        value: path,
        reason: Reason::Errno(libc::EMFILE),
    }
}

fn cancelled() -> Failure {
    Failure {
        field: Field::Request,
        value: "".into(),
        reason: Reason::Cancelled,
    }
}
