//! Host keys in words: each once, with its hosts.

use std::path::Path;
use std::sync::Arc;

use convoke::connect::ssh::{Sight, Standing};
use convoke::outcome::Unreachable;

use super::escape::one_line;
use super::words::{count, fold};

/// What hosts have shown, gathered.
pub(crate) struct Shown<'a> {
    keys: Vec<(String, Vec<&'a str>)>,
    refusals: Vec<(String, Vec<&'a str>)>,
    hints: Vec<&'a str>,
}

impl<'a> Shown<'a> {
    /// Gathers what came of looking at each host, in host order.
    pub(crate) fn of(looked: &'a [(Arc<str>, Result<Sight, Unreachable>)]) -> Self {
        let mut shown = Shown {
            keys: Vec::new(),
            refusals: Vec::new(),
            hints: Vec::new(),
        };
        for (name, looked) in looked {
            let refused = match looked {
                Ok(sight) => match sight.standing() {
                    Standing::Refused(refused) => {
                        Some((refused.kind.as_str(), &refused.text, &refused.hint))
                    }
                    _ => {
                        shown.keys.gather(key(sight), name);
                        None
                    }
                },
                Err(failed) => Some((failed.kind.as_str(), &failed.text, &failed.hint)),
            };
            if let Some((kind, text, hint)) = refused {
                let text = one_line(text.as_bytes());
                shown
                    .refusals
                    .gather(format!("not trusted ({kind}): {text}"), name);
                let hint = hint.as_deref().filter(|hint| !shown.hints.contains(hint));
                shown.hints.extend(hint);
            }
        }
        shown
    }

    /// The lines of keys that are known, or may be.
    pub(crate) fn keys(&self) -> String {
        lines(&self.keys)
    }

    /// The lines of the others, with what can be done about them.
    pub(crate) fn refusals(&self) -> String {
        let hints = self.hints.iter().map(|hint| format!("hint: {hint}\n"));
        lines(&self.refusals) + &hints.collect::<String>()
    }
}

trait Gather<'a> {
    /// Puts a host to those of which the same is said.
    fn gather(&mut self, what: String, host: &'a str);
}

impl<'a> Gather<'a> for Vec<(String, Vec<&'a str>)> {
    fn gather(&mut self, what: String, host: &'a str) {
        match self.iter_mut().find(|(one, _)| *one == what) {
            Some((_, hosts)) => hosts.push(host),
            None => self.push((what, vec![host])),
        }
    }
}

fn key(sight: &Sight) -> String {
    let standing = match sight.standing() {
        Standing::Known => "known",
        _ => "unknown",
    };
    let kind = sight.kind();
    format!(
        "{standing} {} {}",
        one_line(kind.as_bytes()),
        sight.fingerprint()
    )
}

fn lines(gathered: &[(String, Vec<&str>)]) -> String {
    let lines = gathered.iter().map(|(what, hosts)| {
        let folded = fold(hosts.iter().copied());
        match hosts.len() {
            1 => format!("{folded}: {what}\n"),
            several => format!("{folded} ({several}): {what}\n"),
        }
    });
    lines.collect()
}

/// The fingerprint, if all have one key.
pub(crate) fn only<'a>(sights: impl Iterator<Item = &'a Sight>) -> Option<String> {
    let mut prints = sights.map(Sight::fingerprint);
    let first = prints.next()?;
    prints.all(|print| print == first).then_some(first)
}

/// What is asked before keys of so many hosts are added.
pub(crate) fn question<'a>(sights: impl Iterator<Item = &'a Sight>, hosts: usize) -> String {
    let mut prints: Vec<String> = sights.map(Sight::fingerprint).collect();
    prints.sort_unstable();
    prints.dedup();
    let keys = count(prints.len(), "unknown key", "unknown keys");
    format!("Trust {keys} of {}", count(hosts, "host", "hosts"))
}

/// Where keys were added.
pub(crate) fn added(file: &Path, hosts: &[&str]) -> String {
    let number = count(hosts.len(), "host", "hosts");
    format!(
        "added {number} to {}: {}\n",
        file.display(),
        fold(hosts.iter().copied())
    )
}
