//! The processes of this host as the kernel shows them under `/proc`, and signals that hit no stranger.

use std::ffi::CStr;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{Dir, Mode, OFlags, open, openat};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};

/// How much of an environment is read in search of a mark, in bytes; the kernel's own limit for one
/// is a quarter of the stack limit, 2 MiB unless raised.
const MAX_ENVIRONMENT: u64 = 4 * 1024 * 1024;

/// The unit of [`Seen::start`]: the same on every platform that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// How often an empty environment is read again: that of a process that executes a program is empty
/// for an instant.
const LOOKS: usize = 4;

/// How many descriptors a look at the processes and a signal take at once.
const RESERVED: usize = 4;

/// Descriptors that are kept for looks at `/proc`, so that a tree can also be ended when pipes have used
/// up all others.
#[derive(Debug)]
pub struct Reserve {
    kept: Vec<OwnedFd>,
}

impl Reserve {
    /// Takes as many as it needs, if there are so many.
    pub fn new() -> Self {
        let mut reserve = Reserve { kept: Vec::new() };
        reserve.take();
        reserve
    }

    /// Gives them to `look` meanwhile.
    pub fn lend<T>(&mut self, look: impl FnOnce() -> T) -> T {
        self.kept.clear();
        let seen = look();
        self.take();
        seen
    }

    fn take(&mut self) {
        let root = || open(c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok();
        self.kept.extend((0..RESERVED).filter_map(|_| root()));
    }
}

impl Default for Reserve {
    fn default() -> Self {
        Self::new()
    }
}

/// One process that is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its number.
    pub pid: i32,
    /// The number of its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// When it began, in the kernel's ticks; with the number it names a process for good.
    pub start: u64,
}

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It was delivered.
    Delivered,
    /// The process is gone; whoever has its number now was not touched.
    Gone,
    /// We may not signal this process.
    Refused,
}

/// Looks at every process once; `None` when `/proc` cannot be read.
///
/// Not a picture of one moment: what begins or changes its parent meanwhile may be missed or be shown
/// with a parent that is gone. Callers look again until nothing new is found.
pub fn look() -> Option<Vec<Seen>> {
    let proc = open(c"/proc", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut all = Vec::new();
    let mut text = Vec::with_capacity(512);
    for entry in Dir::read_from(&proc).ok()? {
        let Some(pid) = entry.ok().and_then(|entry| number(entry.file_name())) else {
            continue;
        };
        all.extend(stat(&proc, pid, &mut text));
    }
    (!all.is_empty()).then_some(all)
}

/// One process as it is now, if it is alive.
fn see(pid: i32) -> Option<Seen> {
    let proc = open(c"/proc", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    stat(&proc, pid, &mut Vec::new())
}

fn stat(proc: &OwnedFd, pid: i32, text: &mut Vec<u8>) -> Option<Seen> {
    text.clear();
    let file = openat(
        proc,
        format!("{pid}/stat"),
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    std::fs::File::from(file.ok()?).read_to_end(text).ok()?;
    parse(pid, text)
}

/// Reads `pid (name) state parent group session …`; the name may hold anything.
fn parse(pid: i32, stat: &[u8]) -> Option<Seen> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let (parent, group, session) = (
        fields.next()?.parse().ok()?,
        fields.next()?.parse().ok()?,
        fields.next()?.parse().ok()?,
    );
    let threads: u32 = fields.nth(13)?.parse().ok()?;
    let start = fields.nth(1)?.parse().ok()?;
    // A process whose first thread ended looks dead while others run.
    let dead = matches!(state, "Z" | "X" | "x") && threads <= 1;
    (!dead).then_some(Seen {
        pid,
        parent,
        group,
        session,
        start,
    })
}

/// Sends `signal` to exactly the process that was seen.
pub fn signal(seen: &Seen, signal: Signal) -> Delivery {
    let Some(pid) = Pid::from_raw(seen.pid) else {
        return Delivery::Gone;
    };
    // Where the kernel has them, a descriptor holds the process between the look and the signal.
    let held = pidfd_open(pid, PidfdFlags::empty());
    if see(seen.pid).is_none_or(|now| now.start != seen.start) {
        return Delivery::Gone;
    }
    let sent = match &held {
        Ok(held) => pidfd_send_signal(held, signal),
        Err(_) => kill_process(pid, signal),
    };
    match sent {
        Ok(()) => Delivery::Delivered,
        Err(Errno::PERM) => Delivery::Refused,
        Err(_) => Delivery::Gone,
    }
}

/// The value of the variable `name` in a process's first environment, if that may be read.
pub fn variable(pid: i32, name: &str) -> Option<Vec<u8>> {
    let environment = (0..LOOKS).find_map(|_| environment(pid).filter(|text| !text.is_empty()))?;
    let mut pairs = environment.split(|byte| *byte == 0);
    pairs.find_map(|pair| {
        Some(
            pair.strip_prefix(name.as_bytes())?
                .strip_prefix(b"=")?
                .into(),
        )
    })
}

fn environment(pid: i32) -> Option<Vec<u8>> {
    let file = std::fs::File::open(format!("/proc/{pid}/environ")).ok()?;
    let mut environment = Vec::new();
    file.take(MAX_ENVIRONMENT)
        .read_to_end(&mut environment)
        .ok()?;
    Some(environment)
}

/// The real user of a process.
pub fn user(pid: i32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Our children by number, where the kernel lists them; dead ones that wait to be reaped included. It does
/// so by the thread that started them.
pub fn children() -> Option<Vec<i32>> {
    let mut children = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let list = std::fs::read_to_string(thread.ok()?.path().join("children")).ok()?;
        for pid in list.split_ascii_whitespace() {
            children.push(pid.parse().ok()?);
        }
    }
    Some(children)
}

/// The moment `age` ago as processes' starts are counted; a little earlier, never later.
pub fn ticks_before_now(age: Duration) -> Option<u64> {
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
    let began = (seconds - age.as_secs_f64()) * TICKS_PER_SECOND - 2.0;
    Some(began.max(0.0) as u64)
}

fn number(name: &CStr) -> Option<i32> {
    name.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let stat = b"7 (a) S 1 (\xff) R 2 3 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 99 0";
        let seen = Seen {
            pid: 7,
            parent: 2,
            group: 3,
            session: 4,
            start: 99,
        };
        assert_eq!(parse(7, stat), Some(seen));
    }

    #[test]
    fn a_zombie_counts_only_while_threads_run() {
        let stat =
            |threads: u32| format!("7 (a) Z 2 3 4 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 99 0");
        assert!(parse(7, stat(1).as_bytes()).is_none());
        assert!(parse(7, stat(2).as_bytes()).is_some());
    }

    #[test]
    fn this_process_is_seen_and_a_stranger_with_its_number_is_not_hit() {
        let us = std::process::id() as i32;
        let seen = look()
            .unwrap()
            .into_iter()
            .find(|seen| seen.pid == us)
            .unwrap();
        let stranger = Seen {
            start: seen.start + 1,
            ..seen
        };
        assert_eq!(signal(&stranger, Signal::KILL), Delivery::Gone);
    }
}
