//! Times whole processes as the kernel accounts for them.
//!
//! `unsafe` for `wait4` alone: the resource use of one finished process tree, which no safe
//! interface offers.
#![allow(unsafe_code)]

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The programs under measurement.
#[derive(Debug)]
pub(crate) struct Tools {
    /// The release build of `convoke`.
    pub(crate) convoke: PathBuf,
}

/// One finished run of a process and everything it waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    /// The largest single process among it and what it waited for, in bytes.
    pub(crate) peak: u64,
    pub(crate) ok: bool,
}

impl Tools {
    /// Finds `convoke` beside this program, building it first.
    pub(crate) fn find() -> io::Result<Tools> {
        let built = Command::new("cargo")
            .args(["build", "--release", "--quiet", "-p", "convoke-cli"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .status()?;
        if !built.success() {
            return Err(io::Error::other("convoke does not build"));
        }
        let convoke = std::env::current_exe()?.with_file_name("convoke");
        match convoke.exists() {
            true => Ok(Tools { convoke }),
            false => Err(io::Error::other("run it with cargo run --release")),
        }
    }

    /// `convoke` with arguments, output thrown away.
    pub(crate) fn convoke(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.convoke);
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stdin(Stdio::null());
        command
    }
}

/// A line for `sh`, output thrown away.
pub(crate) fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .stdout(Stdio::null())
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> io::Result<Run> {
    let began = Instant::now();
    let child = command.spawn()?;
    wait(child, began)
}

/// Waits for a child that was started at `began`.
pub(crate) fn wait(child: Child, began: Instant) -> io::Result<Run> {
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid value, and both pointers are to locals.
    let (reaped, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let reaped = libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage);
        (reaped, usage)
    };
    if reaped < 0 {
        return Err(io::Error::last_os_error());
    }
    let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    Ok(Run {
        wall: began.elapsed(),
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak: usage.ru_maxrss as u64 * 1024,
        ok: libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
    })
}

/// Runs both in turn, `rounds` times after one round that does not count, and gives their medians.
pub(crate) fn alternate(
    rounds: usize,
    mut ours: impl FnMut() -> io::Result<Run>,
    mut theirs: impl FnMut() -> io::Result<Run>,
) -> io::Result<(Run, Run)> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (ours, theirs) = (ours()?, theirs()?);
        if round > 0 {
            a.push(ours);
            b.push(theirs);
        }
    }
    Ok((middle(a), middle(b)))
}

/// The median of each figure; ok only when every run was.
fn middle(runs: Vec<Run>) -> Run {
    let pick = |key: fn(&Run) -> Duration| median(runs.iter().map(key).collect());
    Run {
        wall: pick(|run| run.wall),
        cpu: pick(|run| run.cpu),
        peak: runs.iter().map(|run| run.peak).max().unwrap_or(0),
        ok: runs.iter().all(|run| run.ok),
    }
}

/// The middle value.
pub(crate) fn median<T: PartialOrd + Copy + Default>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// How much faster ours is than theirs: 1.0 is equal, above is better.
pub(crate) fn speed(ours: Run, theirs: Run) -> f64 {
    theirs.wall.as_secs_f64() / ours.wall.as_secs_f64()
}

/// Milliseconds, for printing.
pub(crate) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Megabytes, for printing.
pub(crate) fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A word to append when a run did not end well.
pub(crate) fn remark(run: Run) -> &'static str {
    match run.ok {
        true => "",
        false => "  (FAILED)",
    }
}
