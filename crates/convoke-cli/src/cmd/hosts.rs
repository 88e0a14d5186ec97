//! `convoke hosts`: which hosts an expression selects.

use std::io::{self, Write as _};

use crate::config::{Hosts, HostsForm, Stdin};
use crate::error::Usage;
use crate::exit::{self, Stop};
use crate::render::sink::Descriptor;
use crate::selection;

/// Prints the hosts, and returns the exit code.
///
/// # Errors
/// What is wrong with the selection.
pub(crate) fn run(config: &Hosts) -> Result<u8, Usage> {
    let hosts = selection::hosts(&config.selection, Stdin::Unread)?;
    let mut text = match config.form {
        HostsForm::Lines => hosts.join("\n"),
        HostsForm::Folded => hosts.fold(),
        HostsForm::Count => hosts.len().to_string(),
    };
    if !text.is_empty() {
        text.push('\n');
    }
    match Descriptor(rustix::stdio::stdout()).write_all(text.as_bytes()) {
        Ok(()) => Ok(exit::OK),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Stop::OutputClosed.code()),
        Err(error) => Err(Usage::new(format!("failed to write to stdout: {error}"))),
    }
}
