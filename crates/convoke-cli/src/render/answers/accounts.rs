//! Users and groups: a row for each.

use bstr::BString;
use convoke::proto::account::{Group, User};

use super::table::{Cell, Row};
use crate::render::quote::quote;

/// A user: name, numbers, groups, home, shell, comment.
pub(super) fn user(user: &User) -> Row {
    Row::Cells(vec![
        Cell::Text(quote(&user.name)),
        Cell::Number(user.uid.to_string()),
        Cell::Number(user.gid.to_string()),
        Cell::Text(names(&user.groups)),
        Cell::Text(quote(&user.home)),
        Cell::Text(quote(&user.shell)),
        Cell::Text(quote(&user.gecos)),
    ])
}

/// A group: name, number, members.
pub(super) fn group(group: &Group) -> Row {
    Row::Cells(vec![
        Cell::Text(quote(&group.name)),
        Cell::Number(group.gid.to_string()),
        Cell::Text(names(&group.members)),
    ])
}

/// Names with commas between them, which none of them holds unquoted.
fn names(names: &[BString]) -> String {
    let quoted = names.iter().map(|name| {
        let shown = quote(name);
        let is_bare = shown.as_bytes() == name.as_slice();
        match is_bare && name.contains(&b',') {
            true => format!("'{shown}'"),
            false => shown,
        }
    });
    quoted.collect::<Vec<_>>().join(",")
}
