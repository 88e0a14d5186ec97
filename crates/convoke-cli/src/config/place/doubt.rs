//! Words that may be meant otherwise than they read, and how to write what is meant.

use std::net::Ipv6Addr;

use bstr::{BStr, BString, ByteSlice as _};
use convoke::connect::registry::Registry;
use convoke::inventory::{Error, Expr};

use super::{Colon, begins_a_path, behind, regex_end};
use crate::error::Usage;

/// The error of a word without a path on a host.
pub(super) fn without_path(word: &BStr) -> Usage {
    if let Some(unclosed) = unclosed(word) {
        return unclosed;
    }
    if begins_a_path(word) && !begins_a_regex(word) {
        return Usage::new(format!("{word:?} names no host")).hint(format!(
            "write HOSTS:PATH, such as {:?}",
            with(b"web1:".into(), &word.to_string())
        ));
    }
    let usage = Usage::new(format!("{word:?} names no path on a host"));
    if word.is_empty() {
        return usage.hint("write HOSTS:PATH, such as \"web1:/PATH\"; is a shell variable empty?");
    }
    match url(word) {
        Some((host, path)) => usage.hint(format!("write {:?}", with(host, &format!(":{path}")))),
        None => usage.hint(format!(
            "write HOSTS:PATH, such as {:?}",
            with(word, ":/PATH")
        )),
    }
}

/// Whether a whole regular expression is the first term of a word.
fn begins_a_regex(word: &BStr) -> bool {
    if !word.starts_with(b"/") {
        return false;
    }
    let (regex, rest) = word.split_at(regex_end(word, 0).min(word.len()));
    let is_closed = regex.len() > 1 && regex.ends_with(b"/");
    is_closed && rest.first().is_none_or(|byte| b",!&^[ ".contains(byte))
}

/// The error of a bracket that holds the colons of a word, as it is not closed.
fn unclosed(word: &BStr) -> Option<Usage> {
    let error = Expr::parse(word.to_str().ok()?).err()?;
    let is_unclosed = matches!(
        error,
        Error::UnclosedBracket { .. }
            | Error::UnclosedParenthesis { .. }
            | Error::UnclosedPredicate { .. }
    );
    let usage = Usage::new(format!("the hosts of {word:?}: {error}"));
    is_unclosed.then(|| match error.hint() {
        Some(hint) => usage.hint(hint),
        None => usage,
    })
}

/// The host and the path of what is written as for a browser.
fn url(word: &BStr) -> Option<(&BStr, &BStr)> {
    let (scheme, rest) = word.split_once_str("://")?;
    let slash = rest.find_byte(b'/').filter(|slash| *slash > 0)?;
    let host = &word[..scheme.len() + "://".len() + slash];
    is_scheme(scheme).then(|| (host.as_bstr(), rest[slash..].as_bstr()))
}

/// Refuses what is cut where it was hardly meant to be.
pub(super) fn check(word: &BStr, hosts: &BStr, path: &BStr, colons: &[Colon]) -> Result<(), Usage> {
    check_parts(word, hosts, path)?;
    if !begins_a_path(path) {
        check_colons(word, hosts, colons)?;
    }
    check_port(word, hosts, path)?;
    check_second_place(word, path)?;
    check_scheme(word, hosts, path)
}

fn check_parts(word: &BStr, hosts: &BStr, path: &BStr) -> Result<(), Usage> {
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
    Ok(())
}

/// Refuses a colon among the hosts that belongs to none of them: the path may have begun behind it.
fn check_colons(word: &BStr, hosts: &BStr, colons: &[Colon]) -> Result<(), Usage> {
    let mut inner = colons.iter().filter(|colon| colon.at < hosts.len());
    let Some(first) = inner.find(|colon| !is_of_a_host(hosts, colon)) else {
        return Ok(());
    };
    let (host, path) = (word[..first.at].as_bstr(), behind(word, first.at));
    let port = part(behind(hosts, first.at));
    Err(
        Usage::new(format!("{port:?} in {word:?} is no port")).hint(format!(
            "write {:?} when the path begins there",
            with(host, &format!(":./{path}"))
        )),
    )
}

