//! The kernel's doors that no safe library has: signals as readable events, and the fork.
//!
//! `unsafe` because neither the C library's signal calls nor `fork` have a safe door: every call here
//! passes pointers to locals that outlive it, and the fork happens while the program has one thread.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::Pid;

/// Signals that arrive as bytes of a descriptor.
#[derive(Debug)]
pub struct Signals {
    fd: OwnedFd,
}

/// What arrived since the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrived {
    /// A child ended.
    pub child: bool,
    /// Somebody wants this process to end: TERM, HUP or INT.
    pub end: bool,
}

impl Signals {
    /// Gives every signal its default action, blocks them all, and makes CHLD, TERM, HUP and INT readable.
    ///
    /// Blocked and not ignored: what is ignored would stay so in every program started from here.
    ///
    /// # Errors
    /// The kernel has no descriptor left.
    pub fn take_over() -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: the sets are initialised by the calls that fill them before they are read; the
        // default action replaces handlers of the runtime that nothing here depends on.
        unsafe {
            for signal in 1..=LAST {
                reset(signal);
            }
            libc::sigfillset(set.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut());
            libc::sigemptyset(set.as_mut_ptr());
            for signal in [libc::SIGCHLD, libc::SIGTERM, libc::SIGHUP, libc::SIGINT] {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            match libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
                -1 => Err(io::Error::last_os_error()),
                fd => Ok(Signals {
                    fd: OwnedFd::from_raw_fd(fd),
                }),
            }
        }
    }

    /// None that ever arrive; the process goes on as it is.
    #[cfg(test)]
    pub(crate) fn none() -> rustix::io::Result<Self> {
        use rustix::event::{EventfdFlags, eventfd};
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Signals { fd })
    }

    /// The descriptor to poll.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Takes what has arrived.
    pub fn take(&self) -> Arrived {
        const RECORD: usize = size_of::<libc::signalfd_siginfo>();
        let mut arrived = Arrived::default();
        let mut records = [0_u8; RECORD * 8];
        while let Ok(count) = rustix::io::read(&self.fd, &mut records) {
            let all_taken = count < records.len();
            for record in records
                .get(..count)
                .unwrap_or_default()
                .chunks_exact(RECORD)
            {
                // The record begins with the number of the signal.
                let number = record.first_chunk().map(|first| u32::from_ne_bytes(*first));
                match number == Some(libc::SIGCHLD as u32) {
                    true => arrived.child = true,
                    false => arrived.end = true,
                }
            }
            if all_taken {
                break;
            }
        }
        arrived
    }
}

/// The highest signal there is.
const LAST: i32 = 64;

/// A signal's action as the kernel keeps it: the handler first, then flags and a mask. All zero is the
/// default. The C library's own call refuses the two signals that it keeps to itself, and an ignored
/// one of those would be passed on like any other.
type Action = [usize; 4];

/// The length of the mask in an [`Action`], in bytes.
const MASK: usize = 8;

/// Gives a signal its default action; KILL and STOP have no other.
pub(crate) fn reset(signal: i32) {
    let default: Action = [0; 4];
    let none = std::ptr::null_mut::<Action>();
    // SAFETY: reads one local.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            &raw const default,
            none,
            MASK,
        )
    };
}

/// The signals that this process ignores.
pub(crate) fn ignored() -> Vec<i32> {
    let is_ignored = |signal: &i32| {
        let mut action: Action = [0; 4];
        let none = std::ptr::null::<Action>();
        // SAFETY: writes one local.
        let asked =
            unsafe { libc::syscall(libc::SYS_rt_sigaction, *signal, none, &raw mut action, MASK) };
        asked == 0 && action[0] == libc::SIG_IGN
    };
    (1..=LAST).filter(is_ignored).collect()
}

/// Closes the inherited descriptor with this number, if there is one.
pub(crate) fn close(number: i32) {
    // SAFETY: called before this program opens anything, so nobody here owns the number.
    unsafe { libc::close(number) };
}

/// Which of two processes goes on here.
#[derive(Debug)]
pub enum Forked {
    /// The original process.
    Parent {
        /// The new one.
        child: Pid,
    },
    /// The new process.
    Child,
}

/// Forks. The program must have one thread.
///
/// # Errors
/// The kernel has no process or no memory left.
pub(crate) fn fork() -> rustix::io::Result<Forked> {
    // SAFETY: there is one thread, so the child finds no lock taken by another.
    match unsafe { libc::fork() } {
        0 => Ok(Forked::Child),
        pid => Pid::from_raw(pid.max(0))
            .map(|child| Forked::Parent { child })
            .ok_or_else(|| {
                io::Error::last_os_error()
                    .raw_os_error()
                    .map_or(Errno::AGAIN, Errno::from_raw_os_error)
            }),
    }
}
