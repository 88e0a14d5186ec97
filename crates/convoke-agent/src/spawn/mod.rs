//! Starts a program in a session of its own.
//!
//! The child shares the agent's memory until it executes (`clone` with `CLONE_VM` and `CLONE_VFORK`
//! on a stack of its own): no page table is copied, and the kernel wakes us when the program runs or
//! the child has written down why it does not. Everything it needs is prepared beforehand; it only
//! makes system calls.
//!
//! The fastest of three in `benches/spawn.rs`, start and end of `true` on two busy cores, the
//! median: 680 µs, against 720 µs for the C library's `posix_spawn` without a session of its own and
//! 900 µs for fork and exec of a small program; a larger one pays more for its page tables.
//!
//! `unsafe` because that is what sharing memory with a half-born process is. What keeps it sound: the
//! parent sleeps until the child is gone from its memory, all signals are blocked meanwhile, and the
//! child neither allocates nor returns.
#![allow(unsafe_code)]

mod birth;
mod child;
mod lookup;

use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};
use std::sync::{Mutex, OnceLock, PoisonError};

use convoke_proto::exit::{NotStarted, Stage};
use rustix::process::{Pid, WaitOptions, getpid, waitpid};

use crate::signals;

use child::{Shared, child};
use lookup::{MAX_TRIED, search_path, tried_paths};

pub use birth::Birth;
pub(crate) use lookup::DEFAULT_PATH;

/// The child's stack in bytes. It holds a path and a few small frames, also of an unoptimised build.
const STACK: usize = 64 * 1024;

/// The limit of descriptors that programs get back, once ours is raised.
static NOFILE: OnceLock<libc::rlimit> = OnceLock::new();

/// How many children that became somebody else share our memory now.
static STRANGERS: Mutex<usize> = Mutex::new(0);

/// Everything about a program that is to be started.
#[derive(Debug)]
pub struct Program {
    /// What is looked up in the `PATH` of `env`, or used directly when it holds a slash.
    pub name: CString,
    /// The arguments, the first of which is what the program is called.
    pub argv: Vec<CString>,
    /// The whole environment, as `NAME=value`.
    pub env: Vec<CString>,
    /// As whom it runs, and enters its directory; as ourselves when absent.
    pub credentials: Option<Credentials>,
    /// The working directory.
    pub directory: Directory,
    /// The file mode mask; ours when absent.
    pub umask: Option<libc::mode_t>,
    /// Which of our descriptors the program gets, and on which numbers; 0, 1 and 2 are kept when not named.
    pub files: Vec<(OwnedFd, RawFd)>,
    /// Whether it is killed when the thread that started it ends, in whatever way.
    pub dies_with_us: bool,
}

/// As whom a program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub uid: libc::uid_t,
    /// The primary group.
    pub gid: libc::gid_t,
    /// All other groups.
    pub groups: Vec<libc::gid_t>,
}

/// A working directory.
#[derive(Debug)]
pub enum Directory {
    /// This one or no start.
    Given(CString),
    /// This one, or the root when it cannot be entered.
    Home(CString),
}

/// Starts programs; holds what every start needs.
#[derive(Debug)]
pub struct Spawner {
    stack: Box<[MaybeUninit<u8>]>,
    /// Signals that this process ignores and a program must not.
    ignored: Vec<c_int>,
}

impl Spawner {
    /// A spawner for programs that get the signal actions at their defaults, whatever ours are now.
    pub fn new() -> Self {
        Spawner {
            stack: vec![MaybeUninit::uninit(); STACK].into(),
            ignored: signals::ignored(),
        }
    }

