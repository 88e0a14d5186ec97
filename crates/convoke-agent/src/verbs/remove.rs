//! The end of a file, or of a directory with all that is in it.
//!
//! A tree of any depth takes a bounded number of descriptors and no recursion: only the deepest
//! directories are held open, and the way up is `..`, checked to be the directory that we came from. No
//! link is ever followed, and no mount point entered, whatever others do in the tree meanwhile.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::AtomicBool;

use bstr::BString;
use convoke_proto::operation::{Answer, Depth, Failure};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, SeekFrom, fstat, openat, seek, unlinkat};
use rustix::io::Errno;

use super::list::next_batch;
use super::path::{Hold, Place, Spot};
use super::{Verbs, unless_stopped};

/// How many directories of the way down are held open.
const HELD: usize = 32;

/// How often a directory is gone through before what others put into it meanwhile is given up on.
const PASSES: usize = 100;

impl Verbs {
    /// Removes what stands at a path; a link itself, never what it points to.
    ///
    /// A tree is removed up to the first thing that cannot be, which the failure names. A mount point in
    /// it is such a thing (`EBUSY`), before anything behind it is touched. It ends early, as cancelled, once
    /// `stop` is set.
    pub(super) fn remove(
        &self,
        path: &[u8],
        depth: Depth,
        stop: &AtomicBool,
    ) -> Result<Answer, Failure> {
        let spot = self.place(path)?.spot(Hold::Reach)?;
        if spot.name == b"." || spot.name == b".." {
            // The kernel says of `..` that it is full, which would be the permission to empty it.
            return Err(spot.place.refused(Errno::INVAL));
        }
        if spot.look()?.is_none() {
            return Err(spot.place.refused(Errno::NOENT));
        }
        let removed = remove_one(&spot.directory, &spot.name, FileType::Unknown);
        match (removed, depth) {
            (Ok(()), _) => {}
            (Err(errno), Depth::Tree) if is_full(errno) => Walk::new(&spot, stop)?.run()?,
            (Err(errno), _) => return Err(spot.place.refused(errno)),
        }
        Ok(Answer::Done)
    }
}

/// Removes a file, a link or an empty directory.
fn remove_one(above: impl AsFd, name: &[u8], kind: FileType) -> Result<(), Errno> {
    if kind != FileType::Directory {
        match unlinkat(&above, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {}
            removed => return removed,
        }
    }
    match unlinkat(&above, name, AtFlags::REMOVEDIR) {
        // It was a directory a moment ago.
        Err(Errno::NOTDIR) => unlinkat(&above, name, AtFlags::empty()),
        removed => removed,
    }
}

fn is_full(errno: Errno) -> bool {
    errno == Errno::NOTEMPTY || errno == Errno::EXIST
}

/// How many entries of one directory are removed before it is given up on, as somebody else adds them as fast
/// as they go.
const MAX_ENTRIES: u64 = 100_000_000;

/// How deep a tree may be, which somebody else may make deeper as fast as it is gone down.
const MAX_DEPTH: usize = 1_000_000;

/// How much of a path is told, in bytes: no failure holds more.
const MAX_TOLD: usize = 8 * 1024;

/// A directory on the way down.
struct Level {
    /// Its name in the one above.
    name: Vec<u8>,
    /// Which one it is.
    identity: (u64, u64),
    /// None while it is too far up to be held.
    directory: Option<OwnedFd>,
    /// Directories in it that are not empty, as far as it was read.
    full: Vec<Vec<u8>>,
    /// Whether the current pass is at its end.
    is_read: bool,
    passes: usize,
    /// How many entries were read of it, in all passes.
    seen: u64,
}

struct Walk<'a> {
    spot: &'a Spot,
    levels: Vec<Level>,
    stop: &'a AtomicBool,
}

impl<'a> Walk<'a> {
    fn new(spot: &'a Spot, stop: &'a AtomicBool) -> Result<Self, Failure> {
        let mut walk = Walk {
            spot,
            stop,
            levels: Vec::new(),
        };
        walk.descend(spot.name.clone())?;
        Ok(walk)
    }

    fn run(mut self) -> Result<(), Failure> {
        while let Some(level) = self.levels.last_mut() {
            unless_stopped(self.stop)?;
            if let Some(name) = level.full.pop() {
                self.descend(name)?;
            } else if !level.is_read {
                self.read_on()?;
            } else {
                self.ascend()?;
            }
        }
        Ok(())
    }

