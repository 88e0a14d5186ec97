//! What ssh's configuration makes of one host: every option with its values, as `ssh -G` prints them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The options of one host by their names in lower case, each with its values in order. Copies share
/// what they have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<Arc<str>, Arc<[String]>>,
    /// The single files of options that have all of them on one line.
    files: BTreeMap<String, Vec<String>>,
}

impl Settings {
    /// Reads what `ssh -G` prints: a line an option, `name value`, repeated for options with several.
    pub fn parse(text: &str) -> Self {
        let mut settings = Settings::default();
        let pairs = text.split('\n').filter_map(|line| line.split_once(' '));
        for (name, value) in pairs {
            settings.add(&name.to_ascii_lowercase(), value);
        }
        settings
    }

    /// Adds a value behind those that an option has; `name` is in lower case.
    pub fn add(&mut self, name: &str, value: impl Into<String>) {
        let mut values = self.all(name).to_vec();
        values.push(value.into());
        self.set_all(name, values);
    }

    /// Gives an option one value instead of those it has; `name` is in lower case.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.set_all(name, vec![value.into()]);
    }

    /// Gives an option these values instead of those it has, or takes it away when there are none.
    pub fn set_all(&mut self, name: &str, values: Vec<String>) {
        self.files.remove(name);
        if values.is_empty() {
            self.remove(name);
        } else if let Some(place) = self.values.get_mut(name) {
            *place = values.into();
        } else {
            self.values.insert(name.into(), values.into());
        }
    }

    /// Gives an option files, which are printed on one line.
    pub fn set_files(&mut self, name: &str, files: Vec<String>) {
        self.set(name, files.join(" "));
        self.files.insert(name.to_owned(), files);
    }

    /// Takes an option away.
    pub fn remove(&mut self, name: &str) {
        self.values.remove(name);
        self.files.remove(name);
    }

    /// The first value of an option.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }

    /// All values of an option, in order.
    pub fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], |values| values)
    }

    /// The files of an option that has all of them on one line, without `none`. None when that line may
    /// be read in more than one way: ssh does not say where a name ends.
    pub fn files(&self, name: &str) -> Option<Vec<&str>> {
        let files: Vec<&str> = match self.files.get(name) {
            Some(files) => files.iter().map(String::as_str).collect(),
            None => self
                .all(name)
                .iter()
                .flat_map(|line| line.split(' '))
                .collect(),
        };
        let is_clear = |one: &&str| one.starts_with('/') || one.starts_with("~/");
        match &files[..] {
            [one] if one.eq_ignore_ascii_case("none") => Some(Vec::new()),
            [] | [_] => Some(files),
            _ if self.files.contains_key(name) || files.iter().all(is_clear) => Some(files),
            _ => None,
        }
    }

    /// Every option with its values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        let values = self.values.iter();
        values.map(|(name, values)| (&**name, &**values))
    }
}
