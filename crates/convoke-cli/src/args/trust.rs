//! `convoke trust` as it is typed.

use super::Reaching;

const EXAMPLES: &str = "\
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

#[derive(Debug, clap::Args)]
#[command(override_usage = "convoke trust [OPTIONS] EXPR", after_help = EXAMPLES)]
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
