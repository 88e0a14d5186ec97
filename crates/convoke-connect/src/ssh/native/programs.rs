//! The programs that lead to servers: none of them outlives the run.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use tokio::process::{Child, Command};

use crate::start::start;

/// How long a program may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(1);

/// How often it is looked for meanwhile, at the end of all.
const PAUSE: Duration = Duration::from_millis(2);

/// All programs of a run that may still be there.
#[derive(Debug, Default)]
pub(super) struct Programs(Mutex<Running>);

#[derive(Debug, Default)]
struct Running {
    /// Each leads a process group, and nobody has waited for it: the numbers are still theirs.
    leaders: Vec<Pid>,
    /// No more are started.
    is_over: bool,
}

/// A program that leads a process group. Dropping it kills all of that.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) child: Child,
    leader: Pid,
    programs: Arc<Programs>,
}

impl Programs {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts `command`, which becomes the leader of a process group.
    pub(super) fn start(self: &Arc<Self>, command: &mut Command) -> io::Result<Program> {
        // Held until it is noted, so that none escapes its end.
        let mut running = self.running();
        if running.is_over {
            return Err(io::Error::other("the run is over"));
        }
        let child = start(command, SigSet::empty())?;
        let leader = child.id().and_then(|id| Pid::from_raw(id as i32));
        let leader = leader.ok_or_else(|| io::Error::other("it has no number"))?;
        running.leaders.push(leader);
        Ok(Program {
            child,
            leader,
            programs: Arc::clone(self),
        })
    }

    /// Ends all of them with their process groups, and starts no more. Blocks until they have ended, for a
    /// second at most.
    pub(super) fn end(&self) {
        // Held until the end: nobody may wait for one of them meanwhile.
        let mut running = self.running();
        running.is_over = true;
        let leaders = std::mem::take(&mut running.leaders);
        leaders
            .iter()
            .for_each(|leader| send(*leader, Signal::TERM));
        let deadline = Instant::now() + GRACE;
        while !leaders.iter().all(|leader| has_ended(*leader)) && Instant::now() < deadline {
            thread::sleep(PAUSE);
        }
        leaders
            .iter()
            .for_each(|leader| send(*leader, Signal::KILL));
    }

    /// Kills what is left of a program, unless that was done.
    fn kill(&self, leader: Pid) {
        let mut running = self.running();
        if let Some(at) = running.leaders.iter().position(|one| *one == leader) {
            running.leaders.swap_remove(at);
            send(leader, Signal::KILL);
        }
    }
}

impl Program {
    /// Tells it to end, and sees to that. Nobody needs to wait for it.
    pub(super) fn end(self) {
        send(self.leader, Signal::TERM);
        // Without a runtime it is killed at once, and when the runtime ends before.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.see_off());
        }
    }

    async fn see_off(mut self) {
        tokio::time::sleep(GRACE).await;
        self.programs.kill(self.leader);
        let _ = self.child.wait().await;
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.programs.kill(self.leader);
    }
}

/// Sends a signal to the process group of a program that nobody has waited for.
fn send(leader: Pid, signal: Signal) {
    // A program that is about to begin its session has no group yet. Other errors mean that nobody is
    // there any more.
    if kill_process_group(leader, signal) == Err(Errno::SRCH) {
        let _ = kill_process(leader, signal);
    }
}

/// Whether a program has ended; nobody has waited for it afterwards either.
fn has_ended(leader: Pid) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(leader), look), Ok(None))
}
