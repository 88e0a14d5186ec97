//! After the link: reads on what released processes write, so that their next write does not end them.
//!
//! A daemon that kept the stdout of its step dies of SIGPIPE once nobody reads it. The worker therefore
//! outlives its link for as long as somebody holds such a pipe, with nothing else left of it.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::process::setsid;

use crate::errand::Errands;
use crate::signals::Signals;

/// How long nothing is read after something was: nobody waits for what is thrown away, and a daemon that
/// floods its stdout must not cost a processor twice.
pub(super) const REST: Duration = Duration::from_millis(20);

/// How many reads one pipe gets before signals and others have their turn: a pipe of the largest size
/// that users may set.
const TURN: usize = 16;

/// Throws away what comes out of `pipes` until nobody can write to them any more, or a signal asks for the
/// end.
pub(super) fn linger(
    mut pipes: Vec<OwnedFd>,
    signals: &Signals,
    errands: &Errands,
    spare: &mut [u8],
) {
    if pipes.is_empty() {
        return;
    }
    // Whoever ends the group of the link does not mean us any more. It fails when we lead one already.
    let _ = setsid();
    // A login waits for whoever holds its stderr.
    let _ = super::let_go_of_standard_descriptors();
    while !pipes.is_empty() {
        if wait_for(&pipes, signals, errands, None) {
            return;
        }
        pipes.retain(|pipe| !is_over(pipe, spare));
        if wait_for(&[], signals, errands, Some(REST)) {
            return;
        }
    }
}

/// Waits for bytes or signals; whether a signal asks for the end.
fn wait_for(
    pipes: &[OwnedFd],
    signals: &Signals,
    errands: &Errands,
    limit: Option<Duration>,
) -> bool {
    let fds = pipes.iter().chain([signals.fd()]);
    let mut polled: Vec<_> = fds.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    // An interrupted wait is begun again by the caller.
    let _ = poll(&mut polled, limit.as_ref());
    let arrived = signals.take();
    if arrived.child {
        // A thread may still wait for an errand, and must not take its number for alive.
        while let Ok(Some(_)) = errands.reap() {}
    }
    arrived.end
}

/// Throws away what is in a pipe; whether nobody can write to it any more.
pub(super) fn is_over(pipe: &OwnedFd, spare: &mut [u8]) -> bool {
    for _ in 0..TURN {
        match read(pipe, &mut *spare) {
            Ok(0) => return true,
            Ok(count) if count == spare.len() => {}
            Ok(_) | Err(Errno::AGAIN) => return false,
            Err(Errno::INTR) => {}
            Err(_) => return true,
        }
    }
    false
}
