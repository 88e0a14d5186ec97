//! The name of a host: a text that is safe to hand to any program.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

use super::parts::check_parts;
use crate::error::{Error, excerpt};

/// The longest host name in bytes: a domain name has up to 253, a url adds a user and a few hops.
pub const MAX_NAME_BYTES: usize = 512;

/// The name of a host, which is the text of its endpoint exactly as written.
///
/// `web1`, `root@web1`, `web1:22`, `ssh://u@h:22`, `local:demo1` and `[2001:db8::1%eth0]:22` are names; `web1` and
/// `root@web1` are two hosts. No name is empty, holds a blank, a control character or a character that means something
/// to a shell or to a host expression, or could be taken for an option: no part of it begins with `-`. In a url that holds for what
/// `%` hides, too. Where a mark says that a user, a host or a port stands beside it, one does, and a port is one from 1 to
/// 65535. Cloning shares the text.
///
/// ```
/// use convoke_inventory::HostName;
///
/// assert_eq!(HostName::parse("root@web1")?.as_str(), "root@web1");
/// assert!(HostName::parse("-oProxyCommand=reboot").is_err());
/// # Ok::<(), convoke_inventory::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Arc<str>);

impl HostName {
    /// Parses a host name.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyName`], [`Error::LeadingDash`], [`Error::BadCharacter`], [`Error::BadAddress`],
    /// [`Error::NameTooLong`], [`Error::UnclosedBracket`], [`Error::UnopenedBracket`], [`Error::MissingPart`],
    /// [`Error::BadPort`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_at(text, 0)
    }

    /// Parses a host name that stands at a byte offset of a longer text.
    pub(crate) fn parse_at(text: &str, at: usize) -> Result<Self, Error> {
        check_text(text, at)?;
        check_parts(text, at)?;
        if text.len() > MAX_NAME_BYTES {
            return Err(Error::NameTooLong {
                at,
                limit_bytes: MAX_NAME_BYTES,
            });
        }
        Ok(Self(Arc::from(text)))
    }

    /// Takes a text that is known to be a name.
    pub(super) fn from_checked(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for HostName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl std::str::FromStr for HostName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// Checks that a text of any length is otherwise a host name; `at` is where it stands, for errors.
pub(super) fn check_text(text: &str, at: usize) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::EmptyName);
    }
    let mut before = None;
    let mut bracketed = false;
    let mut url = false;
    for (index, found) in text.char_indices() {
        let here = at + index;
        match found {
            '-' if begins_part(before) => return Err(Error::LeadingDash { at: here }),
            '/' | '@' if before.is_none() => return Err(Error::BadCharacter { at: here, found }),
            '[' if !bracketed => {
                check_address(text, index, before, here)?;
                bracketed = true;
            }
            ']' if !bracketed => return Err(Error::UnopenedBracket { at: here }),
            ']' => bracketed = false,
            '/' => url = true,
            _ if is_name_char(found) => {}
            _ => return Err(Error::BadCharacter { at: here, found }),
        }
        before = Some(found);
    }
    if url && text.contains("://") {
        check_hidden(text, at)
    } else {
        Ok(())
    }
}

/// Says whether a character may stand in a host name outside brackets.
///
/// This is a list of what is allowed, so that what a shell, a terminal or a host expression understands is shut out
/// without being listed: blanks, quotes, globs, `$`, `~`, `=`, `#`, `\`, control characters, marks that turn text around.
fn is_name_char(found: char) -> bool {
    match found {
        '-' | '_' | '.' | ':' | '@' | '%' | '+' | '/' => true,
        _ => found.is_ascii_alphanumeric() || (!found.is_ascii() && found.is_alphanumeric()),
    }
}

/// Says whether the content of a bracket is an IPv6 address, with or without a zone.
pub(crate) fn is_address(content: &str) -> bool {
    let (address, zone) = content
        .split_once('%')
        .map_or((content, None), |(address, zone)| (address, Some(zone)));
    let zone_is_plain = |zone: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        zone.bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric())
            && zone.bytes().all(plain)
    };
    address.parse::<Ipv6Addr>().is_ok() && zone.is_none_or(zone_is_plain)
}

/// Says whether what follows this character is the beginning of a part that some program may see alone.
fn begins_part(before: Option<char>) -> bool {
    matches!(before, None | Some('@' | ':' | '/'))
}

fn check_address(text: &str, index: usize, before: Option<char>, at: usize) -> Result<(), Error> {
    let content = text.get(index + 1..).unwrap_or_default();
    let (content, after) = content
        .split_once(']')
        .ok_or(Error::UnclosedBracket { at })?;
    let in_place = matches!(before, None | Some('@' | '/'))
        && (after.is_empty() || after.starts_with([':', '/']));
    if in_place && is_address(content) {
        Ok(())
    } else {
        Err(Error::BadAddress {
            at: at + 1,
            text: excerpt(content),
        })
    }
}

/// Checks what the `%41` of a url stands for.
fn check_hidden(text: &str, at: usize) -> Result<(), Error> {
    let mut before = None;
    for (index, byte) in text.bytes().enumerate() {
        if byte == b'%'
            && let Some(hidden) = text
                .get(index + 1..index + 3)
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        {
            let found = char::from(hidden);
            if found == '-' && begins_part(before) {
                return Err(Error::LeadingDash { at: at + index });
            }
            if !(found.is_ascii() && is_name_char(found)) {
                return Err(Error::BadCharacter {
                    at: at + index,
                    found,
                });
            }
        }
        before = Some(char::from(byte));
    }
    Ok(())
}
