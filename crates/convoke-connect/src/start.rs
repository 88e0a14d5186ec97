//! Starting programs that do not inherit which signals we hold back.
//!
//! The standard library lets a child inherit the mask of the thread that starts it, and ours may hold
//! back Ctrl-Z in all threads to tidy up first. A child with that would never stop.

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow};
use tokio::process::{Child, Command};

/// Starts a program that holds back `held` and nothing else.
///
/// The calling thread does the same for as long as that takes, so a signal that it usually leaves to
/// another may act on it meanwhile.
pub(crate) fn start(command: &mut Command, held: SigSet) -> io::Result<Child> {
    let before = held.thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let child = command.spawn();
    before.thread_set_mask()?;
    child
}
