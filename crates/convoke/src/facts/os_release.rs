//! The operating system, as the file `os-release` names it; see os-release(5).

use std::collections::BTreeMap;

use bstr::ByteSlice as _;
use serde::Serialize;

/// What a host's `os-release` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OsRelease {
    /// A word for the system, such as `debian`; `linux` when the file has none.
    pub id: String,
    /// Its version, such as `12`; systems that are never released have none.
    pub version_id: Option<String>,
    /// Its name for people; `Linux` when the file has none.
    pub pretty_name: String,
    /// All that the file sets, by the names that stand there.
    pub keys: BTreeMap<String, String>,
}

impl OsRelease {
    /// Understands every text; lines that set nothing are passed over.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = text.to_str_lossy();
        let keys: BTreeMap<String, String> = text.lines().filter_map(assignment).collect();
        let get = |name: &str| keys.get(name).filter(|value| !value.is_empty()).cloned();
        Some(OsRelease {
            id: get("ID").unwrap_or_else(|| "linux".to_owned()),
            version_id: get("VERSION_ID"),
            pretty_name: get("PRETTY_NAME").unwrap_or_else(|| "Linux".to_owned()),
            keys,
        })
    }
}

/// What a line sets.
fn assignment(line: &str) -> Option<(String, String)> {
    let (name, value) = line.trim().split_once('=')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_named = !name.is_empty() && name.chars().all(is_name);
    is_named.then(|| (name.to_owned(), unquoted(value)))
}

/// A value as a shell would take it, without anything that a shell would expand.
fn unquoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut quote = None;
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '\\') => out.extend(rest.next()),
            // Between double quotes a backslash stands for itself before most characters.
            (Some('"'), '\\') => match rest.next_if(|next| "$`\"\\".contains(*next)) {
                Some(next) => out.push(next),
                None => out.push('\\'),
            },
            (_, c) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_a_shell_would_take() {
        for (written, meant) in [
            ("debian", "debian"),
            (
                "\"Debian GNU/Linux 12 (bookworm)\"",
                "Debian GNU/Linux 12 (bookworm)",
            ),
            ("'a b'", "a b"),
            (r#""a \"b\" \$c \` \\ \n""#, r#"a "b" $c ` \ \n"#),
            (r"'a \n'", r"a \n"),
            (r"a\ b", "a b"),
            ("\"a\"'b'c", "abc"),
            ("\"never ended", "never ended"),
            (r"ends with \", "ends with "),
            ("", ""),
        ] {
            assert_eq!(unquoted(written), meant, "{written}");
        }
    }

    #[test]
    fn what_the_file_leaves_out_has_the_words_of_its_manual() {
        let os = OsRelease::parse(b"# no name\n\n NAME=Odd \nA-B=1\n=2\nID=\n").unwrap();
        assert_eq!((&*os.id, &*os.pretty_name), ("linux", "Linux"));
        assert_eq!(os.version_id, None);
        assert_eq!(os.keys["NAME"], "Odd");
        assert_eq!(os.keys.len(), 2, "{:?}", os.keys);
    }
}
