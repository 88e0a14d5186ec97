//! Lists of algorithms: as they are given, or as edits of the default list.

use super::installed::Installed;
use super::pattern::matches;

/// The list that `text` makes of the defaults of the option `name`.
///
/// # Errors
/// A name or pattern that only ssh may know.
pub(super) fn assemble(installed: &Installed, name: &str, text: &str) -> Result<String, String> {
    let default = installed.default_algorithms(name);
    let all = installed.all_algorithms(name);
    // Patterns are a matter of the lists of keys.
    let patterns = name.ends_with("algorithms") && !name.contains("kex");
    let (edit, list) = match text.split_at_checked(1) {
        Some((edit @ ("+" | "-" | "^"), list)) if !name.starts_with("gssapi") => (edit, list),
        _ => ("", text),
    };
    let named: Vec<&str> = list.split(',').collect();
    let unknown = |one: &&&str| {
        let matching = |known: &&str| match patterns || edit == "-" {
            true => matches(one, known),
            false => **one == *known,
        };
        one.is_empty() || one.starts_with('!') || edit != "-" && !all.iter().any(matching)
    };
    if let Some(one) = named.iter().find(unknown) {
        return Err(format!("the algorithm {one:?}"));
    }
    let removed = |known: &&&str| named.iter().any(|one| matches(one, known));
    if edit == "-" {
        let left: Vec<&str> = default
            .iter()
            .filter(|one| !removed(one))
            .copied()
            .collect();
        return Ok(left.join(","));
    }
    let order = match edit {
        "+" => [&default[..], &named[..]].concat(),
        "^" => [&named[..], &default[..]].concat(),
        _ => named,
    };
    let mut found: Vec<&str> = Vec::new();
    for one in order {
        for known in &all {
            if matches(one, known) && !found.contains(known) {
                found.push(known);
            }
        }
    }
    Ok(found.join(","))
}
