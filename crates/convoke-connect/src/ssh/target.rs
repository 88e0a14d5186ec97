//! Which account on which machine an endpoint names, checked before any program sees it.

use std::net::Ipv6Addr;

use crate::endpoint::Endpoint;
use crate::error::{ConnectError, ConnectErrorKind};

/// What stands in an endpoint: `[user@]host[:port]`, `[v6]:port`, a bare IPv6 address, or the same as a
/// url, where the user may be percent-encoded.
///
/// Every part is safe in an argv and in the shell line that a `ProxyCommand` becomes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub(crate) user: Option<String>,
    /// A name or an address; without brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    /// How it was written.
    pub(crate) written: Written,
}

/// How a target was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Written {
    /// A host and nothing else.
    Bare,
    /// With a scheme, a user or a port.
    Full,
}

impl Target {
    /// The host as it is written in a url: an IPv6 address stands in brackets.
    pub(crate) fn host_in_url(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        }
    }

    /// A host on the way to another.
    pub(crate) fn hop(user: Option<String>, host: String, port: Option<u16>) -> Self {
        Target {
            user,
            host,
            port,
            written: Written::Full,
        }
    }

    /// Parses and checks the parts of `endpoint`.
    pub(crate) fn parse(endpoint: &Endpoint) -> Result<Self, ConnectError> {
        let refuse = |why: String| {
            let text = format!("{endpoint} is not an ssh endpoint: {why}");
            ConnectError::new(ConnectErrorKind::Endpoint, text)
        };
        let is_url = endpoint.as_str().contains("://");
        let rest = endpoint.rest();
        let rest = match rest.split_once('/') {
            Some((rest, "")) if is_url => rest,
            Some(_) => return Err(refuse("it holds a path".into())),
            None => rest,
        };
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) if is_url => (Some(decode(user).map_err(refuse)?), place),
            Some((user, place)) => (Some(user.to_owned()), place),
            None => (None, rest),
        };
        if let Some(user) = &user {
            check_user(user).map_err(refuse)?;
        }
        let (host, port) = split_port(place).map_err(refuse)?;
        let alone = endpoint.as_str() == rest && place.len() == rest.len() && port.is_none();
        Ok(Target {
            written: if alone { Written::Bare } else { Written::Full },
            user,
            host: host.to_owned(),
            port,
        })
    }
}

/// Splits and checks `host`, `host:port`, `[v6]`, `[v6]:port` and `v6`.
fn split_port(place: &str) -> Result<(&str, Option<u16>), String> {
    if let Some(inner) = place.strip_prefix('[') {
        let (address, after) = inner
            .split_once(']')
            .ok_or("the bracket of the address is not closed")?;
        check_address(address)?;
        return match after.strip_prefix(':') {
            Some(digits) => Ok((address, Some(port(digits)?))),
            None if after.is_empty() => Ok((address, None)),
            None => Err(format!("{after:?} follows the address")),
        };
    }
    if place.bytes().filter(|byte| *byte == b':').count() > 1 {
        check_address(place)?;
        return Ok((place, None));
    }
    let (host, port) = match place.split_once(':') {
        Some((host, digits)) => (host, Some(port(digits)?)),
        None => (place, None),
    };
    check_host(host)?;
    Ok((host, port))
}

fn port(digits: &str) -> Result<u16, String> {
    let number = digits.bytes().all(|byte| byte.is_ascii_digit());
    number
        .then(|| digits.parse().ok())
        .flatten()
        .filter(|port| *port > 0)
        .ok_or_else(|| format!("the port {digits:?} is not between 1 and 65535"))
}

/// An IPv6 address, with or without a zone.
fn check_address(text: &str) -> Result<(), String> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let plain = |zone: &str| {
        zone.starts_with(|c: char| c.is_ascii_alphanumeric())
            && zone
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    if address.parse::<Ipv6Addr>().is_err() {
        return Err(format!("{address:?} is not an IPv6 address"));
    }
    match zone {
        Some(zone) if !plain(zone) => Err(format!("the zone {zone:?} is not an interface")),
        _ => Ok(()),
    }
}

/// A name that reaches shells through `%h`. What is allowed is listed, so that nothing is forgotten.
fn check_host(host: &str) -> Result<(), String> {
    check("host", host, |c| matches!(c, '.' | '-' | '_' | '+'))
}

/// A login, which reaches shells through `%r`: also `user@domain` and, as ssh allows, `DOMAIN\user`.
pub(crate) fn check_user(user: &str) -> Result<(), String> {
    check("user", user, |c| {
        matches!(c, '.' | '-' | '_' | '+' | '@' | '\\')
    })?;
    if user.ends_with('\\') {
        return Err(format!("the user {user:?} ends with a backslash"));
    }
    Ok(())
}

