//! 500 MB through one link, down and up, beside `ssh` with its fastest cipher.

use std::io;

use convoke_testkit::fleet::Fleet;

use crate::measure::{self, Run, Tools, alternate, mb, ms, remark, shell, speed};

const ROUNDS: usize = 5;

/// How much, in bytes.
const MUCH: usize = 500_000_000;

/// Whole processes in turn.
pub(crate) fn run(tools: &Tools) -> io::Result<()> {
    let fleet = Fleet::start();
    let (config, host) = (fleet.ssh_config(), fleet.address(1));
    let convoke = format!(
        "{} run -q -F {} ",
        tools.convoke.display(),
        config.display()
    );
    let ssh = format!(
        "ssh -F {} -c aes128-gcm@openssh.com {host}",
        config.display()
    );
    let source = format!("head -c {MUCH} /dev/zero");
    for (name, ours, theirs) in [
        (
            "down",
            format!("{convoke} {host} -- {source}"),
            format!("{ssh} '{source}'"),
        ),
        (
            "up",
            format!("{source} | {convoke} --stdin {host} --sh 'cat >/dev/null'"),
            format!("{source} | {ssh} 'cat >/dev/null'"),
        ),
    ] {
        let (ours, theirs) = alternate(
            ROUNDS,
            || measure::run(&mut shell(&ours)),
            || measure::run(&mut shell(&theirs)),
        )?;
        println!(
            "{name}: {:.0} MB/s beside {:.0} MB/s; ratio {:.2} (goal 0.80); cpu {:.0} ms beside {:.0} ms; controller {:.1} MB{}",
            rate(ours),
            rate(theirs),
            speed(ours, theirs),
            ms(ours.cpu),
            ms(theirs.cpu),
            mb(ours.peak),
            remark(ours),
        );
    }
    Ok(())
}

fn rate(run: Run) -> f64 {
    mb(MUCH as u64) / run.wall.as_secs_f64()
}
