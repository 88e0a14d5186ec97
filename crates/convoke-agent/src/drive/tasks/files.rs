//! Files that come, that go, and that operations may use.

use std::fs::File;
use std::sync::Arc;

use convoke_proto::file::Stat;
use convoke_proto::operation::Failure;

use super::{PIECE, Task, Work, cancelled, send_frame};
use crate::drive::Worker;
use crate::job::{Content, Job};
use crate::serve::{Inbound, Serve};
use crate::verbs::Incoming;

impl Worker {
    pub(super) fn ready(&mut self, channel: u32, ready: Result<Incoming, Failure>, count: usize) {
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

    pub(super) fn put_on(&mut self, channel: u32, file: Incoming) {
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

    pub(super) fn reading(&mut self, channel: u32, opened: Result<(Content, Stat), Failure>) {
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

    pub(super) fn read_on(&mut self, channel: u32, read: Result<Content, Failure>) {
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

    pub(super) fn get_on(&mut self, channel: u32, mut file: Content) {
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

    pub(super) fn opened(&mut self, channel: u32, opened: Result<(File, Stat), Failure>) {
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
}

/// Sends a piece of a file, which is never longer than there was credit when it was asked for.
fn send_piece(serve: &mut Serve, channel: u32, mut piece: &[u8]) {
    while !piece.is_empty() && serve.credit(channel, 1) > 0 {
        let sent = send_frame(serve, channel, piece);
        piece = piece.get(sent..).unwrap_or_default();
    }
}
