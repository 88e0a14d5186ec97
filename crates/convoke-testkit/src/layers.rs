//! Which module imports which, read from the sources.
//!
//! Reads text, not syntax: `crate::module`, `crate::{…}` and `super::` paths that reach the top of a
//! crate. Comments and tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What one crate is made of.
#[derive(Debug, Clone, Copy)]
pub struct Layers {
    /// Its name.
    pub name: &'static str,
    /// The crates of this workspace that it may depend on outside its tests.
    pub may_use: &'static [&'static str],
    /// Its modules in groups, in reading order. A module imports only from earlier groups, and from
    /// those before it in its own.
    pub modules: &'static [&'static [&'static str]],
}

/// Which top-level modules each top-level module of a crate imports; `src` holds its sources.
///
/// The crate's root has the name `""`.
pub fn imports(src: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in sources(src) {
        let inner: Vec<String> = file
            .strip_prefix(src)
            .unwrap()
            .with_extension("")
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .filter(|part| part != "mod")
            .collect();
        if inner.iter().any(|part| part == "tests") {
            continue;
        }
        let (module, depth) = match inner.as_slice() {
            [root] if root == "lib" || root == "main" => (String::new(), 0),
            inner => (inner[0].clone(), inner.len()),
        };
        let text = code(&fs::read_to_string(&file).unwrap());
        let imported = found.entry(module).or_default();
        imported.extend(top_modules(&text, depth));
    }
    found
}

/// The modules that a crate's root declares, in groups as blank lines separate them.
pub fn declared(root: &Path) -> Vec<BTreeSet<String>> {
    let text = fs::read_to_string(root).unwrap();
    let mut groups = vec![BTreeSet::new()];
    for line in text.lines() {
        let line = line
            .trim_start_matches("pub ")
            .trim_start_matches("(crate) ");
        match line
            .strip_prefix("mod ")
            .and_then(|rest| rest.strip_suffix(';'))
        {
            Some("tests") => {}
            Some(module) => {
                let last = groups.last_mut().expect("there is always one");
                last.insert(module.to_owned());
            }
            None if line.is_empty() => groups.push(BTreeSet::new()),
            None => {}
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// The dependencies that a manifest names outside its tests.
pub fn dependencies(manifest: &Path) -> BTreeSet<String> {
    named_dependencies(&fs::read_to_string(manifest).unwrap())
}

/// Also those that have a section of their own, or count on one platform only.
fn named_dependencies(text: &str) -> BTreeSet<String> {
    let mut counts = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches([']', ' ']);
            let parts: Vec<&str> = section.split('.').collect();
            let is_list = |part: &&str| matches!(*part, "dependencies" | "build-dependencies");
            let list = parts.iter().position(is_list);
            counts = list.is_some_and(|list| list + 1 == parts.len());
            let own = list.and_then(|list| parts.get(list + 1));
            found.extend(own.map(|name| name.to_string()));
        } else if counts && !line.starts_with('#') {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            found.extend((!name.is_empty()).then(|| name.to_owned()));
        }
    }
    found
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The text without comments and without the tests at its end.
fn code(text: &str) -> String {
    let text = match text.find("#[cfg(test)]\nmod tests {") {
        Some(end) => &text[..end],
        None => text,
    };
    let lines = text.lines().map(|line| match line.split_once("//") {
        Some((code, _)) => code,
        None => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The top-level modules that paths in `text` name; `depth` is how deep in the crate it stands.
fn top_modules(text: &str, depth: usize) -> BTreeSet<String> {
    let supers = "super::".repeat(depth);
    let starts = ["crate::", &supers];
    let mut found = BTreeSet::new();
    for start in starts.into_iter().filter(|start| !start.is_empty()) {
        let places = text.match_indices(start);
        for (place, _) in places {
            let before = text[..place].chars().next_back();
            // `$crate::` and `pub(in crate::…)` name nothing that is imported; a longer row of
            // `super::` is found from its own beginning.
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | ':')) {
                continue;
            }
            found.extend(names(&text[place + start.len()..]));
        }
    }
    found.retain(|name| name.chars().next().is_some_and(char::is_lowercase) && name != "super");
    found
}

/// The names that a path goes on with: one, or those at the top of its braces.
fn names(rest: &str) -> Vec<String> {
    let word = |text: &str| {
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        text[..end.unwrap_or(text.len())].to_owned()
    };
    let Some(list) = rest.strip_prefix('{') else {
        return vec![word(rest)];
    };
    let mut depth = 0;
    let mut found = vec![word(list.trim_start())];
    for (place, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => found.push(word(list[place + 1..].trim_start())),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{code, named_dependencies, top_modules};

    #[test]
    fn every_way_to_write_an_import_is_read() {
        for (text, depth, expected) in [
            ("use crate::link::Link;", 1, &["link"][..]),
            (
                "use crate::{event::Kind, host::{self, a}, link};",
                1,
                &["event", "host", "link"],
            ),
            ("fn f() -> crate::outcome::Outcome {}", 2, &["outcome"]),
            ("use super::event::Kind;", 1, &["event"]),
            ("use super::inbox::Inbox;", 2, &[]),
            ("use super::super::event::Kind;", 2, &["event"]),
            ("use std::fs; use other_crate::x::Y;", 1, &[]),
        ] {
            let found: Vec<String> = top_modules(text, depth).into_iter().collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn comments_and_tests_do_not_count() {
        let text = "a // crate::b\n#[cfg(test)]\nmod tests {\n use crate::c;\n}";
        assert_eq!(code(text).trim_end(), "a");
    }

    #[test]
    fn every_way_to_name_a_dependency_is_read() {
        let manifest = "[dependencies]\na.workspace = true\n# z\nb = \"1\"\n[dev-dependencies]\nx = \"1\"\n\
            [dependencies.c]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\nd = { path = \"d\" }\n\
            [target.'cfg(unix)'.build-dependencies.e]\npath = \"e\"\n[dev-dependencies.y]\npath = \"y\"\n\
            [lints]\nworkspace = true\n";
        let found: Vec<String> = named_dependencies(manifest).into_iter().collect();
        assert_eq!(found, ["a", "b", "c", "d", "e"]);
    }
}
