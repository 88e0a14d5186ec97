//! Who has the work of a connection, told from the configuration without asking ssh.
//!
//! Only for places, of which each server has a few: a wrong guess costs time and nothing else. Whatever
//! could change who is met, as whom, or what is refused is never told from here.

use std::fs;
use std::path::PathBuf;

use super::explained::{Explained, Patience, Proxy, first_hop, keyword};
use crate::openssh::options::SshOptions;
use crate::openssh::target::Target;

/// The options that say who is connected to.
const WAYS: [&str; 4] = ["hostname", "port", "proxyjump", "proxycommand"];

/// The options that make the names themselves depend on more than the files.
const BEYOND: [&str; 3] = [
    "canonicalizehostname",
    "canonicalizepermittedcnames",
    "include",
];

/// What the files say of ways, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Guess {
    blocks: Vec<Block>,
    /// For all hosts, even if it is configured for one.
    patience: Patience,
}

/// A `Host` line and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    patterns: Vec<String>,
    settings: Vec<(String, String)>,
}

impl Guess {
    /// Reads the files; nothing when they say it in words that only ssh understands.
    pub(super) fn read(files: &[PathBuf], options: &SshOptions) -> Option<Self> {
        let mut guess = Guess {
            blocks: vec![Block::of_all()],
            patience: Patience::Endless,
        };
        for option in &options.options {
            guess.take(option)?;
        }
        for file in files {
            guess.blocks.push(Block::of_all());
            let text = fs::read(file).ok()?;
            for line in String::from_utf8_lossy(&text).lines() {
                guess.take(line)?;
            }
        }
        Some(guess)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let name = keyword(line);
        let value = value(line);
        match name.as_str() {
            "host" => self.blocks.push(Block {
                patterns: value.split_whitespace().map(unquoted).collect(),
                settings: Vec::new(),
            }),
            // It counts for all when it says so; else for nobody, unless it says something of ways.
            "match" if value.eq_ignore_ascii_case("all") => self.blocks.push(Block::of_all()),
            "match" => self.blocks.push(Block {
                patterns: Vec::new(),
                settings: Vec::new(),
            }),
            // The files that it names are read after this one, as if they stood at its end; those with
            // a token were not all read, and those of a block count for its hosts only.
            "include" if !value.contains(['%', '$']) && self.is_for_all() => {}
            "connecttimeout" => self.patience = Patience::Configured,
            name if BEYOND.contains(&name) => return None,
            name if WAYS.contains(&name) => {
                let block = self.blocks.last_mut()?;
                if block.patterns.is_empty() {
                    return None;
                }
                block.settings.push((name.to_owned(), unquoted(value)));
            }
            _ => {}
        }
        Some(())
    }

    /// Whether what is read now counts for every host.
    fn is_for_all(&self) -> bool {
        let block = self.blocks.last();
        block.is_some_and(|block| block.patterns == ["*"])
    }

    /// The way to `target`.
    pub(super) fn of(&self, target: &Target, options: &SshOptions) -> Explained {
        let blocks = self
            .blocks
            .iter()
            .filter(|block| block.is_for(&target.host));
        let settings: Vec<_> = blocks.flat_map(|block| &block.settings).collect();
        // The first one counts.
        let set = |name: &str| {
            let found = settings.iter().find(|(one, _)| one == name);
            found.map(|(_, value)| value.as_str())
        };
        let plain = Explained::plain(target, options);
        let is_given = target.port.or(options.port).is_some();
        let port = set("port").filter(|_| !is_given);
        let proxy = settings
            .iter()
            .find(|(name, _)| name.starts_with("proxy"))
            .filter(|(_, value)| !value.eq_ignore_ascii_case("none"));
        Explained {
            hostname: match set("hostname") {
                Some(name) => name.replace("%h", &target.host),
                None => plain.hostname.clone(),
            },
            port: port
                .and_then(|port| port.parse().ok())
                .unwrap_or(plain.port),
            proxy: match proxy {
                None => Proxy::None,
                Some((name, hops)) if name == "proxyjump" => Proxy::Jump(first_hop(hops)),
                Some((_, command)) => Proxy::Command(command.clone()),
            },
            patience: self.patience,
            ..plain
        }
    }
}

impl Block {
    fn of_all() -> Self {
        Block {
            patterns: vec!["*".to_owned()],
            settings: Vec::new(),
        }
    }

    fn is_for(&self, host: &str) -> bool {
        let fits = |pattern: &str| matches(pattern.as_bytes(), host.as_bytes());
        let (against, towards): (Vec<_>, Vec<_>) =
            self.patterns.iter().partition(|one| one.starts_with('!'));
        let refused = against
            .iter()
            .filter_map(|one| one.strip_prefix('!'))
            .any(fits);
        !refused && towards.iter().any(|one| fits(one))
    }
}

/// Whether a pattern with `*` and `?` is the whole of `text`.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    // Where the last star stood, and how much of the text it took.
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') => (p, t) = (p + 1, t + 1),
            Some(byte) if Some(byte) == text.get(t) => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, t) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

/// What follows the name of an option, `=` and blanks taken away.
fn value(line: &str) -> &str {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '"');
    let rest = line.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
    rest.trim_start_matches(|c: char| c.is_whitespace() || c == '=' || c == '"')
        .trim_end()
}

fn unquoted(value: &str) -> String {
    value.trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(text: &str) -> Option<Guess> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        fs::write(&file, text).unwrap();
        Guess::read(&[file], &SshOptions::default())
    }

    fn server(text: &str, host: &str) -> String {
        let target = Target::parse(&host.parse().unwrap()).unwrap();
        let guess = guess(text).unwrap();
        guess.of(&target, &SshOptions::default()).server()
    }

    #[test]
    fn the_first_setting_of_a_matching_block_counts() {
        let text = "\
            Host web* !web9\n  HostName %h.lan\n  Port 2200\n\
            Host web1 gate\n  Port=2222\n  HostName \"10.0.0.1\"\n\
            Host db?\n  ProxyJump ann@gate:2022,far\n\
            Host old\n  ProxyCommand ssh -W %h:%p gate\n\
            Match all\n  Port 22222\n";
        for (host, expected) in [
            ("web1", "web1.lan:2200"),
            ("web9", "web9:22222"),
            ("web1:22", "web1.lan:22"),
            ("gate", "10.0.0.1:2222"),
            ("db1", "gate:2022"),
            ("db12", "db12:22222"),
            ("old", "ssh -W %h:%p gate"),
            ("other", "other:22222"),
        ] {
            assert_eq!(server(text, host), expected, "{host}");
        }
    }

    #[test]
    fn what_only_ssh_understands_is_not_guessed() {
        for text in [
            "Match exec true\n Port 7\n",
            "CanonicalizeHostname yes\n",
            "Include %d/x\n",
            "Host web1\n Include a\n",
            "Match host web1\n Include a\n",
        ] {
            assert_eq!(guess(text), None, "{text:?}");
        }
        for text in [
            "Match exec true\n User x\n",
            "Include a\n",
            "Host web1\n Port 7\nHost *\n Include a\n",
            "# Port 7\n",
        ] {
            assert!(guess(text).is_some(), "{text:?}");
        }
    }

    #[test]
    fn patterns_match_as_a_whole() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*.lan*", "x.lan.lan2", true),
            ("abc", "ab", false),
            ("ab", "abc", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }
}
