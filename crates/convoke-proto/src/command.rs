//! What a host is asked to start.

use core::fmt;
use core::marker::PhantomData;

use bstr::BString;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The highest stream number of a command.
pub const MAX_STREAM: u8 = 127;

/// The most arguments, and the most variables, of a request. Above what a kernel takes: by default it
/// allows 2 MiB for both together, in which a word costs at least 9 bytes.
pub const MAX_WORDS: usize = 256 * 1024;

/// A request to start one process on a channel of its own.
///
/// `argv` is an argument vector: no shell reads it on the way, and every byte except NUL arrives as
/// given. The channel carries the process until its [`Exit`](crate::exit::Exit).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The program and its arguments; the program is looked up in the `PATH` of the new process. At most
    /// [`MAX_WORDS`].
    #[serde(deserialize_with = "few::<_, _, MAX_WORDS>")]
    pub argv: Vec<BString>,
    /// Whether the command goes through the account's login shell.
    pub shell: Shell,
    /// The working directory, which begins at the login home when it is relative; when absent, the home of
    /// `user`, or else of the login.
    pub cwd: Option<BString>,
    /// Variables set on top of the login environment; a later pair wins. At most [`MAX_WORDS`].
    #[serde(deserialize_with = "few::<_, _, MAX_WORDS>")]
    pub env: Vec<(BString, BString)>,
    /// The file mode mask (octal `0` to `0o777`); the login's own when absent.
    pub umask: Option<u16>,
    /// Where stdin comes from.
    pub stdin: Stdin,
    /// Streams above 2 that the process gets, each on the descriptor of its number.
    pub extra: Vec<ExtraStream>,
    /// When the host ends the process by itself.
    pub limits: Limits,
    /// What becomes of processes that outlive the main process.
    pub leftovers: Leftovers,
    /// How long the process may live.
    pub lifetime: Lifetime,
    /// Which terminal the process gets.
    pub terminal: Terminal,
    /// Who it runs as, by name or number, with the primary and supplementary groups of that user; the
    /// login's own user when absent.
    pub user: Option<BString>,
    /// Its primary group, by name or number, instead of that of its user.
    pub group: Option<BString>,
}

/// Whether a command goes through the login shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Shell {
    /// The program is executed directly.
    #[default]
    None,
    /// `$SHELL -lc` runs it: the account's profile is read first.
    Login,
}

/// Where the stdin of a process comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Stdin {
    /// `/dev/null`.
    #[default]
    Null,
    /// Stream 0 of the channel.
    Stream,
}

/// A stream above 2 that a start request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraStream {
    /// Stream number and descriptor in the process: 3 to 127, each at most once.
    pub number: u8,
    /// Which way the bytes go.
    pub direction: Direction,
}

/// Which way the bytes of a stream go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// From the controller to the process.
    In,
    /// From the process to the controller.
    Out,
}

/// When the host ends a process by itself. All in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// From the start to the end of the step.
    pub total_ms: Option<u64>,
    /// Without output. The clock stands still while a stream has data and no credit.
    pub idle_ms: Option<u64>,
    /// From TERM to KILL, whatever the reason for the kill.
    pub grace_ms: u32,
}

impl Limits {
    /// The grace between TERM and KILL unless a request says otherwise: 10 s, the time most service
    /// managers give a well-behaved daemon to put its files in order.
    pub const DEFAULT_GRACE_MS: u32 = 10_000;
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            total_ms: None,
            idle_ms: None,
            grace_ms: Self::DEFAULT_GRACE_MS,
        }
    }
}

/// What becomes of processes that outlive the main process of their step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Leftovers {
    /// They live on and are counted.
    #[default]
    Release,
    /// They are killed like a tree whose main process still runs.
    Kill,
}

/// How long a process may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Lifetime {
    /// As long as the link: it is ended when the link closes or falls silent.
    #[default]
    Link,
}

/// Which terminal a process gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Terminal {
    /// None: its own session without a controlling terminal.
    #[default]
    None,
}

/// Reads a list of at most `MAX`: an empty word is one byte on the wire and dozens in memory.
pub(crate) fn few<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Few<T, const MAX: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Few<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX}")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut words = Vec::new();
            while let Some(word) = list.next_element()? {
                if words.len() == MAX {
                    return Err(A::Error::invalid_length(MAX + 1, &self));
                }
                words.push(word);
            }
            Ok(words)
        }
    }
    deserializer.deserialize_seq(Few::<T, MAX>(PhantomData))
}

