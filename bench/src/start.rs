//! From the start of `convoke run local: -- true` to its exit, with the agent in the cache.

use std::io;

use crate::measure::{self, Tools, alternate, ms, remark, shell};

const ROUNDS: usize = 15;

/// Whole process, beside a shell that does the same.
pub(crate) fn run(tools: &Tools) -> io::Result<()> {
    let (ours, theirs) = alternate(
        ROUNDS,
        || measure::run(&mut tools.convoke(&["run", "local:", "--", "true"])),
        || measure::run(&mut shell("sh -c true")),
    )?;
    println!(
        "convoke run local: -- true: {:.1} ms{} (goal 25); sh -c 'sh -c true': {:.1} ms",
        ms(ours.wall),
        remark(ours),
        ms(theirs.wall),
    );
    Ok(())
}
