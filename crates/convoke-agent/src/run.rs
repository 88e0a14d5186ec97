//! What the program does when it starts: two processes, each with what it needs and no more.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use convoke_proto::hello::PROTOCOL;
use rustix::process::{getpid, set_child_subreaper};

use crate::drive::{self, Wire, Worker};
use crate::guard::{self, WorkerEnd};
use crate::signals::{self, Forked, Signals};

/// The whole program. Expects the wire on stdin and stdout, and no arguments but `--version`.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter().skip(1);
    match arguments.next() {
        None => finish(serve_link()),
        Some(word) if word == "--version" => finish(print_version().map(|()| true)),
        Some(_) => finish(Err(io::Error::other("the agent takes no arguments"))),
    }
}

fn finish(outcome: io::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Nobody is left to tell when stderr is closed too.
            let _ = writeln!(io::stderr(), "convoke-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print_version() -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    writeln!(io::stdout(), "convoke-agent {version} protocol {PROTOCOL}")
}

/// Both processes; whether the link was closed in good order.
fn serve_link() -> io::Result<bool> {
    drive::close_inherited();
    let (guard_end, worker_end) = guard::connect()?;
    // Before there is a worker: whenever that dies, its end is noticed and its orphans come here. Kernels before
    // 4.11 give no orphans of a process to a reaper that became one after that process was there.
    become_reaper()?;
    let signals = Signals::take_over()?;
    match signals::fork()? {
        Forked::Parent { child } => {
            drop(worker_end);
            drive::let_go_of_standard_descriptors()?;
            Ok(guard::watch(guard_end, child, &signals))
        }
        Forked::Child => {
            drop(guard_end);
            work(signals, worker_end)
        }
    }
}

/// The worker. Its descriptor for signals is the guard's: each process reads its own there.
fn work(signals: Signals, worker_end: WorkerEnd) -> io::Result<bool> {
    become_reaper()?;
    let wire = Wire::take_over()?;
    drive::touch_own_file();
    Ok(Worker::new(wire, signals, worker_end)?.run())
}

/// Takes over every orphan among the descendants of this process; a fork does not pass that on.
fn become_reaper() -> io::Result<()> {
    // Neither process may keep a file system from being unmounted.
    std::env::set_current_dir("/")?;
    set_child_subreaper(Some(getpid()))?;
    Ok(())
}
