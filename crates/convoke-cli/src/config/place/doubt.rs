//! Words that may be meant otherwise than they read, and how to write what is meant.

use bstr::{BStr, BString, ByteSlice as _};
use convoke::connect::registry::Registry;

use super::begins_a_path;
use crate::error::Usage;

/// The error of a word without a path on a host.
pub(super) fn without_path(word: &BStr) -> Usage {
    Usage::new(format!("{word:?} names no path on a host")).hint(format!(
        "write HOSTS:PATH, such as {:?}",
        with(word, ":/PATH")
    ))
}

/// Refuses what is cut where it was hardly meant to be.
pub(super) fn check(word: &BStr, hosts: &BStr, path: &BStr) -> Result<(), Usage> {
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
