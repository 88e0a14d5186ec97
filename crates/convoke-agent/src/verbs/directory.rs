//! New directories.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use bstr::ByteSlice;
use convoke_proto::file::Ownership;
use convoke_proto::operation::{Answer, Failure, Field, Parents, Reason};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Stat as Raw, chmodat, fstat, mkdirat, openat, statat,
    unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::Verbs;
use super::list::next_batch;
use super::owner::{Owner, checked, mode_refused};
use super::path::{Hold, Place, failure, kind, open_directory};

/// How often another name is tried for a temporary directory.
const TRIES: usize = 64;

/// The letters of random names.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// How a new directory shall be.
struct Shape {
    /// The bits that were asked for; `0o700`, and what the directory above hands on, when absent.
    mode: Option<Mode>,
    owner: Owner,
}

impl Verbs {
    /// A new directory; with [`Parents::Made`] also those above it. What was made of them stays when a
    /// later one cannot be made.
    pub(super) fn make_directory(
        &self,
        path: &[u8],
        mode: Option<u16>,
        ownership: &Ownership,
        parents: Parents,
    ) -> Result<Answer, Failure> {
        let place = self.place(path)?;
        let shape = Shape {
            mode: mode.map(checked).transpose()?,
            owner: self.owner(ownership, &place)?,
        };
        match parents {
            Parents::Exist => {
                let spot = place.spot(Hold::Reach)?;
                make(&spot.directory, &spot.name, &spot.place, &shape)?;
            }
            Parents::Made => make_all(&place, &shape)?,
        }
        Ok(Answer::Done)
    }

    /// A new directory whose name nobody else has; `TMPDIR` of the login, else `/tmp`, is where.
    pub(super) fn temporary_directory(
        &self,
        parent: Option<&[u8]>,
        prefix: &[u8],
    ) -> Result<Answer, Failure> {
        if prefix.contains(&b'/') || prefix.contains(&0) {
            return Err(failure(Field::Request, prefix, Reason::Invalid));
        }
        let usual = self.login.variable("TMPDIR");
        let usual = usual.filter(|path| !path.is_empty()).unwrap_or(b"/tmp");
        let place = self.place(parent.unwrap_or(usual))?;
        let above = open_directory(CWD, place.bytes(), Hold::Reach);
        let above = above.map_err(|errno| place.refused(errno))?;
        let shape = Shape {
            mode: Some(Mode::RWXU),
            owner: Owner::default(),
        };
        for _ in 0..TRIES {
            let suffix = random_name().map_err(|errno| place.refused(errno))?;
            let name = [prefix, suffix.as_slice()].concat();
            let place = place.inside(&name);
            match make(&above, &name, &place, &shape) {
                Err(failure) if failure.reason == super::change::exists() => {}
                made => return made.map(|_| Answer::Path(Some(place.path))),
            }
        }
        Err(place.refused(Errno::EXIST))
    }
}

/// Twelve letters that nobody can guess.
pub(super) fn random_name() -> Result<[u8; 12], Errno> {
    let mut bytes = [0; 12];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(count) if count == bytes.len() => {}
        // Kernels before 3.17 have no such call.
        _ => {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let device = rustix::fs::open(c"/dev/urandom", flags, Mode::empty())?;
            if rustix::io::read(&device, &mut bytes)? != bytes.len() {
                return Err(Errno::IO);
            }
        }
    }
    Ok(bytes.map(|byte| {
        LETTERS
            .get(usize::from(byte) % LETTERS.len())
            .copied()
            .unwrap_or(b'a')
    }))
}

/// Makes one directory and opens it. Nobody but us sees into it before it is as it shall be, and when it
/// cannot be, it is removed again.
fn make(above: impl AsFd, name: &[u8], place: &Place, shape: &Shape) -> Result<OwnedFd, Failure> {
    let refused = |errno| place.refused(errno);
    mkdirat(&above, name, Mode::RWXU).map_err(refused)?;
    let finish = || {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(&above, name, flags, Mode::empty()).map_err(refused)?;
        let raw = fstat(&made).map_err(refused)?;
        let is_ours = raw.st_uid == geteuid().as_raw();
        // Some file systems choose the owner themselves. Else somebody has put another one there meanwhile,
        // which is not ours to change.
        if (!is_ours && !shape.is_that_of(&raw)) || !is_empty(&made, is_ours) {
            return Err(refused(Errno::EXIST));
        }
        if !shape.is_that_of(&raw) {
            shape.give(&made, Mode::from_raw_mode(raw.st_mode & 0o7777), place)?;
        }
        Ok(made)
    };
    finish().inspect_err(|_| {
        // It is empty and just made; what refuses this would also have refused to make it.
        let _ = unlinkat(&above, name, AtFlags::REMOVEDIR);
    })
}

