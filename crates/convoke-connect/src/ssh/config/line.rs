//! One line of a configuration, split into words as ssh splits it.

use std::borrow::Cow;

const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A comment, or nothing.
    Nothing,
    /// A keyword and what follows it.
    Directive {
        /// In lower case.
        keyword: String,
        /// All that follows, comments too: for commands, which take it as it is.
        rest: &'a str,
        /// The words that follow, without quotes and comments.
        words: Vec<String>,
    },
    /// Something that ssh refuses; why.
    Wrong(&'static str),
}

impl<'a> Line<'a> {
    pub(super) fn parse(line: &'a str) -> Self {
        let text = line.trim_end_matches(|c| BLANKS.contains(&c) || c == '\x0c');
        if text.is_empty() {
            // ssh never strips the first character.
            return match line.starts_with('\x0c') {
                true => Line::Wrong("a lone form feed"),
                false => Line::Nothing,
            };
        }
        let Some((mut keyword, mut rest)) = delimited(text) else {
            return Line::Nothing;
        };
        if keyword.is_empty()
            && let Some(after) = rest
        {
            match delimited(after) {
                Some(again) => (keyword, rest) = again,
                None => return Line::Nothing,
            }
        }
        if keyword.is_empty() || keyword.starts_with('#') {
            return Line::Nothing;
        }
        let rest = rest.unwrap_or_default().trim_start_matches(BLANKS);
        if rest.is_empty() {
            return Line::Wrong("no argument after a keyword");
        }
        match words(rest) {
            Some(words) => Line::Directive {
                keyword: keyword.to_ascii_lowercase(),
                rest,
                words,
            },
            None => Line::Wrong("invalid quotes"),
        }
    }
}

/// Cuts a text at its first blank or `=`: what stands before, and what follows, if it was cut at all.
/// A quoted part is taken as a whole and ends what stands before. None for a quote that is not closed.
pub(super) fn delimited(text: &str) -> Option<(Cow<'_, str>, Option<&str>)> {
    let Some(at) = text.find(|c| BLANKS.contains(&c) || c == '"' || c == '=') else {
        return Some((Cow::Borrowed(text), None));
    };
    let (before, after) = text.split_at(at);
    let (cut, after) = after.split_at(1);
    if cut == "\"" {
        let (quoted, after) = after.split_once('"')?;
        let token = match before {
            "" => Cow::Borrowed(quoted),
            _ => Cow::Owned(format!("{before}{quoted}")),
        };
        return Some((token, Some(after.trim_start_matches(BLANKS))));
    }
    let mut after = after.trim_start_matches(BLANKS);
    // One `=` is skipped, and no more.
    if cut != "="
        && let Some(behind) = after.strip_prefix('=')
    {
        after = behind.trim_start_matches(BLANKS);
    }
    Some((Cow::Borrowed(before), Some(after)))
}

/// Splits a text into words at blanks and tabs, up to a comment. None when a quote is not closed.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match chars.peek() {
            None | Some('#') => return Some(words),
            Some(_) => {}
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(c) = chars.next() {
            match (c, quote) {
                ('\\', _) => {
                    let escaped = |next: &char| {
                        matches!(next, '\'' | '"' | '\\') || quote.is_none() && *next == ' '
                    };
                    word.push(chars.next_if(escaped).unwrap_or('\\'));
                }
                (' ' | '\t', None) => break,
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (c, _) => word.push(c),
            }
        }
        if quote.is_some() {
            return None;
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_keyword_and_words() {
        for (line, keyword, rest, expected) in [
            ("Port 22", "port", "22", &["22"][..]),
            ("\t Port\t=\t22 # x\r", "port", "22 # x", &["22"]),
            ("PORT=22", "port", "22", &["22"]),
            ("port==22", "port", "=22", &["=22"]),
            ("\"Port\" 22", "port", "22", &["22"]),
            ("=Port 22", "port", "22", &["22"]),
            (
                "User \"a b\"c d\\ e",
                "user",
                "\"a b\"c d\\ e",
                &["a bc", "d e"],
            ),
            (
                r#"User 'a\'b"' \x"#,
                "user",
                r#"'a\'b"' \x"#,
                &["a'b\"", r"\x"],
            ),
        ] {
            let found = Line::parse(line);
            let wanted = Line::Directive {
                keyword: keyword.into(),
                rest,
                words: expected.iter().map(|word| word.to_string()).collect(),
            };
            assert_eq!(found, wanted, "{line:?}");
        }
    }

    #[test]
    fn comments_and_unclosed_keywords_are_nothing() {
        for line in ["", "  ", "# x", "  #x y", "\"Port 22", "\r"] {
            assert_eq!(Line::parse(line), Line::Nothing, "{line:?}");
        }
        for line in ["Port", "Port =", "User 'a", "\x0c"] {
            assert!(matches!(Line::parse(line), Line::Wrong(_)), "{line:?}");
        }
    }
}
