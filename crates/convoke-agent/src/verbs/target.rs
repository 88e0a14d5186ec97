//! Where a file shall stand that is written, and whether what stands there may be replaced.

use std::os::fd::OwnedFd;

use convoke_proto::file::{Durability, NewFile};
use convoke_proto::operation::{Failure, Field, Reason};
use rustix::fs::{FileType, Mode, OFlags, Stat as Raw, fstat, openat, readlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::path::{Hold, Place, Spot, failure, kind, open_directory};
use super::stat::file_kind;

/// Where the file shall stand, and whether its directory is open to be read.
///
/// With a name inside, a directory at the path is where it goes. So it is behind a symbolic link, but only
/// behind one that the path asks for by a slash at its end, or that belongs to us or to the superuser: with
/// any other one, whoever may write the directory above would choose where our file lands.
pub(super) fn find(place: Place, new: &NewFile) -> Result<(Spot, bool), Failure> {
    let (spot, is_readable) = hold(place, new.durability)?;
    let Some(name) = &new.inside else {
        return Ok((spot, is_readable));
    };
    let is_name = !name.contains(&b'/') && !name.contains(&0);
    if !is_name || [b"".as_slice(), b".", b".."].contains(&name.as_slice()) {
        return Err(failure(Field::Path, name, Reason::Invalid));
    }
    let Some(directory) = spot.enter() else {
        return Ok((spot, is_readable));
    };
    let place = spot.place.inside(name);
    let refused = |errno| place.refused(errno);
    let (directory, is_readable) = match new.durability {
        Durability::Unsynced => (directory, false),
        Durability::Synced => match open_directory(&directory, b".", Hold::Read) {
            Ok(readable) => (readable, true),
            Err(Errno::ACCESS) => (directory, false),
            Err(errno) => return Err(refused(errno)),
        },
    };
    let spot = Spot {
        directory,
        name: name.to_vec(),
        wants_directory: false,
        place,
    };
    Ok((spot, is_readable))
}

fn hold(place: Place, durability: Durability) -> Result<(Spot, bool), Failure> {
    let denied = Reason::Errno(Errno::ACCESS.raw_os_error());
    match durability {
        Durability::Unsynced => Ok((place.spot(Hold::Reach)?, false)),
        Durability::Synced => match place.clone().spot(Hold::Read) {
            Err(failure) if failure.reason == denied => Ok((place.spot(Hold::Reach)?, false)),
            spot => Ok((spot?, true)),
        },
    }
}

impl Spot {
    /// The directory that stands here, if one does or a link that is followed leads to one.
    fn enter(&self) -> Option<OwnedFd> {
        if self.wants_directory {
            return open_directory(&self.directory, &self.name, Hold::Reach).ok();
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let held = openat(&self.directory, &self.name, flags, Mode::empty()).ok()?;
        let raw = fstat(&held).ok()?;
        match kind(&raw) {
            FileType::Directory => Some(held),
            FileType::Symlink if raw.st_uid == 0 || raw.st_uid == geteuid().as_raw() => {
                // Read from what is held: another link may have taken its place.
                let target = readlinkat(&held, c"", Vec::new()).ok()?;
                open_directory(&self.directory, target.to_bytes(), Hold::Reach).ok()
            }
            _ => None,
        }
    }

    /// The regular file that stands here, if anything does.
    pub(super) fn replaceable(&self) -> Result<Option<Raw>, Failure> {
        let Some(raw) = self.look()? else {
            return match self.wants_directory {
                true => Err(self.place.refused(Errno::ISDIR)),
                false => Ok(None),
            };
        };
        match kind(&raw) {
            FileType::RegularFile => Ok(Some(raw)),
            FileType::Directory => Err(self.place.refused(Errno::ISDIR)),
            FileType::Symlink => Err(self.place.refused(Errno::LOOP)),
            other => Err(self.place.failure(Reason::Kind(file_kind(other)))),
        }
    }

    /// Refuses a file that somebody else may have put here to own what we write: as the kernel does by
    /// `fs.protected_regular`, one in a sticky directory that others may write, which belongs neither to us,
    /// nor to the superuser, nor to whom the directory belongs.
    pub(super) fn check_planted(&self, old: &Raw) -> Result<(), Failure> {
        if old.st_uid == 0 || old.st_uid == geteuid().as_raw() {
            return Ok(());
        }
        let above = fstat(&self.directory).map_err(|errno| self.place.refused(errno))?;
        let bits = Mode::from_raw_mode(above.st_mode);
        let is_shared = bits.contains(Mode::SVTX) && bits.intersects(Mode::WGRP | Mode::WOTH);
        match is_shared && old.st_uid != above.st_uid {
            false => Ok(()),
            true => {
                let owner = old.st_uid.to_string();
                let owner = owner.as_bytes();
                Err(self.place.refused_part(Field::Owner, owner, Errno::ACCESS))
            }
        }
    }
}
