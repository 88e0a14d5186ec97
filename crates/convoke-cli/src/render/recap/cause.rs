//! Hosts of an equal cause as one, also when only their own names tell the texts of it apart.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddrV4};
use std::time::SystemTime;

use convoke::outcome::{Fate, Outcome};
use convoke::proto::command::Limits;
use convoke::report::HostResult;

use super::super::words;

/// What stands for the own name of a host, for an address, for the fingerprint of a key, and for a line of a
/// file, where several hosts are spoken of.
const HOST: &str = "HOST";
const ADDRESS: &str = "ADDRESS";
const FINGERPRINT: &str = "FINGERPRINT";
const LINE: &str = "LINE";

/// How a fingerprint begins; base64 follows.
const SHA256: &str = "SHA256:";

/// The word of the cause whose text goes through directories, each after a semicolon.
const NO_PLACE: &str = "no_place";

/// One cause and the hosts it befell, in host order.
pub(super) struct Cause<'a> {
    pub(super) hosts: Vec<&'a str>,
    /// What became of one of them: of the first, or of the one that may run longest.
    pub(super) outcome: Outcome,
    /// Whose outcome that is.
    speaker: &'a str,
    wording: Wording,
    hint: Option<String>,
}

/// Whether one text is true of all hosts of a cause.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wording {
    /// It is.
    Same,
    /// It names the host.
    Own,
}

/// Folds results by their cause, in the order in which the causes come first.
pub(super) fn fold<'a>(
    results: impl Iterator<Item = &'a HostResult>,
    limits: &Limits,
    hint: impl Fn(&Outcome) -> Option<String>,
) -> Vec<Cause<'a>> {
    let mut causes: Vec<Cause<'a>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for result in results {
        let text = words::outcome(&timeless(&result.outcome), limits);
        let general = general(&text, &result.outcome, &result.host);
        let hint = hint(&result.outcome);
        let known = places.get(&text).or_else(|| places.get(&general));
        let place = match known.copied() {
            Some(place) => {
                if !places.contains_key(&text) {
                    causes[place].wording = Wording::Own;
                }
                causes[place].take(result, hint);
                place
            }
            None => {
                causes.push(Cause {
                    hosts: vec![&result.host],
                    outcome: result.outcome.clone(),
                    speaker: &result.host,
                    wording: Wording::Same,
                    hint,
                });
                causes.len() - 1
            }
        };
        places.insert(text, place);
        places.insert(general, place);
    }
    causes
}

impl<'a> Cause<'a> {
    fn take(&mut self, result: &'a HostResult, hint: Option<String>) {
        if let (Some(ours), Some(theirs)) =
            (may_run_until(&self.outcome), may_run_until(&result.outcome))
            && theirs > ours
        {
            self.outcome = result.outcome.clone();
            self.speaker = &result.host;
        }
        if self.hint != hint {
            let first = self.hosts.first().copied().unwrap_or_default();
            self.hint = self.hint.take().map(|hint| replaced(&hint, first));
        }
        self.hosts.push(&result.host);
    }

    /// What befell them: one line, and lines that say more.
    pub(super) fn lines(&self, limits: &Limits) -> (String, Vec<String>) {
        let text = words::outcome(&self.outcome, limits);
        let text = match self.wording {
            Wording::Own => general(&text, &self.outcome, self.speaker),
            Wording::Same => text,
        };
        match &self.outcome {
            Outcome::Unreachable(unreachable) if unreachable.kind.as_str() == NO_PLACE => {
                let mut parts = text.split("; ").map(str::to_owned);
                let first = parts.next().unwrap_or_default();
                // The account's number is known only there; this is how a shell would ask for it.
                let rest = parts.map(|part| part.replace("convoke-UID", "convoke-$(id -u)"));
                (first, rest.collect())
            }
            Outcome::Failed(failed) => words::failures(failed),
            _ => (text, Vec::new()),
        }
    }

