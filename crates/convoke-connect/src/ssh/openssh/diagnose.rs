//! Why ssh failed, from its last words.
//!
//! ssh says it in sentences, not codes. Each sentence that ends a connection is known by its whole
//! shape (`shapes`); of several the last one counts, since what a server says of itself comes before.

mod host_key;
mod shapes;
#[cfg(test)]
mod tests;

use crate::connector::Ending;
use crate::error::{Again, ConnectError, ConnectErrorKind};
use crate::surroundings::Surroundings;

use super::child::Chatter;
use crate::ssh::hints::*;
use crate::ssh::printable::printable;
use shapes::{Cause, EVERYWHERE, matches, shape};

/// What ssh says of a peer that it reaches through a program.
const THROUGH_PROXY: &str = " UNKNOWN port 65535";

/// What it says before it starts that program.
const PROXY: &str = "debug1: Executing proxy ";

/// Whether ssh was told of an ssh-agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyAgent {
    /// It was.
    Named,
    /// `SSH_AUTH_SOCK` is not set.
    Missing,
    /// It could ask the operator itself.
    Unneeded,
}

impl KeyAgent {
    pub(crate) fn of(surroundings: &Surroundings) -> Self {
        let socket = surroundings.variable("SSH_AUTH_SOCK");
        match socket.is_some_and(|socket| !socket.is_empty()) {
            true => KeyAgent::Named,
            false => KeyAgent::Missing,
        }
    }
}

/// Says why an ssh that ended like this, with this last noise, did not connect; without an ending, what
/// it was still waiting for. None when it did connect.
pub(crate) fn diagnose(
    ending: Option<&Ending>,
    noise: &[u8],
    key_agent: KeyAgent,
    chatter: Chatter,
) -> Option<ConnectError> {
    if matches!(ending, Some(Ending::Exited { .. } | Ending::Killed { .. })) {
        return None;
    }
    let noise = String::from_utf8_lossy(noise);
    let words = Words::read(&noise, key_agent, chatter);
    let Some((cause, line)) = words.last(|_| true) else {
        return match ending {
            None => words.waited(),
            Some(_) => words.silent(),
        };
    };
    let (cause, line) = match cause {
        Cause::Closed | Cause::BeforeBanner if words.through_proxy => match words.proxy() {
            Some(found) => found,
            None => return Some(words.proxy_ended(line)),
        },
        _ => (cause, line),
    };
    Some(words.error(cause, line))
}

/// A mistake in the configuration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// It in ssh's words.
    pub(crate) text: String,
    /// Whether every host meets it.
    pub(crate) is_everywhere: bool,
}

/// What is wrong with the configuration, in the words of an ssh that only read it.
pub(crate) fn configuration(stderr: &[u8]) -> Option<Mistake> {
    let stderr = String::from_utf8_lossy(stderr);
    let said = lines(&stderr).filter(|line| !line.starts_with("debug"));
    let mut wrong = said.filter(|line| shape(line) == Some(Cause::Configuration));
    let first = wrong.next()?;
    let everywhere = |line| EVERYWHERE.iter().any(|one| matches(one, line).is_some());
    Some(Mistake {
        text: printable(first),
        is_everywhere: everywhere(first) || wrong.any(everywhere),
    })
}

/// ssh's words without its chatter, and what the chatter says.
struct Words<'a> {
    lines: Vec<&'a str>,
    facts: Facts<'a>,
    /// Whether a program stands between ssh and the server.
    through_proxy: bool,
    key_agent: KeyAgent,
    chatter: Chatter,
}

/// What ssh's own account says of how far it came.
#[derive(Debug, Default)]
struct Facts<'a> {
    /// Where it connects to, as it writes that.
    place: Option<&'a str>,
    connected: bool,
    /// The server said that it is one.
    answered: bool,
    /// It began to talk to the server.
    began: bool,
    /// What the server said instead of a banner.
    said: Option<&'a str>,
    /// The type and fingerprint of the server's key.
    key: Option<&'a str>,
    /// It began to authenticate.
    authenticating: bool,
    authenticated: bool,
}

impl<'a> Words<'a> {
    fn read(noise: &'a str, key_agent: KeyAgent, chatter: Chatter) -> Self {
        let is_proxy = |line: &str| line.contains(THROUGH_PROXY) || line.starts_with(PROXY);
        let through_proxy = lines(noise).any(is_proxy);
        let mut facts = Facts::default();
        let mut said = Vec::new();
        for line in lines(noise) {
            if !facts.note(line, through_proxy) && !line.starts_with("debug") {
                said.push(line);
            }
        }
        Words {
            lines: said,
            facts,
            through_proxy,
            key_agent,
            chatter,
        }
    }

    /// The last cause that counts. Once ssh is in, what stands there may come from anybody.
    fn last(&self, counts: impl Fn(&str) -> bool) -> Option<(Cause, &'a str)> {
        let known = |line: &&'a str| Some((shape(line)?, *line));
        let mut causes = self.lines.iter().rev().filter_map(known);
        causes.find(|(cause, line)| {
            counts(line) && (!self.facts.authenticated || cause.comes_after_authentication())
        })
    }

