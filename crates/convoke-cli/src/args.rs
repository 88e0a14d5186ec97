//! The command line as it is typed.
//!
//! What it means is decided in [`config`](crate::config); here is only its shape.

mod files;
mod form;
mod habit;
mod hosts;
mod inquiry;
mod pace;
mod pages;
mod reaching;
mod refused;
mod run;
mod trust;
mod value;

use std::ffi::OsString;

use clap::{Parser, Subcommand, ValueEnum};

pub(crate) use files::{Get, Moving, Put};
pub(crate) use form::Form;
pub(crate) use hosts::Hosts;
pub(crate) use inquiry::{Cat, Env, Facts, Group, Inquiry, Ls, Stat, User};
pub(crate) use pace::Pace;
pub(crate) use pages::{Completions, Man, Shell};
pub(crate) use reaching::Reaching;
pub(crate) use refused::{Refused, color_of, help};
pub(crate) use run::{ExitRule, Run};
pub(crate) use trust::Trust;

const EXAMPLES: &str = "\
Examples:
  convoke run 'local:demo[1-3]' -- uname -sr     a command on three hosts
  convoke run -b 'local:demo[1-9]' -- uptime -s  equal output is shown once
  convoke run local:a --sh 'df -h | tail -n +2'  a line for the host's /bin/sh
  convoke run -l root 'web[1-9],db1' -- uptime   the same over ssh
  convoke put motd 'web[1-9]:/etc/motd'          a file to hosts
  convoke get 'web[1-9]:/etc/motd' copies        and from them
  convoke stat -b 'web[1-9]' /etc/hosts          what stands at a path
  convoke cat -b 'web[1-9]' /etc/hosts           what it holds
  convoke facts 'web[1-9]' os memory.total       what hosts say about themselves
  convoke hosts 'web[1-3],db1!web2' --fold       what an expression selects
  convoke hosts --check 'web[1-3]'               whether they can be reached
  convoke trust 'web[1-3]'                       their keys, before the first login

Exit codes:
  0    every host is ok
  1    a command failed: non-zero, killed, not started, timed out; a verb could
       not be done, a file not be moved, or our output not be written
  2    usage, configuration, or no host selected
  3    a host was unreachable or lost
  4    stopped early because hosts failed
  70   a bug of ours
  129, 130, 143  hung up, interrupted, terminated
  141  stdout was closed";

/// Runs commands on many hosts, asks hosts, and moves files.
#[derive(Debug, Parser)]
#[command(
    name = "convoke",
    version,
    about = "Run commands on many hosts, ask hosts, and move files",
    after_help = EXAMPLES,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    disable_help_flag = true,
    max_term_width = 80
)]
pub(crate) struct Args {
    /// Print help
    // One help, not a short and a long one: there is nothing to look up twice. Last of its heading.
    #[arg(short, long, action = clap::ArgAction::HelpShort, global = true, display_order = 1000)]
    help: Option<bool>,
    #[command(flatten)]
    pub(crate) talk: Talk,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// How much is said on stderr, and in which colours.
#[derive(Debug, clap::Args)]
pub(crate) struct Talk {
    /// Say more on stderr: what connections say; -vv shows frames by tag and length
    #[arg(short, long, action = clap::ArgAction::Count, global = true, conflicts_with = "quiet")]
    #[arg(help_heading = "Output", display_order = 1001)]
    pub(crate) verbose: u8,
    /// No recap, no progress
    #[arg(
        short,
        long,
        global = true,
        help_heading = "Output",
        display_order = 1002
    )]
    pub(crate) quiet: bool,
    /// When to use colour; NO_COLOR and CLICOLOR_FORCE are honoured by `auto`
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true)]
    #[arg(help_heading = "Output", display_order = 1003)]
    pub(crate) color: Color,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a command on hosts
    Run(Box<Run>),
    /// Send files to hosts
    Put(Box<Put>),
    /// Fetch files from hosts
    Get(Box<Get>),
    /// Show what stands at paths of hosts
    Stat(Box<Stat>),
    /// List directories of hosts
    Ls(Box<Ls>),
    /// Show what files of hosts hold
    Cat(Box<Cat>),
    /// Show what hosts say about themselves
    Facts(Box<Facts>),
    /// Show users of hosts
    User(Box<User>),
    /// Show groups of hosts
    Group(Box<Group>),
    /// Show the environment that commands get on hosts
    Env(Box<Env>),
    /// Show which hosts an expression selects
    Hosts(Hosts),
    /// Show the keys of hosts that are not known yet, and trust them
    Trust(Trust),
    /// Print the completions for a shell
    Completions(Completions),
    /// Print the manual page of convoke, or of a verb
    Man(Man),
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Args {
    /// Reads the arguments of a process, the program's name first.
    pub(crate) fn parse_words(words: impl IntoIterator<Item = OsString>) -> Result<Self, Refused> {
        let words: Vec<OsString> = words.into_iter().collect();
        let parsed = Args::try_parse_from(&words).map_err(|error| Refused::new(error, &words));
        match parsed {
            Err(Refused::Asked(text)) => Err(Refused::Asked(text)),
            parsed => habit::check(&words).map_err(Refused::Wrong).and(parsed),
        }
    }
}

#[cfg(test)]
mod tests;
