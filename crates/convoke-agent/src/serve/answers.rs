//! What the host says about its requests.

use convoke_proto::exit::{Exit, NotStarted};
use convoke_proto::fault::{Fault, FaultKind};
use convoke_proto::file::{Stat, Stored};
use convoke_proto::message::{Credit, Message, Started, Stream};
use convoke_proto::operation::{Failure, Field, Reason};

use super::Serve;

impl Serve {
    /// Says that the process of a channel runs, and opens its inbound streams.
    pub fn started(&mut self, channel: u32, pid: u32) {
        self.push_news(channel, &Message::Started(Started { pid }));
        self.accepted(channel);
    }

    /// Opens the inbound streams of a channel: what was asked for has begun.
    pub fn accepted(&mut self, channel: u32) {
        self.unload(channel);
        let Some(open) = self.channels.get_mut(&channel) else {
            return;
        };
        let mut grants = Vec::new();
        for input in open.inputs() {
            let bytes = input.open(&self.budget);
            grants.push(Credit {
                stream: input.number,
                bytes,
            });
        }
        for grant in grants {
            self.push(channel, &Message::Credit(grant));
        }
    }

    /// Says that the process of a channel could not be started; the channel is over.
    pub fn not_started(&mut self, channel: u32, why: NotStarted) {
        self.finish(channel, &Message::NotStarted(why));
    }

    /// Says how the process of a channel ended; the channel is over. Every outbound stream must have
    /// been ended before.
    pub fn exited(&mut self, channel: u32, exit: Exit) {
        self.finish(channel, &Message::Exit(exit));
    }

    /// Says that the file of a channel is open, and what it is.
    pub fn opened(&mut self, channel: u32, stat: Stat) {
        self.unload(channel);
        let opened = Message::Opened(Box::new(stat));
        self.urgent = true;
        if self.outbox.push(channel, &opened).is_err() {
            // Only names without end make it so long.
            self.failed(
                channel,
                Failure {
                    field: Field::Request,
                    value: "".into(),
                    reason: Reason::TooLong,
                    path: None,
                },
            );
        }
    }

    /// Says that the file of a channel stays open until its end is asked for: it keeps the link from being
    /// finished no longer.
    pub fn at_rest(&mut self, channel: u32) {
        if let Some(open) = self.channels.get_mut(&channel) {
            open.rest();
        }
    }

    /// Says that the file of a channel stands; the channel is over.
    pub fn stored(&mut self, channel: u32, stored: Stored) {
        self.finish(channel, &Message::Stored(stored));
    }

    /// Says why the file of a channel cannot be had or made; the channel is over.
    pub fn failed(&mut self, channel: u32, failure: Failure) {
        self.finish(channel, &Message::Failed(failure.shortened()));
    }

    /// Says that the request of a channel is done; the channel is over.
    pub fn done(&mut self, channel: u32) {
        self.finish(channel, &Message::Done);
    }

    /// Says that an outbound stream has no more bytes.
    pub fn end_output(&mut self, channel: u32, stream: u8) {
        self.push_news(channel, &Message::Eof(Stream { stream }));
    }

    pub(super) fn refuse(&mut self, channel: u32, kind: FaultKind, text: String) {
        self.push(channel, &Message::Fault(Fault { kind, text }));
    }

    /// The last message of a channel, which is over with it.
    fn finish(&mut self, channel: u32, last: &Message) {
        self.unload(channel);
        if self.channels.remove(&channel).is_none() {
            return;
        }
        self.urgent = true;
        if !self.try_push(channel, last) {
            // Somebody waits for it, whatever it says.
            let text = "the answer does not fit its frame".to_owned();
            self.refuse(channel, FaultKind::Invalid, text);
        }
    }

    /// The request of a channel takes no more room.
    fn unload(&mut self, channel: u32) {
        if let Some(open) = self.channels.get_mut(&channel) {
            self.weight = self.weight.saturating_sub(open.unload());
        }
    }
}
