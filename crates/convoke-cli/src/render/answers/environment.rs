//! An environment: a line for each variable, as a shell would take it, sorted, since its order means nothing.

use bstr::BString;

use super::Lines;
use crate::render::quote::quote;
use crate::render::screen::Broken;

/// Writes a line for each variable.
pub(super) fn write(variables: &[(BString, BString)], out: &mut Lines<'_>) -> Result<(), Broken> {
    let mut sorted: Vec<_> = variables.iter().collect();
    sorted.sort();
    sorted.into_iter().try_for_each(|(name, value)| {
        let value = match value.is_empty() {
            true => String::new(),
            false => quote(value),
        };
        out.push(&format!("{}={value}", quote(name)))
    })
}

/// The names of variables that are not set.
pub(super) fn missing(variables: &[(BString, BString)], names: &[BString]) -> Vec<BString> {
    let is_set = |name: &&BString| variables.iter().any(|(other, _)| other == *name);
    names.iter().filter(|name| !is_set(name)).cloned().collect()
}

/// Leaves the variables of these names; all when nothing is named.
pub(super) fn select(variables: &mut Vec<(BString, BString)>, names: &[BString]) {
    if !names.is_empty() {
        variables.retain(|(name, _)| names.contains(name));
    }
}
