//! Expanding and folding host lists, beside `nodeset`.

use std::io;

use crate::measure::{self, Tools, alternate, ms, remark, shell};

const ROUNDS: usize = 5;

/// Whole processes: `convoke hosts` and the `nodeset` of ClusterShell.
pub(crate) fn run(tools: &Tools) -> io::Result<()> {
    let has_peer = measure::run(&mut shell("command -v nodeset"))?.ok;
    if !has_peer {
        println!("nodeset is missing: pip install ClusterShell; measuring ours alone");
    }
    for (name, option, peer) in [("expand", None, "-e"), ("fold", Some("--fold"), "-f")] {
        for count in [1_000, 10_000, 100_000] {
            let range = format!("n[1-{count}]");
            let arguments: Vec<&str> = ["hosts"]
                .into_iter()
                .chain(option)
                .chain([&*range])
                .collect();
            let line = match has_peer {
                true => format!("nodeset {peer} '{range}'"),
                false => "true".to_owned(),
            };
            let (ours, theirs) = alternate(
                ROUNDS,
                || measure::run(&mut tools.convoke(&arguments)),
                || measure::run(&mut shell(&line)),
            )?;
            println!(
                "{name} {range}: {:.1} ms{}; nodeset: {:.1} ms; {:.0} times faster (goal 50)",
                ms(ours.wall),
                remark(ours),
                ms(theirs.wall),
                measure::speed(ours, theirs),
            );
        }
    }
    Ok(())
}
