//! Where on which hosts: `HOSTS:PATH` as it is typed, cut in two.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use bstr::{BStr, BString, ByteSlice as _};
use convoke::connect::registry::Registry;

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
    /// There is no colon, no host or no path, or what would be the path looks like a port or a host.
    pub(crate) fn parse(word: &OsStr) -> Result<Self, Usage> {
        let word = word.as_bytes().as_bstr();
        let colons = colons(word);
        let is_path = |at: &&usize| begins_a_path(behind(word, **at));
        let Some(at) = colons.iter().find(is_path).or(colons.last()) else {
            return Err(
                Usage::new(format!("{word:?} names no path on a host")).hint(format!(
                    "write HOSTS:PATH, such as {:?}",
                    with(word, ":/PATH")
                )),
            );
        };
        let (hosts, path) = (&word[..*at], behind(word, *at));
        check(word, hosts.as_bstr(), path)?;
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

/// Refuses what is cut where it was hardly meant to be.
fn check(word: &BStr, hosts: &BStr, path: &BStr) -> Result<(), Usage> {
    if hosts.is_empty() {
        return Err(Usage::new(format!("{word:?} names no host"))
            .hint("write HOSTS:PATH, such as \"web1:/PATH\""));
    }
    if path.is_empty() {
        return Err(Usage::new(format!("{word:?} names no path"))
            .hint(format!("the login home is {:?}", with(word, "~/"))));
    }
    if path.contains(&0) {
        return Err(Usage::new(format!("the path of {word:?} holds a NUL byte")));
    }
    if path.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(
            Usage::new(format!("{path:?} in {word:?} may be a port or a file")).hint(format!(
                "write {:?} for the port, {:?} for the file",
                with(word, ":/PATH"),
                with(hosts, &format!(":./{path}"))
            )),
        );
    }
    if let Some(file) = behind_a_port(path) {
        let port = path[..path.len() - file.len()].as_bstr();
        return Err(Usage::new(format!(
            "\"{port}\" in {word:?} may be a port or a directory"
        ))
        .hint(format!(
            "write {:?} for the port, {:?} for the directory",
            with(hosts, &format!(":{port}:{file}")),
            with(hosts, &format!(":./{path}"))
        )));
    }
    if let Some(next) = second_place(path) {
        let first = path[..path.len() - next.len() - 1].as_bstr();
        return Err(
            Usage::new(format!("{word:?} names a second host behind its path")).hint(format!(
                "write \"HOST,HOST:{first}\" for one path on both; a path of that name begins with \"/./\" or \"./\""
            )),
        );
    }
    let registry = Registry::with_defaults();
    let last = hosts
        .rsplit(|byte| *byte == b',')
        .next()
        .unwrap_or_default();
    if registry.schemes().any(|scheme| scheme.as_bytes() == last) {
        let host = match begins_a_path(path) {
            true => with(hosts, &format!(":NAME:{path}")),
            false => with(word, ":/PATH"),
        };
        return Err(Usage::new(format!(
            "{:?} in {word:?} says how a host is reached, and not which",
            last.as_bstr()
        ))
        .hint(format!("write {host:?}")));
    }
    Ok(())
}

/// What follows a port, when the path begins with what may be one.
fn behind_a_port(path: &BStr) -> Option<&BStr> {
    let (port, _) = path.split_once_str("/")?;
    let is_port = (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit);
    is_port.then(|| path[port.len()..].as_bstr())
}

/// What follows a comma in a path, when it looks like a host and a path.
fn second_place(path: &BStr) -> Option<&BStr> {
    if path.starts_with(b"/./") || path.starts_with(b"./") {
        return None;
    }
    let is_in_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"@.-_[]".contains(&byte);
    path.find_iter(",")
        .map(|at| path[at + 1..].as_bstr())
        .find(|next| {
            let host = next.iter().take_while(|byte| is_in_a_name(**byte)).count();
            host > 0 && next[host..].starts_with(b":/")
        })
}

