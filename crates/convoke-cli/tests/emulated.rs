//! Many hosts at once, all of them emulated: the real binary, and one process that answers as all.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use convoke_testkit::emulator::{Emulator, Faults};

/// How many hosts there are.
const HOSTS: usize = 300;

/// How long a busy machine may take for what takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

fn run(emulator: &Emulator, words: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut convoke = Command::new(env!("CARGO_BIN_EXE_convoke"));
    convoke.arg("run").arg("-F").arg(emulator.ssh_config());
    convoke.arg(emulator.names());
    convoke.args(words).env("HOME", home.path());
    convoke.stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits until every connection has ended on the hosts' side, too.
fn alone(emulator: &Emulator) {
    let deadline = Instant::now() + PATIENCE;
    while emulator.counts().open > 0 {
        assert!(Instant::now() < deadline, "{:?}", emulator.counts());
        std::thread::yield_now();
    }
}

#[test]
fn every_host_answers_with_its_own_name() {
    let emulator = Emulator::builder().hosts(HOSTS).start().unwrap();
    let output = run(&emulator, &["--", "hostname"]);
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{told}");
    let lines: BTreeSet<&str> = said.lines().collect();
    for n in 1..=HOSTS {
        let line = format!("h{n}: h{n}");
        assert!(lines.contains(&*line), "{line:?} is missing: {said}");
    }
    assert_eq!(lines.len(), HOSTS);
    alone(&emulator);
    let counts = emulator.counts();
    assert_eq!((counts.connections, counts.commands), (HOSTS, HOSTS));
}

#[test]
fn hosts_that_fail_do_not_keep_the_others_from_answering() {
    let faults = Faults {
        refuse: 1,
        hang: 1,
        drop: 1,
    };
    let builder = Emulator::builder().hosts(HOSTS).faults(faults);
    let emulator = builder.client_option("ConnectTimeout 2").start().unwrap();
    let output = run(&emulator, &["--", "hostname"]);
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert_eq!(said.lines().count(), HOSTS - 9, "{told}");
    // Those that are reset notice it sooner or later, in one word or another.
    for line in [
        "300 hosts: 291 ok, 6 unreachable, 3 lost\n",
        ": unreachable (closed): ",
        "h[2,102,202] (3): unreachable (timeout): ",
        "h[3,103,203] (3): lost: ",
    ] {
        assert!(told.contains(line), "{line:?}: {told}");
    }
    alone(&emulator);
}
