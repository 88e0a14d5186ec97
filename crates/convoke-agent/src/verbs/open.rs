//! Files that are open for longer than one operation, and bytes of them.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use convoke_proto::file::{Access, Creation, Get, Open, Stat};
use convoke_proto::operation::{Answer, Failure, Field, MAX_CONTENT, Reason};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, SeekFrom, Stat as Raw, fcntl_getfl, fstat, fsync,
    ftruncate, openat, seek, statat, unlinkat,
};
use rustix::io::{Errno, pread, pwrite, read as read_some, write};

use super::owner::{Bits, Owner, PRIVATE};
use super::path::{Hold, Place, Spot, failure, kind};
use super::stat::file_kind;
use super::{OpenFiles, Verbs};

/// How often a file that comes and goes is tried to be opened.
const TRIES: usize = 8;

impl Verbs {
    /// The content of a short file; one whose size the kernel does not tell is read to its end.
    pub(super) fn read_whole(&self, path: &[u8], limit: u32) -> Result<Answer, Failure> {
        let place = self.place(path)?;
        let (file, raw) = open_existing(&place, Access::Read)?;
        let limit = (limit as usize).min(MAX_CONTENT);
        let too_long = || place.failure(Reason::TooLong);
        if raw.st_size as u64 > limit as u64 {
            return Err(too_long());
        }
        let mut content = vec![0; limit + 1];
        let mut length = 0;
        while let Some(room) = content.get_mut(length..).filter(|room| !room.is_empty()) {
            match read_some(&file, room) {
                Ok(0) => {
                    content.truncate(length);
                    return Ok(Answer::Content(content.into()));
                }
                Ok(count) => length += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(place.refused(errno)),
            }
        }
        Err(too_long())
    }

    /// What is true of an open file.
    pub(super) fn stat_open(&self, files: &dyn OpenFiles, channel: u32) -> Result<Answer, Failure> {
        let file = find(files, channel)?;
        let raw = fstat(&file).map_err(|errno| refused(channel, errno))?;
        Ok(Answer::Stat(Some(Box::new(self.of(&raw)))))
    }
}

/// Opens a file as a request says.
pub(super) fn open(verbs: &Verbs, open: &Open) -> Result<(File, Stat), Failure> {
    let place = verbs.place(&open.path)?;
    let bits = Bits::new(open.mode, PRIVATE)?;
    let owner = verbs.owner(&open.ownership, &place)?;
    let (file, raw) = match open.creation {
        Creation::Never => open_existing(&place, open.access)?,
        _ => open_or_make(&place, open, bits, &owner)?,
    };
    Ok((File::from(file), verbs.of(&raw)))
}

/// Opens a file to be read from its offset.
pub(super) fn read(verbs: &Verbs, get: &Get) -> Result<(File, Stat), Failure> {
    let place = verbs.place(&get.path)?;
    let (file, raw) = open_existing(&place, Access::Read)?;
    if get.offset > 0 {
        let gone = seek(&file, SeekFrom::Start(get.offset));
        gone.map_err(|errno| place.refused(errno))?;
    }
    Ok((File::from(file), verbs.of(&raw)))
}

/// Opens a regular file that is there. To be read, a link at its end is followed; to be written, it is
/// refused.
fn open_existing(place: &Place, access: Access) -> Result<(OwnedFd, Raw), Failure> {
    let refused = |errno| place.refused(errno);
    let (look, follow) = match access {
        Access::Read => (AtFlags::empty(), OFlags::empty()),
        _ => (AtFlags::SYMLINK_NOFOLLOW, OFlags::NOFOLLOW),
    };
    // To open a device can have effects of its own, so it is known before; but it may change meanwhile.
    let before = statat(CWD, place.bytes(), look).map_err(refused)?;
    check_regular(place, &before)?;
    let harmless = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let flags = flags_of(access) | follow | harmless;
    let file = openat(CWD, place.bytes(), flags, Mode::empty()).map_err(refused)?;
    let raw = fstat(&file).map_err(refused)?;
    check_regular(place, &raw)?;
    Ok((file, raw))
}

fn check_regular(place: &Place, raw: &Raw) -> Result<(), Failure> {
    match kind(raw) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(place.refused(Errno::ISDIR)),
        FileType::Symlink => Err(place.refused(Errno::LOOP)),
        other => Err(place.failure(Reason::Kind(file_kind(other)))),
    }
}

fn flags_of(access: Access) -> OFlags {
    match access {
        Access::Read => OFlags::RDONLY,
        Access::Write => OFlags::WRONLY,
        Access::ReadWrite => OFlags::RDWR,
        Access::Append => OFlags::WRONLY | OFlags::APPEND,
    }
}

fn open_or_make(
    place: &Place,
    open: &Open,
    bits: Bits,
    owner: &Owner,
) -> Result<(OwnedFd, Raw), Failure> {
    let spot = place.clone().spot(Hold::Reach)?;
    for _ in 0..TRIES {
        match make(&spot, open.access, bits, owner) {
            Err(failure)
                if failure.reason == super::change::exists() && open.creation != Creation::New => {}
            made => return made,
        }
        match open_existing(place, open.access) {
            Err(failure) if is_missing(&failure) && spot.look()?.is_none() => {}
            opened => {
                let (file, raw) = opened?;
                if owner.user != Some(raw.st_uid) {
                    spot.check_planted(&raw)?;
                }
                return empty(place, open.creation, (file, raw));
            }
        }
    }
    Err(place.refused(Errno::AGAIN))
}

