//! Where a file from a host lands on this machine: whole or not at all, and never through a link.
//!
//! The content goes to a file without a name where the file system has such, so that nothing is left whatever
//! ends us; else to one with a name of its own beside its place.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use convoke_proto::file::Durability;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, fchmod, fsync, linkat, mkdirat, openat, renameat, statat,
    unlinkat,
};
use rustix::io::Errno;

use crate::hex::hex;
use crate::random;

/// How the name of a file begins that is not whole yet.
const UNFINISHED: &str = ".convoke-";

/// Where the content of a file from a host goes. Its name is ours to choose: hosts have no say in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landing {
    /// A directory that exists.
    pub directory: PathBuf,
    /// The name of a directory in it, which is made (mode 0700) when it is missing, and must not be a link.
    pub beneath: Option<OsString>,
    /// The name of the file. What stands there is replaced, unless it is no regular file; its permission bits stay.
    pub name: OsString,
    /// Permission bits that a new file never has, as in a umask. Set-id bits and the sticky one none ever has.
    pub mask: u16,
    /// Whether it is on the disk before it takes its place, and that, too, before the work is done.
    pub durability: Durability,
}

/// A file that is landing. Dropping it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Approach {
    file: File,
    place: Place,
    mask: u16,
    durability: Durability,
}

/// A name in a directory, and what stands for it until the file is whole.
#[derive(Debug)]
struct Place {
    directory: OwnedFd,
    /// The directory above and our name in it, when we made it.
    made: Option<(Arc<OwnedFd>, OsString)>,
    name: OsString,
    /// Removed when the place is left.
    unfinished: Option<OsString>,
}

impl Landing {
    /// Its path.
    pub fn path(&self) -> PathBuf {
        let beneath = self.beneath.as_deref().unwrap_or(OsStr::new(""));
        let directory = match self.directory == Path::new(".") {
            true => Path::new(beneath).to_owned(),
            false => self.directory.join(beneath),
        };
        directory.join(&self.name)
    }

    /// Makes room for the file. Waits for the disk; so do all that follow.
    ///
    /// # Errors
    /// The directory cannot be used, or what stands in the place is not to be replaced.
    pub(crate) fn approach(&self) -> io::Result<Approach> {
        check_name(&self.name)?;
        let above = Arc::new(directory(CWD, &self.directory, OFlags::empty())?);
        let (directory, made) = match &self.beneath {
            None => (above.try_clone()?, None),
            Some(beneath) => {
                check_name(beneath)?;
                let is_new = match mkdirat(&above, beneath, Mode::RWXU) {
                    Ok(()) => true,
                    Err(Errno::EXIST) => false,
                    Err(error) => return Err(error.into()),
                };
                let made = is_new.then(|| (Arc::clone(&above), beneath.clone()));
                (no_link(&above, beneath)?, made)
            }
        };
        let mut place = Place {
            directory,
            made,
            name: self.name.clone(),
            unfinished: None,
        };
        place.check()?;
        Ok(Approach {
            file: place.open()?.into(),
            place,
            mask: self.mask,
            durability: self.durability,
        })
    }
}

impl Approach {
    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Puts the whole file in its place: with the permission bits of the one that it replaces, else with as much of
    /// `mode` as it may have.
    pub(crate) fn land(mut self, mode: u16) -> io::Result<()> {
        let new = u32::from(mode & 0o777 & !self.mask);
        let kept = self.place.check()?;
        fchmod(&self.file, kept.unwrap_or(Mode::from_bits_truncate(new)))?;
        if self.durability == Durability::Synced {
            fsync(&self.file)?;
        }
        self.place.take(&self.file)?;
        let made = self.place.made.take();
        if self.durability == Durability::Synced {
            fsync(&self.place.directory)?;
            if let Some((above, _)) = made {
                fsync(above)?;
            }
        }
        Ok(())
    }
}

impl Place {
    /// Whether a file may stand there: nothing does, or another regular file, whose permission bits it returns.
    fn check(&self) -> io::Result<Option<Mode>> {
        let there = match statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => there,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match FileType::from_raw_mode(there.st_mode) {
            FileType::RegularFile => Ok(Some(Mode::from_bits_truncate(there.st_mode & 0o777))),
            FileType::Symlink => Err(io::Error::other("it is a symbolic link")),
            FileType::Directory => Err(Errno::ISDIR.into()),
            _ => Err(io::Error::other("it is no regular file")),
        }
    }

    /// A new file that nobody else can open.
    fn open(&mut self) -> io::Result<OwnedFd> {
        let (flags, mode) = (OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR);
        // Without its names in `/proc` a file without a name can get none.
        if Path::new("/proc/self/fd").exists() {
            match openat(&self.directory, ".", flags | OFlags::TMPFILE, mode) {
                // The file system has no such files, or the kernel does not know of them.
                Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {}
                opened => return Ok(opened?),
            }
        }
        let name = unfinished();
        let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let file = openat(&self.directory, &name, flags, mode)?;
        self.unfinished = Some(name);
        Ok(file)
    }

    /// Gives the file its name, in place of whatever has it.
    fn take(&mut self, file: &File) -> io::Result<()> {
        if self.unfinished.is_none() {
            match self.link(file, &self.name) {
                Err(Errno::EXIST) => {}
                linked => return Ok(linked?),
            }
            let name = unfinished();
            self.link(file, &name)?;
            self.unfinished = Some(name);
        }
        if let Some(unfinished) = &self.unfinished {
            renameat(&self.directory, unfinished, &self.directory, &self.name)?;
            self.unfinished = None;
        }
        Ok(())
    }

    fn link(&self, file: &File, name: &OsStr) -> Result<(), Errno> {
        let ours = format!("/proc/self/fd/{}", file.as_raw_fd());
        linkat(CWD, ours, &self.directory, name, AtFlags::SYMLINK_FOLLOW)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Whoever removed it before us did what we would have done.
        if let Some(unfinished) = &self.unfinished {
            let _ = unlinkat(&self.directory, unfinished, AtFlags::empty());
        }
        if let Some((above, name)) = &self.made {
            // Another file may have landed in it.
            let _ = unlinkat(above, name, AtFlags::REMOVEDIR);
        }
    }
}

/// Opens a directory that must not be a link, nor anything else.
fn no_link(above: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    directory(above, Path::new(name), OFlags::NOFOLLOW).map_err(|error| {
        let there = statat(above, name, AtFlags::SYMLINK_NOFOLLOW);
        match there.map(|there| FileType::from_raw_mode(there.st_mode)) {
            Ok(FileType::Directory) | Err(_) => error,
            Ok(FileType::Symlink) => io::Error::other(format!("{name:?} is a symbolic link")),
            Ok(_) => io::Error::other(format!("{name:?} is no directory")),
        }
    })
}

fn directory(at: impl std::os::fd::AsFd, path: &Path, more: OFlags) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | more;
    Ok(openat(at, path, flags, Mode::empty())?)
}

/// Whether a name leads nowhere else.
fn check_name(name: &OsStr) -> io::Result<()> {
    match name.as_bytes() {
        b"" | b"." | b".." => Err(Errno::INVAL.into()),
        name if name.contains(&b'/') || name.contains(&0) => Err(Errno::INVAL.into()),
        _ => Ok(()),
    }
}

/// A name that nobody else has.
fn unfinished() -> OsString {
    let random: [u8; 8] = random::bytes();
    format!("{UNFINISHED}{}", hex(&random)).into()
}

#[cfg(test)]
mod tests;
