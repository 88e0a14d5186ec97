//! An agent whose guard does not get to do anything once it has forked.
//!
//! A tracer is told of the fork before either process goes on, so this is no matter of chance.
//!
//! `unsafe` because `ptrace` has no safe door: every call here passes plain numbers, or the address of a local.
#![allow(unsafe_code)]

use std::os::unix::process::CommandExt;
use std::ptr::null_mut;

use rustix::process::{Pid, WaitOptions, waitpid};

use super::{Agent, agent_command};

/// The original process, which sleeps until it is released.
pub struct Held(i32);

impl Held {
    /// Lets it go on. Only on the thread that has started it.
    pub fn release(self) {
        detach(self.0);
    }
}

/// An agent with a worker that is at work, and a guard that has not even been told that there is one.
pub fn agent_with_held_guard() -> (Agent, Held) {
    let mut command = agent_command();
    // SAFETY: makes one system call, which allocates nothing.
    unsafe {
        command.pre_exec(|| {
            trace(libc::PTRACE_TRACEME, 0, 0);
            Ok(())
        });
    }
    let mut agent = Agent::silent(command);
    let guard = agent.guard();
    assert_eq!(stopped_by(guard), libc::SIGTRAP);
    let options = libc::PTRACE_O_TRACEFORK | libc::PTRACE_O_EXITKILL;
    trace(libc::PTRACE_SETOPTIONS, guard, options as usize);
    trace(libc::PTRACE_CONT, guard, 0);
    assert_eq!(stopped_by(guard), libc::SIGTRAP);
    let mut worker: libc::c_ulong = 0;
    trace(libc::PTRACE_GETEVENTMSG, guard, &raw mut worker as usize);
    agent.worker = worker as i32;
    assert_eq!(stopped_by(agent.worker), libc::SIGSTOP);
    detach(agent.worker);
    agent.greet();
    (agent, Held(guard))
}

/// Waits until a process stands still; by which signal.
fn stopped_by(pid: i32) -> i32 {
    let waited = waitpid(Pid::from_raw(pid), WaitOptions::UNTRACED);
    let (_, status) = waited.unwrap().unwrap();
    status.stopping_signal().unwrap()
}

fn detach(pid: i32) {
    trace(libc::PTRACE_DETACH, pid, 0);
}

fn trace(request: libc::c_uint, pid: i32, data: usize) {
    // SAFETY: the kernel writes to `data` only for a request that is given the address of a local.
    let done = unsafe { libc::ptrace(request, pid, null_mut::<u8>(), data) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}
