//! The original process: waits for the worker, and ends what it leaves behind if it dies.
//!
//! Holds no descriptor of the wire, reads nothing a peer sends, and does no other work, so that
//! nothing but its own death keeps it from its one duty.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, write};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait, waitpid};

use crate::kill::{Killing, strike};
use crate::register::{Record, Register};
use crate::signals::Signals;

/// How many records are read at once.
const BATCH: usize = 64;

/// How many records wait in the pipe before the guard is asked to read them: it sleeps while steps
/// come and go, and wakes for the death of the worker. Half of the smallest pipe a kernel gives.
const ASLEEP_FOR: usize = 2048 / Record::LEN;

/// The guard's ends of the pipes between the two processes.
#[derive(Debug)]
pub struct GuardEnd {
    records: OwnedFd,
    /// Readable when the records are to be read.
    bell: OwnedFd,
    /// Held, never written: its end tells the worker that the guard is gone.
    _alive: OwnedFd,
}

/// The worker's ends of the pipes between the two processes.
#[derive(Debug)]
pub struct WorkerEnd {
    records: OwnedFd,
    bell: OwnedFd,
    unread: usize,
    alive: OwnedFd,
    backlog: Vec<u8>,
}

/// Makes the pipes between the two processes; each drops the other's end after the fork.
///
/// # Errors
/// The kernel has no descriptor left.
pub fn pipes() -> Result<(GuardEnd, WorkerEnd), Errno> {
    let (records, records_in) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let (alive, alive_in) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let (bell, bell_in) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let guard = GuardEnd {
        records,
        bell,
        _alive: alive_in,
    };
    let worker = WorkerEnd {
        records: records_in,
        bell: bell_in,
        unread: 0,
        alive,
        backlog: Vec::new(),
    };
    Ok((guard, worker))
}

impl WorkerEnd {
    /// Tells the guard. Never waits: what a stopped guard does not take is kept for later.
    pub fn tell(&mut self, record: Record) {
        self.backlog.extend_from_slice(&record.to_bytes());
        self.flush();
        self.unread += 1;
        if self.unread >= ASLEEP_FOR {
            self.unread = 0;
            // A bell that is full rings already; a guard that is gone is noticed elsewhere.
            let _ = write(&self.bell, &[0]);
        }
    }

    /// Sends what was kept.
    pub fn flush(&mut self) {
        while !self.backlog.is_empty() {
            match write(&self.records, &self.backlog) {
                Ok(count) => {
                    self.backlog.drain(..count);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // The guard is gone, which the other pipe says too.
                Err(_) => self.backlog.clear(),
            }
        }
    }

    /// Readable or hung up once the guard is gone.
    pub fn alive(&self) -> &OwnedFd {
        &self.alive
    }

    /// The descriptor to wait for when records were kept.
    pub fn clogged(&self) -> Option<&OwnedFd> {
        (!self.backlog.is_empty()).then_some(&self.records)
    }
}

/// Waits for the end of the worker, then ends what belongs to its running steps; whether the worker
/// ended the link in good order.
pub fn watch(end: GuardEnd, worker: Pid, signals: &Signals) -> bool {
    let mut register = Register::default();
    let goodbye = follow(end, worker, signals, &mut register);
    if goodbye.is_none() {
        // It has closed its pipe, so it is dead or beyond reason.
        let _ = kill_process(worker, Signal::KILL);
    }
    if !goodbye.is_some_and(|goodbye| goodbye.lingers) {
        let _ = waitpid(Some(worker), WaitOptions::empty());
    }
    if goodbye.is_none() {
        end_everything(&mut register, signals);
    }
    goodbye.is_some_and(|goodbye| goodbye.in_good_order)
}

/// How the worker took its leave.
#[derive(Debug, Clone, Copy)]
struct Goodbye {
    in_good_order: bool,
    lingers: bool,
}

/// Keeps the register until the worker closes its pipe; how it took its leave, if it did.
fn follow(
    end: GuardEnd,
    worker: Pid,
    signals: &Signals,
    register: &mut Register,
) -> Option<Goodbye> {
    let mut records = std::fs::File::from(end.records);
    let mut bell = std::fs::File::from(end.bell);
    let mut pending = Vec::new();
    let mut goodbye = None;
    loop {
        let hung_up = wait_for_bell(&records, &bell, signals);
        if signals.take().end {
            // The worker acts as at a closed link, and this process goes with it.
            let _ = kill_process(worker, Signal::TERM);
        }
        // However often it rang, the records are read once.
        let _ = bell.read(&mut [0; BATCH]);
        let mut chunk = [0; Record::LEN * BATCH];
        while let Ok(count @ 1..) = records.read(&mut chunk) {
            pending.extend_from_slice(chunk.get(..count).unwrap_or_default());
            let (whole, _) = pending.as_chunks();
            for record in whole.iter().filter_map(Record::from_bytes) {
                if let Record::Goodbye {
                    in_good_order,
                    lingers,
                } = record
                {
                    goodbye = Some(Goodbye {
                        in_good_order,
                        lingers,
                    });
                }
                register.apply(record);
            }
            pending.drain(..pending.len() - pending.len() % Record::LEN);
        }
        if hung_up {
            return goodbye;
        }
    }
}

/// Waits for the bell, a signal, or the end of the records; whether it was the end. New records alone
/// wake nobody.
fn wait_for_bell(records: &std::fs::File, bell: &std::fs::File, signals: &Signals) -> bool {
    let mut polled = [
        PollFd::new(records, PollFlags::empty()),
        PollFd::new(bell, PollFlags::IN),
        PollFd::new(signals.fd(), PollFlags::IN),
    ];
    // An interrupted wait is begun again by the caller.
    let _ = poll(&mut polled, None);
    let [records, ..] = &polled;
    records
        .revents()
        .intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Ends the trees of all steps whose main process has not ended by itself.
fn end_everything(register: &mut Register, signals: &Signals) {
    let now = Instant::now();
    let running = register.steps().iter().filter(|(_, step)| !step.released);
    let mut killings: Vec<_> = running
        .map(|(channel, step)| (*channel, Killing::new(*channel, step.main, step.grace, now)))
        .collect();
    while !killings.is_empty() {
        let now = Instant::now();
        if reap() {
            killings
                .iter_mut()
                .for_each(|(_, killing)| killing.look_again(now));
        }
        if killings.iter().any(|(_, killing)| killing.due() <= now) {
            let mut all: Vec<_> = killings.iter_mut().map(|(_, killing)| killing).collect();
            strike(register, &mut all, now);
            // Whatever was found dead may have hidden something: that is looked at first.
            if reap() {
                killings
                    .iter_mut()
                    .for_each(|(_, killing)| killing.look_again(now));
                continue;
            }
        }
        killings.retain(|(channel, killing)| {
            let over = killing.ended(true, now).is_some();
            if over {
                register.apply(Record::End { channel: *channel });
            }
            !over
        });
        if let Some(due) = killings.iter().map(|(_, killing)| killing.due()).min() {
            wait_for(&[signals.fd()], Some(due));
            signals.take();
        }
    }
}

/// Reaps what is dead; whether anything was.
fn reap() -> bool {
    let mut any = false;
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {
        any = true;
    }
    any
}

fn wait_for(fds: &[&dyn std::os::fd::AsFd], until: Option<Instant>) {
    let mut polled: Vec<_> = fds
        .iter()
        .map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN))
        .collect();
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    let timeout = left.and_then(|left| Timespec::try_from(left).ok());
    let _ = poll(&mut polled, timeout.as_ref());
}
