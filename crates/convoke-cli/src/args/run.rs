//! `convoke run` as it is typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ValueEnum, ValueHint};

use super::value::{grace, limit};
use super::{Form, Pace, Reaching};

const EXAMPLES: &str = "\
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
A command's stdout goes to stdout, its stderr to stderr, as does the recap. What
could drive a terminal is shown escaped, as in `\\x1b[31m`; --raw opts out.

Exit codes:
  kind (default)  0 all ok, 1 a command failed, 3 unreachable or lost, 4 stopped
                  early, 130 interrupted; `convoke --help` has them all
  max             the largest remote code: 128+n for signal n, 124 timed out,
                  126 or 127 not started, 130 cancelled, 255 unreachable or lost";

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "convoke run [OPTIONS] HOSTS [--] PROGRAM [ARG]...\n       \
                      convoke run [OPTIONS] HOSTS --sh LINE [-- ARG...]",
    after_help = EXAMPLES
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

    #[command(flatten)]
    pub(crate) pace: Pace,
    #[command(flatten)]
    pub(crate) form: Form,
    /// Keep results as files, too: DIR/HOST/{stdout,stderr,outcome.json}; with -q nothing is shown
    #[arg(long, value_name = "DIR", help_heading = "Output", value_hint = ValueHint::DirPath)]
    pub(crate) outdir: Option<OsString>,
    /// Do not escape what could drive the terminal
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
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

    #[command(flatten)]
    pub(crate) reaching: Reaching,
}

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ExitRule {
    #[default]
    Kind,
    Max,
}
