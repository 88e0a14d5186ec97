//! Why a host could not do what it was asked, in words and as JSON.

use std::io;

use convoke_proto::operation::{Failure, Field, Reason};
use serde::ser::SerializeMap;

use crate::lossless;
use crate::printable::escaped;

/// "Permission denied" on every Linux.
const EACCES: i32 = 13;

/// In words, safe to print: `"/etc/x": no such file or directory`.
pub(crate) fn words(failure: &Failure) -> String {
    let value = escaped(&failure.value);
    if let (Some(path), Reason::Errno(errno)) = (&failure.path, failure.reason) {
        return refused(path, Some((word(failure.field), &failure.value)), errno);
    }
    let why = match failure.reason {
        Reason::Errno(number) => errno_words(number),
        Reason::Unknown => return format!("there is no {} \"{value}\"", noun(failure.field)),
        Reason::NoAnswer => "the name service of the host does not answer".to_owned(),
        Reason::Kind(kind) => format!("it is no regular file but of kind {}", kind.as_str()),
        Reason::TooLong => "it is too long".to_owned(),
        Reason::Invalid => format!("it cannot be the value of {}", word(failure.field)),
        Reason::Cancelled => "it was stopped".to_owned(),
    };
    match value.is_empty() && failure.field != Field::Path {
        true => why,
        false => format!("\"{value}\": {why}"),
    }
}

/// What the kernel refused in words: about a path, or about a part of the request, a word and its value, that was for
/// what stands there.
pub(crate) fn refused(path: &[u8], part: Option<(&str, &[u8])>, errno: i32) -> String {
    let (path, why) = (escaped(path), errno_words(errno));
    let Some((part, value)) = part else {
        return format!("\"{path}\": {why}");
    };
    let value = escaped(value);
    match part {
        // This is also said of a file that belongs to somebody else.
        "owner" if errno != EACCES => format!("cannot give \"{path}\" to user \"{value}\": {why}"),
        "group" => format!("cannot give \"{path}\" to group \"{value}\": {why}"),
        "mode" => format!("cannot give \"{path}\" the mode {value}: {why}"),
        part => format!("\"{path}\", {part} \"{value}\": {why}"),
    }
}

/// The kernel's words for an error number, as sentences of ours contain them.
pub(crate) fn errno_words(number: i32) -> String {
    in_words(&io::Error::from_raw_os_error(number))
}

/// An error of this machine in words, without its number.
pub(crate) fn in_words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    // What begins with a word of capitals keeps it.
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            let rest = text.get(first.len_utf8()..).unwrap_or_default();
            first.to_lowercase().collect::<String>() + rest
        }
        _ => text.to_owned(),
    }
}

/// The entries of its JSON form.
pub(crate) fn entries<M: SerializeMap>(failure: &Failure, map: &mut M) -> Result<(), M::Error> {
    let errno = match failure.reason {
        Reason::Errno(number) => Some(number),
        _ => None,
    };
    map.serialize_entry("field", word(failure.field))?;
    lossless::field(map, "value", &failure.value)?;
    map.serialize_entry("reason", reason(failure.reason))?;
    map.serialize_entry("errno", &errno)?;
    let path = failure.path.as_ref();
    lossless::optional(map, "path", path.map(|path| path.as_slice()))
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Errno(_) => "errno",
        Reason::Unknown => "unknown",
        Reason::NoAnswer => "no_answer",
        Reason::Kind(_) => "kind",
        Reason::TooLong => "too_long",
        Reason::Invalid => "invalid",
        Reason::Cancelled => "cancelled",
    }
}

/// The field's word in reports.
pub(crate) fn word(field: Field) -> &'static str {
    match field {
        Field::Path => "path",
        Field::To => "to",
        Field::Mode => "mode",
        Field::Owner => "owner",
        Field::Group => "group",
        Field::User => "user",
        Field::File => "file",
        Field::Content => "content",
        Field::Request => "request",
    }
}

fn noun(field: Field) -> &'static str {
    match field {
        Field::Owner | Field::User => "user",
        other => word(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_and_why() {
        let failure = |field, value: &str, reason| Failure {
            field,
            value: value.into(),
            reason,
            path: None,
        };
        for (failure, said) in [
            (
                failure(Field::Path, "/x\x1b", Reason::Errno(2)),
                "\"/x\\x1b\": no such file or directory",
            ),
            (
                failure(Field::Owner, "nobody9", Reason::Unknown),
                "there is no user \"nobody9\"",
            ),
            (
                failure(Field::Group, "g9", Reason::Unknown),
                "there is no group \"g9\"",
            ),
            (
                failure(Field::Request, "", Reason::TooLong),
                "it is too long",
            ),
            (
                failure(Field::Path, "/x", Reason::Errno(5)),
                "\"/x\": input/output error",
            ),
        ] {
            assert_eq!(words(&failure), said);
        }
    }

    #[test]
    fn what_was_refused_to_a_file_names_both() {
        for (field, value, errno, said) in [
            (
                Field::Owner,
                "root",
                1,
                "cannot give \"/x\\x1b\" to user \"root\": operation not permitted",
            ),
            (
                Field::Owner,
                "7",
                13,
                "\"/x\\x1b\", owner \"7\": permission denied",
            ),
            (
                Field::Group,
                "\u{202e}",
                1,
                "cannot give \"/x\\x1b\" to group \"\\u{202e}\": operation not permitted",
            ),
            (
                Field::Mode,
                "0644",
                95,
                "cannot give \"/x\\x1b\" the mode 0644: operation not supported",
            ),
            (
                Field::User,
                "root",
                13,
                "\"/x\\x1b\", user \"root\": permission denied",
            ),
        ] {
            let failure = Failure {
                field,
                value: value.into(),
                reason: Reason::Errno(errno),
                path: Some("/x\x1b".into()),
            };
            assert_eq!(words(&failure), said);
        }
    }
}
