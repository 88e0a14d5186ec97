//! One host, with its agent in the cache, beside `ssh` as everybody has it.

use std::io;
use std::process::Stdio;

use convoke_testkit::fleet::Fleet;

use crate::measure::{self, Tools, alternate, ms, remark};
use crate::ssh::convoke;

const ROUNDS: usize = 21;

/// Whole processes in turn, from start to exit.
pub(crate) fn run(tools: &Tools) -> io::Result<()> {
    // Both ends negotiate what OpenSSH prefers.
    let fleet = Fleet::builder()
        .option("KexAlgorithms +curve25519-sha256")
        .start();
    let host = fleet.address(1).to_string();
    let (ours, theirs) = alternate(
        ROUNDS,
        || measure::run(&mut convoke(tools, &fleet, &host, &["true"])),
        || {
            let mut ssh = fleet.ssh(&host);
            measure::run(ssh.arg("true").stdin(Stdio::null()))
        },
    )?;
    println!(
        "convoke run HOST true: {:.1} ms beside ssh HOST true: {:.1} ms; {:.2} of it (goal 0.50); cpu {:.1} ms beside {:.1} ms (goal: no more){}",
        ms(ours.wall),
        ms(theirs.wall),
        ours.wall.as_secs_f64() / theirs.wall.as_secs_f64(),
        ms(ours.cpu),
        ms(theirs.cpu),
        remark(ours),
    );
    Ok(())
}
