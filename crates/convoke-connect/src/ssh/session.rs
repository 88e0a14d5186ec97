//! Starting programs in a session of their own: no key of our terminal reaches them, and they cannot
//! read from it.
//!
//! The standard library has no word for that, except a call between fork and exec; but a fork copies
//! our page tables, which took 5 to 16 ms at 60 MB where a start without one took 1.7 ms. So the
//! `setsid` program does it where there is one.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::surroundings::Surroundings;

/// Begins a session and becomes another program, under the same number: util-linux and busybox.
const SETSID: &str = "setsid";

/// Where programs are when there is no PATH.
const PATH: &str = "/usr/bin:/bin";

/// Whose session a program runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Session {
    /// Its own, as the leader of its process group.
    Own,
    /// Ours, also as the leader of its process group.
    Ours,
}

/// A command that runs `program` with the environment of `surroundings`.
pub(crate) fn command(program: &Path, session: Session, surroundings: &Surroundings) -> Command {
    let found = look_up(SETSID, surroundings).zip(look_up(program, surroundings));
    let mut command = match (session, found) {
        (Session::Own, Some((setsid, program))) => {
            let mut command = Command::new(setsid);
            command.arg(program);
            command
        }
        (Session::Own, None) => begin(Command::new(program)),
        (Session::Ours, _) => {
            let mut command = Command::new(program);
            command.process_group(0);
            command
        }
    };
    command
        .env_clear()
        .envs(surroundings.environment.iter().map(|(k, v)| (k, v)));
    command
}

/// Lets the child begin a session itself.
fn begin(mut command: Command) -> Command {
    // SAFETY: between fork and exec only one system call is made, which allocates nothing and takes
    // no lock, so it does not matter what other threads of ours were doing.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::setsid().map(drop)?));
    }
    command
}

/// Finds a program as a shell does; one with a slash in its name is where it says.
fn look_up(program: impl AsRef<Path>, surroundings: &Surroundings) -> Option<PathBuf> {
    let path = surroundings.variable("PATH").unwrap_or(OsStr::new(PATH));
    let program = program.as_ref();
    if program.as_os_str().as_encoded_bytes().contains(&b'/') {
        return is_program(program).then(|| program.to_owned());
    }
    let mut places = std::env::split_paths(path).map(|place| place.join(program));
    places.find(|place| is_program(place))
}

fn is_program(path: &Path) -> bool {
    let found = path.metadata();
    found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
