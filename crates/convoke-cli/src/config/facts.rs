//! The names that facts have.

use crate::error::Usage;

/// What stands behind the first part of a name.
enum Members {
    /// Nothing: it is the name of one fact.
    None,
    /// One of these.
    These(&'static [&'static str]),
    /// Whatever a host has.
    Any,
}

/// The first parts of the names, in the order in which facts are shown.
const GROUPS: [(&str, Members); 14] = [
    ("os", Members::These(&["pretty_name", "id", "version_id"])),
    ("kernel", Members::These(&["name", "release", "version"])),
    ("architecture", Members::None),
    ("hostname", Members::None),
    ("cpus", Members::These(&["online", "model"])),
    (
        "memory",
        Members::These(&[
            "total",
            "available",
            "free",
            "buffers",
            "cached",
            "swap_total",
            "swap_free",
        ]),
    ),
    ("mounts", Members::Any),
    ("interfaces", Members::Any),
    ("uptime", Members::None),
    ("boot_id", Members::None),
    ("init", Members::None),
    (
        "user",
        Members::These(&["name", "uid", "gid", "home", "shell"]),
    ),
    ("clock", Members::None),
    ("more", Members::Any),
];

/// Refuses what is the name of no fact and of no group of facts.
pub(super) fn check(name: &str) -> Result<(), Usage> {
    let no_fact = || Usage::new(format!("there is no fact {name:?}"));
    let (group, member) = match name.split_once('.') {
        Some((group, member)) => (group, Some(member)),
        None => (name, None),
    };
    let Some((_, members)) = GROUPS.iter().find(|(known, _)| *known == group) else {
        let groups = GROUPS.map(|(group, _)| group);
        return Err(no_fact().hint(format!("the facts are {}", groups.join(", "))));
    };
    match (member, members) {
        (None, _) | (Some(_), Members::Any) => Ok(()),
        (Some(member), Members::These(known)) if known.contains(&member) => Ok(()),
        (Some(_), Members::These(known)) => {
            let known = known.iter().map(|member| format!("{group}.{member}"));
            let known: Vec<String> = known.collect();
            Err(no_fact().hint(format!("the facts are {}", known.join(", "))))
        }
        (Some(_), Members::None) => Err(no_fact().hint(format!("the fact is {group}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_fact_or_of_a_group() {
        for name in ["os", "os.id", "memory.cached", "uptime", "interfaces.eth0"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for (name, hint) in [
            ("weather", "the facts are os, kernel, "),
            ("", "the facts are os, kernel, "),
            ("os.", "the facts are os.pretty_name, os.id, os.version_id"),
            ("memory.totl", "the facts are memory.total, "),
            ("uptime.days", "the fact is uptime"),
        ] {
            let usage = check(name).unwrap_err();
            assert_eq!(usage.what, format!("there is no fact {name:?}"));
            assert!(usage.hint.unwrap().starts_with(hint), "{name}");
        }
    }
}
