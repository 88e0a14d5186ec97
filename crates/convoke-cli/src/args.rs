//! The command line as it is typed.
//!
//! What it means is decided in [`config`](crate::config); here is only its shape.

mod files;
mod inquiry;
mod reaching;

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand, ValueEnum, ValueHint};
use convoke::action::MaxFail;

use crate::error::Usage;

pub(crate) use files::{Get, Moving, Put};
pub(crate) use inquiry::{Cat, Env, Facts, Group, Inquiry, Ls, Stat, User};
pub(crate) use reaching::Reaching;

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
  1    a command failed: non-zero, killed, not started, timed out
  2    usage, configuration, or no host selected
  3    a host was unreachable or lost
  4    stopped early because hosts failed
  70   a bug of ours
  129, 130, 143  hung up, interrupted, terminated
  141  stdout was closed";

const RUN_EXAMPLES: &str = "\
The first word after HOSTS begins the command; all that follows belongs to it,
options too. The words arrive as typed: no shell reads them on the way. For
pipes, globs and variables there is --sh.

Examples:
  convoke run 'local:demo[1-3]' -- uname -sr
  convoke run 'local:demo[1-3]' ls -l '/tmp/a b'
  convoke run 'local:demo[1-3]' --sh 'echo \"$1\" | wc -c' -- 'a b'
  convoke run --stdin 'local:demo[1-3]' -- tee /tmp/copy < file
  convoke run --timeout 30s --max-fail 10% ^hosts.txt -- /opt/check
  convoke run --json local:a -- date | jq -r 'select(.kind==\"stdout\").data.text'

What is shown:
  one host       its bytes, nothing added
  several hosts  `HOST: ` before each line of stdout, `HOST! ` of stderr;
                 of a line beyond 64 KiB every piece but the last has `HOST:+`
  -b             each distinct result once: its hosts and their number, then
                 stdout, indented; on stderr the same with `! ` for its stderr
  --json         one event a line; the last of each host has the kind `ended`
A command's stdout goes to stdout, its stderr to stderr, as the recap. What could
drive a terminal is shown escaped, as in `\\x1b[31m`; --raw opts out.

Exit codes:
  kind (default)  0 all ok, 1 a command failed, 3 unreachable or lost, 4 stopped
                  early, 130 interrupted; `convoke --help` has them all
  max             the largest remote code: 128+n for signal n, 124 timed out,
                  126 or 127 not started, 130 cancelled, 255 unreachable or lost";

const HOSTS_EXAMPLES: &str = "\
Expressions:
  web[1-3,7]  n[01-10]  n[0-8/2]  r[1-2]n[1-4]    ranges
  a,b  a!b  a&b  a^b     union, minus, intersection, symmetric difference
  (a,b)!c  n[1-9][0:2]   parentheses, slices
  ^FILE  -               the hosts in a file, on stdin
  root@web1:22  local:demo1  [2001:db8::1]:22     what a host looks like

Examples:
  convoke hosts 'n[1-100]!n[7,13]' --fold
  convoke hosts ^hosts.txt --count
  convoke hosts --check 'web[1-3]'    reaches them, and runs nothing there";

const TRUST_EXAMPLES: &str = "\
Each host is asked for the key that ssh would take; nothing of a login is sent
to it. Equal keys are shown once, with their hosts. After one question, the
unknown ones are added to the first UserKnownHostsFile, as ssh adds them. A
key that differs from the known one, or was revoked, is never replaced.

Compare the fingerprints with what the hosts themselves say, on their console:
  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub

Examples:
  convoke trust 'web[1-9]'
  convoke trust --yes ^new-hosts.txt     for scripts: asks nothing

Exit codes:
  0    every host is trusted, now or before
  1    it was answered with no, or the file could not be written
  2    usage or configuration; without a terminal there must be --yes
  3    a host was unreachable, or its key is changed or revoked";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  convoke completions bash > ~/.local/share/bash-completion/completions/convoke
  convoke completions zsh > ~/.zfunc/_convoke    with ~/.zfunc in $fpath
  convoke completions fish > ~/.config/fish/completions/convoke.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  convoke man | man -l -
  convoke man run > ~/.local/share/man/man1/convoke-run.1";

