//! What can be wrong with a host expression, a range or a host name.

use thiserror::Error as ThisError;

/// The longest piece of user text that an error repeats, in characters; the rest becomes `…`.
const EXCERPT_CHARS: usize = 60;

/// What is wrong with a host expression, a range or a host name.
///
/// `at` is always the byte offset of the mistake, counted from the start of the text that was parsed (for a host file:
/// from the start of the line). Text repeated in a message is quoted and escaped, so that it cannot drive a terminal.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing where a host or a group should be, as in `a,,b`, `a!` or `()`.
    #[error("nothing selected at byte {at}, where a host should be")]
    EmptyTerm {
        /// Where the term is missing.
        at: usize,
    },
    /// Two terms stand side by side without an operator between them.
    #[error("no operator before {found:?} at byte {at}")]
    MissingOperator {
        /// Where the second term begins.
        at: usize,
        /// The character found there.
        found: char,
    },
    /// A `(` is never closed.
    #[error("parenthesis opened at byte {at} is never closed")]
    UnclosedParenthesis {
        /// Where it was opened.
        at: usize,
    },
    /// A `)` closes nothing.
    #[error("parenthesis at byte {at} closes nothing")]
    UnopenedParenthesis {
        /// Where it stands.
        at: usize,
    },
    /// Parentheses are nested too deeply.
    #[error("parentheses nested more than {limit} deep at byte {at}")]
    TooDeep {
        /// Where the first one too many opens.
        at: usize,
        /// How many may be open at once.
        limit: usize,
    },
    /// A `[` is never closed.
    #[error("bracket opened at byte {at} is never closed")]
    UnclosedBracket {
        /// Where it was opened.
        at: usize,
    },
    /// A `]` closes nothing.
    #[error("bracket at byte {at} closes nothing")]
    UnopenedBracket {
        /// Where it stands.
        at: usize,
    },
    /// A bracket, or a place between two commas in one, holds nothing.
    #[error("empty range at byte {at}")]
    EmptyRange {
        /// Where the range is missing.
        at: usize,
    },
    /// A bound of a range is not a number.
    #[error("range {text:?} at byte {at} is not made of numbers")]
    NotANumber {
        /// Where the range begins.
        at: usize,
        /// The range as written.
        text: String,
    },
    /// A number in a range has too many digits.
    #[error("number {text:?} at byte {at} has more than {limit} digits")]
    NumberTooLong {
        /// Where the range begins.
        at: usize,
        /// The number as written.
        text: String,
        /// How many digits a number may have.
        limit: usize,
    },
    /// A range ends before it begins, as in `3-1`.
    #[error("range {text:?} at byte {at} runs backwards")]
    BackwardRange {
        /// Where the range begins.
        at: usize,
        /// The range as written.
        text: String,
    },
    /// The bounds of a padded range have different lengths, as in `1-010`.
    #[error("bounds of the padded range {text:?} at byte {at} differ in length")]
    PaddingMismatch {
        /// Where the range begins.
        at: usize,
        /// The range as written.
        text: String,
    },
    /// A step is zero, not a number, or follows a single number.
    #[error("range {text:?} at byte {at} has a step that means nothing")]
    BadStep {
        /// Where the range begins.
        at: usize,
        /// The range as written.
        text: String,
    },
    /// A bracket with a colon is neither a slice nor an IPv6 address.
    #[error("bracket {text:?} at byte {at} is neither a slice nor an IPv6 address")]
    BadSlice {
        /// Where the content of the bracket begins.
        at: usize,
        /// The content of the bracket.
        text: String,
    },
    /// A slice stands in the middle of a term, or after another slice.
    #[error("slice {text:?} at byte {at} does not end its term")]
    MisplacedSlice {
        /// Where the content of the bracket begins.
        at: usize,
        /// The content of the bracket.
        text: String,
    },
    /// A host name is empty.
    #[error("empty host name")]
    EmptyName,
    /// A host name, or a part of it after `@`, `:` or `/`, begins with `-`: programs would take it for an option.
    #[error("host name with a leading \"-\" at byte {at}")]
    LeadingDash {
        /// Where the dash stands.
        at: usize,
    },
    /// A host name holds a character that no host name may hold.
    #[error("character {found:?} at byte {at} cannot be in a host name")]
    BadCharacter {
        /// Where it stands.
        at: usize,
        /// The character, decoded when the name is a url that hides it behind `%`.
        found: char,
    },
    /// A bracket in a host name is not an IPv6 address, or not where an address can be.
    #[error("bracket {text:?} at byte {at} is no IPv6 address in a place for one")]
    BadAddress {
        /// Where the content of the bracket begins.
        at: usize,
        /// The content of the bracket.
        text: String,
    },
    /// A mark stands beside a part that is missing, as in `user@`, `host:` or `ssh://:22`.
    #[error("no {part} at byte {at}, where one should be")]
    MissingPart {
        /// Where the part is missing.
        at: usize,
        /// What is missing: a user, a host or a port.
        part: &'static str,
    },
    /// A port is none from 1 to 65535.
    #[error("{text:?} at byte {at} is not a port from 1 to 65535")]
    BadPort {
        /// Where it stands, or where the pattern begins of which it is one.
        at: usize,
        /// The port as written.
        text: String,
    },
    /// A host name is too long.
    #[error("host name at byte {at} is longer than {limit_bytes} bytes")]
    NameTooLong {
        /// Where it begins.
        at: usize,
        /// How long a name may be.
        limit_bytes: usize,
    },
    /// A `/regex/` is never closed.
    #[error("regular expression opened at byte {at} is never closed")]
    UnclosedRegex {
        /// Where it was opened.
        at: usize,
    },
    /// A `%{predicate}` is never closed.
    #[error("predicate opened at byte {at} is never closed")]
    UnclosedPredicate {
        /// Where it was opened.
        at: usize,
    },
    /// A group, regular expression, predicate or file is named by nothing, as in `@`, `//`, `%{}` or `^`.
    #[error("nothing follows {mark:?} at byte {at}")]
    EmptySelector {
        /// Where the mark stands.
        at: usize,
        /// What introduces the term.
        mark: &'static str,
    },
    /// More names are written than one selection may hold; found by counting, before anything was expanded.
    #[error("more than {limit} host names with the term at byte {at}")]
    TooManyNames {
        /// The term with which the limit is passed.
        at: usize,
        /// How many names may be written.
        limit: u64,
    },
    /// A group, glob, regular expression or predicate needs an inventory, and there is none.
    #[error("{what} need an inventory, there is none for {term:?} at byte {at}")]
    NeedsInventory {
        /// What kind of term it is, in the plural.
        what: &'static str,
        /// The term as written.
        term: String,
        /// Where it begins.
        at: usize,
    },
    /// A file that the expression needs was not supplied.
    #[error("contents of the host file {path:?} at byte {at} were not supplied")]
    FileNotSupplied {
        /// The file as written.
        path: String,
        /// Where its term begins.
        at: usize,
    },
    /// The expression reads stdin, which was not supplied.
    #[error("contents of stdin, for \"-\" at byte {at}, were not supplied")]
    StdinNotSupplied {
        /// Where the `-` stands.
        at: usize,
    },
    /// A host file names another file, or stdin.
    #[error("host file refers to {term:?} at byte {at}")]
    NestedFile {
        /// The term as written.
        term: String,
        /// Where it begins.
        at: usize,
    },
    /// A line of a host file is wrong.
    #[error("line {line} of {name:?}")]
    InFile {
        /// The file as named by the expression, `-` for stdin.
        name: String,
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with the line.
        source: Box<Error>,
    },
}

