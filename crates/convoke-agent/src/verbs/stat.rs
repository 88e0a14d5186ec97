//! What is true of a file.

use std::os::fd::AsFd;
use std::sync::atomic::AtomicBool;

use bstr::BString;
use convoke_proto::file::{Digest, FileKind, Follow, Stat, Time};
use convoke_proto::operation::{Answer, Failure};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Stat as Raw, fstat, openat, readlinkat, statat,
};
use rustix::io::Errno;

use super::digest;
use super::path::{Place, kind};
use super::{Verbs, cancelled};

impl Verbs {
    /// What stands at a path. The digests are those of what the file holds while it is read, and the rest
    /// is what was true just before.
    pub(super) fn stat(
        &self,
        path: &[u8],
        follow: Follow,
        digests: &[Digest],
        stop: &AtomicBool,
    ) -> Result<Answer, Failure> {
        let place = self.place(path)?;
        match self.find(&place, follow, digests, stop) {
            Ok(stat) => Ok(Answer::Stat(Some(Box::new(stat)))),
            Err(Errno::NOENT) => Ok(Answer::Stat(None)),
            Err(Errno::CANCELED) => Err(cancelled()),
            Err(errno) => Err(place.refused(errno)),
        }
    }

    fn find(
        &self,
        place: &Place,
        follow: Follow,
        digests: &[Digest],
        stop: &AtomicBool,
    ) -> Result<Stat, Errno> {
        let flags = match follow {
            Follow::Yes => AtFlags::empty(),
            Follow::No => AtFlags::SYMLINK_NOFOLLOW,
        };
        let raw = statat(CWD, place.bytes(), flags)?;
        match kind(&raw) {
            FileType::Symlink => self.of_link(CWD, place.bytes()),
            FileType::RegularFile if !digests.is_empty() => {
                self.of_content(place, follow, digests, stop)
            }
            _ => Ok(self.of(&raw)),
        }
    }

    /// Both the link and where it points are read from one thing that is held open: its path may lead
    /// elsewhere by then.
    pub(super) fn of_link(&self, base: impl AsFd, path: &[u8]) -> Result<Stat, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let link = openat(base, path, flags, Mode::empty())?;
        let raw = fstat(&link)?;
        let target = match kind(&raw) {
            FileType::Symlink => Some(readlinkat(&link, c"", Vec::new())?),
            _ => None,
        };
        Ok(Stat {
            target: target.map(|target| target.into_bytes().into()),
            ..self.of(&raw)
        })
    }

    fn of_content(
        &self,
        place: &Place,
        follow: Follow,
        digests: &[Digest],
        stop: &AtomicBool,
    ) -> Result<Stat, Errno> {
        let flags = match follow {
            Follow::Yes => OFlags::empty(),
            Follow::No => OFlags::NOFOLLOW,
        };
        // Should another kind of file have taken its place, opening it must not wait, nor take a terminal.
        let harmless = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = openat(CWD, place.bytes(), harmless | flags, Mode::empty())?;
        let stat = self.of(&fstat(&file)?);
        let digests = match stat.kind {
            FileKind::File => digest::of(&file, digests, stop)?,
            _ => Vec::new(),
        };
        Ok(Stat { digests, ..stat })
    }

    /// What the kernel says, with names.
    pub(super) fn of(&self, raw: &Raw) -> Stat {
        Stat {
            kind: file_kind(kind(raw)),
            mode: (raw.st_mode & 0o7777) as u16,
            uid: raw.st_uid,
            gid: raw.st_gid,
            owner: self.names.user(&self.service, raw.st_uid),
            group: self.names.group(&self.service, raw.st_gid),
            size: raw.st_size as u64,
            modified: time(raw.st_mtime, raw.st_mtime_nsec as u32),
            changed: time(raw.st_ctime, raw.st_ctime_nsec as u32),
            inode: raw.st_ino,
            device: raw.st_dev,
            #[allow(clippy::unnecessary_cast)] // It has 32 bits on aarch64.
            links: raw.st_nlink as u64,
            target: None,
            digests: Vec::new(),
        }
    }

    /// Where a symbolic link points.
    pub(super) fn read_link(&self, path: &[u8]) -> Result<Answer, Failure> {
        let place = self.place(path)?;
        let target = readlinkat(CWD, place.bytes(), Vec::new());
        let target = target.map_err(|errno| place.refused(errno))?;
        Ok(Answer::Path(Some(BString::from(target.into_bytes()))))
    }
}

/// The word for a kernel's type.
pub(super) fn file_kind(kind: FileType) -> FileKind {
    match kind {
        FileType::Directory => FileKind::Directory,
        FileType::CharacterDevice => FileKind::CharacterDevice,
        FileType::BlockDevice => FileKind::BlockDevice,
        FileType::RegularFile => FileKind::File,
        FileType::Fifo => FileKind::Fifo,
        FileType::Symlink => FileKind::Link,
        FileType::Socket => FileKind::Socket,
        FileType::Unknown => FileKind::Other,
    }
}

fn time(seconds: i64, nanoseconds: u32) -> Time {
    Time {
        seconds,
        nanoseconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_the_kernel_has_a_word() {
        for (bits, word) in [
            (libc::S_IFDIR, "dir"),
            (libc::S_IFCHR, "chr"),
            (libc::S_IFBLK, "blk"),
            (libc::S_IFREG, "file"),
            (libc::S_IFIFO, "fifo"),
            (libc::S_IFLNK, "link"),
            (libc::S_IFSOCK, "sock"),
            (0, "other"),
            (libc::S_IFMT, "other"),
        ] {
            let kind = FileType::from_raw_mode(bits | 0o644);
            assert_eq!(file_kind(kind).as_str(), word, "{bits:o}");
        }
    }
}
