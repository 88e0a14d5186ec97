//! The verbs that ask hosts instead of running something there, as they are typed.

use std::ffi::OsString;

use clap::ValueEnum;
use convoke::proto::file::Digest;

use super::{Form, Pace, Reaching};

const STAT_EXAMPLES: &str = "\
Shows kind, mode, owner, group, size in bytes, time of modification (UTC), the
digests that were asked for, and the path. A path that does not exist is shown
as such, and is a failure. Names with blanks or control characters are shown as
a shell would read them. Relative paths begin at the login home.

Examples:
  convoke stat 'web[1-9]' /etc/hosts
  convoke stat -b --digest sha256 'web[1-9]' /etc/app.conf   who differs?
  convoke stat --json web1 /srv | jq -r '.data.mode // empty'

Exit codes:
  0  everything exists    1  something does not, or cannot be looked at
  3  a host was unreachable or lost; `convoke --help` has them all";

const LS_EXAMPLES: &str = "\
Shows the names in directories, sorted, one a line; without a PATH those in the
login home. Names that begin with a dot are left out unless -a is given. Names
with blanks or control characters are shown as a shell would read them; --json
has them as they are. As for every verb, -l is whom to log in as; -la and the
like are refused.

Examples:
  convoke ls 'web[1-9]' /etc/app.d
  convoke ls --long web1 /var/log
  convoke ls -b 'web[1-9]' /srv/releases    equal listings are shown once

Exit codes:
  0  all were listed    1  a directory could not be read
  3  a host was unreachable or lost; `convoke --help` has them all";

const CAT_EXAMPLES: &str = "\
Shows what files hold, one after the other, of any size. Of one host the bytes
come as they are; of several hosts as the lines of a command's output. A file
that cannot be read is a failure that names it; the others still come. Links are
followed. Relative paths begin at the login home.

Examples:
  convoke cat web1 /etc/hosts > hosts
  convoke cat -b 'web[1-9]' /etc/os-release    equal files are shown once
  convoke cat --diff 'web[1-9]' /etc/app.conf  what differs from most

Exit codes:
  0  all came    1  a file could not be read
  3  a host was unreachable or lost; `convoke --help` has them all";

const FACTS_EXAMPLES: &str = "\
Shows what hosts say about themselves, one fact a line. A NAME is that of a fact
or of a group of them: os, kernel, architecture, hostname, cpus, memory, mounts,
interfaces, uptime, boot_id, init, user, clock, more. Without a NAME all are
shown but the mounts. What a host does not say is left out. Sizes are in bytes.

Examples:
  convoke facts web1
  convoke facts -b 'web[1-9]' os kernel.release
  convoke facts 'web[1-9]' interfaces.eth0 memory.available
  convoke facts --json web1 os | jq -r '.data.facts.os.id // empty'

Exit codes:
  0  all hosts answered
  3  a host was unreachable or lost; `convoke --help` has them all";

const USER_EXAMPLES: &str = "\
Shows name, number, primary group's number, all groups (the primary one first),
home, shell and comment of users, as the host's own name service knows them;
without a NAME whom we are logged in as. Never shows a password.

Examples:
  convoke user 'web[1-9]'
  convoke user -b 'web[1-9]' deploy 33

Exit codes:
  0  all were found    1  a host has no such user
  3  a host was unreachable or lost; `convoke --help` has them all";

const GROUP_EXAMPLES: &str = "\
Shows name, number and members of groups, as the host's own name service knows
them; without a NAME the primary one of the login. Users whose primary group it
is need not be among its members.

Examples:
  convoke group 'web[1-9]' sudo docker
  convoke group -b 'web[1-9]' 27

Exit codes:
  0  all were found    1  a host has no such group
  3  a host was unreachable or lost; `convoke --help` has them all";

const ENV_EXAMPLES: &str = "\
Shows the environment that a command of `convoke run` would get there, as
NAME=value with values as a shell would read them; with a NAME only those
variables, where they are set.

Examples:
  convoke env web1
  convoke env -b 'web[1-9]' PATH LANG

Exit codes:
  0  all hosts answered
  3  a host was unreachable or lost; `convoke --help` has them all";