impl Error {
    /// Returns the byte offset of the mistake, within the line when it is in a host file.
    ///
    /// ```
    /// let error = convoke_inventory::Expr::parse("web[3-1]").unwrap_err();
    /// assert_eq!(error.at(), Some(4));
    /// ```
    pub fn at(&self) -> Option<usize> {
        match self {
            Self::EmptyName => None,
            Self::InFile { source, .. } => source.at(),
            Self::EmptyTerm { at }
            | Self::MissingOperator { at, .. }
            | Self::UnclosedParenthesis { at }
            | Self::UnopenedParenthesis { at }
            | Self::TooDeep { at, .. }
            | Self::UnclosedBracket { at }
            | Self::UnopenedBracket { at }
            | Self::EmptyRange { at }
            | Self::NotANumber { at, .. }
            | Self::NumberTooLong { at, .. }
            | Self::BackwardRange { at, .. }
            | Self::PaddingMismatch { at, .. }
            | Self::BadStep { at, .. }
            | Self::BadSlice { at, .. }
            | Self::MisplacedSlice { at, .. }
            | Self::LeadingDash { at }
            | Self::BadCharacter { at, .. }
            | Self::BadAddress { at, .. }
            | Self::MissingPart { at, .. }
            | Self::BadPort { at, .. }
            | Self::NameTooLong { at, .. }
            | Self::UnclosedRegex { at }
            | Self::UnclosedPredicate { at }
            | Self::EmptySelector { at, .. }
            | Self::TooManyNames { at, .. }
            | Self::NeedsInventory { at, .. }
            | Self::FileNotSupplied { at, .. }
            | Self::StdinNotSupplied { at }
            | Self::NestedFile { at, .. } => Some(*at),
        }
    }

