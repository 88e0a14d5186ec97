//! Work that may wait for a disk or a name service: what it takes along, and what it brings back.
//!
//! A job runs on a thread that may sleep, knows nothing of the link, and owns all that it works on; whoever
//! asked for it gets that back with the report.

mod content;
mod files;
mod operations;

use std::fs::File;
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use bytes::Bytes;
use convoke_proto::exit::NotStarted;
use convoke_proto::file::{Get, NewFile, Open, Stat, Stored};
use convoke_proto::operation::Failure;
use rustix::process::Pid;

use crate::errand::Errands;
use crate::order::Person;
use crate::spawn::{Birth, Program};
use crate::verbs::{Incoming, Verbs};

pub use content::Content;
pub use files::Files;
pub use operations::{AHEAD, Operations};

/// Something to do.
#[derive(Debug)]
pub enum Job {
    /// Find out who a process shall run as: ourselves when neither is named, of whom then is known where the
    /// login starts.
    Identify {
        /// The user that was asked for.
        user: Option<BString>,
        /// The group that was asked for.
        group: Option<BString>,
    },
    /// Start a program, which may wait for whatever its user can make it wait for.
    Start {
        /// What to start.
        program: Box<Program>,
        /// Where it is known from its first moment.
        birth: Arc<Birth>,
        /// To whom it belongs until its report was taken.
        errands: Arc<Errands>,
    },
    /// Go on with operations.
    Operate(Operations),
    /// Begin a new file.
    Begin(Box<NewFile>),
    /// Write these pieces to a new file.
    Write(Incoming, Vec<Bytes>),
    /// Put a new file into its place.
    Finish(Incoming),
    /// Throw a new file away.
    Abandon(Incoming),
    /// Open a file for operations.
    Open(Box<Open>),
    /// Open a file to send it.
    Read(Get),
    /// Read so many bytes of a file that is sent.
    ReadOn(Content, usize),
    /// Let go of an open file, unless an operation still uses it.
    Close(Arc<File>),
}

/// What became of a job.
#[derive(Debug)]
pub enum Report {
    /// Of [`Job::Identify`].
    Identified(Result<Option<Box<Person>>, Failure>),
    /// Of [`Job::Start`].
    Started(Result<Pid, NotStarted>),
    /// Of [`Job::Operate`]: there is more to do unless [`Operations::are_done`].
    Operated(Operations),
    /// Of [`Job::Begin`], and of [`Job::Write`] with the number of bytes. A file that failed is thrown
    /// away.
    Ready(Result<Incoming, Failure>, usize),
    /// Of [`Job::Finish`].
    Stored(Result<Stored, Failure>),
    /// Of [`Job::Abandon`].
    Abandoned,
    /// Of [`Job::Open`].
    Opened(Result<(File, Stat), Failure>),
    /// Of [`Job::Read`].
    Reading(Result<(Content, Stat), Failure>),
    /// Of [`Job::ReadOn`], with how much was asked for.
    ReadOn(Result<Content, Failure>, usize),
    /// Of [`Job::Close`].
    Closed,
}

impl Job {
    /// Whether it waits for little, or not for long: such ones must not wait behind others.
    pub fn is_short(&self) -> bool {
        matches!(
            self,
            Job::Identify { .. } | Job::Start { .. } | Job::Abandon(_) | Job::Close(_)
        )
    }

    /// Does it; may sleep.
    pub fn run(self, verbs: &Verbs, files: &Files) -> Report {
        match self {
            Job::Identify { user, group } => Report::Identified(identify(verbs, user, group)),
            Job::Start {
                program,
                birth,
                errands,
            } => Report::Started(errands.start(&program, &birth)),
            Job::Operate(mut operations) => {
                operations.go_on(verbs, files);
                Report::Operated(operations)
            }
            Job::Begin(file) => Report::Ready(verbs.begin(&file), 0),
            Job::Write(mut incoming, pieces) => {
                let mut written = pieces.iter().map(|piece| incoming.write(piece));
                let written = written.find(Result::is_err).unwrap_or(Ok(()));
                let count = pieces.iter().map(Bytes::len).sum();
                Report::Ready(written.map(|()| incoming), count)
            }
            Job::Finish(incoming) => Report::Stored(incoming.finish()),
            Job::Abandon(incoming) => {
                drop(incoming);
                Report::Abandoned
            }
            Job::Open(open) => Report::Opened(verbs.open(&open)),
            Job::Read(get) => {
                let opened = verbs.read(&get);
                let content =
                    |(file, stat): (File, Stat)| (Content::new(file, get, stat.size), stat);
                Report::Reading(opened.map(content))
            }
            Job::ReadOn(mut content, count) => {
                let read = content.read(count);
                Report::ReadOn(read.map(|()| content), count)
            }
            Job::Close(file) => {
                drop(file);
                Report::Closed
            }
        }
    }
}

fn identify(
    verbs: &Verbs,
    user: Option<BString>,
    group: Option<BString>,
) -> Result<Option<Box<Person>>, Failure> {
    // Where the login starts is asked for without waiting later on.
    verbs.login().account(verbs.service());
    if user.is_none() && group.is_none() {
        return Ok(None);
    }
    let user = user.as_ref().map(|user| user.as_bstr());
    let group = group.as_ref().map(|group| group.as_bstr());
    Ok(Some(Box::new(verbs.person(user, group)?)))
}
