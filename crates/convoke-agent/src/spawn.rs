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

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use bstr::BString;
use convoke_proto::exit::{NotStarted, Stage};
use rustix::process::{Pid, WaitOptions, getpid, waitpid};

use crate::signals;

/// The child's stack in bytes. It holds a path and a few small frames, also of an unoptimised build.
const STACK: usize = 64 * 1024;

/// The longest path the kernel takes, with its end.
const PATH_MAX: usize = libc::PATH_MAX as usize;

/// Where `execvp` looks when there is no `PATH`.
pub(crate) const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// How many bytes of tried paths an answer names at most; neither a long `PATH` nor a
/// long directory may fill a frame.
const MAX_TRIED: usize = 16 * 1024;

/// Joins a new session keyring when no name comes with it.
const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;

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

/// A child that is about to begin: what other threads may know of it while the one that starts it sleeps.
#[derive(Debug, Default)]
pub struct Birth {
    number: AtomicI32,
    unwanted: AtomicBool,
}

impl Birth {
    /// What stands here when there will be no child.
    const NONE: i32 = -1;

    /// The child's number; it waits for the moment in which the kernel makes it. None when that failed.
    pub fn pid(&self) -> Option<Pid> {
        loop {
            match self.number.load(Ordering::Acquire) {
                0 => std::thread::yield_now(),
                number => return Pid::from_raw(number.max(0)),
            }
        }
    }

    /// No child will come, unless there is one.
    fn settle(&self) {
        let (before, after) = (Ordering::AcqRel, Ordering::Acquire);
        // Already told: the kernel has written the number.
        let none = Self::NONE;
        let _ = self.number.compare_exchange(0, none, before, after);
    }

    /// Whether nobody wants the child any more.
    pub fn is_unwanted(&self) -> bool {
        self.unwanted.load(Ordering::Relaxed)
    }

    /// Nobody wants the child any more.
    pub fn refuse(&self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }
}

/// What the child reads and, at the end, writes. Plain pointers into memory that the parent keeps.
struct Shared {
    name: *const [u8],
    path: *const [u8],
    argv: *const *const c_char,
    env: *const *const c_char,
    credentials: *const Credentials,
    directory: *const c_char,
    at_home: bool,
    umask: Option<libc::mode_t>,
    files: *const [(RawFd, RawFd)],
    /// Our number, when the child is to die with us.
    dies_with: Option<libc::pid_t>,
    ignored: *const [c_int],
    nofile: Option<libc::rlimit>,
    failed: Option<Stage>,
    errno: c_int,
    tried: usize,
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

/// The child, in the parent's memory.
extern "C" fn child(shared: *mut c_void) -> c_int {
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

/// Executes the first program that the path has, by the rules of `execvp`, but that a script without `#!` is refused; returns when none can be.
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

/// One place where a program may be.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// The name itself says where.
    Direct,
    /// This directory.
    In(&'a [u8]),
}

impl Place<'_> {
    /// Writes the path of `name` here, with its end; `false` when it does not fit.
    fn join(self, name: &[u8], buffer: &mut [u8; PATH_MAX]) -> bool {
        let parts = match self {
            Place::Direct | Place::In(b"") => [b"".as_slice(), b"", name],
            Place::In(directory) => [directory, b"/", name],
        };
        let mut length = 0;
        for part in parts.iter().chain([&b"\0".as_slice()]) {
            let Some(room) = buffer.get_mut(length..length + part.len()) else {
                return false;
            };
            room.copy_from_slice(part);
            length += part.len();
        }
        true
    }
}

fn candidates<'a>(name: &[u8], path: &'a [u8]) -> impl Iterator<Item = Place<'a>> {
    let direct = name.is_empty() || name.contains(&b'/');
    let searched = path.split(|byte| *byte == b':').map(Place::In);
    let searched = searched.take(if direct { 0 } else { usize::MAX });
    direct.then_some(Place::Direct).into_iter().chain(searched)
}

/// The first `count` paths that were tried, as many as an answer holds.
fn tried_paths(name: &[u8], path: &[u8], count: usize) -> Vec<BString> {
    let mut room = MAX_TRIED;
    let mut buffer = [0; PATH_MAX];
    let mut tried = Vec::new();
    for place in candidates(name, path).take(count) {
        let whole = match place.join(name, &mut buffer) {
            true => CStr::from_bytes_until_nul(&buffer).map_or(name, CStr::to_bytes),
            false => name,
        };
        let Some(left) = room.checked_sub(whole.len()) else {
            break;
        };
        room = left;
        tried.push(whole.into());
    }
    tried
}

/// The program's own `PATH`; as for the program itself, the first one counts.
fn search_path(env: &[CString]) -> &[u8] {
    let path = env
        .iter()
        .find_map(|pair| pair.as_bytes().strip_prefix(b"PATH="));
    path.unwrap_or(DEFAULT_PATH)
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

fn errno() -> c_int {
    // SAFETY: the address of this thread's own number.
    unsafe { *libc::__errno_location() }
}

fn not_forked(error: &io::Error) -> NotStarted {
    NotStarted {
        stage: Stage::Fork,
        errno: error.raw_os_error().unwrap_or(libc::EAGAIN),
        tried: Vec::new(),
    }
}
