//! Which version of OpenSSH is installed: some of what it does with certificates has changed.

use std::process::Stdio;
use std::time::Duration;

use crate::ssh::SshOptions;
use crate::surroundings::Surroundings;

/// How long it may take to say its version.
const LIMIT: Duration = Duration::from_secs(10);

/// A version of OpenSSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u32, u32);

impl Version {
    pub(super) const fn new(major: u32, minor: u32) -> Self {
        Version(major, minor)
    }

    /// That of the installed ssh; none if it cannot be told.
    pub(super) async fn installed(
        options: &SshOptions,
        surroundings: &Surroundings,
    ) -> Option<Self> {
        let mut ssh = options.version(surroundings);
        ssh.stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let output = tokio::time::timeout(LIMIT, ssh.output()).await.ok()?.ok()?;
        Version::parse(&String::from_utf8_lossy(&output.stderr))
    }

    /// From `OpenSSH_9.2p1 …`.
    fn parse(text: &str) -> Option<Self> {
        let version = text.strip_prefix("OpenSSH_")?;
        let (major, rest) = version.split_once('.')?;
        let end = rest.find(|letter: char| !letter.is_ascii_digit());
        let minor = rest.get(..end.unwrap_or(rest.len()))?;
        Some(Version(major.parse().ok()?, minor.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_whatever_follows() {
        for (text, expected) in [
            (
                "OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19",
                Some(Version(9, 2)),
            ),
            ("OpenSSH_10.3p1, LibreSSL 4.1\n", Some(Version(10, 3))),
            ("OpenSSH_7.4", Some(Version(7, 4))),
            ("Sun_SSH_2.4", None),
            ("OpenSSH_x.1", None),
            ("", None),
        ] {
            assert_eq!(Version::parse(text), expected, "{text}");
        }
        assert!(Version(10, 0) > Version(9, 9));
    }
}