    /// Raises our own limit of descriptors to the hard one; every program gets the old one back.
    pub fn raise_descriptor_limit() {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: both calls read or write one local.
        unsafe {
            if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) != 0
                || limit.rlim_cur == limit.rlim_max
            {
                return;
            }
            let raised = libc::rlimit {
                rlim_cur: limit.rlim_max,
                ..limit
            };
            if libc::setrlimit(libc::RLIMIT_NOFILE, &raised) == 0 {
                // Set before: then that one is the programs' still.
                let _ = NOFILE.set(limit);
            }
        }
    }

    /// Starts `program`: own session, no controlling terminal, default signals, empty mask.
    ///
    /// Returns when it runs. Its descriptors above 2 are those of [`Program::files`] as long as every
    /// other one of ours is closed on exec. The caller reaps it. Sleeps as long as entering the
    /// directory and reading the program's first page takes, also on a file system that hangs.
    ///
    /// # Errors
    /// The stage, the kernel's error and the paths that were tried.
    pub fn spawn(&mut self, program: &Program) -> Result<Pid, NotStarted> {
        let birth = Birth::default();
        let spawned = self.spawn_known(program, &birth);
        if let (Err(_), Some(pid)) = (&spawned, birth.pid()) {
            // It ended by itself and is ours to reap.
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
        spawned
    }

    /// The same where other threads may reap or kill the child meanwhile, whose number is in `birth` as soon as
    /// it exists. The caller reaps also the child that no program came of.
    ///
    /// # Errors
    /// As [`Spawner::spawn`].
    pub fn spawn_known(&mut self, program: &Program, birth: &Birth) -> Result<Pid, NotStarted> {
        let spawned = self.spawn_into(program, birth);
        birth.settle();
        spawned
    }

    fn spawn_into(&mut self, program: &Program, birth: &Birth) -> Result<Pid, NotStarted> {
        let path = search_path(&program.env);
        let argv = pointers(&program.argv);
        let env = pointers(&program.env);
        let moved = move_files(&program.files).map_err(|error| not_forked(&error))?;
        let (directory, at_home) = match &program.directory {
            Directory::Given(path) => (path, false),
            Directory::Home(path) => (path, true),
        };
        let mut shared = Shared {
            name: program.name.as_bytes(),
            path,
            argv: argv.as_ptr(),
            env: env.as_ptr(),
            credentials: program
                .credentials
                .as_ref()
                .map_or(null(), |credentials| credentials),
            directory: directory.as_ptr(),
            at_home,
            umask: program.umask,
            files: moved.pairs.as_slice(),
            dies_with: program
                .dies_with_us
                .then(|| getpid().as_raw_nonzero().get()),
            ignored: self.ignored.as_slice(),
            nofile: NOFILE.get().copied(),
            failed: None,
            errno: 0,
            tried: 0,
        };
        let is_stranger = program.credentials.is_some();
        if is_stranger {
            stranger_comes();
        }
        let pid = self.clone_into(&mut shared, birth);
        if is_stranger {
            stranger_is_gone();
        }
        let pid = pid.map_err(|error| not_forked(&error))?;
        let Some(stage) = shared.failed else {
            return Pid::from_raw(pid)
                .ok_or_else(|| not_forked(&io::Error::from_raw_os_error(libc::ECHILD)));
        };
        let tried = match stage {
            Stage::User | Stage::Group => Vec::new(),
            Stage::Cwd => {
                let path = directory.as_bytes();
                vec![path.get(..MAX_TRIED).unwrap_or(path).into()]
            }
            _ => tried_paths(program.name.as_bytes(), path, shared.tried),
        };
        Err(NotStarted {
            stage,
            errno: shared.errno,
            tried,
        })
    }

    fn clone_into(&mut self, shared: &mut Shared, birth: &Birth) -> io::Result<c_int> {
        let known = libc::CLONE_PARENT_SETTID;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | known | libc::SIGCHLD;
        let mut all = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: the stack outlives the child's use of it, as CLONE_VFORK keeps us here; with every
        // signal blocked no handler runs on it. Both sets are filled before they are read.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            let top = self.stack.as_mut_ptr_range().end;
            let top = top.wrapping_sub(top as usize % 16).cast::<c_void>();
            let shared = (&raw mut *shared).cast();
            let pid = libc::clone(child, top, flags, shared, birth.number.as_ptr());
            let error = io::Error::last_os_error();
            libc::sigprocmask(libc::SIG_SETMASK, before.as_ptr(), null_mut());
            if pid < 0 { Err(error) } else { Ok(pid) }
        }
    }
}

/// A child will become somebody else, which makes the memory that we share with it secret.
fn stranger_comes() {
    *STRANGERS.lock().unwrap_or_else(PoisonError::into_inner) += 1;
}

/// A child that became somebody else is gone from our memory. With the last one that is no secret any more:
/// `/proc` would show nothing of us to our own user. Not before: one that is left could be traced by its user,
/// who would have our memory.
fn stranger_is_gone() {
    let mut strangers = STRANGERS.lock().unwrap_or_else(PoisonError::into_inner);
    *strangers = strangers.saturating_sub(1);
    if *strangers == 0 {
        // SAFETY: takes plain numbers.
        unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
    }
}

impl Default for Spawner {
    fn default() -> Self {
        Self::new()
    }
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([null()]).collect()
}

/// Descriptors and the numbers they go to, such that none is overwritten before it is copied.
struct Moved {
    pairs: Vec<(RawFd, RawFd)>,
    _copies: Vec<OwnedFd>,
}

fn move_files(files: &[(OwnedFd, RawFd)]) -> io::Result<Moved> {
    let highest = files.iter().map(|(_, number)| *number).max().unwrap_or(0);
    let mut moved = Moved {
        pairs: Vec::with_capacity(files.len()),
        _copies: Vec::new(),
    };
    for (file, number) in files {
        let ours = if file.as_raw_fd() > highest {
            file.as_raw_fd()
        } else {
            let copy = rustix::io::fcntl_dupfd_cloexec(file, highest + 1)?;
            let ours = copy.as_raw_fd();
            moved._copies.push(copy);
            ours
        };
        moved.pairs.push((ours, *number));
    }
    Ok(moved)
}

fn not_forked(error: &io::Error) -> NotStarted {
    NotStarted {
        stage: Stage::Fork,
        errno: error.raw_os_error().unwrap_or(libc::EAGAIN),
        tried: Vec::new(),
    }
}