    /// What it was waiting for when nobody wanted to wait longer.
    fn waited(&self) -> Option<ConnectError> {
        let facts = &self.facts;
        let place = printable(&once(facts.place?));
        let text = match () {
            () if facts.authenticated => return None,
            () if facts.authenticating => format!("{place} did not end the authentication"),
            () if facts.answered => format!("{place} did not end the key exchange"),
            () if facts.connected => format!("{place} was connected and said nothing"),
            () => format!("{place} did not take the connection"),
        };
        Some(ConnectError::new(ConnectErrorKind::Timeout, text))
    }

    /// It ended without a word that is known, and was never in.
    fn silent(&self) -> Option<ConnectError> {
        let is_known_to_be_out = self.facts.place.is_some() && !self.facts.authenticated;
        let (text, hint) = match self.lines.last() {
            None if self.chatter == Chatter::Theirs => {
                ("ssh ended and said nothing".to_owned(), Some(QUIET))
            }
            Some(line) if is_known_to_be_out => (format!("ssh ended: {}", printable(line)), None),
            None if is_known_to_be_out => ("ssh ended before it was in".to_owned(), None),
            _ => return None,
        };
        Some(ConnectError {
            hint: hint.map(str::to_owned),
            ..ConnectError::new(ConnectErrorKind::Closed, text)
        })
    }

    /// What the program on the way said of its own connection.
    fn proxy(&self) -> Option<(Cause, &'a str)> {
        let ours = |line: &str| line.contains(THROUGH_PROXY) || line.contains("_identification: ");
        self.last(|line| !ours(line))
    }

    fn proxy_ended(&self, line: &str) -> ConnectError {
        let is_ours = |said: &&&str| shape(said).is_some();
        let said = self.lines.iter().rev().find(|said| !is_ours(said));
        let why = said.map_or(printable(line), |said| printable(said));
        let text = format!("the ProxyCommand or ProxyJump ended: {why}");
        ConnectError::new(ConnectErrorKind::Closed, text)
    }

    fn error(&self, cause: Cause, line: &str) -> ConnectError {
        use ConnectErrorKind as Kind;
        let plain = |kind| ConnectError::new(kind, printable(line));
        let hinted = |kind, hint: &str| ConnectError {
            hint: Some(hint.into()),
            ..plain(kind)
        };
        let no_connection = |kind| ConnectError {
            again: self.again(!self.has_begun(line)),
            ..plain(kind)
        };
        let no_banner = |kind| ConnectError {
            again: self.again(self.is_before_banner()),
            ..plain(kind)
        };
        let jump = |kind| {
            let text = format!(
                "the jump host could not connect further: {}",
                printable(line)
            );
            ConnectError::new(kind, text)
        };
        match cause {
            Cause::Refused => no_connection(Kind::Refused),
            Cause::Reset => no_connection(Kind::Closed),
            Cause::Timeout => no_connection(Kind::Timeout),
            Cause::BannerTimeout | Cause::LateTimeout => no_banner(Kind::Timeout),
            Cause::NoRoute => plain(Kind::NoRoute),
            Cause::Name => plain(Kind::Name),
            Cause::Resources => plain(Kind::Resources),
            Cause::Configuration => plain(Kind::Configuration),
            Cause::Forwarding => hinted(Kind::Configuration, FORWARDING),
            Cause::Closed | Cause::BeforeBanner => self.closed(line),
            Cause::Broken => plain(Kind::Closed),
            Cause::Algorithms => hinted(Kind::Closed, ALGORITHMS),
            Cause::NotSsh => hinted(Kind::Closed, NOT_SSH),
            Cause::JumpRefused => jump(Kind::Refused),
            Cause::JumpNoRoute => jump(Kind::NoRoute),
            Cause::Denied => self.denied(line),
            Cause::TooManyFailures => hinted(Kind::Authentication, TOO_MANY),
            Cause::HostKey => host_key::error(&self.lines, self.facts.key),
        }
    }

    /// Closed or reset, at some moment.
    fn closed(&self, line: &str) -> ConnectError {
        let before_banner = self.is_before_banner();
        let exchanging = self.facts.began && self.is_direct();
        let when = match () {
            () if self.facts.authenticating => " during authentication",
            () if before_banner => " before its banner",
            () if exchanging => " during the key exchange",
            () => "",
        };
        let said = self
            .facts
            .said
            .map(|said| format!(" ({})", printable(said)));
        let text = format!("{}{when}{}", printable(line), said.unwrap_or_default());
        ConnectError {
            hint: before_banner.then(|| CROWDED.into()),
            again: self.again(before_banner || exchanging),
            ..ConnectError::new(ConnectErrorKind::Closed, text)
        }
    }

