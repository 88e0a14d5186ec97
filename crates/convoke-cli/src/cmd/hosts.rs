//! `convoke hosts`: which hosts an expression selects.

use super::print;
use crate::config::{Hosts, HostsForm, Stdin};
use crate::error::Usage;
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
    Ok(print(text.as_bytes()))
}
