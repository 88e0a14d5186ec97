//! How far the files of one host are, and what became of them.

use crate::event::{Emitter, Kind, Progress};
use crate::outcome::{Done, Failed, FailureCause, Outcome};

/// How many bytes move between two words on how far it is.
const STEP: u64 = 256 * 1024;

/// What became of the files so far.
#[derive(Default)]
pub(super) struct Tally {
    /// The bytes of files that arrived.
    bytes: u64,
    failed: Option<Failed>,
    /// How many bytes there are, when that is known.
    total: Option<u64>,
    /// How many were told of last.
    told: u64,
}

impl Tally {
    /// Nothing yet, of so many bytes.
    pub(super) fn of(total: Option<u64>) -> Self {
        Tally {
            total,
            ..Tally::default()
        }
    }

    /// A file of so many bytes arrived.
    pub(super) fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// A file did not arrive.
    pub(super) fn fail(&mut self, why: FailureCause) {
        Failed::note(&mut self.failed, why);
    }

    /// The file that moves now is the last, and has so many bytes.
    pub(super) fn ends_with(&mut self, bytes: u64) {
        self.total = Some(self.bytes.saturating_add(bytes));
    }

    /// So many bytes of the file that moves have moved. Who is busy showing something else is told later.
    pub(super) fn at(&mut self, bytes: u64, events: &mut Emitter) {
        let bytes = self.bytes + bytes;
        // Those of a file that failed count no more.
        if bytes < self.told || bytes >= self.told + STEP {
            self.told = bytes;
            let total = self.total;
            events.offer(Kind::Progress(Progress { bytes, total }));
        }
    }

    pub(super) fn outcome(self) -> Outcome {
        match self.failed {
            None => Outcome::Done(Done { bytes: self.bytes }),
            Some(failed) => Outcome::Failed(failed),
        }
    }
}
