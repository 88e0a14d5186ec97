//! What a test sees of the processes of this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take on a busy machine before it counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The pause between two questions; not a wait for an answer.
const PAUSE: Duration = Duration::from_millis(3);

/// The variable that marks every process of a step.
const STEP: &str = "CONVOKE_STEP";

/// Asks again until the claim is true.
pub(crate) fn eventually(claim: &str, is_true: impl FnMut() -> bool) {
    within(PATIENCE, claim, is_true);
}

/// Asks again until the claim is true, but not for longer than `limit`.
pub(crate) fn within(limit: Duration, claim: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !is_true() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {claim}");
        thread::sleep(PAUSE);
    }
}

/// Every process of this machine, dead ones that wait to be reaped among them.
pub(crate) fn all() -> Vec<i32> {
    let names = fs::read_dir("/proc").unwrap();
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok()).collect()
}

/// The fields of a process's `stat` from its state on: the name before them may hold anything.
fn stat(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

pub(crate) fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|fields| !matches!(fields[0].as_str(), "Z" | "X"))
}

pub(crate) fn parent(pid: i32) -> Option<i32> {
    stat(pid)?.get(1)?.parse().ok()
}

/// The processor time a process has used, in ticks.
pub(crate) fn ticks(pid: i32) -> u64 {
    let fields = stat(pid).unwrap_or_default();
    let field = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok());
    field(11).unwrap_or(0) + field(12).unwrap_or(0)
}

pub(crate) fn executable(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

pub(crate) fn command_line(pid: i32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = words.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    words.collect::<Vec<_>>().join(" ")
}

/// The value of a variable in a process's first environment.
pub(crate) fn variable(pid: i32, name: &str) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let mut pairs = environment.split(|byte| *byte == 0);
    pairs.find_map(|pair| {
        let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into_owned())
    })
}

pub(crate) fn is_of_a_step(pid: i32) -> bool {
    variable(pid, STEP).is_some()
}

/// Whether the program of a process lies below `directory`.
pub(crate) fn runs_from(pid: i32, directory: &Path) -> bool {
    executable(pid).is_some_and(|program| program.starts_with(directory))
}

/// The most memory a process has had resident, in KiB; `None` once it is gone.
pub(crate) fn peak_memory_kib(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Sends a signal; a process that is gone is no matter.
pub(crate) fn send(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// Waits until a process has done nothing for a while: it is blocked.
pub(crate) fn until_blocked(pid: i32) {
    const QUIET: Duration = Duration::from_millis(200);
    let mut seen = (ticks(pid), Instant::now());
    eventually("the process is blocked", || {
        let now = ticks(pid);
        if now != seen.0 {
            seen = (now, Instant::now());
        }
        seen.1.elapsed() >= QUIET
    });
}
