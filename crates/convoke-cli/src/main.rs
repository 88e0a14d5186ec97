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

mod operator;

mod descriptors;
mod signals;
mod stdin;
mod trace;

mod cmd;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{Args, Refused, Verb};
use cmd::inquiry::run as ask;
use config::{Environment, Inquiry, Volume};
use error::Usage;
use exit::Stop;
use render::floor::Floor;

fn main() -> ExitCode {
    let code = std::panic::catch_unwind(|| begin(std::env::args_os().collect()));
    // The panic has said what it is.
    ExitCode::from(code.unwrap_or(exit::BUG))
}

fn begin(words: Vec<OsString>) -> u8 {
    signals::outlive_file_limits();
    let here = Environment::of_this_process();
    let color = args::color_of(&words);
    match Args::parse_words(words) {
        Err(Refused::Wrong(usage)) => refuse(&usage),
        Err(Refused::Nothing(text)) => {
            cmd::say(&args::help(&text, here.stderr(color).is_coloured));
            exit::USAGE
        }
        // Nothing is begun whose output nobody can read.
        _ if here.is_stdout_closed => Stop::OutputClosed.code(),
        Err(Refused::Asked(text)) => {
            cmd::print(args::help(&text, here.stdout(color).is_coloured).as_bytes())
        }
        Ok(args) => carry_out(args, &here).unwrap_or_else(|usage| refuse(&usage)),
    }
}

fn carry_out(args: Args, here: &Environment) -> Result<u8, Usage> {
    let floor = Floor::default();
    trace::begin(Volume::of(&args.talk), &floor);
    match args.verb {
        Verb::Run(run) => cmd::run::run(config::Run::new(*run, &args.talk, here)?, here, floor),
        Verb::Put(put) => cmd::put::run(config::Put::new(*put, &args.talk, here)?, here, floor),
        Verb::Get(get) => cmd::get::run(config::Get::new(*get, &args.talk, here)?, here, floor),
        Verb::Stat(stat) => ask(Inquiry::stat(*stat, &args.talk, here)?, here, floor),
        Verb::Ls(list) => ask(Inquiry::list(*list, &args.talk, here)?, here, floor),
        Verb::Cat(cat) => ask(Inquiry::contents(*cat, &args.talk, here)?, here, floor),
        Verb::Facts(facts) => ask(Inquiry::facts(*facts, &args.talk, here)?, here, floor),
        Verb::User(user) => ask(Inquiry::users(*user, &args.talk, here)?, here, floor),
        Verb::Group(group) => ask(Inquiry::groups(*group, &args.talk, here)?, here, floor),
        Verb::Env(env) => ask(Inquiry::environment(*env, &args.talk, here)?, here, floor),
        Verb::Hosts(hosts) => {
            cmd::hosts::run(config::Hosts::new(hosts, &args.talk, here)?, here, floor)
        }
        Verb::Trust(trust) => {
            cmd::trust::run(config::Trust::new(trust, &args.talk, here)?, here, floor)
        }
        Verb::Completions(completions) => Ok(cmd::completions::run(completions.shell)),
        Verb::Man(man) => Ok(cmd::man::run(man.verb.as_deref())),
    }
}

fn refuse(usage: &Usage) -> u8 {
    cmd::say(&usage.text());
    exit::USAGE
}
