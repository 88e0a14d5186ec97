//! Where in a file the lines about a name are, found without looking at all of them.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::names::{self, Hashed};

/// The longest list of names that is split: ssh gives up a list at a pattern that is too long.
const LONGEST: usize = 1000;

/// The lines of a file by what their names are.
#[derive(Default)]
pub(super) struct Index {
    hasher: RandomState,
    /// Plain names by their hashes, sorted, each with its line.
    plain: Vec<(u64, usize)>,
    /// Lines with patterns, which have to be tried one by one.
    patterns: Vec<usize>,
    /// Lines with a hashed name. Each has a salt of its own, so they have to be tried, too.
    hashed: Vec<usize>,
    /// The salts of these, made ready when a name is first looked for.
    salts: OnceLock<Vec<Option<Hashed>>>,
    /// The hashed lines about the names that were looked for.
    asked: Mutex<HashMap<Vec<u8>, Vec<usize>>>,
}

impl Index {
    /// Takes up the lines with these names, in their order.
    pub(super) fn of<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut index = Index::default();
        for (number, names) in lines.enumerate() {
            index.add(number, names);
        }
        index.plain.sort_unstable();
        index
    }

    fn add(&mut self, line: usize, names: &[u8]) {
        if names.first() == Some(&b'|') {
            return self.hashed.push(line);
        }
        let is_special = |byte: &u8| matches!(byte, b'*' | b'?' | b'!');
        if names.len() > LONGEST || names.iter().any(is_special) {
            return self.patterns.push(line);
        }
        for name in names.split(|byte| *byte == b',') {
            let key = self.hasher.hash_one(name.to_ascii_lowercase());
            self.plain.push((key, line));
        }
    }

    /// The lines that are about `name`, in their order; `names` gives those of a line.
    pub(super) fn find<'a>(&self, name: &[u8], names: impl Fn(usize) -> &'a [u8]) -> Vec<usize> {
        let key = self.hasher.hash_one(name.to_ascii_lowercase());
        let first = self.plain.partition_point(|(one, _)| *one < key);
        let plain = self.plain.get(first..).unwrap_or_default().iter();
        let plain = plain.take_while(|(one, _)| *one == key);
        // Two names may have one hash.
        let mut found: Vec<usize> = plain
            .map(|(_, line)| *line)
            .chain(self.patterns.iter().copied())
            .filter(|line| names::matches(names(*line), name))
            .collect();
        if !self.hashed.is_empty() {
            found.extend(self.hashed(name, names));
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The same among the hashed lines, of which each takes a computation: done once a name.
    fn hashed<'a>(&self, name: &[u8], names: impl Fn(usize) -> &'a [u8]) -> Vec<usize> {
        let asked = || self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = asked().get(name) {
            return found.clone();
        }
        let salts = self.salts.get_or_init(|| {
            let hashed = self.hashed.iter();
            hashed.map(|line| Hashed::read(names(*line))).collect()
        });
        let hashed = self.hashed.iter().zip(salts);
        let found = hashed.filter(|(_, hashed)| hashed.as_ref().is_some_and(|one| one.is(name)));
        let found: Vec<_> = found.map(|(line, _)| *line).collect();
        asked().insert(name.to_owned(), found.clone());
        found
    }
}