    /// Enters a directory of the deepest level; it may be gone by now.
    fn descend(&mut self, name: Vec<u8>) -> Result<(), Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(
            self.deepest()?,
            &name,
            flags | OFlags::NONBLOCK,
            Mode::empty(),
        );
        let directory = match opened {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(()),
            // Something else has taken its place.
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let removed = remove_one(self.deepest()?, &name, FileType::Unknown);
                return self.unless_gone(removed, &name);
            }
            Err(errno) => return Err(self.refused(&name, errno)),
        };
        let raw = fstat(&directory).map_err(|errno| self.refused(&name, errno))?;
        if self.levels.len() >= MAX_DEPTH {
            return Err(self.refused(&name, Errno::NOTEMPTY));
        }
        self.levels.push(Level {
            name,
            identity: (raw.st_dev, raw.st_ino),
            directory: Some(directory),
            full: Vec::new(),
            is_read: false,
            passes: 0,
            seen: 0,
        });
        let far = self.levels.len().checked_sub(HELD + 1);
        if let Some(level) = far.and_then(|far| self.levels.get_mut(far)) {
            level.directory = None;
        }
        Ok(())
    }

    /// Removes what the deepest level's directory tells next, but for directories that are not empty.
    fn read_on(&mut self) -> Result<(), Failure> {
        let batch = next_batch(self.deepest()?).map_err(|errno| self.refused(b"", errno))?;
        let is_read = batch.is_empty();
        let mut full = Vec::new();
        let count = batch.len() as u64;
        for (name, kind) in batch {
            unless_stopped(self.stop)?;
            match remove_one(self.deepest()?, &name, kind) {
                Err(errno) if is_full(errno) => full.push(name),
                removed => self.unless_gone(removed, &name)?,
            }
        }
        if let Some(level) = self.levels.last_mut() {
            level.is_read = is_read;
            level.full = full;
            level.seen += count;
            if level.seen > MAX_ENTRIES {
                return Err(self.refused(b"", Errno::NOTEMPTY));
            }
        }
        Ok(())
    }

    /// Removes the deepest level's directory from the one above, or begins another pass.
    fn ascend(&mut self) -> Result<(), Failure> {
        let Some(level) = self.levels.pop() else {
            return Ok(());
        };
        self.hold_deepest(&level)?;
        match remove_one(self.deepest()?, &level.name, FileType::Directory) {
            Err(errno) if is_full(errno) && level.passes < PASSES => {
                if let Some(directory) = &level.directory {
                    let begun = seek(directory, SeekFrom::Start(0));
                    begun.map_err(|errno| self.refused(&level.name, errno))?;
                }
                self.levels.push(Level {
                    is_read: false,
                    passes: level.passes + 1,
                    ..level
                });
                Ok(())
            }
            removed => self.unless_gone(removed, &level.name),
        }
    }

    /// Opens the deepest level again when it was let go of, by way of the one below it.
    fn hold_deepest(&mut self, below: &Level) -> Result<(), Failure> {
        let Some(level) = self.levels.last() else {
            return Ok(());
        };
        let (None, Some(from)) = (&level.directory, &below.directory) else {
            return Ok(());
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let up = openat(from, c"..", flags | OFlags::NONBLOCK, Mode::empty());
        let up = up.and_then(|up| Ok((fstat(&up)?, up)));
        let (raw, up) = up.map_err(|errno| self.refused(b"", errno))?;
        if (raw.st_dev, raw.st_ino) != level.identity {
            // Somebody moved it away: what is up there was never asked for.
            return Err(self.refused(b"", Errno::STALE));
        }
        if let Some(level) = self.levels.last_mut() {
            level.directory = Some(up);
        }
        Ok(())
    }

    /// The directory of the deepest level; that of the spot above all of them.
    fn deepest(&self) -> Result<&OwnedFd, Failure> {
        match self.levels.last() {
            None => Ok(&self.spot.directory),
            Some(level) => {
                let held = level.directory.as_ref();
                held.ok_or_else(|| self.refused(b"", Errno::STALE))
            }
        }
    }

    fn unless_gone(&self, removed: Result<(), Errno>, name: &[u8]) -> Result<(), Failure> {
        match removed {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.refused(name, errno)),
        }
    }

    /// What the kernel refused about `name` in the deepest level.
    fn refused(&self, name: &[u8], errno: Errno) -> Failure {
        let above = match self.levels.is_empty() {
            true => b"".as_slice(),
            false => self.spot.place.path.as_slice(),
        };
        let names = self
            .levels
            .iter()
            .skip(1)
            .map(|level| level.name.as_slice());
        let names = names.chain([name]).filter(|name| !name.is_empty());
        let mut path = BString::from(above);
        for name in names {
            if path.len() >= MAX_TOLD {
                break;
            }
            if !path.ends_with(b"/") {
                path.push(b'/');
            }
            path.extend_from_slice(name);
        }
        match self.levels.is_empty() {
            true => self.spot.place.refused(errno),
            false => Place { path }.refused(errno),
        }
    }
}
