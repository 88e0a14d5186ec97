//! The form of what hosts say, as it is typed: the same for every verb that shows it.

/// The form of what hosts say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Form {
    /// Show equal results once, under the hosts they came from
    #[arg(short = 'b', long, conflicts_with = "json")]
    pub(crate) gather: bool,
    /// Show the result of most hosts, and of the others what differs from it
    #[arg(long, conflicts_with_all = ["gather", "json"])]
    pub(crate) diff: bool,
    /// Put the host's name before every line, also when only one host is selected
    #[arg(long, conflicts_with_all = ["gather", "diff", "json"])]
    pub(crate) prefix: bool,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}
