//! The operations of one request: done in order, and never far ahead of whoever reads the answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use convoke_proto::operation::{Failure, Field, MAX_RECORD, Operation, Reason, Record};

use super::Files;
use crate::verbs::{Listing, Told, Verbs};

/// How many bytes of answers may wait for credit before the next operation is begun.
pub const AHEAD: usize = 256 * 1024;

/// How long operations are done before what they said is sent on and others have their turn. Less than
/// what the loop may be without a thread, so that a long list of short operations never moves it.
const SLICE: Duration = Duration::from_micros(500);

/// What is left to do of a request, and what it said so far.
#[derive(Debug)]
pub struct Operations {
    left: std::vec::IntoIter<Operation>,
    /// A directory of which part was told: it may be long, and is told no faster than it is read.
    listing: Option<Listing>,
    answers: Vec<u8>,
    sent: usize,
    stop: Arc<AtomicBool>,
    puts: Arc<AtomicBool>,
}

impl Operations {
    /// The operations of a request; those that have not begun when `stop` is set never will, and one that
    /// takes long ends. While one makes a file, which must not be left half made, `puts` is set.
    pub fn new(operations: Vec<Operation>, stop: Arc<AtomicBool>, puts: Arc<AtomicBool>) -> Self {
        Operations {
            left: operations.into_iter(),
            listing: None,
            answers: Vec::new(),
            sent: 0,
            stop,
            puts,
        }
    }

    /// Whether none is left to be done.
    pub fn are_done(&self) -> bool {
        self.listing.is_none() && self.left.as_slice().is_empty()
    }

    /// What they said and was not sent: records.
    pub fn answers(&self) -> &[u8] {
        self.answers.get(self.sent..).unwrap_or_default()
    }

    /// Notes that the first `count` bytes of the answers were sent.
    pub fn sent(&mut self, count: usize) {
        self.sent += count;
        if self.answers().is_empty() {
            self.forget_answers();
        }
    }

    /// Nobody wants what they said.
    pub fn forget_answers(&mut self) {
        self.sent = 0;
        self.answers.clear();
    }

    /// Goes on for a moment, or until enough answers wait.
    pub(super) fn go_on(&mut self, verbs: &Verbs, files: &Files) {
        self.answers.drain(..self.sent);
        self.sent = 0;
        let until = Instant::now() + SLICE;
        while self.answers.len() < AHEAD && !self.stop.load(Ordering::Relaxed) {
            if let Some(listing) = self.listing.take() {
                self.tell(verbs, listing);
            } else if let Some(operation) = self.left.next() {
                self.perform(verbs, files, operation);
            } else {
                break;
            }
            if Instant::now() >= until {
                break;
            }
        }
    }

    fn perform(&mut self, verbs: &Verbs, files: &Files, operation: Operation) {
        if let Operation::List { path } = operation {
            return match verbs.listing(&path) {
                Ok(listing) => self.tell(verbs, listing),
                Err(failure) => {
                    self.answer().say(Record::Failed(failure));
                }
            };
        }
        let (stop, puts) = (Arc::clone(&self.stop), Arc::clone(&self.puts));
        let is_put = matches!(operation, Operation::Put { .. });
        puts.store(is_put, Ordering::Relaxed);
        let mut answer = self.answer();
        verbs.perform(operation, files, &stop, &mut |record| answer.say(record));
        puts.store(false, Ordering::Relaxed);
    }

    /// Tells the next part of a directory.
    fn tell(&mut self, verbs: &Verbs, mut listing: Listing) {
        let record = match listing.next(verbs) {
            Told::Part(part) => {
                if self.answer().say(Record::Part(part)) {
                    self.listing = Some(listing);
                }
                return;
            }
            Told::Last(rest) => Record::Last(rest),
        };
        self.answer().say(record);
    }

    fn answer(&mut self) -> Answer<'_> {
        Answer {
            out: &mut self.answers,
            stop: &self.stop,
            is_whole: false,
        }
    }
}

/// The answer to one operation, as it is said.
struct Answer<'a> {
    out: &'a mut Vec<u8>,
    stop: &'a AtomicBool,
    is_whole: bool,
}

impl Answer<'_> {
    /// Appends a record; whether more is wanted.
    fn say(&mut self, record: Record) -> bool {
        if self.is_whole {
            return false;
        }
        self.is_whole = !matches!(record, Record::Part(_));
        let record = match record {
            Record::Failed(failure) => Record::Failed(failure.shortened()),
            other => other,
        };
        let start = self.out.len();
        record.encode(self.out);
        if self.out.len() - start > MAX_RECORD {
            self.out.truncate(start);
            self.is_whole = true;
            // Nothing that an operation says is so long.
            too_long().encode(self.out);
        }
        !self.is_whole && !self.stop.load(Ordering::Relaxed)
    }
}

fn too_long() -> Record {
    Record::Failed(Failure {
        field: Field::Request,
        value: "".into(),
        reason: Reason::TooLong,
        path: None,
    })
}
