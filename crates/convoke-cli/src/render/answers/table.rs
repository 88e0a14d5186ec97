//! Rows whose columns stand below each other.

use super::Lines;
use crate::render::screen::Broken;

/// What stands between two columns.
const GAP: &str = "  ";

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    /// Columns of one width; the last one ends where it ends.
    Cells(Vec<Cell>),
    /// A line of its own.
    Line(String),
}

/// A column of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// Text, which begins where the column does.
    Text(String),
    /// A number, which ends where the column does.
    Number(String),
}

impl Cell {
    fn width(&self) -> usize {
        match self {
            Cell::Text(text) | Cell::Number(text) => text.chars().count(),
        }
    }
}

/// Writes a row for every item. Rows are made twice, so that a long table costs no memory.
pub(super) fn write<T>(
    items: &[T],
    row: impl Fn(&T) -> Row,
    out: &mut Lines<'_>,
) -> Result<(), Broken> {
    let mut widths: Vec<usize> = Vec::new();
    for item in items {
        if let Row::Cells(cells) = row(item) {
            widths.resize(widths.len().max(cells.len()), 0);
            for (width, cell) in widths.iter_mut().zip(&cells) {
                *width = cell.width().max(*width);
            }
        }
    }
    for item in items {
        match row(item) {
            Row::Cells(cells) => out.push(&aligned(&cells, &widths))?,
            Row::Line(line) => out.push(&line)?,
        }
    }
    Ok(())
}

fn aligned(cells: &[Cell], widths: &[usize]) -> String {
    let cells = cells.iter().zip(widths).map(|(cell, &width)| match cell {
        Cell::Text(text) => format!("{text:<width$}"),
        Cell::Number(text) => format!("{text:>width$}"),
    });
    let cells: Vec<String> = cells.collect();
    cells.join(GAP).trim_end().to_owned()
}
