//! How a tree is ended: TERM, the grace, KILL, and again until nothing is left that we may signal.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use convoke_proto::exit::{Exit, Killed, Survivor};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

use crate::errand::Errands;
use crate::register::{Census, Owner, Register};
use crate::tree::{self, Delivery, Seen};

/// How long what got a KILL may take to be gone: longer only hangs in the kernel.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often one strike looks again for processes that began meanwhile. Each look strikes everything
/// that is alive at that moment, so a tree that still grows after these only sits out the next strike.
const LOOKS: usize = 16;

/// The pause between two looks at a tree that is about to be gone. Deaths wake us; this is for what
/// began in the moment of a look.
const PAUSE: Duration = Duration::from_millis(10);

/// One tree that is being ended.
#[derive(Debug)]
pub struct Killing {
    channel: u32,
    /// The main process, which is also its group.
    main: Option<i32>,
    stage: Stage,
    kill_at: Instant,
    look_at: Instant,
    looked_at: Option<Instant>,
    /// Whether a process ended since the last look.
    stale: bool,
    struck: BTreeSet<(i32, u64)>,
    refused: BTreeSet<(i32, u64)>,
    left: Left,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Term,
    Kill,
}

/// What the last look found of a tree.
#[derive(Debug)]
enum Left {
    /// These processes.
    Seen(Vec<Seen>),
    /// `/proc` cannot be read: whether its group still exists.
    Group(bool),
}

/// How a tree ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// What it took.
    pub killed: Killed,
    /// What is left because it may not be signalled.
    pub survivors: Vec<Survivor>,
}

impl Killing {
    /// Begins to end the tree of a step. Nothing is sent before [`strike`].
    pub fn new(channel: u32, main: Option<i32>, grace: Duration, now: Instant) -> Self {
        Killing {
            channel,
            main,
            stage: Stage::Term,
            kill_at: now + grace,
            look_at: now,
            looked_at: None,
            stale: true,
            struck: BTreeSet::new(),
            refused: BTreeSet::new(),
            left: Left::Group(true),
        }
    }

    /// When to look again without being woken by a death.
    pub fn due(&self) -> Instant {
        self.look_at
    }

    /// A process ended: what the last look found no longer counts.
    pub fn look_again(&mut self, now: Instant) {
        self.stale = true;
        let soon = self.looked_at.map_or(now, |looked| now.max(looked + PAUSE));
        self.look_at = self.look_at.min(soon);
    }

    /// No process is left below us.
    pub fn nothing_left(&mut self) {
        self.stale = false;
        self.left = Left::Seen(Vec::new());
    }

    /// How the tree ended, if it has; `main_gone` says that its main process was reaped.
    pub fn ended(&self, main_gone: bool, now: Instant) -> Option<Ended> {
        let hopeless = now >= self.kill_at + PATIENCE;
        if self.stale && !hopeless {
            return None;
        }
        let left = match &self.left {
            Left::Seen(left) => left.as_slice(),
            Left::Group(true) if !hopeless => return None,
            Left::Group(_) => &[],
        };
        let gone = left.is_empty() && main_gone;
        let only_refused =
            self.stage == Stage::Kill && left.iter().all(|seen| self.refused.contains(&key(seen)));
        let over = gone || (only_refused && !left.is_empty()) || hopeless;
        over.then(|| Ended {
            killed: match self.stage {
                Stage::Term => Killed::Term,
                Stage::Kill => Killed::Kill,
            },
            survivors: left
                .iter()
                .take(Exit::MAX_SURVIVORS)
                .map(survivor)
                .collect(),
        })
    }

    /// Signals what this look found and was not signalled in this stage; returns how many there were.
    fn hit(&mut self, members: Vec<Seen>) -> usize {
        let fresh: Vec<_> = members
            .iter()
            .filter(|seen| !self.struck.contains(&key(seen)))
            .copied()
            .collect();
        if self.stage == Stage::Kill {
            // One call ends a whole group, faster than it can fork.
            for group in fresh.iter().map(|seen| seen.group).collect::<BTreeSet<_>>() {
                self.hit_group(group);
            }
        }
        for seen in &fresh {
            self.struck.insert(key(seen));
            if self.send(seen) == Delivery::Refused {
                self.refused.insert(key(seen));
            }
        }
        self.left = Left::Seen(members);
        fresh.len()
    }

    fn send(&self, seen: &Seen) -> Delivery {
        match self.stage {
            Stage::Term => {
                let delivery = tree::signal(seen, Signal::TERM);
                // What is stopped would sleep through its TERM.
                tree::signal(seen, Signal::CONT);
                delivery
            }
            Stage::Kill => tree::signal(seen, Signal::KILL),
        }
    }

    /// Kills a group that a session of this tree has to itself: that of its main process.
    fn hit_group(&self, group: i32) {
        if let Some(pid) = self
            .main
            .filter(|main| *main == group)
            .and_then(Pid::from_raw)
        {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    /// Without `/proc`: the group of the main process is all there is to see.
    fn hit_blindly(&mut self) {
        let Some(group) = self.main.and_then(Pid::from_raw) else {
            self.left = Left::Group(false);
            return;
        };
        let signals: &[Signal] = match self.stage {
            Stage::Term => &[Signal::TERM, Signal::CONT],
            Stage::Kill => &[Signal::KILL],
        };
        if self.struck.insert((group.as_raw_nonzero().get(), 0)) {
            for signal in signals {
                let _ = kill_process_group(group, *signal);
            }
        }
        self.left = Left::Group(test_kill_process_group(group).is_ok());
    }

    fn advance(&mut self, now: Instant) {
        if self.stage == Stage::Term && now >= self.kill_at {
            self.stage = Stage::Kill;
            self.struck.clear();
            self.refused.clear();
        }
        self.stale = false;
        self.looked_at = Some(now);
        self.look_at = match self.stage {
            Stage::Term => self.kill_at,
            Stage::Kill => now + PAUSE,
        };
    }

    fn owns(&self, owner: Owner, strays: bool) -> bool {
        owner == Owner::Step(self.channel) || (strays && owner == Owner::Stray)
    }
}

/// Looks at all trees that are being ended and are due, and signals what has to be signalled, until
/// nothing new is found.
///
/// Strays are hit only when every step of the register is being ended.
pub fn strike(
    register: &mut Register,
    errands: &Errands,
    killings: &mut [&mut Killing],
    now: Instant,
) {
    let ending: BTreeSet<u32> = killings.iter().map(|killing| killing.channel).collect();
    let strays = register
        .steps()
        .keys()
        .all(|channel| ending.contains(channel));
    for killing in killings.iter_mut() {
        killing.advance(now);
    }
    for _ in 0..LOOKS {
        let Some(census) = register.census(errands) else {
            killings
                .iter_mut()
                .for_each(|killing| killing.hit_blindly());
            return;
        };
        let hit: usize = killings
            .iter_mut()
            .map(|killing| {
                let members = members(&census, |owner| killing.owns(owner, strays));
                killing.hit(members)
            })
            .sum();
        if hit == 0 {
            return;
        }
    }
}

/// The processes of a census whose owner is meant.
pub fn members(census: &Census, meant: impl Fn(Owner) -> bool) -> Vec<Seen> {
    census
        .iter()
        .filter(|(owner, _)| meant(*owner))
        .map(|(_, seen)| *seen)
        .collect()
}

fn key(seen: &Seen) -> (i32, u64) {
    (seen.pid, seen.start)
}

fn survivor(seen: &Seen) -> Survivor {
    Survivor {
        pid: seen.pid as u32,
        uid: tree::user(seen.pid).unwrap_or(u32::MAX),
    }
}
