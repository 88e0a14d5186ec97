//! 500 local hosts, one line each, beside `xargs -P 64 sh -c`.

use std::io;

use crate::measure::{self, Tools, alternate, mb, ms, remark, shell};

const ROUNDS: usize = 3;
const HOSTS: u32 = 500;

/// CPU and wall per host, and the controller's memory.
pub(crate) fn run(tools: &Tools) -> io::Result<()> {
    let hosts = format!("local:n[1-{HOSTS}]");
    let peer = format!("seq {HOSTS} | xargs -P 64 -I % sh -c 'echo %'");
    let (ours, theirs) = alternate(
        ROUNDS,
        || measure::run(&mut tools.convoke(&["run", "-q", &hosts, "echo", "ok"])),
        || measure::run(&mut shell(&peer)),
    )?;
    for (name, run) in [("convoke", ours), ("xargs -P 64 sh -c", theirs)] {
        println!(
            "{name}: {HOSTS} hosts in {:.0} ms; a host: {:.2} ms wall, {:.2} ms cpu; largest process {:.1} MB{}",
            ms(run.wall),
            ms(run.wall) / f64::from(HOSTS),
            ms(run.cpu) / f64::from(HOSTS),
            mb(run.peak),
            remark(run),
        );
    }
    println!(
        "(goal: controller 60 MB; a host of ours is a shell, a bootstrap and an agent of its own)"
    );
    Ok(())
}