/// What is typed of every verb that asks hosts.
#[derive(Debug, clap::Args)]
pub(crate) struct Inquiry {
    /// Which hosts: a host expression such as `web[1-3],db1`; see `convoke hosts --help`
    #[arg(value_name = "HOSTS", index = 1)]
    pub(crate) hosts: String,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) pace: Pace,
    #[command(flatten)]
    pub(crate) form: Form,
    #[command(flatten)]
    pub(crate) reaching: Reaching,
}

#[derive(Debug, clap::Args)]
#[command(override_usage = "convoke stat [OPTIONS] HOSTS PATH...", after_help = STAT_EXAMPLES)]
pub(crate) struct Stat {
    /// The paths
    #[arg(value_name = "PATH", index = 2)]
    pub(crate) paths: Vec<OsString>,
    /// Do not follow a symbolic link at the end of a path
    #[arg(short = 'P', long)]
    pub(crate) no_follow: bool,
    /// Let the host compute a digest of each regular file; may be repeated
    #[arg(long, value_name = "DIGEST", value_enum)]
    pub(crate) digest: Vec<DigestName>,

    #[command(flatten)]
    pub(crate) inquiry: Inquiry,
}

#[derive(Debug, clap::Args)]
#[command(override_usage = "convoke ls [OPTIONS] HOSTS [PATH]...", after_help = LS_EXAMPLES)]
pub(crate) struct Ls {
    /// The directories
    #[arg(value_name = "PATH", index = 2)]
    pub(crate) paths: Vec<OsString>,
    /// Show names that begin with a dot, too
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Show mode, links, owner, group, size and time of modification (UTC) before the name, `?` for what the
    /// host cannot tell
    #[arg(long)]
    pub(crate) long: bool,

    #[command(flatten)]
    pub(crate) inquiry: Inquiry,
}

#[derive(Debug, clap::Args)]
#[command(override_usage = "convoke cat [OPTIONS] HOSTS PATH...", after_help = CAT_EXAMPLES)]
pub(crate) struct Cat {
    /// The files
    #[arg(value_name = "PATH", index = 2)]
    pub(crate) paths: Vec<OsString>,
    /// Do not escape what could drive the terminal
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    pub(crate) raw: bool,

    #[command(flatten)]
    pub(crate) inquiry: Inquiry,
}

#[derive(Debug, clap::Args)]
#[command(override_usage = "convoke facts [OPTIONS] HOSTS [NAME]...", after_help = FACTS_EXAMPLES)]
pub(crate) struct Facts {
    /// Only these facts, or groups of them; with --json the groups they belong to
    #[arg(value_name = "NAME", index = 2)]
    pub(crate) names: Vec<String>,

    #[command(flatten)]
    pub(crate) inquiry: Inquiry,
}

#[derive(Debug, clap::Args)]
#[command(override_usage = "convoke user [OPTIONS] HOSTS [NAME|UID]...", after_help = USER_EXAMPLES)]
pub(crate) struct User {
    /// The users, by name or number
    #[arg(value_name = "NAME|UID", index = 2)]
    pub(crate) who: Vec<OsString>,

    #[command(flatten)]
    pub(crate) inquiry: Inquiry,
}

#[derive(Debug, clap::Args)]
#[command(override_usage = "convoke group [OPTIONS] HOSTS [NAME|GID]...", after_help = GROUP_EXAMPLES)]
pub(crate) struct Group {
    /// The groups, by name or number
    #[arg(value_name = "NAME|GID", index = 2)]
    pub(crate) who: Vec<OsString>,

    #[command(flatten)]
    pub(crate) inquiry: Inquiry,
}

#[derive(Debug, clap::Args)]
#[command(override_usage = "convoke env [OPTIONS] HOSTS [NAME]...", after_help = ENV_EXAMPLES)]
pub(crate) struct Env {
    /// Only these variables
    #[arg(value_name = "NAME", index = 2)]
    pub(crate) names: Vec<OsString>,

    #[command(flatten)]
    pub(crate) inquiry: Inquiry,
}

/// The digests that hosts compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DigestName {
    Sha256,
    Sha512,
    Blake3,
}

impl From<DigestName> for Digest {
    fn from(name: DigestName) -> Self {
        match name {
            DigestName::Sha256 => Digest::Sha256,
            DigestName::Sha512 => Digest::Sha512,
            DigestName::Blake3 => Digest::Blake3,
        }
    }
}
