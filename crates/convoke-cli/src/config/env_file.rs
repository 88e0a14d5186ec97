//! Files with environment variables, one `NAME=VALUE` a line.
//!
//! The value is everything after the first `=`, byte for byte: no quotes, no expansion. Blank lines and
//! lines that begin with `#` are skipped; a carriage return at the end of a line and a byte order mark
//! do not count. No error repeats a value.

use std::path::Path;

use bstr::{BString, ByteSlice as _};

use crate::error::{Usage, in_words};

/// Reads the variables in a file, in its order.
///
/// # Errors
/// The file cannot be read; a line is not `NAME=VALUE`, with its number.
pub(crate) fn read(path: &Path) -> Result<Vec<(BString, BString)>, Usage> {
    let text = std::fs::read(path).map_err(|error| {
        Usage::new(format!(
            "failed to read the variables in {path:?}: {}",
            in_words(&error)
        ))
    })?;
    parse(&text).map_err(|(line, why)| {
        Usage::new(format!("line {line} of {path:?}: {why}"))
            .hint("each line is NAME=VALUE, blank, or a comment that begins with #")
    })
}

/// The variables in a text; else the number of the first wrong line, and what is wrong.
fn parse(text: &[u8]) -> Result<Vec<(BString, BString)>, (usize, &'static str)> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !is_skipped(line))
        .map(|(index, line)| pair(line).map_err(|why| (index + 1, why)))
        .collect()
}

fn is_skipped(line: &[u8]) -> bool {
    let line = line.trim_ascii_start();
    line.is_empty() || line.starts_with(b"#")
}

/// Splits `NAME=VALUE`.
///
/// # Errors
/// What is wrong, without repeating any of it.
pub(crate) fn pair(text: &[u8]) -> Result<(BString, BString), &'static str> {
    let (name, value) = text.split_once_str("=").ok_or("there is no \"=\"")?;
    if name.is_empty() {
        return Err("there is no name before \"=\"");
    }
    if name
        .iter()
        .any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
    {
        return Err("the name holds a blank or a control character");
    }
    if value.contains(&0) {
        return Err("the value holds a NUL, which no variable can");
    }
    Ok((name.into(), value.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_names_and_values() {
        let pairs = |text: &[u8]| parse(text).unwrap();
        let one = |name: &str, value: &[u8]| vec![(BString::from(name), BString::from(value))];
        for (text, expected) in [
            (&b"A=b"[..], one("A", b"b")),
            (b"\xef\xbb\xbfA=b\r\n", one("A", b"b")),
            (b"# A=c\n\n  # x\nA=b\n", one("A", b"b")),
            (b"A=b=c", one("A", b"b=c")),
            (b"A=", one("A", b"")),
            (b"A= 'b' # no comment ", one("A", b" 'b' # no comment ")),
            (b"A=\xff\x1b", one("A", b"\xff\x1b")),
            (b"", vec![]),
        ] {
            assert_eq!(pairs(text), expected, "{:?}", text.as_bstr());
        }
    }

    #[test]
    fn a_wrong_line_is_named_and_not_repeated() {
        for (text, line) in [
            (&b"A=b\nsecret"[..], 2),
            (b"\n=secret", 2),
            (b"export A=secret", 1),
            (b"A=sec\0ret", 1),
        ] {
            let (at, why) = parse(text).unwrap_err();
            assert_eq!(at, line);
            assert!(!why.contains("secret"));
        }
    }
}
