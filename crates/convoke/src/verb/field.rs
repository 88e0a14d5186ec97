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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verb::{Mkdir, Rename, Run, Single as _, Stat, Symlink, Touch, Upload};
    use convoke_proto::operation::Operation;

    /// The field that is to blame, if any.
    fn blamed(operation: Result<Operation, VerbError>) -> Option<&'static str> {
        match operation {
            Ok(_) => None,
            Err(VerbError::Usage { field, .. }) => Some(field),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_field_that_cannot_be_is_named_before_anything_is_asked() {
        let scope = &Scope::new().cwd("/srv");
        let wrong = &Scope::new().file_mode(0o17777).cwd("a\0b");
        for (operation, field) in [
            (Stat::of("x").operation(scope), None),
            (Stat::of("").operation(scope), Some("path")),
            (Stat::of("a\0").operation(scope), Some("path")),
            (Stat::of("x").operation(wrong), Some("cwd")),
            (Rename::new("x", "").operation(scope), Some("to")),
            (Symlink::new("", "x").operation(scope), Some("target")),
            (Mkdir::at("x").mode(0o7777).operation(scope), None),
            (Mkdir::at("x").mode(0o10000).operation(scope), Some("mode")),
            (Mkdir::at("x").group("").operation(scope), Some("group")),
            (Touch::at("x").owner("\0").operation(scope), Some("owner")),
            (Upload::new("x", "").operation(scope), None),
        ] {
            assert_eq!(blamed(operation), field);
        }
    }

    #[test]
    fn what_a_verb_says_wins_over_its_scope() {
        let scope = &Scope::new().cwd("/srv").dir_mode(0o711).owner("app");
        for (verb, mode, owner) in [
            (Mkdir::at("x"), 0o711, "app"),
            (Mkdir::at("x").mode(0o700).owner("root"), 0o700, "root"),
        ] {
            let expected = Operation::MakeDirectory {
                path: "/srv/x".into(),
                mode: Some(mode),
                ownership: Ownership {
                    owner: Some(owner.into()),
                    group: None,
                },
                parents: Default::default(),
            };
            assert_eq!(verb.operation(scope).unwrap(), expected);
        }
    }

    #[test]
    fn no_command_is_asked_for_that_cannot_be() {
        let outer = &Scope::new().cwd("/srv").env("A", "1").umask(0o22);
        let run = || Run::new(["true"]);
        let blamed = |run: Run| match run.program(outer) {
            Ok(_) => None,
            Err(VerbError::Usage { field, .. }) => Some(field),
            Err(other) => panic!("{other:?}"),
        };
        for (run, field) in [
            (run(), None),
            (Run::new([""; 0]), Some("argv")),
            (Run::new([""]), Some("argv")),
            (Run::new(["x", "", "\n"]), None),
            (Run::new(["x", "\0"]), Some("argv")),
            (run().env("", ""), Some("env")),
            (run().env("A=", ""), Some("env")),
            (run().env("A", "\0"), Some("env")),
            (run().env("A", "="), None),
            (run().umask(0o777), None),
            (run().umask(0o1000), Some("umask")),
            (run().cwd("\0"), Some("cwd")),
            (run().user(""), Some("user")),
            (run().group("\0"), Some("group")),
        ] {
            let words = format!("{run:?}");
            assert_eq!(blamed(run), field, "{words}");
        }
        let program = run().cwd("web").env("B", "2").program(outer).unwrap();
        assert_eq!(program.cwd.unwrap(), "/srv/web");
        assert_eq!((program.env.len(), program.umask), (2, Some(0o22)));
    }
}
