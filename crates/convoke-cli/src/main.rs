//! The command line of Convoke: the only crate that knows terminal, home directory and environment.
//!
//! In reading order: what is typed ([`args`]), what it means ([`config`]), how it ends ([`exit`]), what is seen
//! ([`render`]), what will be done ([`plan`]), and the verbs that do it ([`cmd`]).

mod error;

mod args;
mod config;
mod exit;
mod render;
mod selection;

mod plan;

mod descriptors;
mod signals;
mod stdin;

mod cmd;

use std::process::ExitCode;

use tracing_subscriber::filter::LevelFilter;

use args::{Args, Refused, Verb};
use config::{Environment, Volume};
use error::Usage;

fn main() -> ExitCode {
    let code = std::panic::catch_unwind(|| match Args::parse_words(std::env::args_os()) {
        Ok(args) => carry_out(args).unwrap_or_else(|usage| refuse(&usage)),
        Err(Refused::Asked(text)) => text.print().map_or(exit::FAILED, |()| exit::OK),
        Err(Refused::Nothing(text)) => {
            // Who cannot read it cannot be told either.
            let _ = text.print();
            exit::USAGE
        }
        Err(Refused::Wrong(usage)) => refuse(&usage),
    });
    // The panic has said what it is.
    ExitCode::from(code.unwrap_or(exit::BUG))
}

fn carry_out(args: Args) -> Result<u8, Usage> {
    let here = Environment::of_this_process();
    trace(Volume::of(&args.talk));
    match args.verb {
        Verb::Run(run) => cmd::run::run(config::Run::new(*run, &args.talk, &here)?),
        Verb::Hosts(hosts) => cmd::hosts::run(&config::Hosts::new(hosts)),
    }
}

fn refuse(usage: &Usage) -> u8 {
    eprint!("{}", usage.text());
    exit::USAGE
}

/// Lets the library say on stderr what it does.
fn trace(volume: Volume) {
    let level = match volume {
        Volume::Quiet | Volume::Normal => return,
        Volume::Verbose => LevelFilter::INFO,
        Volume::Trace => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .init();
}
