//! What the caller fetched for an expression: host files, and stdin in the same form.

use std::collections::HashMap;

use super::{Expr, Operator, Step, Term};
use crate::error::{Error, excerpt};
use crate::rangeset::MAX_NAMES;

/// The hosts written in a file.
///
/// Every line is an expression of its own, and the file is the union of its lines. A byte order mark, carriage returns,
/// blank lines and blanks at either end of a line are skipped; `#` begins a comment at the start of a line or after a blank.
///
/// ```
/// use convoke_inventory::HostFile;
///
/// let file = HostFile::parse("hosts.txt", "\u{feff}# ours\r\nweb[1-9]!web5\r\n\r\n  db1  # the old one\r\n")?;
/// assert_eq!(file.count(), 11);
/// # Ok::<(), convoke_inventory::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFile {
    expr: Expr,
}

impl HostFile {
    /// Parses the text of a host file; the name is for errors only.
    ///
    /// # Errors
    ///
    /// [`Error::InFile`] with the number of the line, around what is wrong with it: anything that [`Expr::parse`] finds,
    /// [`Error::NestedFile`] for `^file` and `-`, [`Error::NeedsInventory`], and [`Error::TooManyNames`] for the line
    /// with which the file has too many.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let mut steps = Vec::new();
        let mut names = 0_u64;
        for (index, line) in text
            .strip_prefix('\u{feff}')
            .unwrap_or(text)
            .lines()
            .enumerate()
        {
            let parsed = parse_line(line).and_then(|parsed| {
                names = names.saturating_add(parsed.count());
                if names > MAX_NAMES {
                    Err(Error::TooManyNames {
                        at: 0,
                        limit: MAX_NAMES,
                    })
                } else {
                    Ok(parsed)
                }
            });
            match parsed {
                Ok(parsed) => steps.extend(union_steps(parsed)),
                Err(error) => {
                    return Err(Error::InFile {
                        name: excerpt(name),
                        line: index + 1,
                        source: Box::new(error),
                    });
                }
            }
        }
        Ok(Self {
            expr: Expr { steps },
        })
    }

    /// Returns how many names are written in the file, repeats included.
    pub fn count(&self) -> u64 {
        self.expr.count()
    }

    pub(super) fn expr(&self) -> &Expr {
        &self.expr
    }
}

/// The texts that an expression [needs](Expr::needs).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Supplied {
    files: HashMap<String, HostFile>,
    stdin: Option<HostFile>,
}

impl Supplied {
    /// Makes what an expression without needs is evaluated with.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Adds the text of a file, under the path that the expression gave.
    ///
    /// # Errors
    ///
    /// Those of [`HostFile::parse`].
    pub fn file(&mut self, path: &str, text: &str) -> Result<(), Error> {
        self.files
            .insert(path.to_owned(), HostFile::parse(path, text)?);
        Ok(())
    }

    /// Adds the text on stdin.
    ///
    /// # Errors
    ///
    /// Those of [`HostFile::parse`], with `-` for the name.
    pub fn stdin(&mut self, text: &str) -> Result<(), Error> {
        self.stdin = Some(HostFile::parse("-", text)?);
        Ok(())
    }

    pub(super) fn file_at(&self, path: &str) -> Option<&HostFile> {
        self.files.get(path)
    }

    pub(super) fn on_stdin(&self) -> Option<&HostFile> {
        self.stdin.as_ref()
    }
}

fn parse_line(line: &str) -> Result<Expr, Error> {
    let comment = line
        .char_indices()
        .scan(true, |after_blank, (index, found)| {
            let begins = *after_blank && found == '#';
            *after_blank = found.is_ascii_whitespace();
            Some(begins.then_some(index))
        });
    let end = comment.flatten().next().unwrap_or(line.len());
    let expr = Expr::parse(line.get(..end).unwrap_or_default())?;
    expr.check_without_inventory()?;
    expr.visit(&mut |step| match &step.term {
        Term::File(path) => Err(Error::NestedFile {
            term: excerpt(&format!("^{path}")),
            at: step.at,
        }),
        Term::Stdin => Err(Error::NestedFile {
            term: "-".to_owned(),
            at: step.at,
        }),
        _ => Ok(()),
    })?;
    Ok(expr)
}

/// Returns the steps that add what the expression selects to a list, whatever is in it.
fn union_steps(expr: Expr) -> Vec<Step> {
    if expr
        .steps
        .iter()
        .all(|step| step.operator == Operator::Union)
    {
        return expr.steps;
    }
    vec![Step {
        operator: Operator::Union,
        term: Term::Parenthesis(Box::new(expr)),
        slice: None,
        at: 0,
    }]
}
