//! Words of `put` and `get` that stand in another order than theirs, and what was meant.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use bstr::{BString, ByteSlice as _};

use crate::config::place::Place;
use crate::error::Usage;

/// The error of a last word of `put` that is no place: the hosts may be a word of their own before it.
pub(super) fn of_put(error: Usage, sources: &[OsString], last: &OsStr) -> Usage {
    let [_, .., hosts] = sources else {
        return error;
    };
    let is_meant = hosts.as_bytes().contains(&b':')
        || matches!(last.as_bytes().first(), Some(b'/' | b'.' | b'~'));
    let joined: BString = [hosts.as_bytes(), b":", last.as_bytes()].concat().into();
    let is_place = || Place::parse(OsStr::from_bytes(&joined)).is_ok();
    match is_meant && !is_here(hosts) && is_place() {
        true => error.hint(format!("write {:?}", joined.as_bstr())),
        false => error,
    }
}

/// The error of the words of `get` before the last, when none of them is a place: the last one may be.
pub(super) fn of_get(error: Usage, wanted: &[OsString], last: &OsStr) -> Usage {
    let is_place = |word: &OsStr| Place::parse(word).is_ok();
    let is_swapped = !wanted.iter().any(|word| is_place(word)) && is_place(last);
    match is_swapped && !is_here(last) {
        true => error.hint("files go to hosts by `convoke put LOCAL HOSTS:PATH`"),
        false => error,
    }
}

/// Whether there is something of that name on this machine.
fn is_here(word: &OsStr) -> bool {
    fs::symlink_metadata(word).is_ok()
}
