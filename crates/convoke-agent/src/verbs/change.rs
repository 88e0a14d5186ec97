//! Changes to what stands at a path, each by one call of the kernel where one is enough.

use convoke_proto::file::{Follow, Ownership, Time};
use convoke_proto::operation::{Answer, Failure, Field, Reason};
use rustix::fs::{
    AtFlags, CWD, FileType, OFlags, Timespec, Timestamps, UTIME_NOW, chmodat, chownat, futimens,
    openat, renameat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::Verbs;
use super::owner::{Bits, Owner, PRIVATE, checked};
use super::path::{Hold, Place, Spot, failure, kind};

impl Verbs {
    /// Another name. A link is renamed itself; what has the new name is replaced.
    pub(super) fn rename(&self, from: &[u8], to: &[u8]) -> Result<Answer, Failure> {
        let from = self.place(from)?;
        let to = self.place(to).map_err(|failure| Failure {
            field: Field::To,
            ..failure
        })?;
        match renameat(CWD, from.bytes(), CWD, to.bytes()) {
            Ok(()) => Ok(Answer::Done),
            Err(errno) => Err(rename_refused(&from, &to, errno)),
        }
    }

    /// Other permission bits; a link is followed, as it has none.
    pub(super) fn set_mode(&self, path: &[u8], mode: u16) -> Result<Answer, Failure> {
        let place = self.place(path)?;
        let mode = checked(mode)?;
        match chmodat(CWD, place.bytes(), mode, AtFlags::empty()) {
            Ok(()) => Ok(Answer::Done),
            Err(errno) => Err(place.refused(errno)),
        }
    }

    /// Another owner or group. The kernel takes set-id bits of a program away.
    pub(super) fn set_owner(
        &self,
        path: &[u8],
        ownership: &Ownership,
        follow: Follow,
    ) -> Result<Answer, Failure> {
        let place = self.place(path)?;
        let owner = self.owner(ownership, &place)?;
        if owner.is_empty() {
            return Err(failure(Field::Owner, b"", Reason::Invalid));
        }
        let flags = match follow {
            Follow::Yes => AtFlags::empty(),
            Follow::No => AtFlags::SYMLINK_NOFOLLOW,
        };
        match chownat(CWD, place.bytes(), owner.uid(), owner.gid(), flags) {
            Ok(()) => Ok(Answer::Done),
            Err(errno) => Err(place.refused(errno)),
        }
    }

    /// A new symbolic link; what stands there is not replaced.
    pub(super) fn link(&self, target: &[u8], path: &[u8]) -> Result<Answer, Failure> {
        let place = self.place(path)?;
        if target.is_empty() || target.contains(&0) {
            return Err(failure(Field::To, target, Reason::Invalid));
        }
        match symlinkat(target, CWD, place.bytes()) {
            Ok(()) => Ok(Answer::Done),
            Err(errno) => Err(place.refused(errno)),
        }
    }

    /// A file that exists afterwards. A link is refused.
    pub(super) fn touch(
        &self,
        path: &[u8],
        time: Option<Time>,
        mode: Option<u16>,
        ownership: &Ownership,
    ) -> Result<Answer, Failure> {
        let place = self.place(path)?;
        let times = time.map(timestamps).transpose()?;
        let bits = Bits::new(mode, PRIVATE)?;
        let owner = self.owner(ownership, &place)?;
        let spot = place.spot(Hold::Reach)?;
        match spot.create(bits, &owner, times.as_ref()) {
            Err(failure) if failure.reason == exists() => touch_existing(&spot, times),
            made => made.map(|()| Answer::Done),
        }
    }
}

impl Spot {
    /// Makes an empty file that was not there; leaves nothing when it cannot be as it shall.
    fn create(&self, bits: Bits, owner: &Owner, times: Option<&Timestamps>) -> Result<(), Failure> {
        if self.wants_directory {
            // There may be a directory of this name, but never a new file.
            return Err(self.place.refused(Errno::EXIST));
        }
        let file = self.create_file(OFlags::WRONLY)?;
        let finish = || {
            owner.give(&file, &self.place)?;
            bits.give(&file, &self.place)?;
            let set = times.map_or(Ok(()), |times| futimens(&file, times));
            set.map_err(|errno| self.place.refused(errno))
        };
        finish().inspect_err(|_| {
            // It is empty and just made; what refuses this would also have refused to make it.
            let _ = unlinkat(&self.directory, &self.name, AtFlags::empty());
        })
    }

    /// Makes and opens a file of mode `0o600` at most; `EEXIST` when something stands there.
    pub(super) fn create_file(&self, access: OFlags) -> Result<std::os::fd::OwnedFd, Failure> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let flags = flags | OFlags::NOCTTY | access;
        let file = openat(&self.directory, &self.name, flags, PRIVATE);
        file.map_err(|errno| self.place.refused(errno))
    }
}

/// The reason of a file that cannot be made because there is one.
pub(super) fn exists() -> Reason {
    Reason::Errno(Errno::EXIST.raw_os_error())
}

fn touch_existing(spot: &Spot, times: Option<Timestamps>) -> Result<Answer, Failure> {
    match spot.look()? {
        None => return Err(spot.place.refused(Errno::NOENT)),
        Some(raw) if kind(&raw) == FileType::Symlink => {
            return Err(spot.place.refused(Errno::LOOP));
        }
        Some(_) => {}
    }
    let times = times.unwrap_or_else(now);
    let set = utimensat(
        &spot.directory,
        &spot.name,
        &times,
        AtFlags::SYMLINK_NOFOLLOW,
    );
    match set {
        Ok(()) => Ok(Answer::Done),
        Err(errno) => Err(spot.place.refused(errno)),
    }
}

fn now() -> Timestamps {
    both(Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    })
}

fn timestamps(time: Time) -> Result<Timestamps, Failure> {
    let Time {
        seconds,
        nanoseconds,
    } = time;
    if nanoseconds >= 1_000_000_000 {
        let text = format!("{seconds} {nanoseconds}");
        return Err(failure(Field::Request, text.as_bytes(), Reason::Invalid));
    }
    Ok(both(Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds.into(),
    }))
}

fn both(time: Timespec) -> Timestamps {
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// The kernel says what is wrong, but not with which of the two names.
fn rename_refused(from: &Place, to: &Place, errno: Errno) -> Failure {
    if let Err(errno) = statat(CWD, from.bytes(), AtFlags::SYMLINK_NOFOLLOW) {
        return from.refused(errno);
    }
    let is_denied = [Errno::ACCESS, Errno::PERM, Errno::ROFS].contains(&errno);
    match errno == Errno::INVAL || (is_denied && !from.may_go()) {
        true => from.refused(errno),
        false => Failure {
            field: Field::To,
            ..to.refused(errno)
        },
    }
}
