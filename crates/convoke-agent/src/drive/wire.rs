//! The two descriptors of the wire.

use std::fs::File;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, fcntl_dupfd_cloexec, write};
use rustix::pipe::fcntl_setpipe_size;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use super::append::append;
use crate::process::set_nonblocking;
use crate::serve::Serve;

/// How much is read at once from a pipe of a process, in bytes.
pub(super) const CHUNK: usize = 64 * 1024;

/// How much of the wire is read at once, in bytes: little where requests come one by one, and more the more
/// there is, as long as it fits the processor's nearest caches until it is written.
const ROOM: RangeInclusive<usize> = 8 * 1024..=256 * 1024;

/// The size that the outgoing pipe gets once it carries much, in bytes.
const PIPE_SIZE: usize = 1024 * 1024;

/// The same for the incoming one: a full read, which fewer turns of the sender and of ours go by.
const INPUT_SIZE: usize = 256 * 1024;

/// A wire that took this many bytes, several pipes full, is likely to take many more.
const MUCH: usize = 512 * 1024;

/// Where frames come from and go to.
#[derive(Debug)]
pub struct Wire {
    input: OwnedFd,
    output: OwnedFd,
    /// How much it took until its pipe was enlarged.
    taken_bytes: usize,
    /// How much it gave until its pipe was enlarged.
    given_bytes: usize,
    /// How much is read next.
    room: usize,
}

/// Why the wire is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken;

impl Wire {
    /// Takes the wire off stdin and stdout, where no child must find it, and leaves `/dev/null` there.
    ///
    /// # Errors
    /// No descriptor is left, or stdin or stdout is of a kind that only waits.
    pub fn take_over() -> Result<Self, Errno> {
        let input = fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
        let output = fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        let null = open_null()?;
        dup2_stdin(&null)?;
        dup2_stdout(&null)?;
        set_nonblocking(&input)?;
        set_nonblocking(&output)?;
        Ok(Self::over(input, output))
    }

    /// A wire of these, neither of which only waits.
    pub(super) fn over(input: OwnedFd, output: OwnedFd) -> Self {
        Wire {
            input,
            output,
            taken_bytes: 0,
            given_bytes: 0,
            room: *ROOM.start(),
        }
    }

    pub(super) fn input(&self) -> &OwnedFd {
        &self.input
    }

    pub(super) fn output(&self) -> &OwnedFd {
        &self.output
    }

    /// Reads what there is, in measure; no bytes when there is nothing now.
    pub(super) fn read_to(&mut self, serve: &mut Serve) -> Result<usize, Broken> {
        let buffer = serve.buffer_with_room(self.room);
        let count = match append(&self.input, buffer, self.room) {
            Ok(0) => return Err(Broken),
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(0),
            Err(_) => return Err(Broken),
        };
        if count == self.room {
            self.room = (self.room * 2).min(*ROOM.end());
        } else if count < self.room / 8 {
            self.room = (self.room / 2).max(*ROOM.start());
        }
        enlarge(&self.input, &mut self.given_bytes, count, INPUT_SIZE);
        Ok(count)
    }

    /// Writes what goes; no bytes when nothing goes now.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let count = match write(&self.output, bytes) {
            Ok(count) => count,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(0),
            Err(_) => return Err(Broken),
        };
        enlarge(&self.output, &mut self.taken_bytes, count, PIPE_SIZE);
        Ok(count)
    }
}

/// Gives a pipe more room once it has carried much.
fn enlarge(pipe: &OwnedFd, carried_bytes: &mut usize, count: usize, size: usize) {
    if *carried_bytes < MUCH {
        *carried_bytes += count;
        if *carried_bytes >= MUCH {
            // Refused where it is no pipe, or where users may have less: then it stays as it was.
            let _ = fcntl_setpipe_size(pipe, size);
        }
    }
}

/// Leaves `/dev/null` on the three standard descriptors.
///
/// # Errors
/// There is no `/dev/null`.
pub fn let_go_of_standard_descriptors() -> Result<(), Errno> {
    let null = open_null()?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)
}

/// Closes every inherited descriptor above 2. Nothing may have been opened before.
pub fn close_inherited() {
    let Ok(list) = std::fs::read_dir("/proc/self/fd") else {
        // Without `/proc`: every number there may be, as far as a login's limit goes.
        return (3..65_536).for_each(crate::signals::close);
    };
    let numbers = list.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let inherited: Vec<i32> = numbers.filter(|number| *number > 2).collect();
    inherited.into_iter().for_each(crate::signals::close);
}

fn open_null() -> Result<OwnedFd, Errno> {
    open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}

/// Writes one line to stderr, unless that would wait.
pub(super) fn complain(cause: &str) {
    let stderr = rustix::stdio::stderr();
    let mut polled = [rustix::event::PollFd::from_borrowed_fd(
        stderr.as_fd(),
        rustix::event::PollFlags::OUT,
    )];
    let at_once = rustix::event::Timespec::default();
    if rustix::event::poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0) {
        let line = format!("convoke-agent: {cause}\n");
        let _ = write(stderr, line.as_bytes());
    }
}

/// Touches our own file, by which the cache knows that it is in use.
pub fn touch_own_file() {
    let touched = File::open("/proc/self/exe")
        .and_then(|file| file.set_modified(std::time::SystemTime::now()));
    // A read-only cache cannot be touched, nor need it be.
    let _ = touched;
}
