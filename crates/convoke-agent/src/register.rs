//! Which steps run, and which process belongs to which.
//!
//! The worker keeps one, changed by [`Record`]s, and enters each of them in the ledger, out of which the
//! guard makes its own.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use convoke_proto::hello::LinkId;

use crate::errand::Errands;
use crate::order::MARK;
use crate::tree::{self, Seen};

/// One change of the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// The link has a name.
    Link(LinkId),
    /// A step is about to start; its processes will carry its mark.
    Begin {
        /// Its channel.
        channel: u32,
        /// From TERM to KILL, in milliseconds.
        grace_ms: u32,
    },
    /// Its main process runs.
    Running {
        /// Its channel.
        channel: u32,
        /// The main process, and its session and group.
        pid: i32,
    },
    /// Its main process was reaped: its number may soon be somebody else's.
    Reaped {
        /// Its channel.
        channel: u32,
    },
    /// Its main process ended by itself: what it left is no longer ours.
    Released {
        /// Its channel.
        channel: u32,
    },
    /// A process that a step left running.
    Spared {
        /// Its number.
        pid: i32,
        /// Its session.
        session: i32,
        /// When it began.
        start: u64,
    },
    /// The step is over.
    End {
        /// Its channel.
        channel: u32,
    },
    /// The link is over, and nothing is left to do for the guard.
    Goodbye(Goodbye),
}

/// How the worker took its leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goodbye {
    /// Whether the link was closed in good order.
    pub in_good_order: bool,
    /// Whether the worker lives on, to read what released processes write.
    pub lingers: bool,
}

/// Whose a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// That of the step on this channel.
    Step(u32),
    /// Nobody's any more; never signalled.
    Released,
    /// Nobody knows: it left its session and its environment behind.
    Stray,
}

/// Every descendant of this process, and whose it is.
pub type Census = Vec<(Owner, Seen)>;

/// The running steps, and the processes that earlier ones left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Register {
    link: Option<LinkId>,
    steps: BTreeMap<u32, Step>,
    spared: BTreeSet<(i32, u64)>,
    spared_sessions: BTreeSet<i32>,
}

/// A step between its `Begin` and its `End`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The main process, once it runs; also the number of its session and group, which nobody else gets
    /// while those have members.
    pub main: Option<i32>,
    /// Whether the main process was reaped.
    pub reaped: bool,
    /// From TERM to KILL.
    pub grace: Duration,
    /// Whether its main process ended by itself.
    pub released: bool,
}

impl Register {
    /// Takes a change.
    pub fn apply(&mut self, record: Record) {
        match record {
            Record::Link(link) => self.link = Some(link),
            Record::Begin { channel, grace_ms } => {
                let grace = Duration::from_millis(grace_ms.into());
                self.steps.insert(
                    channel,
                    Step {
                        main: None,
                        reaped: false,
                        grace,
                        released: false,
                    },
                );
            }
            Record::Running { channel, pid } => {
                // Whoever had this number before has no session left that it could name.
                let before = self
                    .steps
                    .values_mut()
                    .filter(|step| step.main == Some(pid));
                before.for_each(|step| step.main = None);
                self.change(channel, |step| step.main = Some(pid));
            }
            Record::Reaped { channel } => self.change(channel, |step| step.reaped = true),
            Record::Released { channel } => self.change(channel, |step| step.released = true),
            Record::Spared {
                pid,
                session,
                start,
            } => {
                self.spared.insert((pid, start));
                self.spared_sessions.insert(session);
            }
            Record::End { channel } => {
                self.steps.remove(&channel);
            }
            Record::Goodbye(_) => self.steps.clear(),
        }
    }

    /// Notes that a process was reaped, whichever it was.
    pub fn reaped(&mut self, pid: i32) {
        let mains = self
            .steps
            .values_mut()
            .filter(|step| step.main == Some(pid));
        mains.for_each(|step| step.reaped = true);
    }

    fn change(&mut self, channel: u32, change: impl FnOnce(&mut Step)) {
        if let Some(step) = self.steps.get_mut(&channel) {
            change(step);
        }
    }

    /// The steps by channel.
    pub fn steps(&self) -> &BTreeMap<u32, Step> {
        &self.steps
    }