/// Runs commands on many hosts.
#[derive(Debug, Parser)]
#[command(
    name = "convoke",
    version,
    about = "Run commands on many hosts",
    after_help = EXAMPLES,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    disable_help_flag = true,
    max_term_width = 80
)]
pub(crate) struct Args {
    /// Print help
    // One help, not a short and a long one: there is nothing to look up twice.
    #[arg(short, long, action = clap::ArgAction::HelpShort, global = true)]
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
    #[arg(help_heading = "Output")]
    pub(crate) verbose: u8,
    /// No recap, no progress
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// When to use colour; NO_COLOR and CLICOLOR_FORCE are honoured by `auto`
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true)]
    #[arg(help_heading = "Output")]
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

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ExitRule {
    #[default]
    Kind,
    Max,
}

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "convoke run [OPTIONS] HOSTS [--] PROGRAM [ARG]...\n       \
                      convoke run [OPTIONS] HOSTS --sh LINE [-- ARG...]",
    after_help = RUN_EXAMPLES
)]
pub(crate) struct Run {
    /// Which hosts: a host expression such as `web[1-3],db1`; see `convoke hosts --help`
    #[arg(value_name = "HOSTS")]
    pub(crate) hosts: String,
    /// The program and its arguments; with --sh the arguments $1, $2, … of the line
    #[arg(value_name = "PROGRAM ARG", trailing_var_arg = true)]
    pub(crate) words: Vec<OsString>,

    /// Run a line with the host's /bin/sh
    #[arg(
        long,
        value_name = "LINE",
        help_heading = "Command",
        allow_hyphen_values = true
    )]
    pub(crate) sh: Option<OsString>,
    /// Send our stdin to every host
    #[arg(long, help_heading = "Command")]
    pub(crate) stdin: bool,
    /// Change to this directory first
    #[arg(long, value_name = "DIR", help_heading = "Command")]
    pub(crate) cwd: Option<OsString>,
    /// Set an environment variable; may be repeated, and wins over --env-file
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Command")]
    pub(crate) env: Vec<OsString>,
    /// Set the variables in this file, one NAME=VALUE a line, of which the last of a name wins; for
    /// secrets, which are shown nowhere
    #[arg(long, value_name = "FILE", help_heading = "Command", value_hint = ValueHint::FilePath)]
    pub(crate) env_file: Vec<PathBuf>,
    /// Run through the account's login shell, so that its profile is read
    #[arg(long, help_heading = "Command")]
    pub(crate) login: bool,
    /// Kill what the command leaves running, instead of counting it
    #[arg(long, help_heading = "Command")]
    pub(crate) kill_leftovers: bool,

    /// End the command after this time, such as 90 or 1m30s
    #[arg(long, value_name = "TIME", value_parser = limit, help_heading = "Limits")]
    #[arg(allow_negative_numbers = true)]
    pub(crate) timeout: Option<Duration>,
    /// End the command after this time without output
    #[arg(long, value_name = "TIME", value_parser = limit, help_heading = "Limits")]
    #[arg(allow_negative_numbers = true)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Time between TERM and KILL when a command is ended
    #[arg(long, value_name = "TIME", value_parser = grace, help_heading = "Limits")]
    #[arg(default_value = "10s", allow_negative_numbers = true)]
    pub(crate) grace: Duration,
    /// Work on so many hosts at once [default: up to 512]
    #[arg(long, value_name = "N", value_parser = fanout, help_heading = "Hosts")]
    #[arg(allow_negative_numbers = true)]
    pub(crate) fanout: Option<usize>,
    /// Start nothing new once so many hosts have failed: a number, or a percentage of all
    #[arg(long, value_name = "N|P%", value_parser = MaxFail::from_str, help_heading = "Hosts")]
    #[arg(allow_negative_numbers = true)]
    pub(crate) max_fail: Option<MaxFail>,
    /// Stop at the first failure, and end what runs
    #[arg(long, conflicts_with = "max_fail", help_heading = "Hosts")]
    pub(crate) fail_fast: bool,

    /// Show equal output once, under the hosts it came from
    #[arg(short = 'b', long, conflicts_with_all = ["json"], help_heading = "Output")]
    pub(crate) gather: bool,
    /// Show the result of most hosts, and of the others what differs from it
    #[arg(long, conflicts_with_all = ["gather", "json"], help_heading = "Output")]
    pub(crate) diff: bool,
    /// Put the host's name before every line of output, also when only one host is selected
    #[arg(long, conflicts_with_all = ["gather", "diff", "json"], help_heading = "Output")]
    pub(crate) prefix: bool,
    /// One JSON object a line
    #[arg(long, conflicts_with = "raw", help_heading = "Output")]
    pub(crate) json: bool,
    /// Keep results as files, too: DIR/HOST/{stdout,stderr,outcome.json}; with -q nothing is shown
    #[arg(long, value_name = "DIR", help_heading = "Output", value_hint = ValueHint::DirPath)]
    pub(crate) outdir: Option<OsString>,
    /// Do not escape what could drive the terminal
    #[arg(long, help_heading = "Output")]
    pub(crate) raw: bool,
    /// What the exit code says
    #[arg(
        long,
        value_enum,
        value_name = "RULE",
        default_value_t,
        help_heading = "Output"
    )]
    pub(crate) exit_code: ExitRule,

    /// Show what would be done, and do nothing
    #[arg(long, help_heading = "Command")]
    pub(crate) dry_run: bool,
    /// Selecting no host is no error
    #[arg(long, help_heading = "Hosts")]
    pub(crate) allow_empty: bool,

    #[command(flatten)]
    pub(crate) reaching: Reaching,
}

