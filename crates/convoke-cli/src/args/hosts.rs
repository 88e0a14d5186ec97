//! `convoke hosts` as it is typed.

use super::Reaching;

const EXAMPLES: &str = "\
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

#[derive(Debug, clap::Args)]
#[command(override_usage = "convoke hosts [OPTIONS] EXPR", after_help = EXAMPLES)]
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
