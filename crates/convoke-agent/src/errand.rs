//! Programs that the agent runs for itself, apart from every step.
//!
//! They are children of this process like main processes and orphans, and belong to none of them: whoever
//! reaps or counts children asks here first. So are, until the loop takes them over, main processes that are
//! started where that may wait. One lock is held while children are reaped or counted, and never while one is
//! started: who holds it sees also those that are only half born.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use convoke_proto::exit::{NotStarted, Stage};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, kill_process, kill_process_group, wait, waitpid,
};

use crate::spawn::{Birth, Directory, Program, Spawner};

/// The pause between two looks at a program that has closed its stdout and not ended yet.
const PAUSE: Duration = Duration::from_millis(2);

/// The programs that run now. Shared by all threads.
#[derive(Debug, Default)]
pub struct Errands {
    table: Mutex<Table>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Table {
    running: BTreeMap<i32, State>,
    /// Children that still share our memory, or will in a moment.
    half_born: Vec<Arc<Birth>>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Running,
    /// Somebody else reaped it.
    Ended(WaitStatus),
    /// Nobody waits for it any more.
    Abandoned,
}

/// What a program of ours said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Everything it wrote to stdout.
    pub output: Vec<u8>,
}

/// Why a program said nothing of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// It could not be started: the kernel's error.
    NotStarted(Errno),
    /// It did not end in time, and was killed.
    TooLate,
    /// It said more than was expected, and was killed.
    TooMuch,
}

/// Which of our children are on errands; nobody can start or reap one meanwhile.
#[derive(Debug)]
pub struct Known<'a>(MutexGuard<'a, Table>);

impl Known<'_> {
    /// Whether this child is on an errand.
    pub fn contains(&self, pid: i32) -> bool {
        self.0.running.contains_key(&pid) || self.0.is_half_born(pid)
    }
}

impl Table {
    fn is_half_born(&self, pid: i32) -> bool {
        let number = |birth: &Birth| birth.pid().map(|pid| pid.as_raw_nonzero().get());
        self.half_born
            .iter()
            .any(|birth| number(birth) == Some(pid))
    }
}

impl Errands {
    /// Runs a program to its end, at most for `patience`; it gets no more of the environment than `PATH`.
    /// Waits, so not for the thread that has the loop.
    ///
    /// # Errors
    /// It could not be started, or did not end in time, or said more than `most` bytes.
    pub fn run(&self, argv: &[&[u8]], patience: Duration, most: usize) -> Result<Said, Unanswered> {
        let deadline = Instant::now() + patience;
        let pipe = pipe_with(PipeFlags::CLOEXEC);
        let (ours, theirs) = pipe.map_err(Unanswered::NotStarted)?;
        let program = program(argv, theirs).ok_or(Unanswered::NotStarted(Errno::INVAL))?;
        let started = self.start(&program, &Arc::default());
        let why = |why: NotStarted| Unanswered::NotStarted(Errno::from_raw_os_error(why.errno));
        let pid = started.map_err(why)?;
        drop(program);
        let output = read_until(ours, deadline, most);
        let until = match &output {
            Ok(_) => deadline,
            Err(_) => Instant::now(),
        };
        let status = self.wait_until(pid, until);
        Ok(Said {
            output: output?,
            code: status.ok_or(Unanswered::TooLate)?.exit_status(),
        })
    }

