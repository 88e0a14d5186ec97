//! Whether a certificate is good for a host (`sshkey_cert_check_host` of OpenSSH).

use std::time::SystemTime;

use russh::keys::Algorithm;
use russh::keys::Certificate;
use russh::keys::ssh_key::certificate::CertType;

use super::version::Version;
use crate::ssh::config::matches;
use crate::ssh::rules::Rules;

/// The version that first wants principals, and takes patterns for them.
const PATTERNS: Version = Version::new(10, 3);

/// Whether the authority named in a certificate has signed it.
///
/// One that it has not signed is no certificate at all. Whether the authority counts is asked elsewhere.
pub(super) fn is_signed(certificate: &Certificate) -> bool {
    let authority = certificate.signature_key();
    // Plain keys only.
    if matches!(authority.algorithm(), Algorithm::Other(_)) || authority.certificate().is_some() {
        return false;
    }
    certificate.verify_signature().is_ok()
}

/// Why a certificate is not good for the host `name`, in the words of ssh.
pub(super) fn refusal(
    certificate: &Certificate,
    name: &str,
    rules: &Rules,
    version: Option<Version>,
) -> Option<&'static str> {
    if certificate.cert_type() != CertType::Host {
        return Some("Certificate invalid: not a host certificate");
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    if now < certificate.valid_after() {
        return Some("Certificate invalid: not yet valid");
    }
    if now >= certificate.valid_before() {
        return Some("Certificate invalid: expired");
    }
    if let Some(why) = stranger(certificate.valid_principals(), name, version) {
        return Some(why);
    }
    if !certificate.critical_options().is_empty() {
        return Some("Certificate contains unsupported critical options");
    }
    if !rules.permits_signature(&certificate.signature().algorithm()) {
        return Some("Certificate signed with disallowed algorithm");
    }
    None
}

/// Why a certificate for these principals is not for `name`. Of an ssh whose version is not known the
/// strictest is expected.
fn stranger(principals: &[String], name: &str, version: Option<Version>) -> Option<&'static str> {
    let is_new = version.is_none_or(|version| version >= PATTERNS);
    let may_have_patterns = version.is_some_and(|version| version >= PATTERNS);
    if principals.is_empty() {
        return is_new.then_some("Certificate lacks principal list");
    }
    let is_name =
        |principal: &String| principal == name || may_have_patterns && matches(principal, name);
    let is_listed = principals.iter().any(is_name);
    (!is_listed).then_some("Certificate invalid: name is not a listed principal")
}

/// Whether what [`refusal`] says depends on the version of ssh.
pub(super) fn asks_for_version(certificate: &Certificate) -> bool {
    let principals = certificate.valid_principals();
    let is_pattern = |principal: &String| principal.contains(['*', '?']);
    principals.is_empty() || principals.iter().any(is_pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_those_of_the_version() {
        let (old, new) = (Some(Version::new(9, 2)), Some(Version::new(10, 3)));
        for (principals, version, is_good) in [
            (&["h.lan"][..], old, true),
            (&["other", "h.lan"], new, true),
            (&["other"], old, false),
            (&["*.lan"], old, false),
            (&["*.lan"], new, true),
            (&["*.lan"], None, false),
            (&["H.lan"], new, false),
            (&[], old, true),
            (&[], new, false),
            (&[], None, false),
        ] {
            let principals: Vec<_> = principals.iter().map(|one| one.to_string()).collect();
            let stranger = stranger(&principals, "h.lan", version);
            assert_eq!(stranger.is_none(), is_good, "{principals:?} {version:?}");
        }
    }
}
