//! What the worker leaves for the guard: which steps run, in memory that both share.
//!
//! An entry costs no system call and wakes nobody, cannot wait for a guard that is stopped, and is there
//! however the worker dies.
//!
//! `unsafe` because memory of two processes has no safe door: the mapping is never taken back, is zero at
//! first, which is a valid value of everything in it, and holds nothing but atomics.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use convoke_proto::hello::LinkId;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use crate::register::{Goodbye, Record, Register};

/// How many steps run at once at most. More than processes that a host starts for one login.
pub const MAX_STEPS: usize = 8192;

/// How many left processes the guard is told of. Of more it knows the latest; of the others those that
/// still carry the mark of their step.
const MAX_SPARED: usize = 4096;

/// The worker's pen, and the guard's glasses.
#[derive(Debug)]
pub struct Ledger {
    pages: &'static Pages,
    /// The line of each running step.
    lines: BTreeMap<u32, usize>,
    free: Vec<usize>,
    /// How many lines were ever used: the others are free, and their memory was never touched.
    used: usize,
}

/// What is shared.
#[derive(Debug)]
struct Pages {
    link: [AtomicU64; 2],
    goodbye: AtomicU32,
    /// How many were spared, ever.
    spared_count: AtomicU64,
    steps: [StepLine; MAX_STEPS],
    spared: [SparedLine; MAX_SPARED],
}

#[derive(Debug)]
struct StepLine {
    state: AtomicU32,
    channel: AtomicU32,
    grace_ms: AtomicU32,
    main: AtomicI32,
}

#[derive(Debug)]
struct SparedLine {
    pid: AtomicI32,
    session: AtomicI32,
    start: AtomicU64,
}

/// The states of a line: free, or running with flags beside it.
const FREE: u32 = 0;
const RUNS: u32 = 1;
const REAPED: u32 = 2;
const RELEASED: u32 = 4;

/// The bits of a goodbye.
const SAID: u32 = 1;
const IN_GOOD_ORDER: u32 = 2;
const LINGERS: u32 = 4;

impl Ledger {
    /// An empty ledger, to be shared by forking.
    ///
    /// # Errors
    /// The kernel has no memory left.
    pub fn new() -> Result<Self, Errno> {
        let flags = (
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::SHARED | MapFlags::NORESERVE,
        );
        // SAFETY: a new mapping where the kernel chooses, page aligned, as large as what it is taken for,
        // zero, and never unmapped.
        let pages = unsafe {
            let start = mmap_anonymous(null_mut(), size_of::<Pages>(), flags.0, flags.1)?;
            &*start.cast::<Pages>()
        };
        Ok(Ledger {
            pages,
            lines: BTreeMap::new(),
            free: Vec::new(),
            used: 0,
        })
    }

    /// The same pages for the other process, which reads them.
    pub fn share(&self) -> Self {
        Ledger {
            pages: self.pages,
            lines: BTreeMap::new(),
            free: Vec::new(),
            used: 0,
        }
    }

    /// Whether no further step can be entered.
    pub fn is_full(&self) -> bool {
        self.lines.len() == MAX_STEPS
    }

    /// Enters a change. A step that begins while the ledger is full is not entered.
    pub fn enter(&mut self, record: Record) {
        match record {
            Record::Link(LinkId(id)) => {
                let (halves, _) = id.as_chunks();
                for (place, half) in self.pages.link.iter().zip(halves) {
                    place.store(u64::from_ne_bytes(*half), Ordering::Release);
                }
            }
            Record::Begin { channel, grace_ms } => self.begin(channel, grace_ms),
            Record::Running { channel, pid } => {
                self.forget_main(pid);
                if let Some(line) = self.line(channel) {
                    line.main.store(pid, Ordering::Release);
                }
            }
            Record::Reaped { channel } => self.mark(channel, REAPED),
            Record::Released { channel } => self.mark(channel, RELEASED),
            Record::Spared {
                pid,
                session,
                start,
            } => self.spare(pid, session, start),
            Record::End { channel } => {
                if let Some(line) = self.line(channel) {
                    line.state.store(FREE, Ordering::Release);
                }
                self.free.extend(self.lines.remove(&channel));
            }
            Record::Goodbye(goodbye) => {
                let bits = [
                    (true, SAID),
                    (goodbye.in_good_order, IN_GOOD_ORDER),
                    (goodbye.lingers, LINGERS),
                ];
                let set = bits.iter().filter(|(holds, _)| *holds);
                let bits = set.fold(0, |all, (_, bit)| all | bit);
                self.pages.goodbye.store(bits, Ordering::Release);
            }
        }
    }

