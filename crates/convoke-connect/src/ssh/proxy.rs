//! What stands between us and a server: the value of `ProxyCommand` or `ProxyJump`, as ssh reads it.
//!
//! ssh makes a command of a jump, too, `ssh -W '[%h]:%p' HOP`, with the same tokens, and a shell reads
//! it. So what a shell would take for more than letters is left to ssh.

use super::config::{Jump as Written, Tokens};
use super::settings::Settings;
use super::words::Unserved;
use crate::ssh::target::Target;

/// The stdin and stdout of ssh itself.
const OURS: &str = "-";

/// What stands between us and a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proxy {
    None,
    /// The output of a program, as a shell reads it.
    Command(String),
    Jump(Jump),
}

/// A host to be jumped over, as ssh is started for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Jump {
    pub(super) hop: Target,
    /// The value of `ProxyJump` on that command line.
    pub(super) before: Option<String>,
}

impl Proxy {
    /// Reads the settings of a host.
    ///
    /// # Errors
    /// What ssh alone can do.
    pub(super) fn read(settings: &Settings, tokens: &Tokens<'_>) -> Result<Self, Unserved> {
        let set = |name: &str| settings.get(name).filter(|value| *value != "none");
        if let Some(value) = set("proxyjump") {
            let jump = expand(value, tokens).and_then(|value| Jump::parse(&value));
            let jump = jump.ok_or_else(|| Unserved::of("proxyjump", value))?;
            return Ok(Proxy::Jump(jump));
        }
        let Some(value) = set("proxycommand") else {
            return Ok(Proxy::None);
        };
        let command = expand(value, tokens).filter(|_| is_command(value));
        let command = command.ok_or_else(|| Unserved::of("proxycommand", value))?;
        Ok(Proxy::Command(command))
    }
}

/// Whether the native client can do what a `ProxyCommand` says.
pub(super) fn is_command(value: &str) -> bool {
    // What is not text was lost on the way here.
    value != OURS && !value.contains('\u{fffd}') && replace(value, |_| Some("")).is_some()
}

/// Whether the native client can do what a `ProxyJump` says, whatever its tokens stand for.
pub(super) fn is_jump(value: &str) -> bool {
    replace(value, |_| Some("x")).is_some_and(|value| Jump::parse(&value).is_some())
}

/// Whether the native client can start ssh for a hop with this file after `-F`.
pub(super) fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "._-+@:,/=".contains(c);
    text.chars().all(plain)
}

/// Replaces the tokens of both options (ssh_config(5), TOKENS; `%k` is not named there).
fn expand(value: &str, tokens: &Tokens<'_>) -> Option<String> {
    replace(value, |token| match token {
        'h' => Some(tokens.host),
        'k' => Some(tokens.key_alias),
        'n' => Some(tokens.original),
        'p' => Some(tokens.port),
        'r' => Some(tokens.user),
        _ => None,
    })
}

/// Replaces tokens; none for one that ssh does not know.
fn replace<'a>(value: &str, meaning: impl Fn(char) -> Option<&'a str>) -> Option<String> {
    let mut replaced = String::new();
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            replaced.push(letter);
            continue;
        }
        match letters.next()? {
            '%' => replaced.push('%'),
            token @ ('h' | 'k' | 'n' | 'p' | 'r') => replaced.push_str(meaning(token)?),
            _ => return None,
        }
    }
    Some(replaced)
}

impl Jump {
    /// How the hop is written after `convoke`, with the options that lead there.
    pub(super) fn words(&self) -> String {
        let Target {
            user, host, port, ..
        } = &self.hop;
        let before = self.before.as_ref();
        let before = before.map(|before| format!("-o ProxyJump={before} "));
        let user = user.as_ref().map(|user| format!("{user}@"));
        let host = match host.contains(':') {
            true => format!("[{host}]"),
            false => host.clone(),
        };
        let port = port.map(|port| format!(":{port}"));
        let parts = [before, user, Some(host), port];
        parts.into_iter().flatten().collect()
    }

    /// Reads the value of the option without its tokens. None for what a shell may not read as it
    /// is, or ssh would take for an option.
    fn parse(value: &str) -> Option<Self> {
        let Ok(Written::Over { before, hop }) = Written::parse(value) else {
            return None;
        };
        let is_word = |text: &str| is_plain(text) && !text.starts_with('-') && !text.is_empty();
        let is_name = |text: &str| is_word(text) && !text.contains(['/', '=', ',']);
        let is_served = is_name(&hop.host)
            && hop.user.as_deref().is_none_or(is_name)
            && before.as_deref().is_none_or(is_word);
        let port = match hop.port {
            Some(port) => Some(u16::try_from(port).ok()?),
            None => None,
        };
        is_served.then(|| Jump {
            hop: Target::hop(hop.user, hop.host, port),
            before,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_read_as_the_command_line_that_ssh_makes_of_it() {
        let jump = |user: Option<&str>, host: &str, port, before: Option<&str>| Jump {
            hop: Target::hop(user.map(str::to_owned), host.to_owned(), port),
            before: before.map(str::to_owned),
        };
        for (value, expected) in [
            ("gate", jump(None, "gate", None, None)),
            ("me@gate:23", jump(Some("me"), "gate", Some(23), None)),
            ("a,me@b:2,c", jump(None, "c", None, Some("a,me@b:2"))),
            (
                "ann@[10.0.0.1]:22",
                jump(Some("ann"), "10.0.0.1", Some(22), None),
            ),
            ("[::1]", jump(None, "::1", None, None)),
            ("none,gate", jump(None, "gate", None, Some("none"))),
        ] {
            assert_eq!(Jump::parse(value), Some(expected), "{value}");
        }
        for (value, words) in [
            ("me@gate:23", "me@gate:23"),
            ("a,me@b:2,c", "-o ProxyJump=a,me@b:2 c"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(Jump::parse(value).unwrap().words(), words);
        }
        for value in [
            "none",
            "",
            "$x",
            "a b",
            "x;y",
            r"DOMAIN\ann@gate",
            "~ann@gate",
            "[::1]:22,gate",
            "-oProxyCommand=x",
            "-l@gate",
            "a'b",
            "gate,$(x)",
            "x*,gate",
        ] {
            assert_eq!(Jump::parse(value), None, "{value}");
        }
    }

    #[test]
    fn tokens_are_those_of_a_proxy() {
        for (value, served) in [
            ("nc %h %p", true),
            ("x %n %r %k %%", true),
            ("nc %x", false),
            ("nc %", false),
            ("nc %C", false),
            ("-", false),
        ] {
            assert_eq!(is_command(value), served, "{value}");
        }
        assert!(is_jump("%r@gate-%h") && !is_jump("gate%d"));
    }
}
