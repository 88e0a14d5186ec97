//! How hosts are reached, as it is typed: the same for every verb that connects.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueHint;

use super::value::{limit, number_of_hosts, port};

/// How hosts are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Reaching hosts")]
pub(crate) struct Reaching {
    /// Log in as this user, where a host is written without one
    #[arg(short = 'l', long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Connect to this port, where a host is written without one
    #[arg(short = 'p', long, value_name = "PORT", value_parser = port)]
    #[arg(allow_negative_numbers = true)]
    pub(crate) port: Option<u16>,
    /// Offer this private key; may be repeated
    #[arg(short = 'i', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Vec<PathBuf>,
    /// Read this ssh configuration, and neither the user's own nor the system's
    #[arg(short = 'F', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ssh_config: Option<PathBuf>,
    /// Set an option of ssh, written as in its configuration; may be repeated
    #[arg(short = 'o', long, value_name = "KEY=VALUE")]
    pub(crate) ssh_option: Vec<String>,
    /// Ask for a password once, beforehand, and give it to every host that wants one
    #[arg(long)]
    pub(crate) ask_pass: bool,
    /// Connect to so many hosts at the same time, and to 8 by one server [default: 64]
    #[arg(long, value_name = "N", value_parser = number_of_hosts)]
    #[arg(allow_negative_numbers = true)]
    pub(crate) connecting: Option<usize>,
    /// Give a host this long until its shell answers, all attempts together [default: 20s]
    #[arg(long, value_name = "TIME", value_parser = limit)]
    #[arg(allow_negative_numbers = true)]
    pub(crate) connect_timeout: Option<Duration>,
}
