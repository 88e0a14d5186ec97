//! What `convoke hosts` means.

use super::{Empty, Environment, Output, OutputForm, Reaching, Selection};
use crate::args::{self, Talk};
use crate::error::Usage;

/// What `convoke hosts` is asked to do.
#[derive(Debug)]
pub(crate) enum Hosts {
    /// To show which hosts an expression selects.
    List {
        /// Which hosts.
        selection: Selection,
        /// In which form.
        form: HostsForm,
    },
    /// To see whether they can be reached.
    Check(Box<Check>),
}

/// What `convoke hosts --check` is asked to do.
#[derive(Debug)]
pub(crate) struct Check {
    /// Which hosts.
    pub(crate) selection: Selection,
    /// By which means they are reached.
    pub(crate) reaching: Reaching,
    /// What is shown, and how.
    pub(crate) output: Output,
}

/// How a list of hosts is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostsForm {
    /// One a line, in order.
    Lines,
    /// Folded and sorted.
    Folded,
    /// Only their number.
    Count,
}

impl Hosts {
    /// What the arguments mean.
    ///
    /// # Errors
    /// It is said how hosts are reached, and none is to be.
    pub(crate) fn new(hosts: args::Hosts, talk: &Talk, here: &Environment) -> Result<Self, Usage> {
        let selection = Selection {
            expr: hosts.expr,
            empty: Empty::of(hosts.allow_empty),
        };
        if hosts.check {
            return Ok(Hosts::Check(Box::new(Check {
                selection,
                reaching: Reaching::new(hosts.reaching)?,
                output: Output::new(OutputForm::Checks.or_json(hosts.json), talk, here),
            })));
        }
        if hosts.reaching != args::Reaching::default() {
            return Err(Usage::new("nothing is reached without --check")
                .hint("`convoke hosts --check EXPR` reaches the hosts, as do `convoke run` and the verbs that ask"));
        }
        Ok(Hosts::List {
            selection,
            form: match (hosts.fold, hosts.count) {
                (true, _) => HostsForm::Folded,
                (false, true) => HostsForm::Count,
                (false, false) => HostsForm::Lines,
            },
        })
    }
}
