//! What `convoke run` means.

use std::path::PathBuf;

use super::work::Work;
use super::{Environment, Output, OutputForm, Pace, Reaching, Rehearsal, Safety, Selection, Stdin};
use crate::args::{self, ExitRule, Talk};
use crate::error::Usage;

/// What `convoke run` is asked to do.
#[derive(Debug)]
pub(crate) struct Run {
    /// Which hosts.
    pub(crate) selection: Selection,
    /// What runs there; its input is decided by `stdin`.
    pub(crate) command: Work,
    /// Whether our stdin is read.
    pub(crate) stdin: Stdin,
    /// How the hosts are gone through.
    pub(crate) pace: Pace,
    /// By which means they are reached.
    pub(crate) reaching: Reaching,
    /// What is shown, and how.
    pub(crate) output: Output,
    /// What the exit code says.
    pub(crate) exit_rule: ExitRule,
    /// Whether anything happens at all.
    pub(crate) rehearsal: Rehearsal,
}

impl Run {
    /// What the arguments mean. Reads the files that hold variables, and sees whether those for ssh can be read.
    ///
    /// # Errors
    /// Whatever is missing, contradictory or malformed.
    pub(crate) fn new(run: args::Run, talk: &Talk, here: &Environment) -> Result<Self, Usage> {
        let mut output = Output::new(OutputForm::of(run.form), talk, here);
        if run.raw {
            output.safety = Safety::Raw;
        }
        output.outdir = run.outdir.clone().map(PathBuf::from);
        Ok(Run {
            selection: Selection::new(run.hosts.clone(), &run.pace),
            stdin: match run.stdin {
                true => Stdin::Sent,
                false => Stdin::Unread,
            },
            pace: Pace::new(&run.pace),
            reaching: Reaching::new(run.reaching.clone())?,
            output,
            exit_rule: run.exit_code,
            rehearsal: Rehearsal::of(run.dry_run),
            command: Work::new(run)?,
        })
    }
}
