//! Convoke beside its peers and limits, measured in the same run.
//!
//! Machines are shared and noisy, so every figure is a ratio of medians whose runs alternate.
//! `cargo run --release -p convoke-bench -- [PART]…` runs all parts or those that are named; `CONTRIBUTING.md`
//! lists them. Peers are found by `PATH`, or where `CONVOKE_BENCH_BSSH` and `CONVOKE_BENCH_PYTHON` say.

mod fleet;
mod hosts;
mod lines;
mod link;
mod measure;
mod native;
mod operations;
mod own;
mod put;
mod ssh;
mod start;

use std::process::ExitCode;

/// A part of the benchmark by its name.
type Part = (&'static str, fn(&measure::Tools) -> std::io::Result<()>);

const PARTS: [Part; 17] = [
    ("true", link::sequential),
    ("noop", link::noop),
    ("lines", lines::run),
    ("fleet", fleet::run),
    ("hosts", hosts::run),
    ("start", start::run),
    ("ssh-true", ssh::sequential),
    ("ssh-lines", ssh::lines),
    ("ssh-start", ssh::start),
    ("ssh-fleet", ssh::hosts),
    ("native-fleet", native::fleet::run),
    ("native-start", native::start::run),
    ("native-true", native::link::run),
    ("native-bulk", native::bulk::run),
    ("native-memory", native::memory::run),
    ("operations", operations::run),
    ("put", put::run),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted == [ssh::FAR_SIDE] {
        return code(ssh::far_side());
    }
    if let [native::BARE, rest @ ..] = &*wanted.iter().map(String::as_str).collect::<Vec<_>>() {
        return code(native::bare_client(rest));
    }
    if let Some(unknown) = wanted
        .iter()
        .find(|w| PARTS.iter().all(|(name, _)| name != w))
    {
        let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        eprintln!("error: no part {unknown:?}; there are {}", names.join(", "));
        return ExitCode::from(2);
    }
    let ran = measure::Tools::find().and_then(|tools| {
        PARTS
            .iter()
            .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| w == name))
            .try_for_each(|(name, part)| {
                println!("\n## {name}");
                part(&tools)
            })
    });
    code(ran)
}

fn code(ran: std::io::Result<()>) -> ExitCode {
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