#[derive(Debug, clap::Args)]
#[command(override_usage = "convoke hosts [OPTIONS] EXPR", after_help = HOSTS_EXAMPLES)]
pub(crate) struct Hosts {
    /// A host expression
    #[arg(value_name = "EXPR")]
    pub(crate) expr: String,
    /// One short line: ranges folded, sorted
    #[arg(long)]
    pub(crate) fold: bool,
    /// Only how many hosts there are
    #[arg(long, conflicts_with = "fold")]
    pub(crate) count: bool,
    /// Connect to each: by which way, whether it has the agent, how long an answer takes
    #[arg(long, conflicts_with_all = ["fold", "count"])]
    pub(crate) check: bool,
    /// One JSON object a line
    #[arg(long, requires = "check")]
    pub(crate) json: bool,
    /// Selecting no host is no error
    #[arg(long)]
    pub(crate) allow_empty: bool,

    #[command(flatten)]
    pub(crate) reaching: Reaching,
}

#[derive(Debug, clap::Args)]
#[command(override_usage = "convoke trust [OPTIONS] EXPR", after_help = TRUST_EXAMPLES)]
pub(crate) struct Trust {
    /// A host expression; see `convoke hosts --help`
    #[arg(value_name = "EXPR")]
    pub(crate) expr: String,
    /// Trust every unknown key without asking: whoever answers now in a host's place is trusted from
    /// now on. Only over a network that you trust
    #[arg(long)]
    pub(crate) yes: bool,
    /// Selecting no host is no error
    #[arg(long)]
    pub(crate) allow_empty: bool,

    #[command(flatten)]
    pub(crate) reaching: Reaching,
}

#[derive(Debug, clap::Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// The shells that there are completions for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// The verbs, in the order of the help.
const VERBS: [&str; 14] = [
    "run",
    "put",
    "get",
    "stat",
    "ls",
    "cat",
    "facts",
    "user",
    "group",
    "env",
    "hosts",
    "trust",
    "completions",
    "man",
];

#[derive(Debug, clap::Args)]
#[command(after_help = MAN_EXAMPLES)]
pub(crate) struct Man {
    /// The verb, such as `run`; without one the page is that of convoke
    #[arg(value_name = "VERB", value_parser = VERBS)]
    pub(crate) verb: Option<String>,
}

/// What a command line that names no work comes to.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It asks for a text: help or the version. For stdout, exit code 0.
    Asked(clap::Error),
    /// It asks for nothing, and gets the help. For stderr, exit code 2.
    Nothing(clap::Error),
    /// It is wrong.
    Wrong(Usage),
}

impl Args {
    /// Reads the arguments of a process, the program's name first.
    pub(crate) fn parse_words(words: impl IntoIterator<Item = OsString>) -> Result<Self, Refused> {
        let words: Vec<OsString> = words.into_iter().collect();
        Args::try_parse_from(&words).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Refused::Asked(error),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Refused::Nothing(error),
            _ => Refused::Wrong(in_our_words(&error, &words)),
        })
    }
}

