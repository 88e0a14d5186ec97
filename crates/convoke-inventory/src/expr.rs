//! Host expressions: the text that selects hosts, `web[1-3],@db!db9`.
//!
//! | written | means |
//! | --- | --- |
//! | `web1`, `root@web1:22`, `local:demo1`, `[2001:db8::1]:22` | the host of that name |
//! | `web[1-3,7]`, `n[01-10]`, `n[0-8/2]`, `r[1-2]n[1-4]` | several hosts |
//! | `a,b` `a!b` `a&b` `a^b` | union, minus, intersection, symmetric difference |
//! | `(a,b)!c` | parentheses first; the operators have equal rank and go from left to right |
//! | `a[0:2]` `(a,b)[-1:]` | a slice of what stands before it; a bracket with a colon that is no IPv6 address |
//! | `^FILE`, `-` | the hosts in a file, on stdin |
//! | `@group` `@source:group` `@*` `web*` `/regex/` `%{role=db}` | what only an inventory knows |
//!
//! A term ends at `,` `&` `^` `!` `(` `)` or a blank outside brackets. The result is ordered: first appearance wins, ranges
//! ascend, `&` and `!` keep the order on their left, `^` gives what is left of its left side and then of its right side.

mod evaluate;
mod parse;
mod slice;
mod supplied;

pub use supplied::{HostFile, Supplied};

use crate::error::Error;
use crate::hostlist::{HostName, Pattern};
use slice::Slice;

/// How many parentheses may be open at once.
pub const MAX_NESTING: usize = 64;

/// A host expression that has been parsed.
///
/// ```
/// use convoke_inventory::{Expr, Need, Supplied};
///
/// let expr = Expr::parse("^hosts.txt!web2")?;
/// assert_eq!(expr.needs(), [Need::File("hosts.txt".into())]);
/// let mut supplied = Supplied::nothing();
/// supplied.file("hosts.txt", "web[1-2]  # the front\r\nweb3\r\n")?;
/// assert_eq!(expr.evaluate(&supplied)?.join(" "), "web1 web3");
/// # Ok::<(), convoke_inventory::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    /// What is done one after the other to a list that is empty at first.
    steps: Vec<Step>,
}

/// One operator with what stands on its right.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    operator: Operator,
    term: Term,
    slice: Option<Box<Slice>>,
    /// Where the term begins in the text.
    at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Union,
    Minus,
    Intersection,
    SymmetricDifference,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Name(HostName),
    Pattern(Box<Pattern>),
    Parenthesis(Box<Expr>),
    File(Box<str>),
    Stdin,
    Selector(Box<Selector>),
}

/// A term that only an inventory can tell the hosts of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Selector {
    /// What kind of term it is, in the plural.
    what: &'static str,
    /// The term as written.
    text: String,
}

/// What has to be fetched before an expression can be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// The text of this file, the path as written: relative to wherever the caller thinks it is.
    File(String),
    /// The text on stdin.
    Stdin,
}

impl Expr {
    /// Parses a host expression.
    ///
    /// An empty text, or one of blanks only, selects nothing; it is the caller who knows whether that is a mistake.
    ///
    /// # Errors
    ///
    /// Every variant of [`Error`] but [`Error::NeedsInventory`], [`Error::FileNotSupplied`],
    /// [`Error::StdinNotSupplied`], [`Error::NestedFile`] and [`Error::InFile`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse::parse(text)
    }

    /// Returns what has to be fetched before the expression can be evaluated, each thing once, in order.
    pub fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        let mut seen = std::collections::HashSet::new();
        self.visit(&mut |step| {
            let need = match &step.term {
                Term::File(path) => Need::File(path.to_string()),
                Term::Stdin => Need::Stdin,
                _ => return Ok(()),
            };
            if seen.insert(need.clone()) {
                needs.push(need);
            }
            Ok(())
        })
        .unwrap_or_default();
        needs
    }

    /// Checks that no term needs an inventory, so that nothing is fetched in vain.
    ///
    /// # Errors
    ///
    /// [`Error::NeedsInventory`] with the first such term.
    pub fn check_without_inventory(&self) -> Result<(), Error> {
        self.visit(&mut |step| match &step.term {
            Term::Selector(selector) => Err(Error::NeedsInventory {
                what: selector.what,
                term: crate::error::excerpt(&selector.text),
                at: step.at,
            }),
            _ => Ok(()),
        })
    }

    /// Returns how many names are written in the expression, repeats included, without those in files.
    ///
    /// It is never less than the number of hosts that the expression can select, and never above
    /// [`MAX_NAMES`](crate::MAX_NAMES).
    pub fn count(&self) -> u64 {
        self.steps
            .iter()
            .map(|step| step.term.count())
            .fold(0, u64::saturating_add)
    }

    /// Calls a function with every step, from left to right, until it fails.
    fn visit(&self, f: &mut dyn FnMut(&Step) -> Result<(), Error>) -> Result<(), Error> {
        for step in &self.steps {
            f(step)?;
            if let Term::Parenthesis(inner) = &step.term {
                inner.visit(f)?;
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for Expr {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl Term {
    /// Returns how many names are written in the term.
    fn count(&self) -> u64 {
        match self {
            Self::Name(_) => 1,
            Self::Pattern(pattern) => pattern.count(),
            Self::Parenthesis(inner) => inner.count(),
            Self::File(_) | Self::Stdin | Self::Selector(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests;