    /// Whether this process was left running by an earlier step.
    pub fn is_spared(&self, pid: i32, start: u64) -> bool {
        self.spared.contains(&(pid, start))
    }

    /// Finds every descendant of this process; `None` when `/proc` cannot be read.
    ///
    /// Everything that a step starts stays below us whatever it does to its session, its parents or
    /// its environment, as we are the reaper of orphans.
    /// Programs that the agent runs for itself are not among them.
    pub fn census(&mut self, errands: &Errands) -> Option<Census> {
        let apart = errands.known();
        let all = tree::look()?;
        let us = rustix::process::getpid().as_raw_nonzero().get();
        let mut by_parent: BTreeMap<i32, Vec<Seen>> = BTreeMap::new();
        for seen in &all {
            by_parent.entry(seen.parent).or_default().push(*seen);
        }
        self.forget_gone(&all);
        let mut census = Census::new();
        let children = by_parent.remove(&us).unwrap_or_default();
        let mut open: Vec<_> = children
            .into_iter()
            .filter(|child| !apart.contains(child.pid))
            .map(|child| (self.owner(&child), child))
            .collect();
        while let Some((owner, seen)) = open.pop() {
            let below = by_parent.remove(&seen.pid).unwrap_or_default();
            open.extend(below.into_iter().map(|child| (owner, child)));
            census.push((owner, seen));
        }
        Some(census)
    }

    /// Whose a direct child of this process is: a main process, or an orphan.
    fn owner(&self, child: &Seen) -> Owner {
        let by_main = |pid| self.steps.iter().find(|(_, step)| step.main == Some(pid));
        if let Some((channel, _)) = by_main(child.pid).filter(|(_, step)| !step.reaped) {
            return Owner::Step(*channel);
        }
        if self.is_spared(child.pid, child.start) {
            return Owner::Released;
        }
        if let Some((channel, _)) = by_main(child.session) {
            return Owner::Step(*channel);
        }
        if self.spared_sessions.contains(&child.session) {
            return Owner::Released;
        }
        match tree::variable(child.pid, MARK) {
            // Of a child that is half born the kernel shows our own environment still.
            Some(mark) if !is_our_own(&mark) => self.owner_by_mark(&mark),
            _ => Owner::Stray,
        }
    }

    /// A mark of ours whose step is over was left behind; one of another link has an agent of its own.
    fn owner_by_mark(&self, mark: &[u8]) -> Owner {
        let ours = self.link.map(|link| format!("{link}.")).unwrap_or_default();
        let channel = mark.strip_prefix(ours.as_bytes());
        let channel = channel.and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        match channel {
            Some(channel) if self.steps.contains_key(&channel) => Owner::Step(channel),
            _ => Owner::Released,
        }
    }

    fn forget_gone(&mut self, all: &[Seen]) {
        if self.spared.is_empty() && self.spared_sessions.is_empty() {
            return;
        }
        let alive: BTreeSet<_> = all.iter().map(|seen| (seen.pid, seen.start)).collect();
        let sessions: BTreeSet<_> = all.iter().map(|seen| seen.session).collect();
        self.spared.retain(|spared| alive.contains(spared));
        self.spared_sessions
            .retain(|session| sessions.contains(session));
    }
}

/// Whether this is the mark of the step, of another link, that this process is.
fn is_our_own(mark: &[u8]) -> bool {
    std::env::var_os(MARK).is_some_and(|own| own.as_bytes() == mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_of_a_finished_step_or_another_link_is_nobodys() {
        let mut register = Register::default();
        register.apply(Record::Link(LinkId([0xab; 16])));
        register.apply(Record::Begin {
            channel: 4,
            grace_ms: 0,
        });
        let link = "ab".repeat(16);
        let other = "cd".repeat(16);
        assert_eq!(
            register.owner_by_mark(format!("{link}.4").as_bytes()),
            Owner::Step(4)
        );
        assert_eq!(
            register.owner_by_mark(format!("{link}.3").as_bytes()),
            Owner::Released
        );
        assert_eq!(
            register.owner_by_mark(format!("{other}.4").as_bytes()),
            Owner::Released
        );
    }
}