/// Whether a colon is part of how a host is written.
fn is_of_a_host(hosts: &BStr, colon: &Colon) -> bool {
    let term = until(hosts[colon.term..].trim_ascii_start().as_bstr(), b",!&^ ");
    let before = hosts[colon.term..colon.at].trim_ascii_start();
    let names_a_group_or_file = before.starts_with(b"@") || before.starts_with(b"^");
    let goes_through_another = before
        .split_once_str("://")
        .is_some_and(|(_, rest)| rest.contains(&b'/'));
    let port = part(behind(hosts, colon.at));
    before.is_empty()
        || names_a_group_or_file
        || goes_through_another
        || is_port(port)
        || is_address(term)
        || is_scheme(before)
}

/// Whether a port can be written so: a number, or several.
fn is_port(text: &BStr) -> bool {
    let is_number = text.iter().all(u8::is_ascii_digit);
    !text.is_empty() && (is_number || text.contains(&b'['))
}

/// Whether a host is an address with colons, whoever logs in there and in whichever way.
fn is_address(host: &BStr) -> bool {
    let host = match host.split_once_str(":") {
        Some((scheme, rest)) if is_scheme(scheme) => rest,
        _ => host,
    };
    let address = host.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    let address = until(address.as_bstr(), b"%").to_str().unwrap_or_default();
    address.parse::<Ipv6Addr>().is_ok()
}

/// What there is up to the next colon or term.
fn part(text: &BStr) -> &BStr {
    until(text, b":,!&^ ")
}

/// What there is up to one of these bytes outside of brackets.
fn until<'a>(text: &'a BStr, ends: &[u8]) -> &'a BStr {
    let mut depth = 0_usize;
    let end = text.iter().position(|byte| {
        match byte {
            b'[' | b'(' | b'{' => depth += 1,
            b']' | b')' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && ends.contains(byte)
    });
    text[..end.unwrap_or(text.len())].as_bstr()
}

/// Refuses a path that may be a port, or begins with what may be one.
fn check_port(word: &BStr, hosts: &BStr, path: &BStr) -> Result<(), Usage> {
    if path.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(
            Usage::new(format!("{path:?} in {word:?} may be a port or a file")).hint(format!(
                "write {:?} for the port, {:?} for the file",
                with(word, ":/PATH"),
                with(hosts, &format!(":./{path}"))
            )),
        );
    }
    let Some(file) = behind_a_port(path) else {
        return Ok(());
    };
    let port = path[..path.len() - file.len()].as_bstr();
    Err(Usage::new(format!(
        "\"{port}\" in {word:?} may be a port or a directory"
    ))
    .hint(format!(
        "write {:?} for the port, {:?} for the directory",
        with(hosts, &format!(":{port}:{file}")),
        with(hosts, &format!(":./{path}"))
    )))
}

/// Refuses a path in which another host and its path seem to follow.
fn check_second_place(word: &BStr, path: &BStr) -> Result<(), Usage> {
    let Some(next) = second_place(path) else {
        return Ok(());
    };
    let first = path[..path.len() - next.len() - 1].as_bstr();
    Err(
        Usage::new(format!("{word:?} names a second host behind its path")).hint(format!(
            "write \"HOST,HOST:{first}\" for one path on both; a path of that name begins with \"/./\" or \"./\""
        )),
    )
}

/// Refuses a scheme in the place of a host.
fn check_scheme(word: &BStr, hosts: &BStr, path: &BStr) -> Result<(), Usage> {
    let last = hosts.rsplit(|byte| *byte == b',').next();
    let last = last.unwrap_or_default().as_bstr();
    if !is_scheme(last) {
        return Ok(());
    }
    let host = match begins_a_path(path) {
        true => with(hosts, &format!(":NAME:{path}")),
        false => with(word, ":/PATH"),
    };
    Err(Usage::new(format!(
        "{last:?} in {word:?} says how a host is reached, and not which"
    ))
    .hint(format!("write {host:?}")))
}

/// Whether hosts can be reached by a scheme of this name.
fn is_scheme(name: &[u8]) -> bool {
    let registry = Registry::with_defaults();
    registry.schemes().any(|scheme| scheme.as_bytes() == name)
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
