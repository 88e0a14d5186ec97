//! What starting `true` costs: our spawn, the standard library's two ways, and the agent over its wire.
//!
//! Every way gives the program pipes on stdout and stderr and waits for its end. Prints microseconds
//! for one start, the median of several rounds.
#![allow(unsafe_code, clippy::unwrap_used)] // The fork with a hook is one of the ways compared.

use std::ffi::CString;
use std::hint::black_box;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use convoke_agent::spawn::{Directory, Program, Spawner};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{WaitOptions, waitpid};

const STARTS: u32 = 50;
const ROUNDS: usize = 31;

fn main() {
    let mut spawner = Spawner::new();
    let mut own = || own(&mut spawner);
    let mut posix_spawn = || standard(&mut command());
    let mut fork = || standard(&mut with_session(command()));
    let ways: [(&str, &mut dyn FnMut()); 3] = [
        ("clone, shared memory", &mut own),
        ("posix_spawn, no session", &mut posix_spawn),
        ("fork and exec, session", &mut fork),
    ];
    let mut rounds = ways.map(|(name, way)| (name, way, Vec::new()));
    // In turn, so that whatever else the machine does meets all of them.
    for _ in 0..ROUNDS {
        rounds
            .iter_mut()
            .for_each(|(_, way, times)| times.push(microseconds(way)));
    }
    for (name, _, mut times) in rounds {
        times.sort_by(f64::total_cmp);
        println!(
            "{name:26} {:8.1} µs, at best {:.1} µs",
            times[ROUNDS / 2],
            times[0]
        );
    }
}

fn microseconds(way: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    (0..STARTS).for_each(|_| way());
    start.elapsed().as_secs_f64() * 1e6 / f64::from(STARTS)
}

fn own(spawner: &mut Spawner) {
    let (out, out_in) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let (err, err_in) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let text = |s: &str| CString::new(s).unwrap();
    let program = Program {
        name: text("/bin/true"),
        argv: vec![text("true")],
        env: vec![text("PATH=/bin:/usr/bin")],
        credentials: None,
        directory: Directory::Given(text("/")),
        umask: None,
        files: vec![(out_in, 1), (err_in, 2)],
        dies_with_us: false,
    };
    let pid = spawner.spawn(&program).unwrap();
    waitpid(Some(pid), WaitOptions::empty()).unwrap();
    black_box((out, err));
}

fn command() -> Command {
    let mut command = Command::new("/bin/true");
    command.env_clear().env("PATH", "/bin:/usr/bin");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn with_session(mut command: Command) -> Command {
    // SAFETY: the hook only makes a system call.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            Ok(())
        })
    };
    command
}

fn standard(command: &mut Command) {
    let mut child = command.spawn().unwrap();
    child.wait().unwrap();
}
