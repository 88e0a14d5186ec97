//! What stands at paths: a row for each.

use bstr::{BString, ByteSlice as _};
use convoke::proto::file::{FileKind, Stat, Time};
use convoke::utc::Utc;

use super::Lines;
use super::table::{self, Cell, Row};
use crate::render::quote::quote;
use crate::render::screen::Broken;

/// What a host says of one path.
pub(super) struct Found {
    /// The path as it was asked for.
    pub(super) subject: Option<BString>,
    /// What stands there.
    pub(super) stat: Option<Box<Stat>>,
}

/// Writes a row for each.
pub(super) fn write(found: &[Found], out: &mut Lines<'_>) -> Result<(), Broken> {
    table::write(found, row, out)
}

fn row(found: &Found) -> Row {
    let path = quote(found.subject.as_ref().map_or(b"", |path| path.as_bytes()));
    let Some(stat) = &found.stat else {
        return Row::Line(format!("{path}: does not exist"));
    };
    let mut cells = vec![
        Cell::Text(stat.kind.as_str().to_owned()),
        Cell::Text(format!("{:04o}", stat.mode)),
        Cell::Text(quote(&stat.owner)),
        Cell::Text(quote(&stat.group)),
        Cell::Number(size(stat)),
        Cell::Text(clock(stat.modified)),
    ];
    let digests = stat.digests.iter();
    cells.extend(digests.map(|(digest, value)| {
        let digits: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        Cell::Text(format!("{}:{digits}", digest.as_str()))
    }));
    cells.push(Cell::Text(named(&path, stat)));
    Row::Cells(cells)
}

/// A size in bytes; a device has none.
pub(super) fn size(stat: &Stat) -> String {
    match stat.kind {
        FileKind::CharacterDevice | FileKind::BlockDevice => "-".to_owned(),
        _ => stat.size.to_string(),
    }
}

/// A name that is quoted already, and where it points.
pub(super) fn named(name: &str, stat: &Stat) -> String {
    match &stat.target {
        Some(target) => format!("{name} -> {}", quote(target)),
        None => name.to_owned(),
    }
}

/// A time to the second, UTC.
pub(super) fn clock(time: Time) -> String {
    let Utc {
        year,
        month,
        day,
        hour,
        minute,
        second,
        ..
    } = Utc::from(time);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// Kind and permission bits as `ls` writes them: `-rwxr-xr-x`.
pub(super) fn permissions(stat: &Stat) -> String {
    let kind = match stat.kind {
        FileKind::Directory => 'd',
        FileKind::CharacterDevice => 'c',
        FileKind::BlockDevice => 'b',
        FileKind::File => '-',
        FileKind::Fifo => 'p',
        FileKind::Link => 'l',
        FileKind::Socket => 's',
        FileKind::Other => '?',
    };
    let bit = |bit: u16, letter| match stat.mode & bit {
        0 => '-',
        _ => letter,
    };
    // Whoever may execute shares the place of a bit for all of them.
    let execute = |execute: u16, special: u16, letter: char| match (
        stat.mode & special != 0,
        stat.mode & execute != 0,
    ) {
        (true, true) => letter,
        (true, false) => letter.to_ascii_uppercase(),
        (false, _) => bit(execute, 'x'),
    };
    [
        kind,
        bit(0o400, 'r'),
        bit(0o200, 'w'),
        execute(0o100, 0o4000, 's'),
        bit(0o040, 'r'),
        bit(0o020, 'w'),
        execute(0o010, 0o2000, 's'),
        bit(0o004, 'r'),
        bit(0o002, 'w'),
        execute(0o001, 0o1000, 't'),
    ]
    .iter()
    .collect()
}
