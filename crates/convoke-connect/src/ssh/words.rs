//! The values of settings: home directories, tokens and variables in file names, and times.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::settings::Settings;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::ssh::target::Target;
use crate::surroundings::Surroundings;

/// The account that we run as, by the account database: ssh does not ask `HOME`.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    name: String,
    home: Option<PathBuf>,
    number: u32,
}

impl Account {
    pub(super) fn of(surroundings: &Surroundings) -> Self {
        let number = nix::unistd::getuid();
        let found = nix::unistd::User::from_uid(number).ok().flatten();
        Account {
            number: number.as_raw(),
            home: match &found {
                Some(user) => Some(user.dir.clone()),
                None => surroundings.home.clone(),
            },
            name: found.map(|user| user.name).unwrap_or_default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }
}

/// What the tokens in a file name stand for (ssh_config(5), TOKENS).
pub(super) struct Tokens<'a> {
    pub(super) account: &'a Account,
    pub(super) surroundings: &'a Surroundings,
    pub(super) target: &'a Target,
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) user: &'a str,
    pub(super) alias: Option<&'a str>,
}

impl Tokens<'_> {
    /// Our home directory, as ssh sees it.
    pub(super) fn home(&self) -> Option<PathBuf> {
        self.account.home.clone()
    }

    /// The file that the value of `option` names.
    pub(super) fn path(&self, option: &str, value: &str) -> Result<PathBuf, ConnectError> {
        let unquoted = value.trim_matches('"');
        let expanded = self.expand(unquoted).ok_or_else(|| {
            let text = format!("the native client does not understand {option} {value}");
            ConnectError::new(ConnectErrorKind::Configuration, text)
        })?;
        Ok(PathBuf::from(expanded))
    }

    fn expand(&self, value: &str) -> Option<String> {
        let mut rest = value;
        let mut out = String::new();
        if let Some(after) = rest.strip_prefix('~') {
            // Somebody else's home directory is not looked up.
            if !after.is_empty() && !after.starts_with('/') {
                return None;
            }
            out.push_str(self.account.home.as_ref()?.to_str()?);
            rest = after;
        }
        while let Some(at) = rest.find(['%', '$']) {
            let (plain, special) = rest.split_at(at);
            out.push_str(plain);
            rest = match special.strip_prefix("${") {
                Some(name) => {
                    let (name, after) = name.split_once('}')?;
                    out.push_str(self.surroundings.variable(name).and_then(OsStr::to_str)?);
                    after
                }
                None if special.starts_with('$') => {
                    out.push('$');
                    &special[1..]
                }
                None => {
                    let token = special.chars().nth(1)?;
                    out.push_str(&self.token(token)?);
                    special.get(1 + token.len_utf8()..)?
                }
            };
        }
        out.push_str(rest);
        Some(out)
    }

    fn token(&self, token: char) -> Option<String> {
        let here = &self.surroundings.host_name;
        let short = here.split('.').next().unwrap_or_default();
        Some(match token {
            '%' => "%".to_owned(),
            'd' => self.account.home.as_ref()?.to_str()?.to_owned(),
            'h' => self.host.to_owned(),
            'i' => self.account.number.to_string(),
            'k' => self.alias.unwrap_or(&self.target.host).to_owned(),
            'L' => short.to_owned(),
            'l' => here.clone(),
            'n' => self.target.host.clone(),
            'p' => self.port.to_string(),
            'r' => self.user.to_owned(),
            'u' => self.account.name.clone(),
            _ => return None,
        })
    }
}

/// The files of several options, each of which may be given several times, with several files.
pub(super) fn files(
    settings: &Settings,
    options: &[&str],
    tokens: &Tokens<'_>,
) -> Result<Vec<PathBuf>, ConnectError> {
    let mut files = Vec::new();
    for option in options {
        for value in settings.all(option) {
            // Only lists hold several on a line; a blank in the name of a key file is its own.
            let names: Vec<&str> = match option.ends_with("knownhostsfile") {
                true => value.split_whitespace().collect(),
                false => vec![value],
            };
            for name in names.into_iter().filter(|name| *name != "none") {
                files.push(tokens.path(option, name)?);
            }
        }
    }
    Ok(files)
}

/// A number of seconds; none for `none` and 0.
pub(super) fn seconds(value: Option<&str>) -> Option<Duration> {
    let seconds: u64 = value?.parse().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Whether a flag is set, in the words of all versions of ssh.
pub(super) fn is_set(value: Option<&str>) -> bool {
    matches!(value, Some("yes" | "true"))
}

/// Whether a pattern with `*` and `?` is the whole of `text`.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let Some(star) = pattern.chars().next() else {
        return text.is_empty();
    };
    let after = &pattern[star.len_utf8()..];
    let mut letters = text.chars();
    match star {
        '*' => fits(after, text) || letters.next().is_some() && fits(pattern, letters.as_str()),
        '?' => letters.next().is_some() && fits(after, letters.as_str()),
        letter => letters.next() == Some(letter) && fits(after, letters.as_str()),
    }
}
