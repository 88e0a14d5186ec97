//! Foreign bytes as text that cannot drive a terminal.

use std::fmt::Write as _;

/// A foreign text as one line: line ends become ` / `, tabs blanks; what is not UTF-8, or would not be seen as
/// itself, is an escape.
///
/// Made to be read; what it was cannot always be told from it. A name is [`escaped`].
pub(crate) fn printable(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    let lines = text.split(|byte| *byte == b'\n');
    for (index, line) in lines.enumerate() {
        if index > 0 {
            out.push_str(" / ");
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        push(line, &mut out, |c, out| match c {
            '\t' => out.push(' '),
            '\r' => out.push_str("\\r"),
            c => push_shown(c, out),
        });
    }
    out
}

/// A path, a name or another value as it stands between double quotes: no two look alike, and none ends its quotes.
///
/// Backslashes, quotes and line ends are `\\`, `\"`, `\n`, `\r` and `\t`; what a terminal would not show as itself is
/// `\x1b` or `\u{202e}`, and a byte that is not UTF-8 is `\xff`.
pub fn escaped(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    push(value, &mut out, |c, out| match c {
        '\\' | '"' | '\n' | '\r' | '\t' => out.extend(c.escape_default()),
        c => push_shown(c, out),
    });
    out
}

/// Whether a terminal does not show a character as itself: control characters, what turns or hides the text around
/// it. The joiners U+200C and U+200D stay: words and emoji are made with them.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Adds bytes: characters as `show` does it, and what is none byte by byte.
fn push(bytes: &[u8], out: &mut String, show: impl Fn(char, &mut String)) {
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| show(c, out));
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

fn push_shown(c: char, out: &mut String) {
    match c {
        c if !is_invisible(c) => out.push(c),
        c if c.is_ascii() => drop(write!(out, "\\x{:02x}", u32::from(c))),
        c => out.extend(c.escape_unicode()),
    }
}

#[cfg(test)]
mod tests {
    use super::{escaped, printable};

    #[test]
    fn nothing_that_drives_a_terminal_is_left() {
        for (bytes, shown) in [
            (&b"plain"[..], "plain"),
            (b"two\r\nlines", "two / lines"),
            (b"a\rb\tc\r", "a\\rb c"),
            (b"C:\\d \"x\"", "C:\\d \"x\""),
            (b"\x1b[31mred", "\\x1b[31mred"),
            (b"\xff\xfe", "\\xff\\xfe"),
            ("caf\u{e9} \u{202e}x".as_bytes(), "caf\u{e9} \\u{202e}x"),
            (
                "\u{61c}\u{180e}\u{fff9}\u{e0041}".as_bytes(),
                "\\u{61c}\\u{180e}\\u{fff9}\\u{e0041}",
            ),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
        ] {
            assert_eq!(printable(bytes), shown);
        }
    }

    #[test]
    fn no_value_looks_like_another_or_ends_its_quotes() {
        for (bytes, shown) in [
            (&b"/etc/motd"[..], "/etc/motd"),
            (b"a\nb", "a\\nb"),
            (b"a / b", "a / b"),
            (b"x\r", "x\\r"),
            (b"\t", "\\t"),
            (b"a\\nb", "a\\\\nb"),
            (b"x\": is fine, \"y", "x\\\": is fine, \\\"y"),
            (b"\x1b\x7f\xff", "\\x1b\\x7f\\xff"),
            (
                "caf\u{e9}'s \u{202e}\u{feff}".as_bytes(),
                "caf\u{e9}'s \\u{202e}\\u{feff}",
            ),
        ] {
            assert_eq!(escaped(bytes), shown);
        }
    }
}
