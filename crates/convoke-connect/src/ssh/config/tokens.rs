//! What `%h`, `${NAME}` and `~` stand for.

use super::account::{Account, Hash};
use super::installed::connection;
use crate::surroundings::Surroundings;

/// What the tokens of one host stand for.
pub(in crate::ssh) struct Tokens<'a> {
    pub(in crate::ssh) account: &'a Account,
    /// The name that was asked for.
    pub(in crate::ssh) original: &'a str,
    pub(in crate::ssh) host: &'a str,
    pub(in crate::ssh) key_alias: &'a str,
    pub(in crate::ssh) port: &'a str,
    pub(in crate::ssh) user: &'a str,
    pub(in crate::ssh) directly: Directly,
    pub(in crate::ssh) environment: &'a Environment,
}

/// Whether there is no host on the way, which later versions hash, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ssh) enum Directly {
    Yes,
    No,
}

/// The environment, as far as it is text: nothing else can be named in a configuration.
pub(in crate::ssh) type Environment = std::collections::HashMap<String, String>;

/// That of `surroundings`.
pub(in crate::ssh) fn environment(surroundings: &Surroundings) -> Environment {
    let pairs = surroundings.environment.iter();
    let text = |(name, value): &(std::ffi::OsString, std::ffi::OsString)| {
        Some((name.to_str()?.to_owned(), value.to_str()?.to_owned()))
    };
    pairs.filter_map(text).collect()
}

/// The tokens that are known whatever the version.
pub(super) const KNOWN: &str = "CLdhiklnpru";

impl Tokens<'_> {
    /// Replaces tokens, and environment variables if `variables`; why not, if ssh alone knows how.
    pub(in crate::ssh) fn expand(&self, text: &str, variables: bool) -> Result<String, String> {
        if !text.contains(['%', '$']) {
            return Ok(text.to_owned());
        }
        let mut expanded = String::with_capacity(text.len() + 32);
        let mut rest = text;
        while let Some(at) = rest.find(['%', '$']) {
            let (plain, special) = rest.split_at(at);
            expanded.push_str(plain);
            if let Some(after) = special.strip_prefix('%') {
                let mut chars = after.chars();
                let token = chars.next().unwrap_or(' ');
                self.push(token, &mut expanded)?;
                rest = chars.as_str();
            } else if variables && let Some(after) = special.strip_prefix("${") {
                let (value, after) = variable(after, self.environment)?;
                expanded.push_str(value);
                rest = after;
            } else {
                expanded.push('$');
                rest = special.get(1..).unwrap_or_default();
            }
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn push(&self, token: char, into: &mut String) -> Result<(), String> {
        let account = self.account;
        let value = match token {
            '%' => "%",
            'C' if account.hash == Hash::Known && self.directly == Directly::Yes => {
                let parts = [&account.host_name, self.host, self.port, self.user];
                into.push_str(&connection(parts));
                return Ok(());
            }
            'L' => account.host_name.split('.').next().unwrap_or_default(),
            'd' => &account.home,
            'h' => self.host,
            'i' => &account.uid,
            'k' => self.key_alias,
            'l' => &account.host_name,
            'n' => self.original,
            'p' => self.port,
            'r' => self.user,
            'u' => &account.name,
            _ => return Err(format!("the token %{token}")),
        };
        into.push_str(value);
        Ok(())
    }
}

/// The value of the variable that a text behind `${` names, and what follows.
fn variable<'a>(text: &'a str, environment: &'a Environment) -> Result<(&'a str, &'a str), String> {
    let (name, after) = text
        .split_once('}')
        .ok_or("an environment variable without its end")?;
    match environment.get(name) {
        Some(value) => Ok((value, after)),
        None => Err(format!("the environment variable {name:?} is not there")),
    }
}

/// Replaces environment variables and nothing else.
pub(super) fn with_variables(text: &str, environment: &Environment) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once("${") {
        let (value, after) = variable(after, environment)?;
        expanded.push_str(plain);
        expanded.push_str(value);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// Replaces the `%h` of a `HostName`.
pub(super) fn host_name(pattern: &str, host: &str) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = pattern;
    while let Some((plain, after)) = rest.split_once('%') {
        expanded.push_str(plain);
        let mut chars = after.chars();
        match chars.next() {
            Some('h') => expanded.push_str(host),
            Some('%') => expanded.push('%'),
            _ => return Err("a HostName with a token other than %h".into()),
        }
        rest = chars.as_str();
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// Replaces a leading `~` by the account's home directory.
pub(in crate::ssh) fn without_tilde(path: &str, home: &str) -> Result<String, String> {
    let Some(after) = path.strip_prefix('~') else {
        return Ok(path.to_owned());
    };
    if !after.is_empty() && !after.starts_with('/') {
        return Err("another user's home directory".into());
    }
    let after = after.trim_start_matches('/');
    let slash = if home.ends_with('/') { "" } else { "/" };
    Ok(format!("{home}{slash}{after}"))
}