fn is_missing(failure: &Failure) -> bool {
    failure.reason == Reason::Errno(Errno::NOENT.raw_os_error())
}

/// Makes a file that is not there; leaves nothing when it cannot be as it shall.
fn make(spot: &Spot, access: Access, bits: Bits, owner: &Owner) -> Result<(OwnedFd, Raw), Failure> {
    if spot.wants_directory {
        return Err(spot.place.refused(Errno::ISDIR));
    }
    let file = spot.create_file(flags_of(access))?;
    let finish = || {
        owner.give(&file, &spot.place)?;
        bits.give(&file, &spot.place)?;
        fstat(&file).map_err(|errno| spot.place.refused(errno))
    };
    match finish() {
        Ok(raw) => Ok((file, raw)),
        Err(failure) => {
            // It is empty and just made; what refuses this would also have refused to make it.
            let _ = unlinkat(&spot.directory, &spot.name, AtFlags::empty());
            Err(failure)
        }
    }
}

fn empty(
    place: &Place,
    creation: Creation,
    (file, raw): (OwnedFd, Raw),
) -> Result<(OwnedFd, Raw), Failure> {
    if creation != Creation::Empty {
        return Ok((file, raw));
    }
    let refused = |errno| place.refused(errno);
    ftruncate(&file, 0).map_err(refused)?;
    let raw = fstat(&file).map_err(refused)?;
    Ok((file, raw))
}

/// Bytes from a position; fewer than asked for only at the end of the file.
pub(super) fn read_at(
    files: &dyn OpenFiles,
    channel: u32,
    offset: u64,
    limit: u32,
) -> Result<Answer, Failure> {
    let file = find(files, channel)?;
    let mut content = vec![0; (limit as usize).min(MAX_CONTENT)];
    let mut length = 0;
    while let Some(room) = content.get_mut(length..).filter(|room| !room.is_empty()) {
        match pread(&file, room, offset.saturating_add(length as u64)) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(Errno::INTR) => {}
            // What came before the error is told now, the error when it is asked for what follows.
            Err(_) if length > 0 => break,
            Err(errno) => return Err(refused(channel, errno)),
        }
    }
    content.truncate(length);
    Ok(Answer::Content(content.into()))
}

/// Writes bytes at a position, or at the end; the kernel puts all that goes to a file opened for appending
/// at its end. Where they end is the answer. A failure says nothing of how much was written before it, and
/// two of these at once that name no position may write to the same one.
pub(super) fn write_at(
    files: &dyn OpenFiles,
    channel: u32,
    offset: Option<u64>,
    content: &[u8],
) -> Result<Answer, Failure> {
    let file = find(files, channel)?;
    let wrong = |errno| refused_content(channel, errno);
    let appends = fcntl_getfl(&file).map_err(wrong)?.contains(OFlags::APPEND);
    let mut position = match (offset, appends) {
        (Some(offset), false) => offset,
        (None, false) => fstat(&file).map_err(wrong)?.st_size as u64,
        (_, true) => 0,
    };
    let mut rest = content;
    while !rest.is_empty() {
        let written = match appends {
            true => write(&file, rest),
            false => pwrite(&file, rest, position),
        };
        match written {
            Ok(0) => return Err(wrong(Errno::IO)),
            Ok(count) => {
                rest = rest.get(count..).unwrap_or_default();
                position = position.saturating_add(count as u64);
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(wrong(errno)),
        }
    }
    if appends {
        position = seek(&file, SeekFrom::Current(0)).map_err(wrong)?;
    }
    Ok(Answer::Position(position))
}

/// Gives an open file another length.
pub(super) fn set_length(
    files: &dyn OpenFiles,
    channel: u32,
    length: u64,
) -> Result<Answer, Failure> {
    let file = find(files, channel)?;
    match ftruncate(&file, length) {
        Ok(()) => Ok(Answer::Done),
        Err(errno) => Err(refused_content(channel, errno)),
    }
}

/// Has an open file written to its disk.
pub(super) fn sync(files: &dyn OpenFiles, channel: u32) -> Result<Answer, Failure> {
    let file = find(files, channel)?;
    match fsync(&file) {
        Ok(()) => Ok(Answer::Done),
        Err(errno) => Err(refused_content(channel, errno)),
    }
}

fn find(files: &dyn OpenFiles, channel: u32) -> Result<Arc<File>, Failure> {
    let unknown = || failure(Field::File, channel.to_string().as_bytes(), Reason::Unknown);
    files.file(channel).ok_or_else(unknown)
}

fn refused(channel: u32, errno: Errno) -> Failure {
    let reason = Reason::Errno(errno.raw_os_error());
    failure(Field::File, channel.to_string().as_bytes(), reason)
}

fn refused_content(channel: u32, errno: Errno) -> Failure {
    Failure {
        field: Field::Content,
        ..refused(channel, errno)
    }
}
