//! The conditions of a `Match` line.

use super::directive::Trust;
use super::line::{delimited, words};
use super::pattern::Patterns;
use super::tokens::KNOWN;

/// Criteria that must all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition(Vec<(Criterion, Wanted)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Criterion {
    All,
    Canonical,
    Final,
    Host(Patterns),
    OriginalHost(Patterns),
    User(Patterns),
    LocalUser(Patterns),
    /// One that only ssh can tell, and its name.
    Asked(&'static str),
}

/// The criteria of some versions, which are not told here.
const OTHERS: [&str; 5] = ["localnetwork", "tagged", COMMAND, "sessiontype", "version"];

/// The one that looks at the command.
const COMMAND: &str = "command";

/// Whether a criterion is to hold, or not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Yes,
    No,
}

/// What a condition is held against.
pub(super) struct Subject<'a> {
    pub(super) host: &'a str,
    pub(super) original: &'a str,
    pub(super) user: &'a str,
    pub(super) local_user: &'a str,
    pub(super) pass: Pass,
}

/// How often the files were read for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// For the first time.
    First,
    /// Again, because a condition asks for that.
    Final,
}

/// Whether files are read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Again {
    No,
    /// Until 10.0, also where `final` is only negated.
    InSomeVersions,
    Yes,
}

impl Condition {
    /// Reads what follows `Match`.
    ///
    /// # Errors
    /// A criterion that is left to ssh, or that it refuses.
    pub(super) fn parse(text: &str, trust: Trust) -> Result<Self, String> {
        check_words(text)?;
        let mut criteria = Vec::new();
        let mut rest = Some(text);
        while let Some(text) = rest.filter(|text| !text.is_empty()) {
            let (word, after) = delimited(text).ok_or("Match with an open quote")?;
            if word.starts_with('#') {
                break;
            }
            let (name, wanted) = match word.strip_prefix('!') {
                Some(name) => (name.to_ascii_lowercase(), Wanted::No),
                None => (word.to_ascii_lowercase(), Wanted::Yes),
            };
            rest = after;
            let alone = match name.as_str() {
                "all" => Some(Criterion::All),
                "canonical" => Some(Criterion::Canonical),
                "final" => Some(Criterion::Final),
                _ => None,
            };
            if let Some(criterion) = alone {
                criteria.push((criterion, wanted));
                continue;
            }
            let (argument, after) = match rest {
                Some(text) => delimited(text).ok_or("Match with an open quote")?,
                None => return Err(format!("Match {name} without an argument")),
            };
            if argument.is_empty() || argument.starts_with('#') {
                return Err(format!("Match {name} without an argument"));
            }
            rest = after;
            let criterion = match name.as_str() {
                "host" => Criterion::Host(Patterns::listed(&argument, true)?),
                "originalhost" => Criterion::OriginalHost(Patterns::listed(&argument, true)?),
                "user" => Criterion::User(Patterns::listed(&argument, false)?),
                "localuser" => Criterion::LocalUser(Patterns::listed(&argument, false)?),
                "exec" if tokens_are_known(&argument) => Criterion::Asked("exec"),
                _ => match OTHERS.iter().find(|one| **one == name) {
                    Some(name) if trust == Trust::Lines => Criterion::Asked(name),
                    _ => return Err(format!("Match {name}")),
                },
            };
            criteria.push((criterion, wanted));
        }
        Condition::checked(criteria)
    }

    /// `all` stands alone, or behind one of `canonical` and `final`.
    fn checked(criteria: Vec<(Criterion, Wanted)>) -> Result<Self, String> {
        let is_all = |(criterion, _): &&(Criterion, Wanted)| *criterion == Criterion::All;
        let alone = match &criteria[..] {
            [] => false,
            [_] => true,
            [
                (Criterion::Canonical | Criterion::Final, _),
                (Criterion::All, _),
            ] => true,
            _ => !criteria.iter().any(|one| is_all(&one)),
        };
        match alone {
            true => Ok(Condition(criteria)),
            false => Err("Match without criteria, or with all among others".into()),
        }
    }

    /// Whether it asks for the files to be read again.
    pub(super) fn asks_again(&self) -> Again {
        let finals = self.0.iter().filter(|(one, _)| *one == Criterion::Final);
        let wanted = finals.map(|(_, wanted)| match wanted {
            Wanted::Yes => Again::Yes,
            Wanted::No => Again::InSomeVersions,
        });
        wanted.max().unwrap_or(Again::No)
    }

    /// Whether it looks at the command.
    pub(super) fn knows_command(&self) -> bool {
        self.0
            .iter()
            .any(|(one, _)| *one == Criterion::Asked(COMMAND))
    }

    /// Whether all of it holds.
    ///
    /// # Errors
    /// What only ssh can tell.
    pub(super) fn holds(&self, subject: &Subject<'_>) -> Result<bool, &'static str> {
        let is_final = subject.pass == Pass::Final;
        // The rest is not looked at when one fails, which only matters for commands.
        for (criterion, wanted) in &self.0 {
            let found = match criterion {
                Criterion::All => true,
                Criterion::Canonical | Criterion::Final => is_final,
                Criterion::Host(patterns) => patterns.are_for(&subject.host.to_ascii_lowercase()),
                Criterion::OriginalHost(patterns) => {
                    patterns.are_for(&subject.original.to_ascii_lowercase())
                }
                Criterion::User(patterns) => patterns.are_for(subject.user),
                Criterion::LocalUser(patterns) => patterns.are_for(subject.local_user),
                Criterion::Asked(name) => return Err(name),
            };
            if found != (*wanted == Wanted::Yes) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Versions until 9.8 and since split these lines in two ways, which agree on all that is usual.
fn check_words(text: &str) -> Result<(), String> {
    let differ = || "Match in words that versions split in different ways".to_owned();
    let mut older = Vec::new();
    let mut rest = Some(text);
    while let Some(text) = rest.filter(|text| !text.is_empty() && !text.starts_with('#')) {
        let (word, after) = delimited(text).ok_or_else(differ)?;
        older.push(word.into_owned());
        rest = after;
    }
    let mut newer = Vec::new();
    for word in words(text).ok_or_else(differ)? {
        match word.split_once('=') {
            Some((name, value)) if name.chars().all(|c| c == '!' || c.is_ascii_alphabetic()) => {
                newer.extend([name.to_owned(), value.to_owned()]);
            }
            _ => newer.push(word),
        }
    }
    match older == newer {
        true => Ok(()),
        false => Err(differ()),
    }
}

/// Whether a command holds no token that only some versions know.
fn tokens_are_known(command: &str) -> bool {
    let mut pieces = command.split('%').skip(1);
    while let Some(piece) = pieces.next() {
        match piece.chars().next() {
            Some(token) if KNOWN.contains(token) => {}
            Some(_) => return false,
            // Two of them are one, unless nothing follows at all.
            None => {
                if pieces.next().is_none() {
                    return false;
                }
            }
        }
    }
    true
}
