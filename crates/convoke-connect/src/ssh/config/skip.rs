//! Which lines of a file need not be looked at for a host, so that many blocks cost nothing.

use std::collections::HashMap;

use super::directive::Directive;

/// Where to go on in a file. Lines are named by their places in it.
#[derive(Debug, Default)]
pub(super) struct Skip {
    /// For each line, the first from there on that counts in a block that is not for the host, too.
    next: Vec<usize>,
    /// For each `Host` line of mere names, the first line behind it and all such blocks that follow.
    ends: HashMap<usize, usize>,
    /// The `Host` lines of mere names, by these.
    named: HashMap<String, Vec<usize>>,
}

impl Skip {
    pub(super) fn of(lines: &[(usize, Directive)]) -> Self {
        let mut skip = Skip {
            next: vec![lines.len(); lines.len() + 1],
            ..Skip::default()
        };
        for (at, (_, directive)) in lines.iter().enumerate().rev() {
            let behind = skip.next(at + 1);
            skip.next[at] = match directive {
                Directive::Host(_)
                | Directive::Match(_)
                | Directive::Include(_)
                | Directive::Unknown(_)
                | Directive::Stray(..) => at,
                _ => behind,
            };
            if let Directive::Host(patterns) = directive
                && let Some(names) = patterns.names()
            {
                let end = skip.ends.get(&behind).copied().unwrap_or(behind);
                skip.ends.insert(at, end);
                for name in names {
                    skip.named.entry(name.to_owned()).or_default().push(at);
                }
            }
        }
        skip
    }

    /// The first line from `at` on that counts in a block that is not for the host, too.
    pub(super) fn next(&self, at: usize) -> usize {
        self.next.get(at).copied().unwrap_or(at)
    }

    /// For a `Host` line of mere names: the first such line from there on that is for `host`, or what
    /// follows when there is none.
    pub(super) fn named(&self, at: usize, host: &str) -> Option<Result<usize, usize>> {
        let end = *self.ends.get(&at)?;
        // The last comes first.
        let places = self.named.get(host).map_or(&[][..], Vec::as_slice);
        let from = places.partition_point(|place| *place >= at);
        let first = places[..from].last().copied();
        Some(first.filter(|place| *place < end).ok_or(end))
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Patterns;
    use super::*;

    fn host(names: &str) -> Directive {
        let words: Vec<_> = names.split(' ').map(str::to_owned).collect();
        Directive::Host(Patterns::of_words(&words).unwrap())
    }

    #[test]
    fn blocks_of_mere_names_are_found_by_name() {
        let asked = || Directive::Asked("x".into());
        let lines = [
            asked(),
            host("a b"),
            asked(),
            host("c"),
            asked(),
            host("a"),
            asked(),
            host("w*"),
            asked(),
            host("a"),
        ];
        let skip = Skip::of(&lines.map(|directive| (0, directive)));
        assert_eq!(skip.next(0), 1);
        for (at, name, expected) in [
            (1, "a", Some(Ok(1))),
            (1, "b", Some(Ok(1))),
            (1, "c", Some(Ok(3))),
            (3, "a", Some(Ok(5))),
            (3, "b", Some(Err(7))),
            (1, "z", Some(Err(7))),
            (7, "a", None),
            (9, "a", Some(Ok(9))),
            (9, "z", Some(Err(10))),
        ] {
            assert_eq!(skip.named(at, name), expected, "{at} {name}");
        }
    }
}
