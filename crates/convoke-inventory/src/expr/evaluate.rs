//! From an [`Expr`] and what it needs to hosts.

use super::{Expr, HostFile, Operator, Step, Supplied, Term};
use crate::error::Error;
use crate::hostlist::{HostList, HostName};
use crate::rangeset::MAX_NAMES;

impl Expr {
    /// Returns the hosts that the expression selects, in order.
    ///
    /// The same expression and the same texts give the same hosts. The time it takes grows with the names written in both.
    ///
    /// # Errors
    ///
    /// [`Error::NeedsInventory`]; [`Error::FileNotSupplied`] and [`Error::StdinNotSupplied`] if something that it
    /// [needs](Expr::needs) is missing; [`Error::TooManyNames`] if the names in the files come on top of too many, before
    /// anything is expanded.
    pub fn evaluate(&self, supplied: &Supplied) -> Result<HostList, Error> {
        self.check_without_inventory()?;
        let mut names = 0_u64;
        self.visit(&mut |step| {
            names = names.saturating_add(match &step.term {
                Term::Parenthesis(_) => 0,
                Term::File(_) | Term::Stdin => supplied_to(step, supplied)?.count(),
                term => term.count(),
            });
            if names > MAX_NAMES {
                Err(Error::TooManyNames {
                    at: step.at,
                    limit: MAX_NAMES,
                })
            } else {
                Ok(())
            }
        })?;
        self.hosts(supplied)
    }

    fn hosts(&self, supplied: &Supplied) -> Result<HostList, Error> {
        let mut hosts = HostList::new();
        for steps in self
            .steps
            .chunk_by(|left, right| left.added_name().and(right.added_name()).is_some())
        {
            match steps {
                [step] => step.apply(&mut hosts, supplied)?,
                names => hosts.append_all(names.iter().filter_map(Step::added_name)),
            }
        }
        Ok(hosts)
    }
}

impl Step {
    /// Returns the host if all that the step does is to add one.
    fn added_name(&self) -> Option<&HostName> {
        match &self.term {
            Term::Name(name) if self.operator == Operator::Union && self.slice.is_none() => {
                Some(name)
            }
            _ => None,
        }
    }

    /// Does to the hosts what the operator says.
    fn apply(&self, hosts: &mut HostList, supplied: &Supplied) -> Result<(), Error> {
        match (self.operator, &self.term) {
            // What is most of any long expression needs no list of its own.
            (Operator::Union, Term::Pattern(pattern)) if self.slice.is_none() => {
                hosts.append_pattern(pattern)
            }
            (Operator::Union, _) => hosts.append_list(&self.right_side(supplied)?),
            (Operator::Minus, _) => hosts.remove_list(&self.right_side(supplied)?),
            (Operator::Intersection, _) => hosts.keep_list(&self.right_side(supplied)?),
            (Operator::SymmetricDifference, _) => hosts.toggle_list(&self.right_side(supplied)?),
        }
        Ok(())
    }

    fn right_side(&self, supplied: &Supplied) -> Result<HostList, Error> {
        let mut hosts = HostList::new();
        match &self.term {
            Term::Name(name) => hosts.append(name),
            Term::Pattern(pattern) => hosts.append_pattern(pattern),
            Term::Parenthesis(inner) => hosts = inner.hosts(supplied)?,
            Term::File(_) | Term::Stdin => {
                hosts = supplied_to(self, supplied)?.expr().hosts(supplied)?
            }
            // Refused before the first step.
            Term::Selector(_) => {}
        }
        Ok(match &self.slice {
            Some(slice) => slice.of(&hosts),
            None => hosts,
        })
    }
}

fn supplied_to<'a>(step: &Step, supplied: &'a Supplied) -> Result<&'a HostFile, Error> {
    match &step.term {
        Term::File(path) => supplied
            .file_at(path)
            .ok_or_else(|| Error::FileNotSupplied {
                path: crate::error::excerpt(path),
                at: step.at,
            }),
        _ => supplied
            .on_stdin()
            .ok_or(Error::StdinNotSupplied { at: step.at }),
    }
}
