//! A session of its own for a child: the one call here that the standard library has no word for.
#![allow(unsafe_code)]

use tokio::process::Command;

/// Lets the child of `command` begin a session of its own, without a controlling terminal and as the
/// leader of its process group.
///
/// It can then neither read from our terminal nor be reached by its keys.
pub(super) fn own(command: &mut Command) -> &mut Command {
    // SAFETY: between fork and exec only one system call is made, which allocates nothing and takes
    // no lock, so it does not matter what other threads of ours were doing.
    unsafe { command.pre_exec(|| Ok(rustix::process::setsid().map(drop)?)) }
}