fn with(text: &BStr, more: &str) -> BString {
    [text.as_bytes(), more.as_bytes()].concat().into()
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
fn colons(word: &BStr) -> Vec<usize> {
    let mut colons = Vec::new();
    let mut depth = 0_usize;
    let mut is_at_term = true;
    let mut at = 0;
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
            b',' | b'!' | b'&' | b'^' => is_at_term = true,
            b' ' => is_at_term = begins_term,
            b':' if depth == 0 => match word.get(at + 1..at + 3) {
                Some(b"//") if is_scheme(word, at) => at += 2,
                _ => colons.push(at),
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
mod tests {
    use super::*;

    #[test]
    fn hosts_and_path_are_cut_where_they_meet() {
        for (word, hosts, path) in [
            ("web1:/etc/motd", "web1", "/etc/motd"),
            ("web1:notes.txt", "web1", "notes.txt"),
            ("web1:a:b", "web1:a", "b"),
            ("web1:./a:b", "web1", "./a:b"),
            ("web1:../a:b", "web1", "../a:b"),
            ("web1:/a:/b", "web1", "/a:/b"),
            ("web1:~", "web1", "~"),
            ("web1:~www/x:y", "web1", "~www/x:y"),
            ("web1:.", "web1", "."),
            ("web1:.profile", "web1", ".profile"),
            ("web[1-9]:/x", "web[1-9]", "/x"),
            ("@web[0:2]:/x", "@web[0:2]", "/x"),
            ("@web[0:2]:x", "@web[0:2]", "x"),
            ("@source:group:/x", "@source:group", "/x"),
            ("root@web1:22:/x", "root@web1:22", "/x"),
            ("root@web1:22:x", "root@web1:22", "x"),
            ("[::1]:/x", "[::1]", "/x"),
            ("[::1]:22:/x", "[::1]:22", "/x"),
            ("[2001:db8::1%eth0]:22:x", "[2001:db8::1%eth0]:22", "x"),
            ("ssh://u@h:22:/x", "ssh://u@h:22", "/x"),
            ("ssh://h:/x", "ssh://h", "/x"),
            ("ssh://h1/docker:web:/x", "ssh://h1/docker:web", "/x"),
            ("ssh+native://h:/x", "ssh+native://h", "/x"),
            ("local:demo1:/x", "local:demo1", "/x"),
            ("local:demo1:x", "local:demo1", "x"),
            ("local::/x", "local:", "/x"),
            ("local:[a,b]:/x", "local:[a,b]", "/x"),
            ("/web.*:x\\/y/:/etc", "/web.*:x\\/y/", "/etc"),
            ("a!/b:/:/x", "a!/b:/", "/x"),
            ("a,(b:22,/c:d/)!e:/x", "a,(b:22,/c:d/)!e", "/x"),
            ("%{role=a:b and x!=y}:/x", "%{role=a:b and x!=y}", "/x"),
            ("^hosts.txt:/x", "^hosts.txt", "/x"),
            ("^/etc/hosts.txt:/x", "^/etc/hosts.txt", "/x"),
            ("a^/b:/:/x", "a^/b:/", "/x"),
            ("-:/x", "-", "/x"),
            ("web1,db1:/x", "web1,db1", "/x"),
            ("web1:/a b", "web1", "/a b"),
            ("web1:/22", "web1", "/22"),
            ("web1:./22", "web1", "./22"),
            ("/a/:/b:/c", "/a/", "/b:/c"),
            ("h:./22/x", "h", "./22/x"),
            ("h:123456/x", "h", "123456/x"),
            ("h:/./a,b:/c", "h", "/./a,b:/c"),
        ] {
            let place = Place::parse(OsStr::new(word));
            let place = place.unwrap_or_else(|error| panic!("{word}: {error:?}"));
            assert_eq!(
                (&*place.hosts, place.path.as_bstr()),
                (hosts, path.into()),
                "{word}"
            );
        }
    }

    #[test]
    fn a_path_may_hold_any_byte() {
        let place = Place::parse(OsStr::from_bytes(b"web1:/\xff\n*")).unwrap();
        assert_eq!(place.path, b"/\xff\n*".as_bstr());
    }

    #[test]
    fn what_may_be_meant_otherwise_is_refused_with_the_right_spelling() {
        for (word, what, hint) in [
            (
                "web1",
                "\"web1\" names no path on a host",
                "write HOSTS:PATH, such as \"web1:/PATH\"",
            ),
            (
                "./file",
                "\"./file\" names no path on a host",
                "write HOSTS:PATH, such as \"./file:/PATH\"",
            ),
            (
                "web[1:2]",
                "\"web[1:2]\" names no path on a host",
                "write HOSTS:PATH, such as \"web[1:2]:/PATH\"",
            ),
            (
                "ssh://web1",
                "\"ssh://web1\" names no path on a host",
                "write HOSTS:PATH, such as \"ssh://web1:/PATH\"",
            ),
            (
                "web1:",
                "\"web1:\" names no path",
                "the login home is \"web1:~/\"",
            ),
            (
                ":/x",
                "\":/x\" names no host",
                "write HOSTS:PATH, such as \"web1:/PATH\"",
            ),
            (
                "root@web1:22",
                "\"22\" in \"root@web1:22\" may be a port or a file",
                "write \"root@web1:22:/PATH\" for the port, \"root@web1:./22\" for the file",
            ),
            (
                "ssh://u@h:22/tmp/o",
                "\"22\" in \"ssh://u@h:22/tmp/o\" may be a port or a directory",
                "write \"ssh://u@h:22:/tmp/o\" for the port, \"ssh://u@h:./22/tmp/o\" for the directory",
            ),
            (
                "h:2222/etc/motd",
                "\"2222\" in \"h:2222/etc/motd\" may be a port or a directory",
                "write \"h:2222:/etc/motd\" for the port, \"h:./2222/etc/motd\" for the directory",
            ),
            (
                "web1:/a,web2:/b",
                "\"web1:/a,web2:/b\" names a second host behind its path",
                "write \"HOST,HOST:/a\" for one path on both; a path of that name begins with \"/./\" or \"./\"",
            ),
            (
                "local:demo1",
                "\"local\" in \"local:demo1\" says how a host is reached, and not which",
                "write \"local:demo1:/PATH\"",
            ),
            (
                "a,local:/tmp/x",
                "\"local\" in \"a,local:/tmp/x\" says how a host is reached, and not which",
                "write \"a,local:NAME:/tmp/x\"",
            ),
        ] {
            let error = Place::parse(OsStr::new(word)).unwrap_err();
            assert_eq!(error.what, what);
            assert_eq!(error.hint.as_deref(), Some(hint));
        }
        assert!(Place::parse(OsStr::from_bytes(b"\xff:/x")).is_err());
        assert!(Place::parse(OsStr::from_bytes(b"web1:/a\0b")).is_err());
    }
}
