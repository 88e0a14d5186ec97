//! Events in, text out: everything that the operator sees of a run.
//!
//! Rendering has a thread of its own, because a write to stdout may take forever (`| less`). It reads
//! the bounded queue of events; when it stops reading, the hosts stop writing.

pub(crate) mod escape;
pub(crate) mod floor;
pub(crate) mod sink;

pub(crate) mod screen;

pub(crate) mod lines;
pub(crate) mod quote;
pub(crate) mod words;

mod answers;

mod checks;
mod files;
mod gather;
mod json;
pub(crate) mod keys;
mod prefix;
mod raw;

pub(crate) mod outdir;
mod progress;
pub(crate) mod recap;

pub(crate) mod drive;

#[cfg(test)]
pub(crate) mod view_tests;

use std::sync::Arc;

use convoke::event::Event;

use crate::config::{Output, OutputForm, Volume};
use gather::Shape;
pub(crate) use json::push as push_json;
use recap::Facts;
use screen::{Broken, Screen};

/// One form of output.
///
/// Called from the rendering thread only, with the events of all hosts as they come; those of one host
/// come in order, [`Kind::Ended`](convoke::event::Kind::Ended) last.
pub(crate) trait View: Send {
    /// Shows an event, or keeps what it needs of it.
    fn event(&mut self, event: Event, screen: &mut Screen) -> Result<(), Broken>;

    /// Shows what was kept; no event follows.
    fn finish(&mut self, screen: &mut Screen) -> Result<(), Broken>;

    /// Whether nothing is shown before the end.
    fn is_silent(&self) -> bool {
        false
    }
}

/// Which form a run is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One host's bytes.
    Raw,
    /// The lines of several hosts, each with its host's name.
    Prefixed,
    /// Equal results once.
    Gathered,
    /// The result of most hosts, and what differs from it.
    Differences,
    /// A line a host: whether and how it was reached.
    Checks,
    /// Nothing but how far it is.
    Files,
    /// The events.
    Json,
    /// Nothing: it goes to files only.
    Silent,
}

impl Mode {
    /// The mode for a form of output on so many hosts.
    pub(crate) fn of(output: &Output, hosts: usize) -> Self {
        match output.form {
            _ if output.outdir.is_some() && output.talk == Volume::Quiet => Mode::Silent,
            OutputForm::Plain if hosts <= 1 => Mode::Raw,
            OutputForm::Plain | OutputForm::Prefixed => Mode::Prefixed,
            OutputForm::Gathered => Mode::Gathered,
            OutputForm::Differences => Mode::Differences,
            OutputForm::Checks => Mode::Checks,
            OutputForm::Files => Mode::Files,
            OutputForm::Json => Mode::Json,
        }
    }

    /// The mode's word in a plan.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Mode::Raw => "raw",
            Mode::Prefixed => "prefixed",
            Mode::Gathered => "gathered",
            Mode::Differences => "diff",
            Mode::Checks => "checks",
            Mode::Files => "files",
            Mode::Json => "json",
            Mode::Silent => "none",
        }
    }
}

/// Shows nothing.
struct Silent;

impl View for Silent {
    fn event(&mut self, _: Event, _: &mut Screen) -> Result<(), Broken> {
        Ok(())
    }

    fn finish(&mut self, _: &mut Screen) -> Result<(), Broken> {
        Ok(())
    }
}

/// The view for a mode; `hosts` are all hosts of the run, in host order.
fn view(mode: Mode, output: &Output, hosts: &[Arc<str>], facts: &Facts) -> Box<dyn View> {
    let view = view_of_output(mode, output, hosts, facts);
    match &facts.asked {
        Some(asked) => Box::new(answers::Answers::new(asked.clone(), mode, view)),
        None => view,
    }
}

/// The view for a mode, of hosts that say things.
fn view_of_output(mode: Mode, output: &Output, hosts: &[Arc<str>], facts: &Facts) -> Box<dyn View> {
    let gathered = |shape| -> Box<dyn View> {
        Box::new(gather::Gathered::new(output, hosts, facts.limits, shape))
    };
    match mode {
        Mode::Raw => Box::new(raw::Raw::new(output)),
        Mode::Prefixed => Box::new(prefix::Prefixed::new(output)),
        Mode::Gathered => gathered(Shape::Blocks),
        Mode::Differences => gathered(Shape::Differences),
        Mode::Checks => Box::new(checks::Checks::new(output, hosts)),
        Mode::Files => Box::new(files::Files::new(output)),
        Mode::Json => Box::new(json::Json::new(output)),
        Mode::Silent => Box::new(Silent),
    }
}