    /// Starts a program as one of ours, where that may wait; others may [`Errands::give_up`] its birth.
    ///
    /// # Errors
    /// The stage, the kernel's error and the paths that were tried.
    pub fn start(&self, program: &Program, birth: &Arc<Birth>) -> Result<Pid, NotStarted> {
        let mut table = self.lock();
        if birth.is_unwanted() {
            return Err(NotStarted {
                stage: Stage::Fork,
                errno: Errno::CANCELED.raw_os_error(),
                tried: Vec::new(),
            });
        }
        table.half_born.push(Arc::clone(birth));
        drop(table);
        let spawned = Spawner::new().spawn_known(program, birth);
        let mut table = self.lock();
        table.half_born.retain(|other| !Arc::ptr_eq(other, birth));
        let Some(pid) = birth.pid() else {
            return spawned;
        };
        let number = pid.as_raw_nonzero().get();
        if spawned.is_ok() {
            table.running.entry(number).or_insert(State::Running);
        } else if table.running.remove(&number).is_none() {
            // Nobody reaped it, and it ends at once.
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
        spawned
    }

    /// Kills a child that is half born, whoever it is by now and whatever it waits for; one that is to come
    /// will not.
    pub fn give_up(&self, birth: &Arc<Birth>) {
        let table = self.lock();
        birth.refuse();
        let mut half_born = table.half_born.iter();
        if half_born.any(|other| Arc::ptr_eq(other, birth))
            && let Some(pid) = birth.pid()
            && !table.running.contains_key(&pid.as_raw_nonzero().get())
        {
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// Takes a program that runs out of ours; how it ended, if it was reaped already.
    pub fn release(&self, pid: Pid) -> Option<WaitStatus> {
        match self.lock().running.remove(&pid.as_raw_nonzero().get()) {
            Some(State::Ended(status)) => Some(status),
            _ => None,
        }
    }

    /// Ends a program that runs, for which nobody waits any more.
    pub fn abandon(&self, pid: Pid) {
        let mut table = self.lock();
        let number = pid.as_raw_nonzero().get();
        if let Some(State::Ended(_)) = table.running.get(&number) {
            table.running.remove(&number);
        } else {
            let _ = kill_process_group(pid, Signal::KILL);
            table.running.insert(number, State::Abandoned);
        }
    }

    /// Keeps every errand from beginning or being reaped for as long as the result lives.
    pub fn known(&self) -> Known<'_> {
        Known(self.lock())
    }

    /// Reaps a child that is dead and on no errand, if there is one.
    ///
    /// # Errors
    /// `ECHILD` when there is no child at all, dead or alive.
    pub fn reap(&self) -> Result<Option<(Pid, WaitStatus)>, Errno> {
        let mut table = self.lock();
        while let Some((pid, status)) = wait(WaitOptions::NOHANG)? {
            let number = pid.as_raw_nonzero().get();
            match table.running.get(&number) {
                None if !table.is_half_born(number) => return Ok(Some((pid, status))),
                Some(State::Abandoned) => {
                    table.running.remove(&number);
                }
                _ => {
                    table.running.insert(number, State::Ended(status));
                    self.ended.notify_all();
                }
            }
        }
        Ok(None)
    }

    /// Waits for the end of a program, which is killed when that does not come in time.
    fn wait_until(&self, pid: Pid, deadline: Instant) -> Option<WaitStatus> {
        let number = pid.as_raw_nonzero().get();
        let mut table = self.lock();
        loop {
            if let Some(State::Ended(status)) = table.running.get(&number) {
                let status = *status;
                table.running.remove(&number);
                return Some(status);
            }
            if let Ok(Some((_, status))) = waitpid(Some(pid), WaitOptions::NOHANG) {
                table.running.remove(&number);
                return Some(status);
            }
            if Instant::now() >= deadline {
                let _ = kill_process_group(pid, Signal::KILL);
                table.running.insert(number, State::Abandoned);
                return None;
            }
            let waited = self.ended.wait_timeout(table, PAUSE);
            table = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn program(argv: &[&[u8]], stdout: OwnedFd) -> Option<Program> {
    let words: Option<Vec<CString>> = argv.iter().map(|word| CString::new(*word).ok()).collect();
    let words = words?;
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    Some(Program {
        name: words.first()?.clone(),
        argv: words,
        env: vec![CString::new([b"PATH=", path.as_encoded_bytes()].concat()).ok()?],
        credentials: None,
        directory: Directory::Given(c"/".to_owned()),
        umask: None,
        // Our own stderr goes to whoever connected, who never asked for this program.
        files: [(stdout, 1)].into_iter().chain(silent_stderr()).collect(),
        // The thread that starts it waits for it.
        dies_with_us: true,
    })
}

fn silent_stderr() -> Option<(OwnedFd, i32)> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let null = open(c"/dev/null", flags, Mode::empty()).ok()?;
    Some((null, 2))
}

/// Everything up to the end of `pipe`.
fn read_until(pipe: OwnedFd, deadline: Instant, most: usize) -> Result<Vec<u8>, Unanswered> {
    let mut file = File::from(pipe);
    let mut output = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| Unanswered::TooLate)?;
        match poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Err(Unanswered::TooLate),
            Ok(_) => {}
            Err(_) => continue,
        }
        // What cannot be read is as good as its end.
        let count = file.read(&mut chunk).unwrap_or(0);
        output.extend_from_slice(chunk.get(..count).unwrap_or_default());
        if output.len() > most {
            return Err(Unanswered::TooMuch);
        }
        if count == 0 {
            return Ok(output);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn sh(line: &str, patience: Duration) -> Result<Said, Unanswered> {
        Errands::default().run(&[b"/bin/sh", b"-c", line.as_bytes()], patience, 1000)
    }

    #[test]
    fn an_errand_brings_output_and_code() {
        let said = |code, output: &str| {
            Ok(Said {
                code,
                output: output.into(),
            })
        };
        assert_eq!(sh("echo out; exit 2", LONG), said(Some(2), "out\n"));
        assert_eq!(sh("exec >&-; sleep 0.01", LONG), said(Some(0), ""));
        assert_eq!(sh("kill -9 $$", LONG), said(None, ""));
    }

    #[test]
    fn an_errand_that_goes_wrong_is_ended() {
        let short = Duration::from_millis(50);
        assert_eq!(sh("sleep 1000", short), Err(Unanswered::TooLate));
        assert_eq!(sh("exec >&-; sleep 1000", short), Err(Unanswered::TooLate));
        assert_eq!(sh("yes", LONG), Err(Unanswered::TooMuch));
        let missing = Errands::default().run(&[b"/no/such"], LONG, 10);
        assert_eq!(missing, Err(Unanswered::NotStarted(Errno::NOENT)));
    }
}
