//! The files of a configuration, each read and understood once for all hosts.

use std::collections::{BTreeSet, HashMap};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::condition::Condition;
use super::directive::{Directive, Reader};
use super::keywords::{self, Own, Rule};
use super::line::Line;
use super::pattern::Patterns;
use super::skip::Skip;
use super::source::{Content, Files, named};

/// A file, as its lines.
#[derive(Debug)]
pub(super) struct File {
    /// Where it is.
    pub(super) path: String,
    /// The numbers of its lines that say something, and what.
    pub(super) lines: Vec<(usize, Directive)>,
    pub(super) skip: Skip,
    /// How deep its includes go below it.
    height: usize,
}

/// How much of a name ssh tells, in bytes.
const TOLD: usize = 200;

impl File {
    /// Adds its name and those of the files that it includes.
    pub(super) fn names(&self, names: &mut BTreeSet<String>) {
        let told = self.path.as_bytes();
        let told = told.get(..TOLD).unwrap_or(told);
        let is_new = names.insert(String::from_utf8_lossy(told).into_owned());
        let includes = self.lines.iter().filter(|_| is_new);
        for (_, directive) in includes {
            if let Directive::Include(files) = directive {
                files.iter().for_each(|file| file.names(names));
            }
        }
    }
}

/// Whose configuration a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// The user's: names of files begin with `~`, or are relative to `~/.ssh`.
    User,
    /// The system's: they are relative to its directory.
    System,
}

/// Whether a file may be anybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Permissions {
    Any,
    /// It must be ours or root's, and nobody else may write it.
    Checked,
}

/// How deep files may include each other (`READCONF_MAX_DEPTH` of ssh).
const DEEPEST: usize = 16;

/// How many files a configuration may consist of before it is left to ssh.
const MOST: usize = 4096;

/// Reads files.
pub(super) struct Library<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) files: &'a dyn Files,
    /// What `~` means in names of files to include.
    pub(super) include_home: &'a str,
    known: HashMap<(String, Owner, Permissions), Arc<File>>,
    /// Those that are being read.
    open: Vec<String>,
}

impl<'a> Library<'a> {
    pub(super) fn new(reader: Reader<'a>, files: &'a dyn Files, include_home: &'a str) -> Self {
        Library {
            reader,
            files,
            include_home,
            known: HashMap::new(),
            open: Vec::new(),
        }
    }

    /// Reads a file and those that it includes. None if there is none, or it cannot be read and
    /// `permissions` allow that.
    ///
    /// # Errors
    /// The first thing in it that is left to ssh.
    pub(super) fn read(
        &mut self,
        path: &str,
        owner: Owner,
        permissions: Permissions,
    ) -> Result<Option<Arc<File>>, String> {
        let key = (path.to_owned(), owner, permissions);
        if let Some(file) = self.known.get(&key) {
            let deep = self.open.len() + file.height > DEEPEST;
            return match deep {
                true => Err("files that include each other too deeply".into()),
                false => Ok(Some(Arc::clone(file))),
            };
        }
        let content = match self.files.read(Path::new(path)) {
            Ok(content) => content,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            // ssh does without a main file that it may not read.
            Err(error) if error.kind() == ErrorKind::PermissionDenied && self.open.is_empty() => {
                return Ok(None);
            }
            Err(error) => return Err(format!("{path}: {error}")),
        };
        if self.open.len() > DEEPEST || self.open.iter().any(|open| open == path) {
            return Err(format!("{path}: files that include each other too deeply"));
        }
        if self.known.len() >= MOST {
            return Err("very many files".into());
        }
        if permissions == Permissions::Checked {
            self.check(path, &content)?;
        }
        self.open.push(path.to_owned());
        let lines = self.lines(path, &content, owner);
        self.open.pop();
        let lines = lines?;
        let heights = lines.iter().map(|(_, directive)| match directive {
            Directive::Include(files) => {
                files.iter().map(|file| file.height + 1).max().unwrap_or(0)
            }
            _ => 0,
        });
        let file = Arc::new(File {
            height: heights.max().unwrap_or(0),
            path: path.to_owned(),
            skip: Skip::of(&lines),
            lines,
        });
        self.known.insert(key, Arc::clone(&file));
        Ok(Some(file))
    }

    fn check(&self, path: &str, content: &Content) -> Result<(), String> {
        let uid = &self.reader.installed.account.uid;
        let ours = content.owner == 0 || content.owner.to_string() == *uid;
        match ours && content.mode & 0o022 == 0 {
            true => Ok(()),
            false => Err(format!("{path}: who owns it, or may write it")),
        }
    }

    fn lines(
        &mut self,
        path: &str,
        content: &Content,
        owner: Owner,
    ) -> Result<Vec<(usize, Directive)>, String> {
        let text = std::str::from_utf8(&content.bytes)
            .ok()
            .filter(|text| !text.contains('\0'))
            .ok_or_else(|| format!("{path}: bytes that are not text"))?;
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(text.split('\n')) {
            let directive = self
                .line(line, owner)
                .map_err(|why| format!("{path} line {number}: {why}"))?;
            if !matches!(directive, Directive::Nothing) {
                lines.push((number, directive));
            }
        }
        Ok(lines)
    }

    fn line(&mut self, line: &str, owner: Owner) -> Result<Directive, String> {
        let (keyword, rest, words) = match Line::parse(line) {
            Line::Nothing => return Ok(Directive::Nothing),
            Line::Wrong(why) => return Err(why.into()),
            Line::Directive {
                keyword,
                rest,
                words,
            } => (keyword, rest, words),
        };
        match keywords::find(&keyword).map(|(_, option)| option.rule) {
            Some(Rule::Own(Own::Host)) => {
                match words.is_empty() || words.iter().any(String::is_empty) {
                    true => Err("an empty pattern".into()),
                    false => Patterns::of_words(&words).map(Directive::Host),
                }
            }
            Some(Rule::Own(Own::Match)) => {
                let condition = Condition::parse(rest, self.reader.trust)?;
                let knows_commands = self.reader.knows_commands;
                knows_commands.set(knows_commands.get() || condition.knows_command());
                Ok(Directive::Match(condition))
            }
            Some(Rule::Own(Own::Include)) => self.include(&words, owner),
            _ => self.reader.directive(&keyword, rest, &words),
        }
    }

    fn include(&mut self, words: &[String], owner: Owner) -> Result<Directive, String> {
        if words.is_empty() {
            return Err("Include of nothing".into());
        }
        let mut included = Vec::new();
        for word in words {
            if word.is_empty() || word.contains(['%', '$']) {
                return Err(format!("Include {word}"));
            }
            let pattern = self.anchored(word, owner)?;
            for path in named(self.files, &pattern)? {
                // A link that leads nowhere is passed over.
                included.extend(self.read(&path, owner, Permissions::Checked)?);
            }
        }
        Ok(Directive::Include(included))
    }

    fn anchored(&self, word: &str, owner: Owner) -> Result<String, String> {
        let home = self.include_home.trim_end_matches('/');
        if word.starts_with('/') {
            return Ok(word.to_owned());
        }
        match (owner, word.strip_prefix('~')) {
            (Owner::User, None) => Ok(format!("{home}/.ssh/{word}")),
            (Owner::System, None) => Ok(format!("{}/{word}", self.reader.installed.directory)),
            (Owner::User, Some(rest)) if rest.starts_with('/') => Ok(format!("{home}{rest}")),
            _ => Err(format!("Include {word}")),
        }
    }
}
