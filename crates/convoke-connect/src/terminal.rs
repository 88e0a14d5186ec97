//! The operator's terminal, and lending it to a program that asks for a password there.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::sys::signal::{SigSet, Signal};
use rustix::process::{Pid, getpgrp, kill_process_group};
use rustix::termios::tcsetpgrp;

/// The terminal that controls this process. Cloning shares it.
#[derive(Clone)]
pub struct Terminal {
    descriptor: Arc<OwnedFd>,
}

impl Terminal {
    /// The terminal that `descriptor` is open on; `/dev/tty`, opened, is always the right one.
    pub fn new(descriptor: OwnedFd) -> Self {
        Terminal {
            descriptor: Arc::new(descriptor),
        }
    }

    /// Gives the terminal's keys to another process group of our session until the result is dropped,
    /// as a shell does for the job in its foreground.
    ///
    /// # Errors
    /// The kernel's, such as when the terminal is not ours or the group is gone.
    pub fn lend(&self, group: i32) -> io::Result<Lent> {
        let group = Pid::from_raw(group).ok_or(io::ErrorKind::InvalidInput)?;
        give(&self.descriptor, group)?;
        // It may have asked for the terminal before it had it, and was stopped for that.
        let _ = kill_process_group(group, rustix::process::Signal::CONT);
        Ok(Lent {
            terminal: self.clone(),
        })
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").finish_non_exhaustive()
    }
}

/// The terminal while another process group has it. Dropping it takes it back.
#[derive(Debug)]
pub struct Lent {
    terminal: Terminal,
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Fails when the terminal is gone, and then there is nothing to take back.
        let _ = give(&self.terminal.descriptor, getpgrp());
    }
}

/// Sets the group in the foreground, also from the background: the signal for that is held meanwhile.
fn give(terminal: &OwnedFd, group: Pid) -> io::Result<()> {
    let mut background = SigSet::empty();
    background.add(Signal::SIGTTOU);
    let mut before = SigSet::empty();
    nix::sys::signal::pthread_sigmask(
        nix::sys::signal::SigmaskHow::SIG_BLOCK,
        Some(&background),
        Some(&mut before),
    )?;
    let given = tcsetpgrp(terminal, group);
    before.thread_set_mask()?;
    Ok(given?)
}