fn check(part: &str, text: &str, also: impl Fn(char) -> bool) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("the {part} is empty"));
    }
    if text.starts_with('-') {
        return Err(format!("the {part} {text:?} begins with a hyphen"));
    }
    match text.chars().find(|c| !c.is_alphanumeric() && !also(*c)) {
        Some(bad) => Err(format!("the {part} {text:?} holds {bad:?}")),
        None => Ok(()),
    }
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String, String> {
    let refuse = || format!("the user {text:?} is not encoded as in a url");
    let mut pieces = text.split('%');
    let mut decoded = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, plain) = piece.split_at_checked(2).ok_or_else(refuse)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refuse());
        }
        decoded.push(u8::from_str_radix(digits, 16).map_err(|_| refuse())?);
        decoded.extend(plain.as_bytes());
    }
    String::from_utf8(decoded).map_err(|_| refuse())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Target, ConnectError> {
        Target::parse(&text.parse().unwrap())
    }

    #[test]
    fn an_endpoint_is_split_into_its_parts() {
        use Written::{Bare, Full};
        for (text, user, host, port, written) in [
            ("web1", None, "web1", None, Bare),
            ("web_1.example.org", None, "web_1.example.org", None, Bare),
            ("root@web1", Some("root"), "web1", None, Full),
            ("web1:22", None, "web1", Some(22), Full),
            ("a@corp@web1:2222", Some("a@corp"), "web1", Some(2222), Full),
            (r"CORP\ann@web1", Some(r"CORP\ann"), "web1", None, Full),
            ("10.0.0.7:65535", None, "10.0.0.7", Some(65535), Full),
            ("::1", None, "::1", None, Bare),
            ("fe80::1%eth0", None, "fe80::1%eth0", None, Bare),
            ("[::1]", None, "::1", None, Bare),
            ("[fe80::1%eth0]:22", None, "fe80::1%eth0", Some(22), Full),
            ("root@[::1]:22", Some("root"), "::1", Some(22), Full),
            ("ssh://web1", None, "web1", None, Full),
            ("ssh://web1/", None, "web1", None, Full),
            ("ssh:web1", None, "web1", None, Full),
            ("openssh:web1", None, "web1", None, Full),
            ("ssh://root@web1:22/", Some("root"), "web1", Some(22), Full),
            (
                "ssh://a%40corp@[::1]:22",
                Some("a@corp"),
                "::1",
                Some(22),
                Full,
            ),
        ] {
            let target = Target {
                user: user.map(str::to_owned),
                host: host.to_owned(),
                port,
                written,
            };
            assert_eq!(parse(text).unwrap(), target, "{text}");
        }
    }

    #[test]
    fn a_hostile_part_is_refused_and_named() {
        for (text, part) in [
            ("root@-oProxyCommand=x", "host"),
            ("ssh://-oProxyCommand=x", "host"),
            ("ssh://-l@web1", "user"),
            ("-x@web1", "hyphen"),
            ("ssh://%2doProxyCommand=x@web1", "user"),
            ("ssh://a%20b@web1", "user"),
            ("ssh://a%0ab@web1", "user"),
            ("ssh://a%zz@web1", "user"),
            ("ssh://a%+1@web1", "user"),
            ("ssh://a%e9@web1", "user"),
            ("@web1", "user"),
            ("root@", "host"),
            ("ssh://", "host"),
            (r"root\@web1", "user"),
            ("ssh://web1/docker:app", "path"),
            ("web1/x", "path"),
            ("web1/", "path"),
            ("web1:0", "port"),
            ("web1:65536", "port"),
            ("ssh://web1:+22", "port"),
            ("ssh://web1:", "port"),
            ("[::1]:x", "port"),
            ("[::1", "bracket"),
            ("[::1]22", "follows"),
            ("[web1]:22", "IPv6"),
            ("a:b:c", "a"),
            ("[::1%-x]", "zone"),
            ("[::1%$x]", "zone"),
            ("%h", "host"),
        ] {
            let Ok(endpoint) = text.parse() else {
                continue; // Refused even earlier.
            };
            if let Err(error) = Target::parse(&endpoint) {
                assert_eq!(error.kind, ConnectErrorKind::Endpoint, "{text}");
                assert!(error.text.contains(part), "{text}: {}", error.text);
            } else {
                panic!("{text} was taken");
            }
        }
    }

    #[test]
    fn nothing_that_a_shell_reads_stands_in_a_part() {
        for bad in "$`;|&<>(){}*?!#~'\"\\^=,:\u{202e}\u{200b}".chars() {
            let host = format!("we{bad}b1");
            assert!(check_host(&host).is_err(), "{host:?}");
            let user = format!("ro{bad}ot");
            assert_eq!(check_user(&user).is_err(), bad != '\\', "{user:?}");
        }
    }
}
