//! The processes of a fleet, found wherever they have gone.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use rustix::process::{Pid, Signal, kill_process};

use super::sshd::MARK;
use crate::leak::{command_line, environment_holds, parent, processes};

/// How the processes of one fleet are told from others.
#[derive(Debug, Clone)]
pub(super) struct Family {
    /// The watcher, whose descendants they are as long as nobody between dies.
    pub(super) watcher: u32,
    /// What their environment holds, unless they emptied it.
    pub(super) mark: String,
    /// Whether the mount namespace of the watcher is theirs alone.
    pub(super) own_namespace: bool,
}

impl Family {
    /// All of them but the watcher: the sshd, its sessions, and what those started.
    pub(super) fn members(&self) -> BTreeSet<u32> {
        let namespace = self.own_namespace.then(|| mount_namespace(self.watcher));
        let marked = |pid| match namespace {
            Some(ours) => ours.is_some() && mount_namespace(pid) == ours,
            None => environment_holds(pid, MARK, &self.mark),
        };
        let mut others: Vec<u32> = processes();
        others.retain(|pid| *pid != self.watcher && is_alive(*pid));
        let mut found = BTreeSet::new();
        loop {
            let before = found.len();
            others.retain(|pid| {
                let parent = parent(*pid);
                let is_child =
                    parent.is_some_and(|one| one == self.watcher || found.contains(&one));
                let belongs = is_child || marked(*pid);
                if belongs {
                    found.insert(*pid);
                }
                !belongs
            });
            if found.len() == before {
                return found;
            }
        }
    }

    /// The listening sshd.
    pub(super) fn listener(&self) -> Option<u32> {
        let mut sshds = self.sshds().into_iter();
        sshds.find(|pid| parent(*pid) == Some(self.watcher))
    }

    /// Every sshd: the listener, and one or two for every connection.
    pub(super) fn sshds(&self) -> Vec<u32> {
        let mut found = self.members();
        found.retain(|pid| name(*pid).is_some_and(|name| name.starts_with("sshd")));
        found.into_iter().collect()
    }

    /// The connections that have logged in.
    pub(super) fn sessions(&self) -> usize {
        let titles = self.sshds().into_iter().map(command_line);
        titles.filter(|title| title.contains('@')).count()
    }
}

/// Kills. One that is gone already is as good.
pub(super) fn kill(pid: u32) {
    let pid = Pid::from_raw(pid as i32).expect("a process has a number");
    let _ = kill_process(pid, Signal::KILL);
}

/// The device and number of its mount namespace; none for one that is gone.
fn mount_namespace(pid: u32) -> Option<(u64, u64)> {
    let namespace = fs::metadata(format!("/proc/{pid}/ns/mnt")).ok()?;
    Some((namespace.dev(), namespace.ino()))
}

fn name(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/comm")).ok()
}

fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    state.is_some_and(|state| !state.starts_with(['Z', 'X']))
}
