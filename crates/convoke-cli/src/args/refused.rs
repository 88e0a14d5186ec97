//! What is shown of a command line that names no work.

use std::ffi::OsString;

use clap::ValueEnum as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Color;
use super::pages::VERBS;
use crate::error::Usage;

/// What a command line that names no work comes to.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It asks for a text: help or the version. For stdout, exit code 0.
    Asked(clap::Error),
    /// It asks for nothing, and gets the help. For stderr, exit code 2.
    Nothing(clap::Error),
    /// It is wrong.
    Wrong(Usage),
}

impl Refused {
    /// The parser's refusal of the words of a process.
    pub(super) fn new(error: clap::Error, words: &[OsString]) -> Self {
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Refused::Asked(error),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Refused::Nothing(error),
            _ => Refused::Wrong(in_our_words(&error, words)),
        }
    }
}

/// What the words of a process say about colour, also when they are no command line: for the text that is
/// shown instead.
pub(crate) fn color_of(words: &[OsString]) -> Color {
    let ours = words.iter().take_while(|word| *word != "--");
    let words: Vec<&str> = ours.map(|word| word.to_str().unwrap_or_default()).collect();
    let values = words.iter().enumerate().filter_map(|(index, word)| {
        let beside = || words.get(index + 1).copied();
        match word.strip_prefix("--color")? {
            "" => beside(),
            value => value.strip_prefix('='),
        }
    });
    let mut colors = values.filter_map(|value| Color::from_str(value, false).ok());
    colors.next_back().unwrap_or_default()
}

/// A text of the parser as it is shown.
pub(crate) fn help(text: &clap::Error, is_coloured: bool) -> String {
    match is_coloured {
        true => text.render().ansi().to_string(),
        false => text.render().to_string(),
    }
}

/// The parser's error as one of ours: one line of what is wrong, one line of what to do.
fn in_our_words(error: &clap::Error, words: &[OsString]) -> Usage {
    let text = error.render().to_string();
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let what = paragraph.strip_prefix("error: ").unwrap_or(paragraph);
    let what: Vec<&str> = what.lines().map(str::trim).collect();
    let tip = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("tip: "))
        // What begins with a hyphen after `--` would be the host expression.
        .filter(|tip| !tip.contains("as a value"));
    let typed = words.iter().skip(1).filter_map(|word| word.to_str());
    let verb = typed.clone().find(|word| VERBS.contains(word));
    let is_place = |word: &str| word.starts_with("-:");
    let tip = match verb {
        Some(verb @ ("put" | "get")) if typed.clone().any(is_place) => Some(format!(
            "behind `--` a word may begin with a hyphen: `convoke {verb} -- {}`",
            match verb {
                "put" => "LOCAL -:PATH",
                _ => "-:PATH LOCAL",
            }
        )),
        _ => tip.map(str::to_owned),
    };
    let values = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => Some(values.join(", ")),
        _ => None,
    };
    let hint = match (tip, values) {
        (Some(tip), _) => tip,
        (None, Some(values)) => format!("possible values are {values}"),
        (None, None) if text.contains("Usage: convoke completions") => {
            "the shells are bash, zsh, fish; `convoke completions --help` shows how".to_owned()
        }
        (None, None) => match verb.filter(|_| error.kind() != ErrorKind::InvalidSubcommand) {
            Some(verb) => format!("`convoke {verb} --help` shows how"),
            None => "`convoke --help` shows the verbs".to_owned(),
        },
    };
    let what = match error.kind() {
        ErrorKind::InvalidValue if !what.is_empty() => what[0].to_owned(),
        _ => what.join(" "),
    };
    Usage::new(what).hint(hint)
}
