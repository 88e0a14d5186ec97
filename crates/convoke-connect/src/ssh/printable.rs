//! What others say, fit to be shown.

/// The longest text that is quoted, in characters.
const QUOTED: usize = 300;

/// A text of bounded length that cannot drive a terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(QUOTED) {
        match c {
            '\'' | '"' | '\\' => out.push(c),
            _ => out.extend(c.escape_debug()),
        }
    }
    if text.chars().nth(QUOTED).is_some() {
        out.push_str("...");
    }
    out
}
