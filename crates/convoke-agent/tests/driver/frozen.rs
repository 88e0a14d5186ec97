//! Files that keep whoever wants them waiting: those of a file system that hangs, and one under a lease.
//!
//! A file system hangs when it is mounted and nobody ever answers for it.
//!
//! `unsafe` because mounting has no safe door here: every call passes texts that outlive it.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::null;

use tempfile::TempDir;

/// A file system that hangs, in the mounts of this thread and of what it starts from now on.
pub struct Frozen {
    /// Over which the kernel asks; ends the file system when it is closed.
    asked: Option<File>,
    path: PathBuf,
    _place: TempDir,
}

impl Frozen {
    /// Mounts one, on a thread that has no agent yet. None where that is not possible and need not be: says so.
    pub fn mount() -> Option<Self> {
        match Self::try_mount() {
            Ok(frozen) => Some(frozen),
            Err(error) => {
                let may_skip = std::env::var_os("CONVOKE_TEST_SKIP_MOUNT");
                assert!(
                    may_skip.is_some_and(|value| value == "1"),
                    "no FUSE here ({error}): run as root, or set CONVOKE_TEST_SKIP_MOUNT=1"
                );
                println!("skipped frozen: no FUSE here, and CONVOKE_TEST_SKIP_MOUNT=1");
                None
            }
        }
    }

    fn try_mount() -> std::io::Result<Self> {
        // SAFETY: takes plain numbers; only this thread gets other mounts.
        check(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
        mount(
            c"none",
            Path::new("/"),
            None,
            libc::MS_REC | libc::MS_PRIVATE,
            None,
        )?;
        let asked = File::options().read(true).write(true).open("/dev/fuse")?;
        let place = tempfile::tempdir()?;
        let path = place.path().join("frozen");
        std::fs::create_dir(&path)?;
        let number = asked.as_raw_fd();
        let data = format!("fd={number},rootmode=40000,user_id=0,group_id=0,allow_other");
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        mount(
            c"frozen",
            &path,
            Some(c"fuse"),
            flags,
            Some(CString::new(data)?),
        )?;
        Ok(Frozen {
            asked: Some(asked),
            path,
            _place: place,
        })
    }

    /// Where it is mounted. Whoever looks at it waits.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the wait: whoever waits gets an error, and so does who looks from now on.
    pub fn fail(&mut self) {
        self.asked = None;
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.fail();
        if let Ok(path) = CString::new(self.path.as_os_str().as_bytes()) {
            // SAFETY: reads a local.
            unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
        }
    }
}

fn mount(
    source: &CStr,
    target: &Path,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    data: Option<CString>,
) -> std::io::Result<()> {
    let target = CString::new(target.as_os_str().as_bytes())?;
    let kind = kind.map_or(null(), CStr::as_ptr);
    let options = data.as_deref().map_or(null(), CStr::as_ptr).cast();
    // SAFETY: all texts live until the call is over.
    check(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind, flags, options) })
}

fn check(done: libc::c_int) -> std::io::Result<()> {
    match done {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// A lease of a file: whoever opens the file waits, also to execute it, until this is dropped, or for
/// `/proc/sys/fs/lease-break-time`, which is 45 s.
pub struct Lease(File);

impl Lease {
    /// Takes the lease of a file that nobody has open.
    pub fn of(path: &Path) -> Self {
        let lease = Lease(File::open(path).unwrap());
        // The signal that says so would end this process, were it the default one.
        const SET_SIGNAL: libc::c_int = 10;
        lease.control(SET_SIGNAL, libc::SIGCHLD);
        lease.control(libc::F_SETLEASE, libc::F_WRLCK);
        lease
    }

    /// Whether somebody waits for it.
    pub fn is_wanted(&self) -> bool {
        self.control(libc::F_GETLEASE, 0) != libc::F_WRLCK
    }

    fn control(&self, command: libc::c_int, argument: libc::c_int) -> libc::c_int {
        // SAFETY: takes plain numbers.
        let done = unsafe { libc::fcntl(self.0.as_raw_fd(), command, argument) };
        assert!(done >= 0, "{}", std::io::Error::last_os_error());
        done
    }
}
