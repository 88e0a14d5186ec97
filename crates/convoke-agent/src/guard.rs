//! The original process: waits for the worker, and ends what it leaves behind if it dies.
//!
//! Holds no descriptor of the wire, reads nothing a peer sends, and does no other work, so that
//! nothing but its own death keeps it from its one duty.

use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait, waitpid};

use crate::errand::Errands;
use crate::kill::{Killing, strike};
use crate::ledger::Ledger;
use crate::register::{Record, Register};
use crate::signals::Signals;

/// What the guard holds of the connection between the two processes.
#[derive(Debug)]
pub struct GuardEnd {
    ledger: Ledger,
    /// Hung up once the worker has closed its end: it is dead, or done.
    worker: OwnedFd,
    /// Held, never written: its end tells the worker that the guard is gone.
    _alive: OwnedFd,
}

/// What the worker holds of the connection between the two processes.
#[derive(Debug)]
pub struct WorkerEnd {
    ledger: Ledger,
    guard: OwnedFd,
    /// Held, never written: its end tells the guard that the worker is done.
    _alive: OwnedFd,
}

/// Makes the connection between the two processes; each drops the other's end after the fork.
///
/// # Errors
/// The kernel has no descriptor or no memory left.
pub fn connect() -> Result<(GuardEnd, WorkerEnd), Errno> {
    let (worker, worker_alive) = pipe_with(PipeFlags::CLOEXEC)?;
    let (guard, guard_alive) = pipe_with(PipeFlags::CLOEXEC)?;
    let ledger = Ledger::new()?;
    let guard_end = GuardEnd {
        ledger: ledger.share(),
        worker,
        _alive: guard_alive,
    };
    let worker_end = WorkerEnd {
        ledger,
        guard,
        _alive: worker_alive,
    };
    Ok((guard_end, worker_end))
}

impl WorkerEnd {
    /// Tells the guard. Costs no system call, and reaches it however this process ends.
    pub fn tell(&mut self, record: Record) {
        self.ledger.enter(record);
    }

    /// Whether the guard can be told of no further step.
    pub fn is_full(&self) -> bool {
        self.ledger.is_full()
    }

    /// Hung up once the guard is gone.
    pub fn guard(&self) -> &OwnedFd {
        &self.guard
    }
}

/// Waits for the end of the worker, then ends what belongs to its running steps; whether the worker
/// ended the link in good order.
pub fn watch(end: GuardEnd, worker: Pid, signals: &Signals) -> bool {
    let mut reaped = wait_for_worker(&end, worker, signals);
    let goodbye = end.ledger.goodbye();
    if goodbye.is_none() && !reaped {
        // It has closed its end and does not say why: it is dying, or beyond reason.
        let _ = kill_process(worker, Signal::KILL);
    }
    reaped |= goodbye.is_some_and(|goodbye| goodbye.lingers);
    if !reaped {
        let _ = waitpid(Some(worker), WaitOptions::empty());
    }
    if goodbye.is_none() {
        end_everything(&mut end.ledger.read(), signals);
    }
    goodbye.is_some_and(|goodbye| goodbye.in_good_order)
}

/// Waits until the worker has closed its end or is dead; whether it was reaped.
///
/// Its death counts as soon as it happens: a child that it was just starting may hold its end a little
/// longer.
fn wait_for_worker(end: &GuardEnd, worker: Pid, signals: &Signals) -> bool {
    loop {
        let mut polled = [
            PollFd::new(&end.worker, PollFlags::empty()),
            PollFd::new(signals.fd(), PollFlags::IN),
        ];
        // An interrupted wait is begun again.
        let _ = poll(&mut polled, None);
        let [alive, _] = &polled;
        let hung_up = alive.revents().intersects(PollFlags::HUP | PollFlags::ERR);
        let arrived = signals.take();
        if arrived.child && matches!(waitpid(Some(worker), WaitOptions::NOHANG), Ok(Some(_))) {
            return true;
        }
        if hung_up {
            return false;
        }
        if arrived.end {
            // The worker acts as at a closed link, and this process goes with it.
            let _ = kill_process(worker, Signal::TERM);
        }
    }
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
        if reap(register) {
            killings
                .iter_mut()
                .for_each(|(_, killing)| killing.look_again(now));
        }
        if killings.iter().any(|(_, killing)| killing.due() <= now) {
            let mut all: Vec<_> = killings.iter_mut().map(|(_, killing)| killing).collect();
            strike(register, &Errands::default(), &mut all, now);
            // Whatever was found dead may have hidden something: that is looked at first.
            if reap(register) {
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
fn reap(register: &mut Register) -> bool {
    let mut any = false;
    while let Ok(Some((pid, _))) = wait(WaitOptions::NOHANG) {
        any = true;
        register.reaped(pid.as_raw_nonzero().get());
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