    fn begin(&mut self, channel: u32, grace_ms: u32) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.used += 1;
            self.used - 1
        });
        let Some(line) = self.pages.steps.get(index) else {
            self.used = MAX_STEPS;
            return;
        };
        line.channel.store(channel, Ordering::Relaxed);
        line.grace_ms.store(grace_ms, Ordering::Relaxed);
        line.main.store(0, Ordering::Relaxed);
        // Last: from here on the line counts.
        line.state.store(RUNS, Ordering::Release);
        self.lines.insert(channel, index);
    }

    /// Nobody who had this number before has it any more. Lines are not read in the order of their steps.
    fn forget_main(&self, pid: i32) {
        let lines = self.lines.keys().filter_map(|channel| self.line(*channel));
        let had_it = lines.filter(|line| line.main.load(Ordering::Relaxed) == pid);
        had_it.for_each(|line| line.main.store(0, Ordering::Release));
    }

    fn mark(&self, channel: u32, flag: u32) {
        if let Some(line) = self.line(channel) {
            line.state.fetch_or(flag, Ordering::Release);
        }
    }

    fn line(&self, channel: u32) -> Option<&'static StepLine> {
        self.pages.steps.get(*self.lines.get(&channel)?)
    }

    fn spare(&mut self, pid: i32, session: i32, start: u64) {
        let count = self.pages.spared_count.load(Ordering::Relaxed);
        let Some(line) = self.pages.spared.get(count as usize % MAX_SPARED) else {
            return;
        };
        line.pid.store(pid, Ordering::Relaxed);
        line.session.store(session, Ordering::Relaxed);
        line.start.store(start, Ordering::Relaxed);
        self.pages.spared_count.store(count + 1, Ordering::Release);
    }

    /// How the worker took its leave, if it did.
    pub fn goodbye(&self) -> Option<Goodbye> {
        let bits = self.pages.goodbye.load(Ordering::Acquire);
        (bits & SAID != 0).then_some(Goodbye {
            in_good_order: bits & IN_GOOD_ORDER != 0,
            lingers: bits & LINGERS != 0,
        })
    }

    /// Everything that was entered and still holds.
    pub fn read(&self) -> Register {
        let mut register = Register::default();
        let mut link = [0; 16];
        let (halves, _) = link.as_chunks_mut();
        for (half, place) in halves.iter_mut().zip(&self.pages.link) {
            *half = place.load(Ordering::Acquire).to_ne_bytes();
        }
        register.apply(Record::Link(LinkId(link)));
        let entered = self.pages.spared_count.load(Ordering::Acquire) as usize;
        for line in self.pages.spared.iter().take(entered) {
            register.apply(Record::Spared {
                pid: line.pid.load(Ordering::Relaxed),
                session: line.session.load(Ordering::Relaxed),
                start: line.start.load(Ordering::Relaxed),
            });
        }
        self.pages
            .steps
            .iter()
            .flat_map(StepLine::records)
            .for_each(|record| register.apply(record));
        register
    }
}

