//! What the peer asks for: judged, weighed, and handed on as effects.

use convoke_proto::command::Start;
use convoke_proto::fault::{FaultKind, Violation};
use convoke_proto::file::{Get, NewFile, Open};
use convoke_proto::frame::{Family, Tag};
use convoke_proto::message::Message;
use convoke_proto::operation::{Operate, Operation};

use super::channel::Channel;
use super::{Effect, Phase, Serve, out_of_order};

/// How much memory requests may take that wait for a thread or are not over, in bytes. Eight times what
/// the longest one takes.
pub const MAX_WEIGHT: usize = 32 * 1024 * 1024;

/// What is counted for a request beside what it says: its place in a handful of tables, in bytes.
const PLACE: usize = 512;

/// What one text takes beside its bytes.
const WORD: usize = size_of::<bstr::BString>();

impl Serve {
    pub(super) fn unknown(&mut self, channel: u32, tag: Tag) -> Result<(), Violation> {
        if tag.family() != Family::Request || self.phase == Phase::Greeting {
            return Ok(());
        }
        self.open(channel, tag)?;
        self.refuse(
            channel,
            FaultKind::Unsupported,
            format!("request {:#04x} is not known here", tag.0),
        );
        Ok(())
    }

    pub(super) fn noop(&mut self, channel: u32) -> Result<(), Violation> {
        self.open(channel, Tag::NOOP)?;
        self.push(channel, &Message::Done);
        Ok(())
    }

    pub(super) fn start(&mut self, channel: u32, request: Start) -> Result<(), Violation> {
        self.open(channel, Tag::START)?;
        if let Some(why) = request.reason_against() {
            self.refuse(channel, FaultKind::Invalid, why.to_owned());
            return Ok(());
        }
        let words = request.argv.len() + 2 * request.env.len();
        let opened = Channel::of_process(&request);
        let request = Box::new(request);
        self.admit(
            channel,
            opened,
            words * WORD,
            Effect::Start { channel, request },
        );
        Ok(())
    }

    pub(super) fn operate(&mut self, channel: u32, request: Operate) -> Result<(), Violation> {
        self.open(channel, Tag::OPERATE)?;
        let operations = request.operations;
        if operations.is_empty() {
            let why = "the list of operations is empty";
            self.refuse(channel, FaultKind::Invalid, why.to_owned());
            return Ok(());
        }
        let memory = operations.len() * size_of::<Operation>();
        let effect = Effect::Operate {
            channel,
            operations,
        };
        self.admit(channel, Channel::new([1], []), memory, effect);
        Ok(())
    }

    pub(super) fn put(&mut self, channel: u32, file: NewFile) -> Result<(), Violation> {
        self.open(channel, Tag::PUT)?;
        let file = Box::new(file);
        let effect = Effect::Put { channel, file };
        self.admit(channel, Channel::new([], [0]), 0, effect);
        Ok(())
    }

    pub(super) fn get(&mut self, channel: u32, request: Get) -> Result<(), Violation> {
        self.open(channel, Tag::GET)?;
        let effect = Effect::Get { channel, request };
        self.admit(channel, Channel::new([1], []), 0, effect);
        Ok(())
    }

    pub(super) fn open_file(&mut self, channel: u32, request: Open) -> Result<(), Violation> {
        self.open(channel, Tag::OPEN)?;
        let request = Box::new(request);
        let effect = Effect::Open { channel, request };
        self.admit(channel, Channel::new([], []), 0, effect);
        Ok(())
    }

    pub(super) fn kill(&mut self, channel: u32) -> Result<(), Violation> {
        if self.running(channel, Tag::KILL)?.is_some() {
            self.effects.push_back(Effect::Kill { channel });
        }
        Ok(())
    }

    /// Opens the channel of the request that was decoded last, unless too much waits; `memory` is what it
    /// takes beside its length on the wire.
    fn admit(&mut self, channel: u32, opened: Channel, memory: usize, effect: Effect) {
        let weight = PLACE + self.decoder.length() + memory;
        if self.weight + weight > MAX_WEIGHT {
            let why = "more requests wait than the agent holds";
            return self.refuse(channel, FaultKind::Invalid, why.to_owned());
        }
        self.weight += weight;
        self.channels.insert(channel, opened.weighing(weight));
        self.effects.push_back(effect);
    }

    /// Uses up a channel number for a request.
    fn open(&mut self, channel: u32, tag: Tag) -> Result<(), Violation> {
        if channel <= self.highest {
            return Err(out_of_order(
                channel,
                tag,
                "the numbers of channels must ascend from 1",
            ));
        }
        if self.finishing {
            return Err(out_of_order(channel, tag, "the last request has come"));
        }
        self.highest = channel;
        Ok(())
    }
}