    /// Whether another attempt may help that failed this `early`: certainly not when ssh began to
    /// authenticate, since everything that a server says may end up among ssh's words from then on.
    fn again(&self, early: bool) -> Again {
        match early && !self.facts.authenticating && !self.facts.authenticated {
            true => Again::MayHelp,
            false => Again::Pointless,
        }
    }

    /// Whether more than a connection may have been tried when ssh said this about connecting.
    fn has_begun(&self, line: &str) -> bool {
        match self.chatter {
            // Without a word of connecting, a master has the connection, and the host may have said it.
            Chatter::Ours => self.facts.place.is_none() && !self.through_proxy,
            // The account may be missing. What ssh ends with is its own word at least.
            Chatter::Theirs => self.lines.last() != Some(&line),
        }
    }

    /// Whether no banner came, and ssh's own account agrees.
    fn is_before_banner(&self) -> bool {
        let early = [Some(Cause::BeforeBanner), Some(Cause::BannerTimeout)];
        let is_said = self.lines.iter().any(|line| early.contains(&shape(line)));
        let facts = &self.facts;
        is_said && self.is_direct() && !facts.answered && !facts.authenticating
    }

    /// Whether it is known that no other server came before this one, which may have authenticated us.
    fn is_direct(&self) -> bool {
        let is_known = self.facts.place.is_some() && !self.through_proxy;
        is_known && self.chatter == Chatter::Ours
    }

    fn denied(&self, line: &str) -> ConnectError {
        let methods = line.rsplit_once('(').map_or("", |(_, methods)| methods);
        let methods = methods.trim_end_matches([')', '.']);
        let who = line.split_once(": ").map_or("", |(who, _)| who);
        let text = match (who, methods) {
            ("", methods) => format!("permission denied; the server takes {methods}"),
            (who, methods) => format!("permission denied to {who}; the server takes {methods}"),
        };
        ConnectError {
            hint: self.denied_hint(methods),
            ..ConnectError::new(ConnectErrorKind::Authentication, printable(&text))
        }
    }

    fn denied_hint(&self, methods: &str) -> Option<String> {
        let find = |pattern: &str| {
            let mut found = self.lines.iter().filter_map(|line| matches(pattern, line));
            found.next()
        };
        let keyless = ["publickey", "hostbased", "gssapi"]
            .iter()
            .all(|method| !methods.contains(method));
        if let Some([_, file]) = find("Permissions 0* for '*' are too open.").as_deref() {
            return Some(too_open(&printable(file)));
        }
        if let Some([file, _]) = find("no such identity: *: *").as_deref() {
            return Some(absent(&printable(file)));
        }
        if find("*: agent refused operation").is_some() {
            return Some(AGENT_REFUSED.into());
        }
        let hint = match self.key_agent {
            KeyAgent::Unneeded if keyless => return None,
            KeyAgent::Named | KeyAgent::Missing if keyless => PASSWORD,
            KeyAgent::Missing => NO_AGENT,
            KeyAgent::Named | KeyAgent::Unneeded => OFFERED,
        };
        Some(hint.into())
    }
}

impl<'a> Facts<'a> {
    /// Notes what a line of ssh's own account says; false when it is something else.
    fn note(&mut self, line: &'a str, through_proxy: bool) -> bool {
        if let Some(place) = line.strip_prefix("debug1: Connecting to ") {
            self.place = Some(place.trim_end_matches('.'));
            self.connected = false;
        } else if line.starts_with("debug1: Connection established.") {
            self.connected = true;
        } else if line.starts_with("debug1: Remote protocol version ") {
            self.answered = true;
        } else if line.starts_with(PROXY) {
            // Noted before.
        } else if line.starts_with("debug1: Local version string ") {
            self.began = true;
        } else if let Some(key) = line.strip_prefix("debug1: Server host key: ") {
            self.key = Some(key);
        } else if line.starts_with("debug1: SSH2_MSG_SERVICE_ACCEPT received") {
            self.authenticating = true;
        } else if let Some(parts) = matches("debug1: *_exchange_identification: *", line) {
            let said = parts.get(1).copied().unwrap_or_default();
            let (label, said) = said.split_once(": ").unwrap_or(("", said));
            self.said = Some(said).filter(|_| label.is_empty() || label.starts_with("banner line"));
        } else if line.starts_with("Authenticated to ") {
            // A host on the way may say it of itself.
            self.authenticated |= !through_proxy || line.contains(" (via proxy)");
        } else {
            return false;
        }
        true
    }
}

/// `NAME [ADDRESS] port N` without an address that is the name.
fn once(place: &str) -> String {
    let parts = place.split_once(" [").and_then(|(name, rest)| {
        let rest = rest.strip_prefix(name)?.strip_prefix(']')?;
        Some(format!("{name}{rest}"))
    });
    parts.unwrap_or_else(|| place.to_owned())
}

fn lines(noise: &str) -> impl Iterator<Item = &str> {
    let lines = noise.split(['\n', '\r']).map(str::trim_end);
    lines.filter(|line| !line.is_empty())
}
