//! The programs of an emulated host.
//!
//! A store of files is to be one, when the protocol has verbs for files.

use std::str::FromStr;
use std::time::Duration;

use crate::emulated::{Doing, Said};

/// What a host called `name` does with an argument vector.
pub(super) fn doing<W: AsRef<[u8]>>(name: &str, argv: &[W]) -> Doing {
    let words: Vec<&[u8]> = argv.iter().map(AsRef::as_ref).collect();
    match words.as_slice() {
        [b"true" | b":", ..] => exits(0),
        [b"false", ..] => exits(1),
        [b"echo", rest @ ..] => says(rest.join(&b' ')),
        [b"hostname"] => says(name.into()),
        [b"exit"] => exits(0),
        [b"exit", code] => number(code).map_or(Doing::IsMissing, exits),
        [b"cat"] => Doing::Copies,
        [b"sleep", seconds] => number(seconds).map_or(Doing::IsMissing, sleeps),
        // What only a shell has.
        [b"exec", rest @ ..] if !rest.is_empty() => doing(name, rest),
        [b"sh" | b"/bin/sh", b"-c", line, ..] => doing(name, &split(line)),
        _ => Doing::IsMissing,
    }
}

fn exits(code: u8) -> Doing {
    Doing::Says(Said {
        code,
        ..Said::default()
    })
}

fn says(mut line: Vec<u8>) -> Doing {
    line.push(b'\n');
    Doing::Says(Said {
        stdout: line,
        ..Said::default()
    })
}

fn sleeps(seconds: u32) -> Doing {
    Doing::Sleeps(Duration::from_secs(seconds.into()))
}

fn number<N: FromStr>(word: &[u8]) -> Option<N> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// The words of a line. Of a shell's language only quotes are understood.
pub(super) fn split(line: &[u8]) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    for byte in line.iter().copied() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (None, b'\'' | b'"') => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (None, b' ' | b'\t' | b'\n') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::{doing, split};
    use crate::emulated::Doing;

    fn said(line: &str) -> Option<(String, u8)> {
        match doing("h7", &split(line.as_bytes())) {
            Doing::Says(said) => Some((String::from_utf8(said.stdout).unwrap(), said.code)),
            _ => None,
        }
    }

    #[test]
    fn programs_say_what_they_would_say() {
        for (line, stdout, code) in [
            ("true", "", 0),
            ("false", "", 1),
            ("echo a  'b  c' \"d\"", "a b  c d\n", 0),
            ("echo", "\n", 0),
            ("hostname", "h7\n", 0),
            ("exit 7", "", 7),
            ("exec sh -c 'echo in a shell'", "in a shell\n", 0),
        ] {
            assert_eq!(said(line), Some((stdout.to_owned(), code)), "{line}");
        }
    }

    #[test]
    fn what_is_not_there_is_missing() {
        for line in ["uptime", "", "exit 256", "cat /etc/passwd"] {
            let doing = doing("h7", &split(line.as_bytes()));
            assert!(matches!(doing, Doing::IsMissing), "{line}: {doing:?}");
        }
    }
}
