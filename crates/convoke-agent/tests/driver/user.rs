//! Processes that run as somebody else, and name services that take their time.

use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use convoke_proto::command::Start;

use super::{Agent, agent_command, host};

/// The account that every system has and that owns nothing.
pub const NOBODY: &str = "nobody";

/// The same process as this user.
pub fn as_user(user: &str, start: Start) -> Start {
    Start {
        user: Some(user.into()),
        ..start
    }
}

/// An agent whose `getent` is this line of `sh`.
pub fn agent_with_getent(place: &Path, line: &str) -> Agent {
    let getent = place.join("getent");
    fs::write(&getent, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(&getent, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = agent_command();
    command.env("PATH", format!("{}:/usr/bin:/bin", place.display()));
    Agent::run(command)
}

/// The number of `nobody`.
fn nobody() -> u32 {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let entry = passwd.lines().find(|line| line.starts_with("nobody:"));
    entry.unwrap().split(':').nth(2).unwrap().parse().unwrap()
}

/// A start that takes its time between becoming `nobody` and failing to find a program.
pub fn slow_start() -> Start {
    let path = "x:".repeat(400_000);
    let start = Start {
        env: vec![("PATH".into(), path.into())],
        cwd: Some("/".into()),
        ..Start::new(["no-such-program"])
    };
    as_user(NOBODY, start)
}

/// Stops the child of the worker that is `nobody` already, as that user could.
pub fn stop_half_born(agent: &Agent) -> i32 {
    let mut found = 0;
    host::eventually("a child is somebody else", || {
        let is_theirs = |pid: &i32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            status.contains(&format!("Uid:\t{}", nobody()))
        };
        found = *host::children_of(agent.worker)
            .iter()
            .find(|pid| is_theirs(pid))
            .unwrap_or(&0);
        found != 0
    });
    host::kill(found, rustix::process::Signal::STOP);
    host::eventually("it is stopped", || {
        host::stat(found).is_some_and(|(state, ..)| state == 'T')
    });
    found
}

/// The same command with a session keyring of this name, as a login has one.
#[allow(unsafe_code)] // The kernel's keys have no safe door.
pub fn with_session_keyring(mut command: Command, name: &'static CStr) -> Command {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    let join = move || {
        // SAFETY: passes a text that lives for ever; allocates nothing.
        match unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, name.as_ptr()) } {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(()),
        }
    };
    // SAFETY: `join` makes one system call.
    unsafe { command.pre_exec(join) };
    command
}
