//! The `known_hosts` files of a run: each read once, and keys added to the first one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::keys::PublicKey;

use crate::ssh::native::known_hosts::{Known, KnownHosts, Mark, entry, hashed};
use crate::ssh::native::shelf::Shelf;
use crate::ssh::rules::{NamesWritten, Rules};

/// The files, as they were when the run began, and what was added since.
#[derive(Debug, Default)]
pub(super) struct Books {
    read: Shelf<KnownHosts>,
    added: Mutex<Vec<Added>>,
    /// Whoever adds something: nobody else does meanwhile.
    pen: Mutex<()>,
}

/// A key that was added under a name.
#[derive(Debug)]
struct Added {
    file: PathBuf,
    name: String,
    known: Known,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Books {
    /// What `files` say of `name`, in their order. One that cannot be read says nothing, as for ssh.
    pub(super) fn of(&self, name: &str, files: &[PathBuf]) -> Vec<Known> {
        let mut known = Vec::new();
        for file in files {
            known.extend(self.book(file).of(name));
            let added = lock(&self.added);
            let added = added
                .iter()
                .filter(|one| one.file == *file && one.name == name);
            known.extend(added.map(|one| one.known.clone()));
        }
        known
    }

    fn book(&self, file: &Path) -> Arc<KnownHosts> {
        self.read.get(file, read)
    }

    /// Reads a file, without waiting for it here.
    pub(super) async fn open(&self, file: &Path) {
        self.read.fetch(file, read).await;
    }

    /// Holds off whoever else would add something, until it is dropped.
    pub(super) fn pen(&self) -> MutexGuard<'_, ()> {
        lock(&self.pen)
    }

    /// Adds lines that say that `key` is known under each of `names` to `file`; together they are one
    /// line where names are plain. From now on it is known, even if it could not be written.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn add(
        &self,
        names: &[String],
        key: &PublicKey,
        rules: &Rules,
        file: &Path,
    ) -> io::Result<()> {
        let written = match rules.names {
            NamesWritten::Plain => entry(&names.join(","), key)?,
            NamesWritten::Hashed => names
                .iter()
                .map(|name| entry(&hashed(name)?, key))
                .collect::<io::Result<_>>()?,
        };
        let book = self.book(file);
        let mut added = lock(&self.added);
        for name in names {
            let before = added.iter().filter(|one| one.file == file).count();
            added.push(Added {
                file: file.to_owned(),
                name: name.clone(),
                known: Known {
                    mark: Mark::Key,
                    key: key.clone(),
                    place: book.place(book.lines() + before + 1),
                },
            });
        }
        drop(added);
        write(file, &written)
    }
}

fn read(file: &Path) -> KnownHosts {
    let text = fs::read(file).unwrap_or_default();
    KnownHosts::parse(file.to_owned(), text)
}

/// Adds whole lines to the end of a file, at once, so that what others add stays whole, too.
fn write(file: &Path, lines: &str) -> io::Result<()> {
    let mut open = OpenOptions::new().append(true).create(true).open(file)?;
    let is_whole = ends_with_newline(file).unwrap_or(true);
    let lines = match is_whole {
        true => lines.to_owned(),
        false => format!("\n{lines}"),
    };
    open.write_all(lines.as_bytes())
}

/// Whether the last line of a file is whole. What is no file has no last line.
fn ends_with_newline(file: &Path) -> io::Result<bool> {
    if !file.metadata()?.is_file() {
        return Ok(true);
    }
    let mut file = File::open(file)?;
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Makes the directory of ssh in `home` if `file` is to be in it and it is not there.
pub(super) fn make_directory(file: &Path, home: Option<&Path>) {
    let Some(directory) = home.map(|home| home.join(".ssh")) else {
        return;
    };
    if file.starts_with(&directory) && !directory.exists() {
        // If it cannot be made, the file cannot be written, and that is said.
        let _ = fs::DirBuilder::new().mode(0o700).create(directory);
    }
}
