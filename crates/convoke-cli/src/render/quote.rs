//! Words and foreign names as people read them: a shell would read the same.

use std::fmt::Write as _;

use bstr::{BString, ByteSlice as _};
use convoke::printable::is_invisible;

/// Words with quotes where a shell needs them. What cannot be shown is written in the `$'…'` form.
pub(crate) fn quoted<'a>(words: impl IntoIterator<Item = &'a BString>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| quote(word)).collect();
    words.join(" ")
}

/// One word. What it holds can neither end its line nor look like another word.
pub(crate) fn quote(word: &[u8]) -> String {
    match word.to_str() {
        Ok(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        Ok(text) if !text.chars().any(is_invisible) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => escaped(word),
    }
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || "_-./:,@%+=".contains(c)
}

fn escaped(word: &[u8]) -> String {
    let mut out = String::from("$'");
    for chunk in word.utf8_chunks() {
        for c in chunk.valid().chars() {
            // Writing to a string cannot fail.
            let _ = match c {
                '\n' => write!(out, "\\n"),
                '\t' => write!(out, "\\t"),
                '\r' => write!(out, "\\r"),
                '\'' | '\\' => write!(out, "\\{c}"),
                c if !is_invisible(c) => write!(out, "{c}"),
                c => {
                    let mut bytes = [0; 4];
                    let bytes = c.encode_utf8(&mut bytes).bytes();
                    bytes
                        .into_iter()
                        .try_for_each(|byte| write!(out, "\\x{byte:02x}"))
                }
            };
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_the_same_words() {
        for (word, shown) in [
            (&b"ls"[..], "ls"),
            (b"-l", "-l"),
            (b"/tmp/a.b:c", "/tmp/a.b:c"),
            (b"", "''"),
            (b"a b", "'a b'"),
            (b"it's", r"'it'\''s'"),
            (b"$HOME *", "'$HOME *'"),
            ("caf\u{e9}".as_bytes(), "caf\u{e9}"),
            (b"a\nb'", r"$'a\nb\''"),
            (b"\xff\x1b[m", r"$'\xff\x1b[m'"),
            ("\u{202e}x".as_bytes(), r"$'\xe2\x80\xaex'"),
        ] {
            assert_eq!(quote(word), shown);
        }
    }
}
