//! What waits for the owner of one channel.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use convoke_proto::exit::{Exit, NotStarted};
use convoke_proto::fault::Fault;
use convoke_proto::file::{Stat, Stored};
use convoke_proto::frame::MAX_STREAM;
use convoke_proto::operation::Failure;
use tokio::sync::Notify;

use crate::error::LinkError;

/// Output pieces shorter than this are joined while they wait, so that a command that writes byte by
/// byte costs memory for its bytes, not for as many entries.
const JOIN_BELOW: usize = 4 * 1024;

/// How many deliveries wait in the order of their arrival. Beyond it, a short piece is also joined to
/// one of its stream that stands before pieces of other streams: a command that writes to two streams
/// in turn must not cost an entry for every byte either.
const ORDERED: usize = 1024;

/// What arrives on a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The process runs.
    Started {
        /// Its process number on the host.
        pid: u32,
    },
    /// A piece of output.
    Output {
        /// The stream's number.
        stream: u8,
        /// The bytes.
        data: Bytes,
    },
    /// A stream of output is at its end.
    Eof {
        /// The stream's number.
        stream: u8,
    },
    /// More bytes may be sent on a stream.
    Credit {
        /// The stream's number.
        stream: u8,
        /// How many more.
        bytes: u32,
    },
    /// The process takes no more of a stream.
    InputClosed {
        /// The stream's number.
        stream: u8,
    },
    /// The process ended; the last delivery.
    Exit(Exit),
    /// The process could not be started; the last delivery.
    NotStarted(NotStarted),
    /// A file is open.
    Opened(Box<Stat>),
    /// A file stands where it shall; the last delivery.
    Stored(Stored),
    /// A file cannot be had or made; the last delivery.
    Failed(Failure),
    /// The request is done; the last delivery.
    Done,
    /// The request was refused; the last delivery.
    Fault(Fault),
    /// The link ended before the channel did; the last delivery.
    Lost(LinkError),
}

impl Delivery {
    /// Whether nothing follows.
    pub fn is_last(&self) -> bool {
        matches!(
            self,
            Delivery::Exit(_)
                | Delivery::NotStarted(_)
                | Delivery::Stored(_)
                | Delivery::Failed(_)
                | Delivery::Done
                | Delivery::Fault(_)
                | Delivery::Lost(_)
        )
    }
}

/// The queue of one channel; its bytes are bounded by credit.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The channel's number, and where its request begins in all that is written to the agent; once the
    /// request is on the way.
    opened: Option<(u32, u64)>,
    deliveries: VecDeque<Delivery>,
    /// Credit by stream, summed up: it overtakes everything, and costs the same however often it came.
    credits: Vec<(u8, u32)>,
}

impl Waiting {
    fn put(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Credit { stream, bytes } => self.add_credit(stream, bytes),
            Delivery::Output { stream, data } => {
                if let Some(data) = self.join(stream, data) {
                    self.deliveries.push_back(Delivery::Output { stream, data });
                }
            }
            other => self.deliveries.push_back(other),
        }
    }

    fn take(&mut self) -> Option<Delivery> {
        let credit = self.credits.pop();
        credit
            .map(|(stream, bytes)| Delivery::Credit { stream, bytes })
            .or_else(|| self.deliveries.pop_front())
    }

    fn add_credit(&mut self, stream: u8, bytes: u32) {
        match self.credits.iter_mut().find(|(same, _)| *same == stream) {
            Some((_, sum)) => *sum = sum.saturating_add(bytes),
            None => self.credits.push((stream, bytes)),
        }
    }

    /// Joins a short piece of output to one that waits; gives it back when it cannot.
    fn join(&mut self, stream: u8, more: Bytes) -> Option<Bytes> {
        let look_back = match self.deliveries.len() {
            0..=ORDERED => 1,
            _ => usize::from(MAX_STREAM),
        };
        let waiting = self.deliveries.iter_mut().rev().take(look_back);
        let mut pieces = waiting.map_while(|delivery| match delivery {
            Delivery::Output { stream, data } => Some((stream, data)),
            _ => None,
        });
        match pieces.find(|(of, _)| **of == stream) {
            Some((_, data)) if data.len() + more.len() <= JOIN_BELOW => {
                let mut joined = BytesMut::from(std::mem::take(data));
                joined.extend_from_slice(&more);
                *data = joined.freeze();
                None
            }
            _ => Some(more),
        }
    }
}

impl Inbox {
    pub(super) fn opened(&self, channel: u32, begins_at: u64) {
        self.lock().opened = Some((channel, begins_at));
    }

    pub(super) fn channel(&self) -> Option<u32> {
        self.lock().opened.map(|(channel, _)| channel)
    }

    pub(super) fn begins_at(&self) -> Option<u64> {
        self.lock().opened.map(|(_, begins_at)| begins_at)
    }

    pub(super) fn put(&self, delivery: Delivery) {
        self.lock().put(delivery);
        self.filled.notify_one();
    }

    /// Throws away what waits: nobody will take it.
    pub(super) fn clear(&self) {
        self.lock().deliveries = VecDeque::new();
    }

    /// Waits for the next delivery; one owner at a time.
    pub(super) async fn take(&self) -> Delivery {
        loop {
            if let Some(delivery) = self.lock().take() {
                return delivery;
            }
            self.filled.notified().await;
        }
    }

    /// Nothing panics while the lock is held, so a poisoned one still holds whole values.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
