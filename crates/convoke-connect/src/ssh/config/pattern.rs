//! Patterns of hosts and users: `*`, `?`, lists, negation.

/// Patterns, each of which may be negated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patterns(Vec<Pattern>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: String,
    negated: bool,
}

/// Longer ones ssh never matches.
const LONGEST: usize = 1000;

impl Patterns {
    /// Those of a list with commas, in which letters may count as small ones.
    pub(super) fn listed(list: &str, lower: bool) -> Result<Self, String> {
        let list = list.strip_suffix(',').unwrap_or(list);
        let patterns = list.split(',').map(|one| match lower {
            true => Pattern::new(&one.to_ascii_lowercase()),
            false => Pattern::new(one),
        });
        Patterns::checked(patterns.collect())
    }

    /// Those of a `Host` line.
    pub(super) fn of_words(words: &[String]) -> Result<Self, String> {
        Patterns::checked(words.iter().map(|word| Pattern::new(word)).collect())
    }

    fn checked(patterns: Vec<Pattern>) -> Result<Self, String> {
        match patterns.iter().find(|one| one.text.len() > LONGEST) {
            Some(_) => Err("a very long pattern".into()),
            None => Ok(Patterns(patterns)),
        }
    }

    /// The names that they are, if they are nothing but names.
    pub(super) fn names(&self) -> Option<impl Iterator<Item = &str>> {
        let is_name = |one: &Pattern| !one.negated && !one.text.contains(['*', '?']);
        let are_names = self.0.iter().all(is_name);
        are_names.then(|| self.0.iter().map(|one| one.text.as_str()))
    }

    /// Whether one of them is the whole of `text`, and none that is negated.
    pub(super) fn are_for(&self, text: &str) -> bool {
        let mut found = false;
        for pattern in &self.0 {
            if matches(&pattern.text, text) {
                if pattern.negated {
                    return false;
                }
                found = true;
            }
        }
        found
    }
}

impl Pattern {
    fn new(text: &str) -> Self {
        let (text, negated) = match text.strip_prefix('!') {
            Some(text) => (text, true),
            None => (text, false),
        };
        Pattern {
            text: text.to_owned(),
            negated,
        }
    }
}

/// Whether a pattern with `*` and `?` is the whole of `text`.
pub(in crate::ssh) fn matches(pattern: impl AsRef<[u8]>, text: impl AsRef<[u8]>) -> bool {
    let (pattern, text) = (pattern.as_ref(), text.as_ref());
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
    let rest = pattern.get(p..).unwrap_or_default();
    rest.iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_for_a_name_unless_a_negated_one_is() {
        for (list, name, expected) in [
            ("web*,db1", "web1", true),
            ("web*,!web9", "web9", false),
            ("!web9,web*", "web9", false),
            ("!web9", "web1", false),
            ("!web9,*", "web1", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*.lan*", "x.lan.lan2", true),
            ("WEB1", "web1", true),
        ] {
            let patterns = Patterns::listed(list, true).unwrap();
            assert_eq!(patterns.are_for(name), expected, "{list} {name}");
        }
    }
}
