//! What a `known_hosts` file says of a name, read as ssh reads it (sshd(8), OpenSSH's hostfile.c).

mod index;
mod key;
mod names;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::PublicKey;

use index::Index;

pub(in crate::ssh) use key::{NoKey, plain, read as read_key, rsa_bits, same_kind};

/// The longest marker that ssh looks at, in bytes.
const LONGEST_MARKER: usize = 31;

/// One file, its lines split but not yet understood: most are not about the host that is asked for.
pub struct KnownHosts {
    path: Arc<Path>,
    text: Vec<u8>,
    lines: Vec<Line>,
    index: Index,
}

/// A line with names on it.
struct Line {
    number: usize,
    mark: Mark,
    names: Range<usize>,
    rest: Range<usize>,
}

/// What the line of a key says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It is the key of the host.
    Key,
    /// It signs the keys of the host: `@cert-authority`.
    Authority,
    /// It must not be used any more: `@revoked`.
    Revoked,
}

/// A key that is known under a name.
#[derive(Debug, Clone)]
pub struct Known {
    /// What its line says of it.
    pub mark: Mark,
    /// The key.
    pub key: PublicKey,
    /// The file and the line, from 1.
    pub place: Place,
}

/// A line of a file. Shown as `FILE:LINE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// The number of the line, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl fmt::Debug for KnownHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownHosts")
            .field("path", &self.path)
            .field("lines", &self.lines.len())
            .finish_non_exhaustive()
    }
}

impl KnownHosts {
    /// Splits the text of the file at `path`. Lines that ssh would pass over are passed over.
    pub fn parse(path: PathBuf, text: Vec<u8>) -> Self {
        let mut lines = Vec::new();
        let mut start = 0;
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            lines.extend(Line::split(index + 1, line, start));
            start += line.len() + 1;
        }
        let names = lines.iter().map(|line: &Line| part(&text, &line.names));
        let index = Index::of(names);
        KnownHosts {
            path: path.into(),
            text,
            lines,
            index,
        }
    }

    /// The keys on the lines that are about `name`, in their order: a host name in lower case, or
    /// `[name]:port` for a port other than 22. Lines whose key is not understood are passed over.
    pub fn of(&self, name: &str) -> impl Iterator<Item = Known> {
        let names = |line: usize| {
            let line = self.lines.get(line);
            line.map_or(&[][..], |line| part(&self.text, &line.names))
        };
        let found = self.index.find(name.as_bytes(), names).into_iter();
        let lines = found.filter_map(|line| self.lines.get(line));
        lines.filter_map(|line| {
            Some(Known {
                mark: line.mark,
                key: key::read(part(&self.text, &line.rest)).ok()?,
                place: self.place(line.number),
            })
        })
    }

    /// How many lines the file has.
    pub(super) fn lines(&self) -> usize {
        self.text.iter().filter(|byte| **byte == b'\n').count()
    }

    /// A line of the file, from 1.
    pub(super) fn place(&self, line: usize) -> Place {
        Place {
            file: Arc::clone(&self.path),
            line,
        }
    }
}

/// The line that says that `key` is known under `names`, as ssh writes it.
pub(super) fn entry(names: &str, key: &PublicKey) -> io::Result<String> {
    let blob = STANDARD.encode(key.to_bytes().map_err(io::Error::other)?);
    Ok(format!("{names} {} {blob}\n", key.algorithm().as_str()))
}

/// `name` with a salt of its own, as ssh writes it with `HashKnownHosts`.
pub(super) fn hashed(name: &str) -> io::Result<String> {
    let mut salt = [0; names::SALT];
    getrandom::fill(&mut salt).map_err(io::Error::other)?;
    Ok(names::hash(name, salt))
}

fn part<'a>(text: &'a [u8], range: &Range<usize>) -> &'a [u8] {
    text.get(range.clone()).unwrap_or_default()
}

impl Line {
    /// The parts of a line that begins at `start` of the text.
    fn split(number: usize, line: &[u8], start: usize) -> Option<Self> {
        // For ssh the text of a line ends at a NUL.
        let end = line.iter().position(|byte| *byte == 0);
        let line = &line[..end.unwrap_or(line.len())];
        let mut at = after_blanks(line, 0);
        if matches!(line.get(at), None | Some(b'#')) {
            return None;
        }
        let mut mark = Mark::Key;
        if line.get(at) == Some(&b'@') {
            let word = marker(&line[at..])?;
            mark = match word {
                b"@cert-authority" => Mark::Authority,
                b"@revoked" => Mark::Revoked,
                _ => return None,
            };
            at = after_blanks(line, at + word.len());
            if line.get(at) == Some(&b'@') {
                return None;
            }
        }
        let names = at..at
            + line[at..]
                .iter()
                .take_while(|byte| !is_blank(**byte))
                .count();
        let rest = after_blanks(line, names.end)..line.len();
        let moved = |range: Range<usize>| range.start + start..range.end + start;
        Some(Line {
            number,
            mark,
            names: moved(names),
            rest: moved(rest),
        })
    }
}

/// The marker that a line begins with. It ends at a space; at a tab only if no space comes on the line.
fn marker(line: &[u8]) -> Option<&[u8]> {
    let find = |blank: u8| line.iter().position(|byte| *byte == blank);
    let end = find(b' ').or_else(|| find(b'\t'))?;
    (2..=LONGEST_MARKER).contains(&end).then(|| &line[..end])
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn after_blanks(line: &[u8], at: usize) -> usize {
    let rest = line.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| is_blank(**byte)).count()
}
