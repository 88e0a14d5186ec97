//! What `convoke trust` means.

use super::{Empty, Environment, Reaching, Selection, Stdin, Volume};
use crate::args::{self, Talk};
use crate::error::Usage;

/// What `convoke trust` is asked to do.
#[derive(Debug)]
pub(crate) struct Trust {
    /// Which hosts.
    pub(crate) selection: Selection,
    /// By which means they are reached.
    pub(crate) reaching: Reaching,
    /// Who decides.
    pub(crate) consent: Consent,
    /// How much is said on stderr.
    pub(crate) talk: Volume,
}

/// Who decides whether unknown keys are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    /// The operator, when they have been shown.
    Asked,
    /// The operator has, unseen.
    Given,
}

impl Trust {
    /// What the arguments mean.
    ///
    /// # Errors
    /// There is nobody to ask.
    pub(crate) fn new(trust: args::Trust, talk: &Talk, here: &Environment) -> Result<Self, Usage> {
        let consent = match trust.yes {
            true => Consent::Given,
            false if here.operator(Stdin::Unread, 1).is_some() => Consent::Asked,
            false => {
                return Err(Usage::new("there is no terminal to ask on").hint(
                    "--yes trusts every unknown key without asking; only over a network that you trust",
                ));
            }
        };
        Ok(Trust {
            selection: Selection {
                expr: trust.expr,
                empty: Empty::of(trust.allow_empty),
            },
            reaching: Reaching::new(trust.reaching)?,
            consent,
            talk: Volume::of(talk),
        })
    }
}
