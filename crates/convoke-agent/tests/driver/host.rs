//! What a test sees of the host's processes.

use std::time::{Duration, Instant};

use convoke_proto::hello::LinkId;
use rustix::process::{Pid, Signal, kill_process};

use super::DEADLINE;

/// Asks again until the claim is true.
pub fn eventually(claim: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_true() {
        assert!(Instant::now() < deadline, "not in time: {claim}");
        std::thread::sleep(Duration::from_millis(2)); // A pause between two questions, not a wait for an answer.
    }
}

/// The state letter, parent and group of a process.
pub fn stat(pid: i32) -> Option<(char, i32, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((
        state,
        fields.next()?.parse().ok()?,
        fields.next()?.parse().ok()?,
    ))
}

pub fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, ..)| !matches!(state, 'Z' | 'X'))
}

pub fn all_processes() -> Vec<i32> {
    let names = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok()).collect()
}

pub fn children_of(pid: i32) -> Vec<i32> {
    all_processes()
        .into_iter()
        .filter(|child| stat(*child).is_some_and(|(_, parent, _)| parent == pid))
        .collect()
}

/// Every live process with the mark of this link.
pub fn marked(link: LinkId) -> Vec<i32> {
    let mark = format!("CONVOKE_STEP={link}.");
    let carries = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|pair| pair.starts_with(mark.as_bytes()))
    };
    all_processes()
        .into_iter()
        .filter(carries)
        .filter(|pid| is_alive(*pid))
        .collect()
}

pub fn assert_no_process_of(link: LinkId) {
    assert_eq!(marked(link), [], "processes of the link are left");
}

pub fn kill(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

/// A process that a test wants to end with the test whatever happens.
pub struct Doomed(pub i32);

impl Drop for Doomed {
    fn drop(&mut self) {
        kill(self.0, Signal::KILL);
    }
}
