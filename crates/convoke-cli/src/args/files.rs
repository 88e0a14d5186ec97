//! `convoke put` and `convoke get` as they are typed.

use std::ffi::OsString;

use clap::ValueHint;

use super::value::mode;
use super::{ExitRule, Pace, Reaching};

const PUT_EXAMPLES: &str = "\
A file goes beside its place and takes it when it is whole: whoever reads there
sees the old file or the new one. An existing file keeps its mode and owner, a
new one gets mode 600. A link in the place of a file is refused, not followed.
Hosts at about the same pace share every read of a LOCAL, which must not change
meanwhile. Directories are not sent.

Where it goes:
  web1:/etc/motd     that file; a directory of that name gets it inside
  web1:/srv/www/     into that directory, which must exist; so for several LOCAL
  web1:notes.txt     a path that does not begin with / begins at the login home
  web1:~www/x        ~ and ~USER at the begin are homes, as a shell would say it
HOSTS ends at the first colon that is followed by /, ./, ../ or ~; if there is
none, at the last one.

Examples:
  convoke put motd 'web[1-9]:/etc/motd'
  convoke put --mode 755 --owner root tool 'web[1-9]:/usr/local/bin/'
  convoke put a.conf b.conf ^hosts.txt:/etc/app/
  pg_dump app | convoke put - backup1:/srv/app.sql
  convoke put x 'root@web1:22:./x' '[::1]:22:/x' local:demo1:/tmp/x  # one each

Exit codes:
  0  every file is in its place    1  one could not be moved
  2  usage, or a LOCAL cannot be read; nothing was started
  3  a host was unreachable or lost; `convoke --help` has them all";

const GET_EXAMPLES: &str = "\
A file of one host becomes LOCAL, or LOCAL/NAME when LOCAL is a directory. Files
of several hosts become LOCAL/HOST/NAME; LOCAL is made when it is missing. With
--per-host it is always so, also for a group that shrinks to one host. NAME is
the last part of PATH as typed: a host chooses neither names nor places.

A file takes its place when it is whole. An existing one keeps its mode; a new
one gets that of the host, but for set-id bits and what the umask forbids. A
link in its place is refused. A file that grows meanwhile comes as it was.

HOSTS ends at the first colon that is followed by /, ./, ../ or ~; if there is
none, at the last one. Relative paths begin at the login home.

Examples:
  convoke get web1:/etc/motd .
  convoke get 'web[1-9]:/var/log/app.log' logs     logs/web1/app.log, …
  convoke get web1:~/a web1:~/b db1:/etc/hosts out
  convoke get db1:/srv/dump.sql - | psql

Exit codes:
  0  every file is in its place    1  one could not be moved
  2  usage, or LOCAL cannot be written to; nothing was started
  3  a host was unreachable or lost; `convoke --help` has them all";

/// How many hosts at once, where files are sent and where they are fetched.
const PUT_FANOUT: &str =
    "Work on so many hosts at once [default: 192 for up to 128 KiB each, else 48]";
const GET_FANOUT: &str = "Work on so many hosts at once [default: 48]";

/// What is typed of every verb that moves files.
#[derive(Debug, clap::Args)]
pub(crate) struct Moving {
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) pace: Pace,

    /// Change nothing: equal outcomes are shown once anyway, with the hosts they came from
    #[arg(short = 'b', long, conflicts_with = "json", help_heading = "Output")]
    pub(crate) gather: bool,
    /// One JSON object a line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// What the exit code says
    #[arg(
        long,
        value_enum,
        value_name = "RULE",
        default_value_t,
        help_heading = "Output"
    )]
    pub(crate) exit_code: ExitRule,

    #[command(flatten)]
    pub(crate) reaching: Reaching,
}

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "convoke put [OPTIONS] LOCAL... HOSTS:PATH",
    mut_arg("fanout", |fanout| fanout.help(PUT_FANOUT)),
    after_help = PUT_EXAMPLES
)]
pub(crate) struct Put {
    /// Files of this machine, or `-` for stdin; then the hosts, a colon, and where the files go there
    #[arg(value_name = "LOCAL HOSTS:PATH", required = true, num_args = 1..)]
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) words: Vec<OsString>,

    /// Permission bits, as 644; without it a file keeps those it replaces
    #[arg(long, value_name = "MODE", value_parser = mode, help_heading = "Files")]
    pub(crate) mode: Option<u16>,
    /// Who shall own it, by name or number; also gives it that user's primary group
    #[arg(long, value_name = "USER", help_heading = "Files")]
    pub(crate) owner: Option<OsString>,
    /// Which group it shall belong to, by name or number
    #[arg(long, value_name = "GROUP", help_heading = "Files")]
    pub(crate) group: Option<OsString>,
    /// Do not wait until the disk has it: a power cut may lose it
    #[arg(long, help_heading = "Files")]
    pub(crate) no_sync: bool,

    #[command(flatten)]
    pub(crate) moving: Moving,
}

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "convoke get [OPTIONS] HOSTS:PATH... LOCAL",
    mut_arg("fanout", |fanout| fanout.help(GET_FANOUT)),
    after_help = GET_EXAMPLES
)]
pub(crate) struct Get {
    /// Hosts, a colon, and a file there; then where it goes on this machine, or `-` for stdout
    #[arg(value_name = "HOSTS:PATH LOCAL", required = true, num_args = 1..)]
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) words: Vec<OsString>,

    /// Always LOCAL/HOST/NAME, also when only one host is selected
    #[arg(long, help_heading = "Files")]
    pub(crate) per_host: bool,
    /// Do not wait until the disk has it: a power cut may lose it
    #[arg(long, help_heading = "Files")]
    pub(crate) no_sync: bool,

    #[command(flatten)]
    pub(crate) moving: Moving,
}
