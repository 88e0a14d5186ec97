//! The options of ssh's configuration: their names and how their values are read.

mod table;

use table::{ALIASES, KEYWORDS};

/// An option.
#[derive(Debug)]
pub(super) struct Keyword {
    /// Its name in lower case, which `ssh -G` prints.
    pub(super) name: &'static str,
    pub(super) rule: Rule,
    /// Whether `ssh -G` prints it also where nothing sets it.
    pub(super) presence: Presence,
}

/// When `ssh -G` prints an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Always. An ssh that does not, does not know it.
    Always,
    /// When it is set.
    Set,
}

/// How a value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// One of several words, each with the word that is printed for it.
    Choice(&'static [(&'static str, &'static str)]),
    /// One word, as it is.
    Text,
    /// The rest of the line, as it is.
    Command,
    /// A number of seconds, or a time with units.
    Time,
    /// A number.
    Number,
    Port,
    /// A list of algorithms, or an edit of one.
    Algorithms,
    /// Files, or none.
    Files,
    /// Whatever has a rule of its own.
    Own(Own),
    /// Accepted and without effect.
    Ignored,
    /// Left to ssh.
    Asked,
    /// The same; printed under another name or not at all.
    Hidden,
}

/// Options with a rule of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Host,
    Match,
    Include,
    ProxyCommand,
    ProxyJump,
    IdentityFile,
    CertificateFile,
    SendEnv,
    SetEnv,
    LocalForward,
    RemoteForward,
    DynamicForward,
    ForwardAgent,
    IdentityAgent,
    AddKeysToAgent,
    RekeyLimit,
    ControlPersist,
    EscapeChar,
    IpQos,
    TunnelDevice,
    BindMask,
    Facility,
    LogLevel,
    FingerprintHash,
    LogVerbose,
    RemoteOpen,
    Domains,
    PermittedCnames,
}

/// How many options there are: the size of a table by their places.
pub(super) const COUNT: usize = KEYWORDS.len();

/// The option of a name or alias in lower case, and its place among all.
pub(super) fn find(name: &str) -> Option<(usize, &'static Keyword)> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    let name = alias.map_or(name, |(_, name)| name);
    let slot = KEYWORDS.binary_search_by(|keyword| keyword.name.cmp(name));
    let slot = slot.ok()?;
    KEYWORDS.get(slot).map(|keyword| (slot, keyword))
}

/// The name of the option at a place.
pub(super) fn name(slot: usize) -> &'static str {
    KEYWORDS.get(slot).map_or("", |keyword| keyword.name)
}

/// The names of those that may be printed.
#[cfg(test)]
pub(super) fn printed_names() -> impl Iterator<Item = &'static str> {
    let is_printed = |one: &&Keyword| match one.rule {
        Rule::Ignored | Rule::Hidden => false,
        Rule::Own(own) => !matches!(own, Own::Match | Own::Include),
        _ => true,
    };
    let printed = KEYWORDS.iter().filter(is_printed);
    printed.map(|one| one.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_found_by_its_name() {
        for (slot, keyword) in KEYWORDS.iter().enumerate() {
            let found = find(keyword.name).map(|(slot, _)| slot);
            assert_eq!(found, Some(slot), "{}", keyword.name);
        }
        for (alias, name) in ALIASES {
            assert!(find(alias).is_some(), "{alias} is {name}");
        }
        assert!(find("usekeychain").is_none());
    }
}
