//! What a child does until it is its program: system calls, and nothing else.
//!
//! `unsafe` because it runs in its parent's memory, by plain pointers; the module above says what keeps
//! that sound.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr::null_mut;

use convoke_proto::exit::Stage;

use super::Credentials;
use super::lookup::{PATH_MAX, candidates};
use crate::signals;

/// Joins a new session keyring when no name comes with it.
const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;

/// What the child reads and, at the end, writes. Plain pointers into memory that the parent keeps.
pub(super) struct Shared {
    pub(super) name: *const [u8],
    pub(super) path: *const [u8],
    pub(super) argv: *const *const c_char,
    pub(super) env: *const *const c_char,
    pub(super) credentials: *const Credentials,
    pub(super) directory: *const c_char,
    pub(super) at_home: bool,
    pub(super) umask: Option<libc::mode_t>,
    pub(super) files: *const [(RawFd, RawFd)],
    /// Our number, when the child is to die with us.
    pub(super) dies_with: Option<libc::pid_t>,
    pub(super) ignored: *const [c_int],
    pub(super) nofile: Option<libc::rlimit>,
    pub(super) failed: Option<Stage>,
    pub(super) errno: c_int,
    pub(super) tried: usize,
}

/// The child, in the parent's memory.
pub(super) extern "C" fn child(shared: *mut c_void) -> c_int {
    // SAFETY: the parent passed a `Shared` and sleeps; its pointers are valid until it wakes.
    unsafe {
        let shared = &mut *shared.cast::<Shared>();
        let stage = match prepare(shared) {
            Ok(()) => execute(shared),
            Err(stage) => stage,
        };
        shared.failed = Some(stage);
        if shared.errno == 0 {
            shared.errno = errno();
        }
        libc::_exit(127)
    }
}

/// Makes this process what the program expects to be.
unsafe fn prepare(shared: &mut Shared) -> Result<(), Stage> {
    // SAFETY: see `child`; every call takes plain numbers or pointers that the parent keeps valid.
    unsafe {
        libc::setsid();
        if let Some(parent) = shared.dies_with {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            // It may be dead already, which nobody would say again.
            if libc::getppid() != parent {
                libc::_exit(127);
            }
        }
        for &(ours, number) in &*shared.files {
            if libc::dup2(ours, number) < 0 {
                return Err(Stage::Fork);
            }
        }
        if let Some(limit) = &shared.nofile {
            libc::setrlimit(libc::RLIMIT_NOFILE, limit);
        }
        if let Some(mask) = shared.umask {
            libc::umask(mask);
        }
        become_user(shared.credentials)?;
        let entered = libc::chdir(shared.directory) == 0
            || (shared.at_home && libc::chdir(c"/".as_ptr()) == 0);
        if !entered {
            return Err(Stage::Cwd);
        }
        for &signal in &*shared.ignored {
            signals::reset(signal);
        }
        let mut none = MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), null_mut());
    }
    Ok(())
}

/// Takes on what is not null. By the kernel's own calls: those of the C library change every thread that
/// shares its memory, which are our parent's.
unsafe fn become_user(credentials: *const Credentials) -> Result<(), Stage> {
    // SAFETY: see `child`.
    unsafe {
        let Some(Credentials { uid, gid, groups }) = credentials.as_ref() else {
            return Ok(());
        };
        // The keys of our own session are nobody else's. Refused where the kernel has no keys.
        libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0_usize);
        if libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) != 0
            || libc::syscall(libc::SYS_setresgid, *gid, *gid, *gid) != 0
        {
            return Err(Stage::Group);
        }
        match libc::syscall(libc::SYS_setresuid, *uid, *uid, *uid) {
            0 => Ok(()),
            _ => Err(Stage::User),
        }
    }
}

/// Executes the first program that the path has, by the rules of `execvp`, but that a script without `#!` is refused;
/// returns when none can be.
unsafe fn execute(shared: &mut Shared) -> Stage {
    // SAFETY: see `child`.
    unsafe {
        let (name, path) = (&*shared.name, &*shared.path);
        let mut denied = false;
        let mut buffer = [0_u8; PATH_MAX];
        for place in candidates(name, path) {
            shared.tried += 1;
            shared.errno = match place.join(name, &mut buffer) {
                true => {
                    libc::execve(buffer.as_ptr().cast(), shared.argv, shared.env);
                    errno()
                }
                false => libc::ENAMETOOLONG,
            };
            match shared.errno {
                libc::EACCES => denied = true,
                libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {}
                _ => return Stage::Exec,
            }
        }
        if denied {
            shared.errno = libc::EACCES;
        }
    }
    Stage::Exec
}

fn errno() -> c_int {
    // SAFETY: the address of this thread's own number.
    unsafe { *libc::__errno_location() }
}
