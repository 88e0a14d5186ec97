//! The hosts of a `ProxyJump`.

use super::own::number;

/// Over which hosts the way leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ssh) enum Jump {
    /// Over none, said explicitly.
    None,
    /// Over one, and those before it.
    Over {
        /// The hosts before it, as they were written.
        before: Option<String>,
        hop: Hop,
    },
}

/// One host on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ssh) struct Hop {
    pub(in crate::ssh) user: Option<String>,
    pub(in crate::ssh) host: String,
    pub(in crate::ssh) port: Option<u32>,
}

impl Jump {
    /// Reads the value of the option: hosts with commas, maybe a comment.
    pub(in crate::ssh) fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("none") {
            return Ok(Jump::None);
        }
        let hosts = match text.split_once('#') {
            // ssh keeps parts of the comment then.
            Some(_) if text.contains(',') => return Err("a comment behind ProxyJump".into()),
            Some((hosts, _)) => hosts.trim_end_matches([' ', '\t', '\r', '\n', '\x0b', '\x0c']),
            None => text,
        };
        let mut hops = Vec::new();
        for hop in hosts.split(',') {
            hops.push(Hop::parse(hop)?);
        }
        let hop = hops.pop().ok_or("ProxyJump without a host")?;
        let before = hosts.rsplit_once(',').map(|(before, _)| before.to_owned());
        Ok(Jump::Over { before, hop })
    }

    /// As it is printed.
    pub(super) fn printed(&self) -> Option<String> {
        let Jump::Over { before, hop } = self else {
            return None;
        };
        let digits = hop.host.chars().all(|c| c.is_ascii_digit() || c == '.');
        let host = match digits || hop.host.contains(':') {
            true => format!("[{}]", hop.host),
            false => hop.host.clone(),
        };
        let before = before.as_ref().map(|before| format!("{before},"));
        let user = hop.user.as_ref().map(|user| format!("{user}@"));
        let port = hop.port.map(|port| format!(":{port}"));
        let parts = [before, user, Some(host), port];
        Some(parts.into_iter().flatten().collect())
    }
}

impl Hop {
    fn parse(text: &str) -> Result<Self, String> {
        let refuse = || format!("the jump host {text:?}");
        let (is_url, rest) = match text.strip_prefix("ssh://") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let special = |c: char| c == '/' || c.is_whitespace() || !c.is_ascii();
        let encoded = |c: char| matches!(c, '%' | '+' | ';' | '@' | '[' | '_');
        if rest.contains(special) || is_url && rest.replacen('@', "", 1).contains(encoded) {
            return Err(refuse());
        }
        let (host, port) = match place.strip_prefix('[') {
            Some(inner) => {
                let (host, after) = inner.split_once(']').ok_or_else(refuse)?;
                match after.strip_prefix(':') {
                    None if after.is_empty() => (host, ""),
                    Some(port) => (host, port),
                    None => return Err(refuse()),
                }
            }
            None => place.split_once(':').unwrap_or((place, "")),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        let is_domain = host.starts_with(|c: char| c.is_ascii_alphanumeric())
            && host.chars().all(plain)
            && !host.contains("..")
            && !host.ends_with('.');
        if host.is_empty() || user == Some("") || is_url && !is_domain {
            return Err(refuse());
        }
        Ok(Hop {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port: match port {
                "" => None,
                port => Some(number(port, 65535)?).filter(|port| *port > 0),
            },
        })
    }
}
