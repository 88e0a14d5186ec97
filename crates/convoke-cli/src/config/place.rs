//! Where on which hosts: `HOSTS:PATH` as it is typed, cut in two.

mod doubt;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use bstr::{BStr, BString, ByteSlice as _};

use crate::error::Usage;

/// A path on some hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The host expression.
    pub(crate) hosts: String,
    /// The path there; never empty.
    pub(crate) path: BString,
}

impl Place {
    /// The two parts of a word. An expression holds colons itself, so the path begins behind the first colon that
    /// is followed by `/`, `./`, `../` or `~`, and else behind the last; those of an expression in brackets, in a
    /// regular expression and in `://` do not count.
    ///
    /// # Errors
    /// There is no colon, no host or no path, or what would be the path looks like a port or a host, or what would be
    /// of the host like the begin of the path.
    pub(crate) fn parse(word: &OsStr) -> Result<Self, Usage> {
        let word = word.as_bytes().as_bstr();
        let colons = colons(word);
        let is_path = |colon: &&Colon| begins_a_path(behind(word, colon.at));
        let Some(end) = colons.iter().find(is_path).or(colons.last()) else {
            return Err(doubt::without_path(word));
        };
        let (hosts, path) = (word[..end.at].as_bstr(), behind(word, end.at));
        doubt::check(word, hosts, path, &colons)?;
        let hosts = hosts.to_str().map_err(|_| {
            Usage::new(format!("the hosts of {word:?} are not UTF-8"))
                .hint("a path may hold any byte, a host expression may not")
        })?;
        Ok(Place {
            hosts: hosts.to_owned(),
            path: path.to_owned(),
        })
    }
}

/// A colon that may end the hosts.
#[derive(Debug, Clone, Copy)]
struct Colon {
    /// Where it is.
    at: usize,
    /// Where the term of the expression begins that holds it.
    term: usize,
}

/// What stands behind the colon at `at`.
fn behind(word: &BStr, at: usize) -> &BStr {
    word.get(at + 1..).unwrap_or_default().as_bstr()
}

fn begins_a_path(text: &BStr) -> bool {
    [&b"/"[..], b"./", b"../", b"~"]
        .iter()
        .any(|begin| text.starts_with(begin))
        || text == "."
        || text == ".."
}

/// Where the colons are that may end the hosts.
fn colons(word: &BStr) -> Vec<Colon> {
    let mut colons = Vec::new();
    let mut depth = 0_usize;
    let mut is_at_term = true;
    let (mut at, mut term) = (0, 0);
    while let Some(byte) = word.get(at) {
        let begins_term = std::mem::take(&mut is_at_term);
        match byte {
            b'/' if begins_term => {
                at = regex_end(word, at);
                continue;
            }
            b'[' | b'(' | b'{' => {
                depth += 1;
                is_at_term = *byte == b'(';
            }
            b']' | b')' | b'}' => depth = depth.saturating_sub(1),
            // At the begin of a term it names a file, and a path is none of its expressions.
            b'^' if begins_term => {}
            b',' | b'!' | b'&' | b'^' => {
                is_at_term = true;
                if depth == 0 {
                    term = at + 1;
                }
            }
            b' ' => is_at_term = begins_term,
            b':' if depth == 0 => match word.get(at + 1..at + 3) {
                Some(b"//") if is_scheme(word, at) => at += 2,
                _ => colons.push(Colon { at, term }),
            },
            _ => {}
        }
        at += 1;
    }
    colons
}

/// Behind a regular expression that begins here.
fn regex_end(word: &BStr, begin: usize) -> usize {
    let mut at = begin + 1;
    while let Some(byte) = word.get(at) {
        match byte {
            b'/' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

/// Whether a scheme ends at the colon at `at`.
fn is_scheme(word: &BStr, at: usize) -> bool {
    let before = word.get(..at).unwrap_or_default();
    let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let letters = before.iter().rev().take_while(|byte| belongs(byte)).count();
    let first = before.get(before.len() - letters);
    first.is_some_and(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests;
