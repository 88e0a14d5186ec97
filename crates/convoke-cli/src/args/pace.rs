//! How hosts are gone through, as it is typed: the same for every verb that does something on them.

use convoke::action::MaxFail;

use super::value::{max_fail, number_of_hosts};

/// How hosts are gone through, and whether there may be none.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Hosts")]
pub(crate) struct Pace {
    /// Work on so many hosts at once [default: up to 512]
    #[arg(long, value_name = "N", value_parser = number_of_hosts, allow_negative_numbers = true)]
    pub(crate) fanout: Option<usize>,
    /// Start nothing new once so many hosts have failed: a number, or a percentage of all
    #[arg(long, value_name = "N|P%", value_parser = max_fail)]
    #[arg(allow_negative_numbers = true)]
    pub(crate) max_fail: Option<MaxFail>,
    /// Stop at the first failure, and cancel what is under way
    #[arg(long, conflicts_with = "max_fail")]
    pub(crate) fail_fast: bool,
    /// Selecting no host is no error
    #[arg(long)]
    pub(crate) allow_empty: bool,
}