    /// What helps them.
    pub(super) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// An outcome without the time that is different for each host.
fn timeless(outcome: &Outcome) -> Outcome {
    match outcome {
        Outcome::Lost(lost) if may_run_until(outcome).is_some() => {
            let mut lost = lost.clone();
            lost.fate = Fate::EndsBy(SystemTime::UNIX_EPOCH);
            Outcome::Lost(lost)
        }
        other => other.clone(),
    }
}

fn may_run_until(outcome: &Outcome) -> Option<SystemTime> {
    match outcome {
        Outcome::Lost(lost) => match lost.fate {
            Fate::EndsBy(time) => Some(time),
            _ => None,
        },
        _ => None,
    }
}

/// The text of an outcome as it is true of every host to which the same happened.
fn general(text: &str, outcome: &Outcome, host: &str) -> String {
    match outcome {
        Outcome::Unreachable(_) | Outcome::Lost(_) => replaced(text, host),
        _ => text.to_owned(),
    }
}

/// A text without the name of the host, without addresses, fingerprints and numbers of lines.
fn replaced(text: &str, host: &str) -> String {
    let named = names(host)
        .into_iter()
        .fold(text.to_owned(), |text, name| without(&text, name));
    let named = match port(host) {
        Some(port) => replace_word(&named, &format!("port {port}"), "port PORT"),
        None => named,
    };
    without_addresses(&without_lines(&without_fingerprints(&named)))
}

/// A text in which every place in a file, such as `/etc/known_hosts:12`, reads `/etc/known_hosts:LINE`.
fn without_lines(text: &str) -> String {
    let words = text.split_inclusive(' ').map(|word| {
        let bare = word.trim_end_matches([' ', ',', ';', ':', '.', ')']);
        match bare.rsplit_once(':') {
            Some((file, line)) if file.starts_with(['/', '~']) && is_number(line) => {
                format!("{file}:{LINE}{}", &word[bare.len()..])
            }
            _ => word.to_owned(),
        }
    });
    words.collect()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A text in which every fingerprint of a key reads `FINGERPRINT`.
fn without_fingerprints(text: &str) -> String {
    let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    let mut pieces = text.split(SHA256);
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |out, piece| {
        out + FINGERPRINT + piece.trim_start_matches(belongs)
    })
}

/// The port that is written in a host's name.
fn port(host: &str) -> Option<&str> {
    let rest = host.split_once("://").map_or(host, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let (_, port) = authority.rsplit_once(':')?;
    is_number(port).then_some(port)
}

/// What a host may be called in a text, longest first: its whole name, and the parts of it.
fn names(host: &str) -> Vec<&str> {
    let rest = host.split_once("://").map_or(host, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    let bare = match place.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None if place.matches(':').count() > 1 => place,
        None => place.split(':').next().unwrap_or_default(),
    };
    let last = rest.rsplit('/').next().unwrap_or_default();
    let hop = last.split_once(':').map_or("", |(_, name)| name);
    // The name of a port is not one of a host.
    let hop = match hop.bytes().all(|byte| byte.is_ascii_digit()) {
        true => "",
        false => hop,
    };
    let mut names = vec![host, rest, authority, place, bare, hop];
    names.retain(|name| !name.is_empty());
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names.dedup();
    names
}

/// A text in which `name`, where it is a word, reads `HOST`.
fn without(text: &str, name: &str) -> String {
    replace_word(text, name, HOST)
}

/// A text in which `name`, where it is a word, reads something else.
fn replace_word(text: &str, name: &str, instead: &str) -> String {
    let belongs = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let mut out = String::with_capacity(text.len());
    let mut shown = 0;
    for (at, _) in text.match_indices(name) {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        let stands_alone =
            !before.ends_with(|c| belongs(c) || c == '.') && !after.starts_with(belongs);
        if stands_alone && at >= shown {
            out.push_str(&text[shown..at]);
            out.push_str(instead);
            shown = at + name.len();
        }
    }
    out + &text[shown..]
}

/// A text in which every address of the internet reads `ADDRESS`.
fn without_addresses(text: &str) -> String {
    let belongs = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(belongs) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let end = from.find(|c| !belongs(c)).unwrap_or(from.len());
        let (token, after) = from.split_at(end);
        let word = token.trim_end_matches(['.', ':']);
        let is_inside =
            before.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
        if !is_inside && word.parse::<IpAddr>().is_ok() {
            out.push_str(ADDRESS);
            out.push_str(&token[word.len()..]);
        } else if !is_inside && let Ok(place) = word.parse::<SocketAddrV4>() {
            out.push_str(&format!("{ADDRESS}:{}", place.port()));
            out.push_str(&token[word.len()..]);
        } else {
            out.push_str(token);
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_recognised_by_its_name_and_addresses() {
        for (text, host, expected) in [
            (
                "connect to web1 port 22: refused",
                "web1",
                "connect to HOST port 22: refused",
            ),
            (
                "connect to web1.example:",
                "web1",
                "connect to HOST.example:",
            ),
            ("web10 and x-web1", "web1", "web10 and x-web1"),
            ("root@web1:22 is away", "ssh://root@web1:22", "HOST is away"),
            ("no web1 here", "root@web1", "no HOST here"),
            ("via gate to db", "ssh://gate/docker:db", "via HOST to HOST"),
            ("demo1 has no shell", "local:demo1", "HOST has no shell"),
            ("10.0.0.3: refused", "web1", "ADDRESS: refused"),
            ("10.0.0.3:22.", "web1", "ADDRESS:22."),
            ("at 2001:db8::1.", "web1", "at ADDRESS."),
            ("version 1.2.3 of a.b", "web1", "version 1.2.3 of a.b"),
            (
                "not known: ssh-ed25519 SHA256:a/+0, twice SHA256:9",
                "web1",
                "not known: ssh-ed25519 FINGERPRINT, twice FINGERPRINT",
            ),
            (
                "not the known one in /h/known_hosts:12: SHA256:9",
                "web1",
                "not the known one in /h/known_hosts:LINE: FINGERPRINT",
            ),
            ("in /keys/web1:3", "web1", "in /keys/HOST:LINE"),
            ("a connection", "a", "HOST connection"),
            (
                "host h port 2201: refused by port 22",
                "u@h:2201",
                "host HOST port PORT: refused by port 22",
            ),
            ("anything", "local:", "anything"),
        ] {
            assert_eq!(replaced(text, host), expected);
        }
    }
}
