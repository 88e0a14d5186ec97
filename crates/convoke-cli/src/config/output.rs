//! What is shown, and how.

use std::path::PathBuf;

use super::{Environment, Paper};
use crate::args::{self, Talk};

/// What is shown, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// The form that was asked for.
    pub(crate) form: OutputForm,
    /// Whether what could drive a terminal is escaped.
    pub(crate) safety: Safety,
    /// What stdout is.
    pub(crate) stdout: Paper,
    /// What stderr is.
    pub(crate) stderr: Paper,
    /// How much is said on stderr.
    pub(crate) talk: Volume,
    /// Where big output is kept until it is shown.
    pub(crate) temporary: PathBuf,
    /// Where results are kept as files.
    pub(crate) outdir: Option<PathBuf>,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputForm {
    /// One host's bytes as they are, several hosts' lines with a prefix.
    Plain,
    /// Lines with a prefix, however many hosts there are.
    Prefixed,
    /// Equal results once.
    Gathered,
    /// The result of most hosts, and what differs from it.
    Differences,
    /// A line a host: whether and how it was reached.
    Checks,
    /// What moved is only counted.
    Files,
    /// The events.
    Json,
}

/// Whether what could drive a terminal is escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Safety {
    /// It is.
    Escaped,
    /// The operator wants it as it is.
    Raw,
}

/// How much is said on stderr besides what hosts say; in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Volume {
    /// Errors.
    Quiet,
    /// Recap and progress, too.
    Normal,
    /// What connections say, too.
    Verbose,
    /// Everything, frame by frame.
    Trace,
}

impl Output {
    /// Output of a form, escaped, with the streams that this process has.
    pub(super) fn new(form: OutputForm, talk: &Talk, here: &Environment) -> Self {
        Output {
            form,
            safety: Safety::Escaped,
            stdout: here.stdout(talk.color),
            stderr: here.stderr(talk.color),
            talk: Volume::of(talk),
            temporary: here.temporary.clone(),
            outdir: None,
        }
    }
}

impl OutputForm {
    /// The form that was asked for; the options exclude each other.
    pub(super) fn of(form: args::Form) -> Self {
        match () {
            () if form.json => OutputForm::Json,
            () if form.gather => OutputForm::Gathered,
            () if form.diff => OutputForm::Differences,
            () if form.prefix => OutputForm::Prefixed,
            () => OutputForm::Plain,
        }
    }

    /// This form, unless the events were asked for.
    pub(super) fn or_json(self, is_json: bool) -> Self {
        match is_json {
            true => OutputForm::Json,
            false => self,
        }
    }
}

impl Volume {
    /// How much the operator wants to hear.
    pub(crate) fn of(talk: &Talk) -> Self {
        match (talk.quiet, talk.verbose) {
            (true, _) => Volume::Quiet,
            (false, 0) => Volume::Normal,
            (false, 1) => Volume::Verbose,
            (false, _) => Volume::Trace,
        }
    }
}