impl StepLine {
    fn records(&self) -> impl Iterator<Item = Record> + use<> {
        let state = self.state.load(Ordering::Acquire);
        let channel = self.channel.load(Ordering::Relaxed);
        let pid = self.main.load(Ordering::Acquire);
        let begin = (state != FREE).then_some(Record::Begin {
            channel,
            grace_ms: self.grace_ms.load(Ordering::Relaxed),
        });
        let running = (state != FREE && pid != 0).then_some(Record::Running { channel, pid });
        let reaped = (state & REAPED != 0).then_some(Record::Reaped { channel });
        let released = (state & RELEASED != 0).then_some(Record::Released { channel });
        let ended = reaped.into_iter().chain(released);
        begin.into_iter().chain(running).chain(ended)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const fn begin(channel: u32) -> Record {
        Record::Begin {
            channel,
            grace_ms: 7,
        }
    }

    #[test]
    fn what_was_entered_is_read() {
        let mut ledger = Ledger::new().unwrap();
        let mut expected = Register::default();
        let changes = [
            Record::Link(LinkId([9; 16])),
            begin(1),
            Record::Running {
                channel: 1,
                pid: i32::MAX,
            },
            begin(u32::MAX),
            begin(3),
            Record::Running { channel: 3, pid: 5 },
            Record::Reaped { channel: 3 },
            Record::Released { channel: 3 },
            begin(4),
            Record::End { channel: 4 },
            Record::Spared {
                pid: 5,
                session: 6,
                start: u64::MAX,
            },
        ];
        for change in changes {
            ledger.enter(change);
            expected.apply(change);
            assert_eq!(ledger.read(), expected, "after {change:?}");
        }
        let step = ledger.read().steps()[&1];
        assert_eq!(step.grace, Duration::from_millis(7));
    }

    #[test]
    fn a_goodbye_is_read_as_it_was_said() {
        for (in_good_order, lingers) in [(false, false), (true, false), (false, true), (true, true)]
        {
            let mut ledger = Ledger::new().unwrap();
            assert_eq!(ledger.goodbye(), None);
            let goodbye = Goodbye {
                in_good_order,
                lingers,
            };
            ledger.enter(Record::Goodbye(goodbye));
            assert_eq!(ledger.goodbye(), Some(goodbye));
        }
    }

    #[test]
    fn lines_are_used_again_and_a_full_ledger_says_so() {
        let mut ledger = Ledger::new().unwrap();
        for channel in 0..3 * MAX_STEPS as u32 {
            ledger.enter(begin(channel));
            ledger.enter(Record::End { channel });
        }
        for channel in 0..MAX_STEPS as u32 {
            assert!(!ledger.is_full());
            ledger.enter(begin(channel));
        }
        assert!(ledger.is_full());
        ledger.enter(begin(u32::MAX));
        assert_eq!(ledger.read().steps().len(), MAX_STEPS);
        ledger.enter(Record::End { channel: 5 });
        ledger.enter(begin(u32::MAX));
        assert!(ledger.read().steps().contains_key(&u32::MAX));
    }

    #[test]
    fn of_too_many_left_processes_the_latest_are_known() {
        let mut ledger = Ledger::new().unwrap();
        for pid in 0..MAX_SPARED as i32 + 1 {
            ledger.enter(Record::Spared {
                pid,
                session: 1,
                start: 1,
            });
        }
        let register = ledger.read();
        assert!(register.is_spared(MAX_SPARED as i32, 1));
        assert!(!register.is_spared(0, 1));
    }

    /// Any change of a few steps and processes, so that numbers come again.
    fn any_record() -> impl Strategy<Value = Record> {
        let (channel, pid) = (1..6_u32, 1..4_i32);
        prop_oneof![
            (channel.clone(), pid.clone())
                .prop_map(|(channel, pid)| Record::Running { channel, pid }),
            channel
                .clone()
                .prop_map(|channel| Record::Reaped { channel }),
            channel
                .clone()
                .prop_map(|channel| Record::Released { channel }),
            channel.prop_map(|channel| Record::End { channel }),
            (pid.clone(), pid, 0..3_u64).prop_map(|(pid, session, start)| Record::Spared {
                pid,
                session,
                start
            }),
        ]
    }

    proptest! {
        #[test]
        fn the_guard_reads_what_the_worker_knows(
            changes in proptest::collection::vec((any_record(), any::<bool>()), 0..60)
        ) {
            let mut ledger = Ledger::new().unwrap();
            let mut register = Register::default();
            let mut next = 1;
            register.apply(Record::Link(LinkId([0; 16])));
            for (change, begins) in changes {
                // The numbers of channels ascend; those of the changes name the latest few.
                let first = begins.then(|| begin(next));
                next += u32::from(begins);
                let change = match change {
                    Record::Running { channel, pid } => Record::Running { channel: next.saturating_sub(channel), pid },
                    Record::Reaped { channel } => Record::Reaped { channel: next.saturating_sub(channel) },
                    Record::Released { channel } => Record::Released { channel: next.saturating_sub(channel) },
                    Record::End { channel } => Record::End { channel: next.saturating_sub(channel) },
                    other => other,
                };
                for change in first.into_iter().chain([change]) {
                    ledger.enter(change);
                    register.apply(change);
                }
                prop_assert_eq!(ledger.read(), register.clone());
            }
        }
    }
}