impl Start {
    /// Why this request cannot mean anything, if so: in words, completing "the request is refused: …".
    pub fn reason_against(&self) -> Option<&'static str> {
        let extra = |is_wrong: fn(&ExtraStream) -> bool| self.extra.iter().any(is_wrong);
        let names = || self.env.iter().map(|(name, _)| name);
        let rules = [
            (self.argv.is_empty(), "the argument list is empty"),
            (
                self.argv.len().max(self.env.len()) > MAX_WORDS,
                "there are more than 262,144 arguments or variables",
            ),
            (
                self.has_nul(),
                "an argument, variable, directory or name holds a NUL byte",
            ),
            (
                names().any(|name| name.is_empty() || name.contains(&b'=')),
                "the name of a variable is empty or holds an equals sign",
            ),
            (
                self.umask.is_some_and(|mask| mask > 0o777),
                "the file mode mask is beyond 0777",
            ),
            (
                extra(|stream| !(3..=MAX_STREAM).contains(&stream.number)),
                "the number of an extra stream is not between 3 and 127",
            ),
            (
                self.has_repeats(),
                "the number of an extra stream is repeated",
            ),
        ];
        rules
            .into_iter()
            .find_map(|(is_broken, why)| is_broken.then_some(why))
    }

    fn has_nul(&self) -> bool {
        let variables = self.env.iter().flat_map(|(name, value)| [name, value]);
        let identity = self.user.iter().chain(&self.group);
        let texts = self.argv.iter().chain(&self.cwd).chain(variables);
        let mut texts = texts.chain(identity);
        texts.any(|text| text.contains(&0))
    }

    fn has_repeats(&self) -> bool {
        let mut seen = 0_u128;
        self.extra.iter().any(|stream| {
            let bit = 1_u128 << (stream.number & MAX_STREAM);
            let repeated = seen & bit != 0;
            seen |= bit;
            repeated
        })
    }

    /// A start request for `argv` with everything else at its default.
    pub fn new<A: Into<BString>>(argv: impl IntoIterator<Item = A>) -> Self {
        Start {
            argv: argv.into_iter().map(Into::into).collect(),
            shell: Shell::None,
            cwd: None,
            env: Vec::new(),
            umask: None,
            stdin: Stdin::Null,
            extra: Vec::new(),
            limits: Limits::default(),
            leftovers: Leftovers::Release,
            lifetime: Lifetime::Link,
            terminal: Terminal::None,
            user: None,
            group: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_contradicts_itself_is_told_which_rule_it_breaks() {
        let start = || Start::new(["prog"]);
        let extra = |numbers: &[u8]| Start {
            extra: numbers
                .iter()
                .map(|number| ExtraStream {
                    number: *number,
                    direction: Direction::Out,
                })
                .collect(),
            ..start()
        };
        let env = |name: &str, value: &str| Start {
            env: vec![(name.into(), value.into())],
            ..start()
        };
        let cwd = |cwd: &str| Start {
            cwd: Some(cwd.into()),
            ..start()
        };
        let umask = |umask| Start {
            umask: Some(umask),
            ..start()
        };
        for (start, word) in [
            (start(), None),
            (Start::new(["", "\n"]), None),
            (env("A", "=\n"), None),
            (cwd("/"), None),
            (umask(0o777), None),
            (extra(&[3, 127, 4]), None),
            (Start::new(vec![""; MAX_WORDS]), None),
            (Start::new(vec![""; MAX_WORDS + 1]), Some("more than")),
            (Start::new([""; 0]), Some("empty")),
            (Start::new(["prog", "a\0b"]), Some("NUL")),
            (env("A", "\0"), Some("NUL")),
            (env("\0", ""), Some("NUL")),
            (cwd("\0"), Some("NUL")),
            (env("", ""), Some("variable")),
            (env("A=B", ""), Some("variable")),
            (umask(0o1000), Some("mask")),
            (extra(&[2]), Some("3 and 127")),
            (extra(&[128]), Some("3 and 127")),
            (extra(&[5, 5]), Some("repeated")),
        ] {
            let why = start.reason_against();
            assert_eq!(why.is_some(), word.is_some(), "{start:?} {why:?}");
            assert!(why.unwrap_or_default().contains(word.unwrap_or_default()));
        }
    }

    #[test]
    fn more_words_than_the_limit_are_not_decoded() {
        let decoded = |words: usize| {
            let bytes = postcard::to_allocvec(&Start::new(vec![""; words]));
            postcard::from_bytes::<Start>(&bytes.unwrap()).is_ok()
        };
        assert!(decoded(MAX_WORDS));
        assert!(!decoded(MAX_WORDS + 1));
    }
}
