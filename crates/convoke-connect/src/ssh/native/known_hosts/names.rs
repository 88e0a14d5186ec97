//! Whether the first field of a line is about a name: patterns, or one hashed name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::ssh::config;

/// How a hashed name begins: HMAC-SHA1 with the salt that follows.
const HASHED: &[u8] = b"|1|";

/// The length of a salt and of a hash, in bytes: that of a SHA-1.
pub(super) const SALT: usize = 20;

/// The longest pattern that ssh looks at, in bytes; a longer one makes it give up the list.
const LONGEST_PATTERN: usize = 1022;

/// Whether `names`, which are not hashed, say that the line is about `name`.
pub(super) fn matches(names: &[u8], name: &[u8]) -> bool {
    names.first() != Some(&b'|') && is_in_list(names, name)
}

/// A hashed name: `|1|SALT|HASH`, both in base64.
pub(super) struct Hashed {
    /// The salt, made ready: it is used for many names.
    salt: Hmac<Sha1>,
    hash: [u8; SALT],
}

impl Hashed {
    pub(super) fn read(names: &[u8]) -> Option<Self> {
        let mut parts = names.strip_prefix(HASHED)?.splitn(2, |byte| *byte == b'|');
        let (salt, hash) = (parts.next()?, parts.next()?);
        let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
        let salt: [u8; SALT] = salt.try_into().ok()?;
        Some(Hashed {
            salt: salted(salt),
            hash: hash.try_into().ok()?,
        })
    }

    /// Whether it is the hash of `name`. Nothing here is secret.
    pub(super) fn is(&self, name: &[u8]) -> bool {
        let hash = self.salt.clone().chain_update(name).finalize();
        hash.into_bytes() == self.hash
    }
}

/// `name` as it is written with `HashKnownHosts`.
pub(super) fn hash(name: &str, salt: [u8; SALT]) -> String {
    let hash = salted(salt).chain_update(name).finalize().into_bytes();
    format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hash))
}

fn salted(salt: [u8; SALT]) -> Hmac<Sha1> {
    Hmac::new_from_slice(&salt).expect("a key of any length will do")
}

/// Patterns between commas. One that begins with `!` and matches makes all others count for nothing.
fn is_in_list(patterns: &[u8], name: &[u8]) -> bool {
    let mut found = false;
    for pattern in patterns.split(|byte| *byte == b',') {
        let (negated, pattern) = match pattern.strip_prefix(b"!") {
            Some(pattern) => (true, pattern),
            None => (false, pattern),
        };
        if pattern.len() > LONGEST_PATTERN {
            return false;
        }
        if config::matches(pattern.to_ascii_lowercase(), name) {
            if negated {
                return false;
            }
            found = true;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_ssh_matches_them() {
        for (patterns, name, expected) in [
            ("h", "h", true),
            ("H", "h", true),
            ("h", "hh", false),
            ("a,h,b", "h", true),
            ("*.lan", "h.lan", true),
            ("*.lan", "h.wan", false),
            ("h?", "h1", true),
            ("h?", "h", false),
            ("*", "anything", true),
            ("!h,*", "h", false),
            ("*,!h", "h", false),
            ("*,!h", "g", true),
            ("!h", "g", false),
            ("[h]:22", "[h]:22", true),
            ("[10.0.*]:*", "[10.0.7.1]:2222", true),
            ("h", "[h]:2222", false),
            ("", "h", false),
            (",", "h", false),
        ] {
            let found = matches(patterns.as_bytes(), name.as_bytes());
            assert_eq!(found, expected, "{patterns} {name}");
        }
    }

    #[test]
    fn a_hashed_name_matches_only_itself() {
        // By ssh-keygen -H for `web1.example.org`.
        let hashed = b"|1|IHXZvQMvTcZTUU29+2vXFgx8Frs=|UGccIWfRVDwilMBnA3WJoRAC75Y=";
        assert!(!Hashed::read(hashed).unwrap().is(b"web1"));
        for bad in [
            &b"|1|"[..],
            b"|2|IHXZvQMvTcZTUU29+2vXFgx8Frs=|UGccIWfRVDwilMBnA3WJoRAC75Y=",
            b"|1|IHXZ|UGccIWfRVDwilMBnA3WJoRAC75Y=",
            b"|1|!!|x",
            b"|",
        ] {
            assert!(Hashed::read(bad).is_none(), "{bad:?}");
        }
        let ours = hash("web1", [7; SALT]);
        assert!(Hashed::read(ours.as_bytes()).unwrap().is(b"web1"));
    }
}
