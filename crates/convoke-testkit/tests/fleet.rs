//! A fleet is what it says: tried with the system's own `ssh`.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

#[path = "fleet/dead_ends.rs"]
mod dead_ends;
#[path = "fleet/hosts.rs"]
mod hosts;
#[path = "fleet/keys.rs"]
mod keys;
#[path = "fleet/life.rs"]
mod life;
#[path = "fleet/login.rs"]
mod login;
#[path = "fleet/proxies.rs"]
mod proxies;

use std::process::{Command, Output, Stdio};

use convoke_testkit::fleet::{Builder, Fleet};

/// Runs a client to its end, without our input.
pub(crate) fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap()
}

/// What a client that succeeds says.
pub(crate) fn said(command: &mut Command) -> String {
    let output = run(command);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The fleet, or why the test is skipped.
pub(crate) fn available(builder: Builder) -> Option<Fleet> {
    match builder.try_start() {
        Ok(fleet) => Some(fleet),
        Err(unavailable) => {
            println!("skipped 1: {unavailable}");
            None
        }
    }
}
