//! How far the files of one host are, and what became of them.

use std::time::Duration;

use tokio::time::Instant;

use super::turns::Pulse;
use crate::event::{Emitter, Kind, Progress};
use crate::outcome::{Done, Failed, FailureCause, Outcome};

/// How many bytes move at least between two words on how far it is, unless they take longer than [`PAUSE`].
const STEP: u64 = 256 * 1024;

/// How many such words there are of many bytes, about.
const WORDS: u64 = 100;

/// How long after a word there is one about fewer bytes: whoever waits for a slow host sees that it goes on.
const PAUSE: Duration = Duration::from_millis(500);

/// What became of the files so far.
pub(super) struct Tally {
    /// The bytes of files that arrived.
    bytes: u64,
    failed: Option<Failed>,
    /// How many bytes there are, when that is known.
    total: Option<u64>,
    /// How many were told of last, and when.
    told: (u64, Instant),
    /// Told whenever anything moved.
    pulse: Pulse,
}

impl Tally {
    /// Nothing yet, of so many bytes.
    pub(super) fn of(total: Option<u64>, pulse: Pulse) -> Self {
        Tally {
            bytes: 0,
            failed: None,
            total,
            told: (0, Instant::now()),
            pulse,
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
        self.pulse.beat();
        let bytes = self.bytes + bytes;
        let (told, when) = self.told;
        let step = || STEP.max(self.total.unwrap_or(bytes) / WORDS);
        let is_slow = || when.elapsed() >= PAUSE;
        // Those of a file that failed count no more.
        if bytes < told || bytes >= told + step() || bytes > told && is_slow() {
            self.tell(bytes, events);
        }
    }

    /// All of the file that moves has moved, so many bytes. It is told at once, for a disk may take long to store
    /// them; of a short file only when it is the last, for many of those may move in no time.
    pub(super) fn end(&mut self, bytes: u64, events: &mut Emitter) {
        let is_long = bytes >= STEP;
        let bytes = self.bytes + bytes;
        if bytes != self.told.0 && (is_long || self.total == Some(bytes)) {
            self.tell(bytes, events);
        }
    }

    fn tell(&mut self, bytes: u64, events: &mut Emitter) {
        self.told = (bytes, Instant::now());
        let total = self.total;
        events.offer(Kind::Progress(Progress { bytes, total }));
    }

    pub(super) fn outcome(self) -> Outcome {
        match self.failed {
            None => Outcome::Done(Done { bytes: self.bytes }),
            Some(failed) => Outcome::Failed(failed),
        }
    }
}
