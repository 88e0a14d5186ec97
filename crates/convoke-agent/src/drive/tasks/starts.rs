//! Processes that are started as somebody else: who that is, and the start itself, on a thread that may wait.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use bstr::BString;
use convoke_proto::command::{Start, Stdin};
use convoke_proto::exit::{NotStarted, Stage};
use convoke_proto::operation::{Failure, Field, Reason};
use rustix::process::Pid;

use super::{Half, START_PATIENCE, Task, Work};
use crate::drive::Worker;
use crate::job::Job;
use crate::order::Person;
use crate::process::Process;
use crate::register::Record;
use crate::spawn::Birth;

impl Worker {
    /// Gives up the starts whose time is over.
    pub(in crate::drive) fn give_up_starts(&mut self, now: Instant) {
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
    pub(super) fn give_up_start(&mut self, channel: u32, errno: i32, name: Option<BString>) {
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
                path: None,
            };
            self.serve
                .not_started(channel, not_identified(errno, &failure));
        }
    }

    pub(super) fn identified(&mut self, channel: u32, found: Result<Option<Box<Person>>, Failure>) {
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
    pub(super) fn start_as(
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

    pub(super) fn started(&mut self, channel: u32, started: Result<Pid, NotStarted>) {
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
    pub(super) fn catch_up(&mut self, channel: u32, request: &Start, unwanted: BTreeSet<u8>) {
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