    /// Returns what the user could do about it, where there is something.
    ///
    /// ```
    /// let error = convoke_inventory::Expr::parse("web{1..3}").unwrap_err();
    /// assert_eq!(error.hint(), Some("a range is written in square brackets, as in web[1-3]"));
    /// ```
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::EmptyTerm { .. } => Some("a host or a group goes on both sides of an operator"),
            Self::MissingOperator { .. } => Some("hosts are separated by \",\""),
            Self::UnclosedParenthesis { .. } => Some("a \")\" is missing"),
            Self::UnclosedBracket { .. } => Some("a \"]\" is missing"),
            Self::EmptyRange { .. } => Some("a bracket holds numbers, as in web[1-3,7]"),
            Self::NotANumber { text, .. } if text.starts_with('-') => {
                Some("ranges have no negative numbers; a slice has a colon, as in web[1-9][-1:]")
            }
            Self::NotANumber { .. } => {
                Some("a range is written first-last or first-last/step, as in web[1-3]")
            }
            Self::BackwardRange { .. } => Some("the smaller number comes first, as in web[1-3]"),
            Self::PaddingMismatch { .. } => {
                Some("both bounds get the same number of digits, as in web[001-010]")
            }
            Self::BadStep { .. } => {
                Some("a step is a number above 0 after a range, as in web[0-8/2]")
            }
            Self::BadSlice { .. } => Some("a slice is written [from:to], as in web[1-9][0:2]"),
            Self::MisplacedSlice { .. } => Some("a term has one slice, and it comes last"),
            Self::BadCharacter {
                found: '{' | '}', ..
            } => Some("a range is written in square brackets, as in web[1-3]"),
            Self::BadAddress { .. } => Some("a slice is written [from:to] and has no step"),
            Self::MissingPart { part: "port", .. } => Some(
                "without a port leave the \":\" out; a host of this machine is written local:NAME",
            ),
            Self::MissingPart { .. } => Some("a host is written [user@]host[:port]"),
            Self::UnclosedRegex { .. } => Some("a regular expression ends with \"/\""),
            Self::UnclosedPredicate { .. } => Some("a predicate ends with \"}\""),
            Self::TooManyNames { .. } => Some("split the selection"),
            Self::NeedsInventory { .. } => {
                Some("name the hosts, as in web[1-3], or read them from a file with ^FILE")
            }
            Self::NestedFile { .. } => Some("write the hosts themselves into the host file"),
            Self::InFile { source, .. } => source.hint(),
            _ => None,
        }
    }
}

impl Error {
    /// The same error about a part, said of the place where the whole begins.
    pub(crate) fn moved_to(self, place: usize) -> Self {
        match self {
            Self::MissingPart { part, .. } => Self::MissingPart { at: place, part },
            Self::BadPort { text, .. } => Self::BadPort { at: place, text },
            other => other,
        }
    }
}

/// Returns the text for an error message, cut when it is long.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => text
            .get(..end)
            .unwrap_or_default()
            .chars()
            .chain(['…'])
            .collect(),
        None => text.to_owned(),
    }
}
