//! Foreign bytes as text that cannot drive a terminal.

use std::fmt::Write as _;

/// Foreign bytes as one line of text: line ends become ` / `, what is not UTF-8 or not printable is
/// shown as an escape.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => text.push_str(" / "),
                '\t' => text.push(' '),
                '\r' => {}
                c if c.is_control() || is_invisible(c) => text.extend(c.escape_unicode()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Marks that change the direction of the text around them, or hide in it.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_that_drives_a_terminal_is_left() {
        for (bytes, shown) in [
            (&b"plain"[..], "plain"),
            (b"two\r\nlines", "two / lines"),
            (b"\x1b[31mred", "\\u{1b}[31mred"),
            (b"\xff\xfe", "\\xff\\xfe"),
            ("caf\u{e9} \u{202e}x".as_bytes(), "caf\u{e9} \\u{202e}x"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
        ] {
            assert_eq!(printable(bytes), shown);
        }
    }
}
