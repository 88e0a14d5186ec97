//! The verbs that print what other programs read, as they are typed: `convoke completions` and `convoke man`.

use clap::ValueEnum;

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  convoke completions bash > ~/.local/share/bash-completion/completions/convoke
  convoke completions zsh > ~/.zfunc/_convoke    with ~/.zfunc in $fpath
  convoke completions fish > ~/.config/fish/completions/convoke.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  convoke man | man -l -
  convoke man run > ~/.local/share/man/man1/convoke-run.1";

#[derive(Debug, clap::Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// The shells that there are completions for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, clap::Args)]
#[command(after_help = MAN_EXAMPLES)]
pub(crate) struct Man {
    /// The verb, such as `run`; without one the page is that of convoke
    #[arg(value_name = "VERB", value_parser = VERBS)]
    pub(crate) verb: Option<String>,
}

/// The verbs, in the order of the help.
pub(super) const VERBS: [&str; 14] = [
    "run",
    "put",
    "get",
    "stat",
    "ls",
    "cat",
    "facts",
    "user",
    "group",
    "env",
    "hosts",
    "trust",
    "completions",
    "man",
];
