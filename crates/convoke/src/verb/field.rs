//! Checks of what a caller gives, before anything is asked of a host.

use bstr::{BStr, BString};
use convoke_proto::file::Ownership;

use crate::remote::VerbError;
use crate::scope::Scope;

/// The highest permission bits.
const MAX_MODE: u16 = 0o7777;

/// The path that `path` means within `scope`.
pub(super) fn path(scope: &Scope, path: &BString) -> Result<BString, VerbError> {
    given("path", path)?;
    if let Some(directory) = scope.directory() {
        given("cwd", directory)?;
    }
    Ok(scope.join(path.clone()))
}

/// The same where the path is one of several.
pub(super) fn path_named(
    field: &'static str,
    scope: &Scope,
    value: &BString,
) -> Result<BString, VerbError> {
    given(field, value)?;
    path(scope, value)
}

/// A text that is not empty.
pub(super) fn given(field: &'static str, value: impl AsRef<BStr>) -> Result<(), VerbError> {
    let value = value.as_ref();
    match value.is_empty() {
        true => Err(VerbError::usage(field, value, "it is empty")),
        false => whole(field, value),
    }
}

/// A text without a NUL byte.
pub(super) fn whole(field: &'static str, value: impl AsRef<BStr>) -> Result<(), VerbError> {
    let value = value.as_ref();
    match value.contains(&0) {
        true => Err(VerbError::usage(field, value, "it holds a NUL byte")),
        false => Ok(()),
    }
}

/// Permission bits.
pub(super) fn mode(mode: Option<u16>) -> Result<Option<u16>, VerbError> {
    at_most("mode", mode, MAX_MODE, "it is beyond 0o7777")
}

/// A number that is written in octal digits, and has a highest value.
pub(super) fn at_most(
    field: &'static str,
    number: Option<u16>,
    most: u16,
    why: &'static str,
) -> Result<Option<u16>, VerbError> {
    match number {
        Some(beyond) if beyond > most => Err(VerbError::usage(field, format!("{beyond:#o}"), why)),
        number => Ok(number),
    }
}

/// Who shall own a file.
pub(super) fn ownership(ownership: Ownership) -> Result<Ownership, VerbError> {
    if let Some(owner) = &ownership.owner {
        given("owner", owner)?;
    }
    if let Some(group) = &ownership.group {
        given("group", group)?;
    }
    Ok(ownership)
}
