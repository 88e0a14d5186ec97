//! The verbs, one file each but for those that ask hosts, and how those of them that only print do it.

mod conduct;
mod files;

pub(crate) mod completions;
pub(crate) mod get;
pub(crate) mod hosts;
pub(crate) mod inquiry;
pub(crate) mod man;
pub(crate) mod put;
pub(crate) mod run;
pub(crate) mod trust;

use std::io::Write as _;

use serde::Serialize;

use crate::config::{Output, OutputForm};
use crate::error::{Usage, in_words};
use crate::exit::{self, Stop};
use crate::render::push_json;
use crate::render::sink::Descriptor;

/// Writes a text to stdout, and returns the exit code.
pub(crate) fn print(text: &[u8]) -> u8 {
    let Err(error) = Descriptor(rustix::stdio::stdout()).write_all(text) else {
        return exit::OK;
    };
    let stop = Stop::of_write(&error);
    if stop == Stop::OutputFailed {
        let error = in_words(&error);
        say(&format!("error: failed to write the output: {error}\n"));
    }
    stop.code()
}

/// Shows a plan as text or serialised, as `output` wants it, and returns the exit code: all that a dry run does.
fn show(text: String, summary: &impl Serialize, output: &Output) -> Result<u8, Usage> {
    let mut shown = Vec::new();
    match output.form {
        OutputForm::Json => push_json(summary, output.stdout, &mut shown)
            .map_err(|error| Usage::new(format!("failed to write the plan: {error}")))?,
        _ => shown.extend(text.into_bytes()),
    }
    Ok(print(&shown))
}

/// Writes lines to stderr. Who cannot read them cannot be told that either.
pub(crate) fn say(lines: &str) {
    let _ = Descriptor(rustix::stdio::stderr()).write_all(lines.as_bytes());
}
