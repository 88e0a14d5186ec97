//! What is in directories: a line for each entry.

use bstr::BString;
use convoke::proto::file::Entry;

use super::Lines;
use super::stat::{clock, named, permissions, size};
use super::table::{self, Cell, Row};
use crate::config::{Hidden, ListForm};
use crate::render::quote::quote;
use crate::render::screen::Broken;

/// A directory.
pub(super) struct Listing {
    pub(super) entries: Vec<Entry>,
    pub(super) form: ListForm,
    /// What stands above it, where there are several.
    pub(super) title: Option<BString>,
    /// Whether nothing stands before it.
    pub(super) is_first: bool,
}

impl Listing {
    pub(super) fn write(&self, out: &mut Lines<'_>) -> Result<(), Broken> {
        if let Some(title) = &self.title {
            if !self.is_first {
                out.push("")?;
            }
            out.push(&format!("{}:", quote(title)))?;
        }
        match self.form {
            ListForm::Names => {
                let mut names = self.entries.iter().map(|entry| quote(&entry.name));
                names.try_for_each(|name| out.push(&name))
            }
            ListForm::Long => table::write(&self.entries, long, out),
        }
    }
}

fn long(entry: &Entry) -> Row {
    let stat = &entry.stat;
    if !stat.is_known() {
        return unknown(entry);
    }
    Row::Cells(vec![
        Cell::Text(permissions(stat)),
        Cell::Number(stat.links.to_string()),
        Cell::Text(quote(&stat.owner)),
        Cell::Text(quote(&stat.group)),
        Cell::Number(size(stat)),
        Cell::Text(clock(stat.modified)),
        Cell::Text(named(&quote(&entry.name), stat)),
    ])
}

/// An entry that the host could not look at.
fn unknown(entry: &Entry) -> Row {
    let none = || "?".to_owned();
    let kind = permissions(&entry.stat).chars().take(1).collect::<String>();
    Row::Cells(vec![
        Cell::Text(format!("{kind}?????????")),
        Cell::Number(none()),
        Cell::Text(none()),
        Cell::Text(none()),
        Cell::Number(none()),
        Cell::Text(none()),
        Cell::Text(quote(&entry.name)),
    ])
}

/// Leaves out what is hidden.
pub(super) fn select(entries: &mut Vec<Entry>, hidden: Hidden) {
    if hidden == Hidden::LeftOut {
        entries.retain(|entry| !entry.name.starts_with(b"."));
    }
}