/// What the words of a process say about colour, also when they are no command line: for the text that is
/// shown instead.
pub(crate) fn color_of(words: &[OsString]) -> Color {
    let ours = words.iter().take_while(|word| *word != "--");
    let words: Vec<&str> = ours.map(|word| word.to_str().unwrap_or_default()).collect();
    let values = words.iter().enumerate().filter_map(|(index, word)| {
        let beside = || words.get(index + 1).copied();
        match word.strip_prefix("--color")? {
            "" => beside(),
            value => value.strip_prefix('='),
        }
    });
    let mut colors = values.filter_map(|value| Color::from_str(value, false).ok());
    colors.next_back().unwrap_or_default()
}

/// A text of the parser as it is shown.
pub(crate) fn help(text: &clap::Error, is_coloured: bool) -> String {
    match is_coloured {
        true => text.render().ansi().to_string(),
        false => text.render().to_string(),
    }
}

/// The parser's error as one of ours: one line of what is wrong, one line of what to do.
fn in_our_words(error: &clap::Error, words: &[OsString]) -> Usage {
    let text = error.render().to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let what = paragraph.strip_prefix("error: ").unwrap_or(paragraph);
    let what: Vec<&str> = what.lines().map(str::trim).collect();
    let tip = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("tip: "))
        // What begins with a hyphen after `--` would be the host expression.
        .filter(|tip| !tip.contains("as a value"));
    let typed = words.iter().skip(1).filter_map(|word| word.to_str());
    let verb = typed.clone().find(|word| VERBS.contains(word));
    let is_place = |word: &str| word.starts_with("-:");
    let tip = match verb {
        Some(verb @ ("put" | "get")) if typed.clone().any(is_place) => Some(format!(
            "behind `--` a word may begin with a hyphen: `convoke {verb} -- {}`",
            match verb {
                "put" => "LOCAL -:PATH",
                _ => "-:PATH LOCAL",
            }
        )),
        _ => tip.map(str::to_owned),
    };
    let values = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => Some(values.join(", ")),
        _ => None,
    };
    let hint = match (tip, values) {
        (Some(tip), _) => tip,
        (None, Some(values)) => format!("possible values are {values}"),
        (None, None) if text.contains("Usage: convoke completions") => {
            "the shells are bash, zsh, fish; `convoke completions --help` shows how".to_owned()
        }
        (None, None) => match verb.filter(|_| error.kind() != ErrorKind::InvalidSubcommand) {
            Some(verb) => format!("`convoke {verb} --help` shows how"),
            None => "`convoke --help` shows the verbs".to_owned(),
        },
    };
    let what = match error.kind() {
        ErrorKind::InvalidValue if !what.is_empty() => what[0].to_owned(),
        _ => what.join(" "),
    };
    Usage::new(what).hint(hint)
}

/// A time as people write it; a bare number is seconds.
fn time(text: &str) -> Result<Duration, String> {
    let refuse = || "write seconds, or a time such as 1m30s".to_owned();
    let time = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| refuse())?,
        Err(_) => humantime::parse_duration(text).map_err(|_| refuse())?,
    };
    match time > LONGEST {
        true => Err("longer than a year".to_owned()),
        false => Ok(time),
    }
}

/// The longest limit: beyond any command we have heard of, and every sum with it is representable.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The longest grace: it travels as 32 bits of milliseconds.
const LONGEST_GRACE: Duration = Duration::from_secs(24 * 3600);

fn grace(text: &str) -> Result<Duration, String> {
    match time(text)? {
        time if time > LONGEST_GRACE => Err("longer than a day".to_owned()),
        time => Ok(time),
    }
}

fn limit(text: &str) -> Result<Duration, String> {
    match time(text)? {
        time if time < Duration::from_millis(1) => Err("a limit is at least 1 ms".to_owned()),
        time => Ok(time),
    }
}

fn fanout(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(hosts @ 1..) => Ok(hosts),
        _ => Err("write a number of hosts, 1 or more".to_owned()),
    }
}

#[cfg(test)]
mod tests;
