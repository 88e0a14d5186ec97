//! What the user can do. Equal for equal causes, so that it is said once for many hosts.

use crate::ssh::printable::printable;

pub(crate) const FORWARDING: &str =
    "-o ClearAllForwardings=yes connects without the configured forwardings";
pub(crate) const ALGORITHMS: &str = "the server's algorithms are too old or too new for this ssh; options such \
     as HostKeyAlgorithms=+ssh-rsa allow old ones";
pub(crate) const NOT_SSH: &str = "something other than an SSH server may listen there";
pub(crate) const TOO_MANY: &str = "ssh-agent offers more keys than the server looks at; name the right one with \
     IdentityFile and IdentitiesOnly=yes";
pub(crate) const TOO_MANY_FILES: &str = "the server looks at fewer keys than were offered (MaxAuthTries); name the right \
     one with IdentityFile";
pub(crate) const NO_SESSION: &str = "the server may allow no sessions (MaxSessions 0)";
pub(crate) const NO_FORWARDING: &str =
    "the jump host may not forward there (AllowTcpForwarding, PermitOpen)";
pub(crate) const CROWDED: &str = "the server may take no more connections at once (MaxStartups)";
pub(crate) const AGENT_REFUSED: &str =
    "ssh-agent refused to sign; its key may wait for a touch or a confirmation";
pub(crate) const PASSWORD: &str = "the server wants a password, which nobody is asked for when several hosts are \
     connected; set up a key";
pub(crate) const PASSWORD_WANTED: &str = "the server wants a password; --ask-pass asks for one, once for all hosts, \
     and a key is better";
pub(crate) const PASSWORD_WRONG: &str = "the password was not taken; with --ask-pass each host is given it once, so \
     that no account is locked";
pub(crate) const AGENT_HUNG: &str =
    "ssh-agent (SSH_AUTH_SOCK) does not answer, so only key files were used";
pub(crate) const NO_AGENT: &str = "no ssh-agent is running (SSH_AUTH_SOCK is not set), so only key files without \
     a passphrase can be used";
pub(crate) const OFFERED: &str = "`ssh -v HOST` shows which keys are offered";
pub(crate) const QUIET: &str =
    "a LogLevel such as QUIET hides why; -o LogLevel=ERROR lets ssh tell";

pub(crate) const UNKNOWN: &str = "`convoke trust HOST`, with the same options, shows the key of a host and asks whether \
     to trust it; -o StrictHostKeyChecking=accept-new accepts every unknown one unseen";
pub(crate) const UNKNOWN_BEYOND: &str = "`convoke trust HOST` shows the key of the host that the ssh of the ProxyCommand connects \
     to and asks whether to trust it";
pub(crate) const CHANGED: &str = "if the host was set up anew, take the line that is named out of its file; if not, \
     somebody may stand between";
pub(crate) const REVOKED: &str = "the key must not be used any more; the host needs a new one";

/// What to do where the server has none of the algorithms of this option.
pub(crate) fn old(option: &str) -> String {
    format!(
        "the server's algorithms are too old or too new for this ssh; an option such as {option} allows \
         old ones"
    )
}

/// What to do about a key file that others can read.
pub(crate) fn too_open(file: &str) -> String {
    format!("others can read the key {file}; chmod 600 {file}")
}

/// Why a key file that the server wants was not used.
pub(crate) fn locked(file: &str, why: &str) -> String {
    format!("the key {file} stays locked: {why}; `ssh-add {file}` unlocks it for every run")
}

/// What is wrong with a key file that was asked for.
pub(crate) fn absent(file: &str) -> String {
    format!("there is no key file {file}")
}

/// What to do about a jump host whose key is not known. Options do not reach the ssh of a jump host.
pub(crate) fn trust_hop(hop: &str) -> String {
    format!(
        "`convoke trust {}`, with the same -F, shows the key of the jump host and asks whether to trust it",
        printable(hop)
    )
}
