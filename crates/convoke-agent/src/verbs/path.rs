//! Where a path leads: absolute, and as a directory that is held open with a name in it.

use std::os::fd::OwnedFd;

use bstr::{BString, ByteSlice as _};
use convoke_proto::operation::{Failure, Field, Reason};
use rustix::fs::{
    Access, AtFlags, CWD, FileType, Mode, OFlags, Stat as Raw, accessat, openat, statat,
};
use rustix::io::Errno;

/// The longest path the kernel takes, with its end.
const PATH_MAX: usize = libc::PATH_MAX as usize;

/// An absolute path without NUL that is not longer than the kernel takes.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) path: BString,
}

/// A name in a directory that is held open, so that nobody can put another directory in its place between
/// two calls.
#[derive(Debug)]
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) directory: OwnedFd,
    /// One component, without a slash; `.` for the root.
    pub(super) name: Vec<u8>,
    /// Whether the path ended with a slash, and so must lead to a directory.
    pub(super) wants_directory: bool,
}

/// How a directory is held open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// To reach what is in it, which takes no permission to read it.
    Reach,
    /// To read it, or to have it synced.
    Read,
}

impl Place {
    /// The place of `path`, which begins at `home` when it is relative. Of `a/./b` it is `a/b`, as people read it.
    pub(super) fn new(home: &[u8], path: &[u8]) -> Result<Self, Failure> {
        if path.is_empty() || path.contains(&0) {
            return Err(failure(Field::Path, path, Reason::Invalid));
        }
        let mut path = joined(home, path);
        match path.len() < PATH_MAX {
            true => {
                while let Some(at) = path.find(b"/./") {
                    path.drain(at..at + 2);
                }
                Ok(Place { path })
            }
            // The kernel takes no longer one, and no answer shall repeat it.
            false => Err(failure(
                Field::Path,
                path.get(..PATH_MAX).unwrap_or_default(),
                Reason::Errno(Errno::NAMETOOLONG.raw_os_error()),
            )),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.path
    }

    /// The place of `name` in this directory.
    pub(super) fn inside(&self, name: &[u8]) -> Place {
        Place {
            path: joined(&self.path, name),
        }
    }

    /// What the kernel refused about the path.
    pub(super) fn refused(&self, errno: Errno) -> Failure {
        self.failure(Reason::Errno(errno.raw_os_error()))
    }

    /// What the kernel refused to give to what stands at the path.
    pub(super) fn refused_part(&self, field: Field, value: &[u8], errno: Errno) -> Failure {
        Failure {
            path: Some(self.path.clone()),
            ..failure(field, value, Reason::Errno(errno.raw_os_error()))
        }
    }

    /// What is wrong with the path.
    pub(super) fn failure(&self, reason: Reason) -> Failure {
        failure(Field::Path, &self.path, reason)
    }

    /// Whether names may be taken out of the directory that the last component is in.
    pub(super) fn may_go(&self) -> bool {
        let (above, _) = split(&self.path);
        let access = Access::WRITE_OK | Access::EXEC_OK;
        accessat(CWD, above, access, AtFlags::empty()).is_ok()
    }

    /// Opens the directory that the last component is in.
    pub(super) fn spot(self, hold: Hold) -> Result<Spot, Failure> {
        let (above, name) = split(&self.path);
        let directory = open_directory(CWD, above, hold).map_err(|errno| self.refused(errno))?;
        Ok(Spot {
            name: name.to_vec(),
            wants_directory: self.path.ends_with(b"/"),
            directory,
            place: self,
        })
    }
}

impl Spot {
    /// What stands here, links not followed; none when nothing does.
    pub(super) fn look(&self) -> Result<Option<Raw>, Failure> {
        match statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(raw) if self.wants_directory && kind(&raw) != FileType::Directory => {
                Err(self.place.refused(Errno::NOTDIR))
            }
            Ok(raw) => Ok(Some(raw)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.place.refused(errno)),
        }
    }
}

/// Opens a directory below another one.
pub(super) fn open_directory(
    base: impl std::os::fd::AsFd,
    path: &[u8],
    hold: Hold,
) -> Result<OwnedFd, Errno> {
    let flags = match hold {
        Hold::Reach => OFlags::PATH,
        Hold::Read => OFlags::RDONLY | OFlags::NONBLOCK,
    };
    let flags = flags | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(base, path, flags, Mode::empty())
}

/// The type in a file's mode.
pub(super) fn kind(raw: &Raw) -> FileType {
    FileType::from_raw_mode(raw.st_mode)
}

/// A part of a request and what is wrong with it.
pub(super) fn failure(field: Field, value: &[u8], reason: Reason) -> Failure {
    Failure {
        field,
        value: value.into(),
        reason,
        path: None,
    }
}

/// `path`, seen from `base`.
pub(super) fn joined(base: &[u8], path: &[u8]) -> BString {
    match (path.starts_with(b"/"), base.ends_with(b"/")) {
        (true, _) => path.into(),
        (false, true) => [base, path].concat().into(),
        (false, false) => [base, b"/", path].concat().into(),
    }
}

/// An absolute path's directory and last component; `.` in the root for the root.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path.iter().rposition(|byte| *byte != b'/');
    let trimmed = path.get(..end.map_or(0, |end| end + 1)).unwrap_or_default();
    match trimmed.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (
            trimmed.get(..slash + 1).unwrap_or_default(),
            trimmed.get(slash + 1..).unwrap_or_default(),
        ),
        None => (b"/", b"."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_directory_and_a_name() {
        for (path, above, name) in [
            ("/", "/", "."),
            ("///", "/", "."),
            ("/a", "/", "a"),
            ("/a/", "/", "a"),
            ("/a//b//", "/a//", "b"),
            ("/a/..", "/a/", ".."),
        ] {
            let expected = (above.as_bytes(), name.as_bytes());
            assert_eq!(split(path.as_bytes()), expected, "{path}");
        }
    }

    #[test]
    fn a_relative_path_begins_at_home() {
        let place = |home: &str, path: &str| Place::new(home.as_bytes(), path.as_bytes());
        for (home, path, whole) in [
            ("/h", "a/../b", "/h/a/../b"),
            ("/", "a", "/a"),
            ("/h", "/a/", "/a/"),
            ("/h", "~", "/h/~"),
            ("/h", "./././a", "/h/a"),
            ("/h", "a/./b/./", "/h/a/b/"),
            // These lead to a directory, or nowhere.
            ("/h", "a/.", "/h/a/."),
            ("/h/", ".", "/h/."),
            ("/h", "a/.b/.../", "/h/a/.b/.../"),
        ] {
            assert_eq!(place(home, path).unwrap().path, whole);
        }
        for path in ["", "a\0b"] {
            assert_eq!(place("/h", path).unwrap_err().reason, Reason::Invalid);
        }
    }
}
