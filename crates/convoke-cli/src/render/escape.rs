//! Foreign bytes made harmless.
//!
//! What is harmful depends on who looks. A terminal acts on control characters, escape sequences and
//! marks that turn text around. A file with prefixed lines must keep every line behind its prefix, also
//! when it is printed later. Bytes that are shown escaped read `\xNN`, characters `\u{NNNN}`; a carriage
//! return reads `\r`. A backslash that was there before is left alone.

use std::io::Write as _;

use convoke::printable::is_invisible;

use crate::config::{Paper, Safety};

/// What is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escaping {
    /// Nothing.
    Nothing,
    /// What leaves a line, or drives a terminal when the file is printed: ESC, C1, carriage returns
    /// (except the one of a CR LF), backspaces, vertical moves, separators of lines and records.
    LineBreakers,
    /// What a terminal does not show as itself: all control characters except tab and newline, DEL, C1,
    /// separators of lines, bidirectional marks, invisible marks, invalid UTF-8.
    Invisible,
}

/// What follows a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The end of its line.
    Newline,
    /// More, or nothing.
    Anything,
}

/// How many bytes are looked at before it is decided whether to go on; the compiler makes vector
/// instructions of the loop over them.
const STRIDE: usize = 128;

impl Escaping {
    /// For bytes that are shown as they come.
    pub(crate) fn of_raw(paper: Paper, safety: Safety) -> Self {
        match (safety, paper.is_terminal()) {
            (Safety::Escaped, true) => Escaping::Invisible,
            _ => Escaping::Nothing,
        }
    }

    /// For lines behind a prefix.
    pub(crate) fn of_lines(paper: Paper, safety: Safety) -> Self {
        match (safety, paper.is_terminal()) {
            (Safety::Raw, _) => Escaping::Nothing,
            (Safety::Escaped, true) => Escaping::Invisible,
            (Safety::Escaped, false) => Escaping::LineBreakers,
        }
    }

    /// Whether there is certainly nothing to escape; a quick look at memory speed.
    pub(crate) fn is_clean(self, bytes: &[u8]) -> bool {
        match self {
            Escaping::Nothing => true,
            Escaping::LineBreakers => none(bytes, |byte| {
                // Continuation bytes of UTF-8 are among these: they take the slow look.
                (byte.wrapping_sub(0x08) < 0x17) & (byte != b'\t') & (byte != b'\n')
                    | (byte.wrapping_sub(0x80) < 0x20)
                    | (byte == 0xe2)
            }),
            Escaping::Invisible => none(bytes, |byte| {
                (byte < 0x20) & (byte != b'\t') & (byte != b'\n') | (byte >= 0x7f)
            }),
        }
    }

    /// Appends `bytes` to `out`, escaped.
    pub(crate) fn push(self, bytes: &[u8], then: Then, out: &mut Vec<u8>) {
        if self.is_clean(bytes) {
            out.extend_from_slice(bytes);
            return;
        }
        let (bytes, last) = match (self, then, bytes) {
            (Escaping::LineBreakers, Then::Newline, [before @ .., b'\r']) => (before, &b"\r"[..]),
            _ => (bytes, &b""[..]),
        };
        for chunk in bytes.utf8_chunks() {
            self.push_text(chunk.valid(), out);
            for &byte in chunk.invalid() {
                match self == Escaping::Invisible || (0x80..0xa0).contains(&byte) {
                    true => push_byte(byte, out),
                    false => out.push(byte),
                }
            }
        }
        out.extend_from_slice(last);
    }

    fn push_text(self, text: &str, out: &mut Vec<u8>) {
        let mut shown = 0;
        for (at, c) in text.char_indices() {
            if !self.hits(c) {
                continue;
            }
            out.extend_from_slice(&text.as_bytes()[shown..at]);
            shown = at + c.len_utf8();
            match c {
                '\r' => out.extend_from_slice(b"\\r"),
                c if c.is_ascii() => push_byte(c as u8, out),
                // Writing to a vector cannot fail.
                c => drop(write!(out, "\\u{{{:x}}}", u32::from(c))),
            }
        }
        out.extend_from_slice(&text.as_bytes()[shown..]);
    }

    fn hits(self, c: char) -> bool {
        match self {
            Escaping::Nothing => false,
            Escaping::LineBreakers => matches!(
                c,
                '\u{8}' | '\u{b}'..='\r' | '\u{1b}'..='\u{1e}' | '\u{80}'..='\u{9f}'
                    | '\u{2028}' | '\u{2029}'
            ),
            Escaping::Invisible => c != '\t' && c != '\n' && is_invisible(c),
        }
    }
}

/// A text as one line that cannot drive a terminal: for messages of ours that quote foreign words.
pub(crate) fn one_line(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    Escaping::Invisible.push(bytes, Then::Newline, &mut out);
    let text = String::from_utf8_lossy(&out);
    text.replace('\n', "\\n").replace('\t', " ")
}

/// How many bytes at the end of `bytes` may begin a character that goes on in the next piece: 0 to 3.
pub(crate) fn unfinished_tail(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    let is_open = |from: &usize| {
        std::str::from_utf8(&tail[*from..])
            .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    (0..tail.len())
        .find(is_open)
        .map_or(0, |from| tail.len() - from)
}

fn push_byte(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
    out.extend_from_slice(&[b'\\', b'x', DIGITS[high], DIGITS[low]]);
}

/// Whether no byte is hit.
fn none(bytes: &[u8], is_hit: impl Fn(u8) -> bool) -> bool {
    let (strides, rest) = bytes.as_chunks::<STRIDE>();
    let any = |bytes: &[u8]| bytes.iter().fold(false, |hit, &byte| hit | is_hit(byte));
    !strides.iter().any(|stride| any(stride)) && !any(rest)
}

#[cfg(test)]
mod tests;