/// Whether nothing is in a new directory, as far as it may be read; one of ours may be closed by the umask.
fn is_empty(made: &OwnedFd, is_ours: bool) -> bool {
    match open_directory(made, b".", Hold::Read).and_then(next_batch) {
        Ok(entries) => entries.is_empty(),
        Err(_) => is_ours,
    }
}

impl Shape {
    /// Whether a new directory is so already, and needs no change.
    fn is_that_of(&self, raw: &Raw) -> bool {
        let now = Mode::from_raw_mode(raw.st_mode & 0o7777);
        self.mode.unwrap_or(now | Mode::RWXU) == now
            && self.owner.user.is_none_or(|user| user == raw.st_uid)
            && self.owner.group.is_none_or(|group| group == raw.st_gid)
    }

    /// Changes a directory that is only held, which the kernel allows by a name of the descriptor alone.
    fn give(&self, made: &OwnedFd, now: Mode, place: &Place) -> Result<(), Failure> {
        if !self.owner.is_empty() {
            let flags = AtFlags::EMPTY_PATH;
            let given = rustix::fs::chownat(made, c"", self.owner.uid(), self.owner.gid(), flags);
            given.map_err(|errno| self.owner.refused(place, errno))?;
        }
        let wanted = self.mode.unwrap_or(now | Mode::RWXU);
        if wanted == now {
            return Ok(());
        }
        let name = format!("/proc/self/fd/{}", made.as_raw_fd());
        let set = match chmodat(CWD, &name, wanted, AtFlags::empty()) {
            // There is no `/proc`: the directory must be opened for real.
            Err(Errno::NOENT) => open_directory(made, b".", Hold::Read)
                .and_then(|made| rustix::fs::fchmod(&made, wanted)),
            set => set,
        };
        set.map_err(|errno| mode_refused(wanted, place, errno))
    }
}

/// Makes what is missing of a path, from the deepest directory that is there.
fn make_all(place: &Place, shape: &Shape) -> Result<(), Failure> {
    let path = place.path.trim_end_with(|letter| letter == '/');
    let (mut above, rest) = deepest(path).map_err(|errno| place.refused(errno))?;
    let mut made_up_to = path.len() - rest.len();
    for name in rest.split(|byte| *byte == b'/') {
        made_up_to += name.len() + 1;
        if name.is_empty() {
            continue;
        }
        let whole = Place {
            path: path.get(..made_up_to - 1).unwrap_or(path).into(),
        };
        above = match make(&above, name, &whole, shape) {
            // Somebody else was faster, or it is one of `.` and `..`.
            Err(failure) if failure.reason == super::change::exists() => {
                open_directory(&above, name, Hold::Reach).map_err(|errno| whole.refused(errno))?
            }
            made => made?,
        };
    }
    Ok(())
}

/// The deepest directory of a path that is there, and the rest of the path.
fn deepest(path: &[u8]) -> Result<(OwnedFd, &[u8]), Errno> {
    let mut end = path.len();
    loop {
        let there = path.get(..end).unwrap_or_default();
        let opened = match there {
            b"" => open_directory(CWD, b"/", Hold::Reach),
            there => open_directory(CWD, there, Hold::Reach),
        };
        match opened {
            Ok(directory) => return Ok((directory, path.get(end..).unwrap_or_default())),
            Err(Errno::NOENT) if !there.is_empty() && !is_dangling(there) => {
                let slash = there.iter().rposition(|byte| *byte == b'/');
                end = slash.unwrap_or_default();
            }
            // What stands at the end and is no directory was asked to be one.
            Err(Errno::NOTDIR) if end == path.len() && stands(there) => return Err(Errno::EXIST),
            Err(errno) => return Err(errno),
        }
    }
}

fn is_dangling(path: &[u8]) -> bool {
    let raw = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW);
    raw.is_ok_and(|raw| kind(&raw) == FileType::Symlink)
}

fn stands(path: &[u8]) -> bool {
    statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}
