//! Where the text of configurations comes from, and which files a pattern names.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::pattern::matches;

/// A file system, as far as a configuration needs one.
pub trait Files {
    /// The content of a file, after links; of a directory nothing.
    ///
    /// # Errors
    /// As of the system: above all, that there is none.
    fn read(&self, path: &Path) -> io::Result<Content>;

    /// The names in a directory, in any order.
    ///
    /// # Errors
    /// As of the system.
    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>>;

    /// Whether something is there: the end of a link, or a link that leads nowhere.
    fn exists(&self, path: &Path, link: Link) -> bool;
}

/// What is done with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// What it leads to counts.
    Followed,
    /// It counts itself.
    Taken,
}

/// What was read.
#[derive(Debug, Clone)]
pub struct Content {
    /// The text.
    pub bytes: Vec<u8>,
    /// Whose file it is.
    pub owner: u32,
    /// Its permission bits.
    pub mode: u32,
}

/// The files of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Disk;

/// A configuration that is larger is left to ssh.
const LARGEST_BYTES: u64 = 16 << 20;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Content> {
        let found = path.metadata()?;
        let kind = found.file_type();
        let bytes = if kind.is_dir() || path == Path::new("/dev/null") {
            Vec::new()
        } else if kind.is_file() && found.len() <= LARGEST_BYTES {
            std::fs::read(path)?
        } else {
            // Reading a pipe would take it away from ssh.
            let text = "not a plain file of a moderate size";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        };
        Ok(Content {
            bytes,
            owner: found.uid(),
            mode: found.mode(),
        })
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let entries = std::fs::read_dir(directory)?;
        entries.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn exists(&self, path: &Path, link: Link) -> bool {
        let found = match link {
            Link::Followed => path.metadata(),
            Link::Taken => path.symlink_metadata(),
        };
        found.is_ok()
    }
}

/// The files that an absolute pattern with `*` and `?` names, in ssh's order.
///
/// # Errors
/// A pattern, or a name, that only the C library may understand.
pub(super) fn named(files: &dyn Files, pattern: &str) -> Result<Vec<String>, String> {
    let refuse = || format!("the pattern {pattern:?}");
    if pattern.contains(['[', '\\']) {
        return Err(refuse());
    }
    if !pattern.contains(['*', '?']) {
        let there = files.exists(Path::new(pattern), Link::Taken);
        return Ok(there.then(|| pattern.to_owned()).into_iter().collect());
    }
    let mut parts = pattern.split('/').skip(1).peekable();
    let mut found = vec![String::new()];
    while let Some(part) = parts.next() {
        if part.is_empty() {
            return Err(refuse());
        }
        let mut deeper = Vec::new();
        for place in found {
            if !part.contains(['*', '?']) {
                let path = format!("{place}/{part}");
                if parts.peek().is_some() || files.exists(Path::new(&path), Link::Taken) {
                    deeper.push(path);
                }
                continue;
            }
            let directory = if place.is_empty() { "/" } else { &place };
            for name in files.names(Path::new(directory)).unwrap_or_default() {
                let name = name.into_string().map_err(|_| refuse())?;
                if !name.is_ascii() && part.contains('?') {
                    return Err(refuse());
                }
                // A leading dot must be written.
                let hidden = name.starts_with('.') && !part.starts_with('.');
                if !hidden && matches(part, &name) {
                    deeper.push(format!("{place}/{name}"));
                }
            }
        }
        found = deeper;
    }
    found.sort();
    Ok(found)
}
