//! The limits of a command when nobody reads our output.

use std::io::Read as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::place::Place;
use crate::processes::{eventually, until_blocked};

/// More than every buffer between a command and a stopped reader can hold.
const BYTES: usize = 24_000_000;

const IDLE: Duration = Duration::from_millis(500);

/// A run whose output is read only when the test does.
struct Unread {
    child: Child,
    stdout: ChildStdout,
}

fn start(mut command: Command) -> Unread {
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    Unread { child, stdout }
}

impl Unread {
    /// Reads everything: how much it was, the exit code and what stderr said.
    fn read(mut self) -> (usize, Option<i32>, String) {
        let mut said = Vec::new();
        self.stdout.read_to_end(&mut said).unwrap();
        let ended = self.child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        (said.len(), ended.status.code(), stderr)
    }

    /// Lets the idle limit pass three times while everything stands.
    fn stand_still(&self, place: &Place) {
        until_blocked(self.child.id().try_into().unwrap());
        std::thread::sleep(3 * IDLE); // That this time passes is what is tested.
        assert!(!place.steps().is_empty(), "the command was ended");
    }
}

#[test]
fn the_idle_clock_stands_while_nobody_reads_and_the_run_ends_well() {
    let place = Place::warm();
    let line = format!("head -c {BYTES} /dev/zero; echo end >&2");
    let unread = start(place.convoke(["run", "--idle-timeout", "500ms", "local:a", "--sh", &line]));
    unread.stand_still(&place);
    let (count, code, stderr) = unread.read();
    assert_eq!((count, code, stderr.as_str()), (BYTES, Some(0), "end\n"));
    place.end();
}

#[test]
fn the_idle_clock_goes_on_once_everything_is_read() {
    let place = Place::warm();
    let line = format!("head -c {BYTES} /dev/zero; exec sleep 1000");
    let unread = start(place.convoke(["run", "--idle-timeout", "500ms", "local:a", "--sh", &line]));
    unread.stand_still(&place);
    let (count, code, stderr) = unread.read();
    assert_eq!((count, code), (BYTES, Some(1)));
    assert!(
        stderr.contains("idle") || stderr.contains("without output"),
        "{stderr}"
    );
    place.end();
}

#[test]
fn the_total_limit_counts_while_nobody_reads() {
    let place = Place::warm();
    let words = [
        "run",
        "--timeout",
        "700ms",
        "--grace",
        "300ms",
        "local:a",
        "--sh",
    ];
    let words = words.into_iter().chain(["trap '' TERM; yes; sleep 1000"]);
    let unread = start(place.convoke(words));
    eventually("it runs", || !place.steps().is_empty());
    eventually("it is killed on the host", || place.steps().is_empty());
    let (count, code, stderr) = unread.read();
    assert!(
        count > 64 * 1024,
        "what it said before is kept, not only {count} bytes"
    );
    assert_eq!(code, Some(1));
    assert!(stderr.contains("timed out"), "{stderr}");
    place.end();
}

#[test]
fn one_silent_stream_is_no_idle_command() {
    let place = Place::warm();
    let line = "for i in 1 2 3 4 5 6 7 8; do echo $i >&2; sleep 0.2; done";
    let ran = place.run(["--json", "--idle-timeout", "1s", "local:a", "--sh", line]);
    assert_eq!(ran.outcome("local:a")["ok"], true);
    place.end();
}

/// A consumer that is slower than the host must not keep the host from its input.
#[test]
fn input_arrives_while_the_output_never_ends() {
    let place = Place::warm();
    let line = "yes & cat | wc -c >&2; kill $!";
    let mut command = place.convoke([
        "run",
        "--stdin",
        "--timeout",
        "60s",
        "local:a",
        "--sh",
        line,
    ]);
    let input = place.work("input");
    std::fs::write(&input, vec![b'x'; 1_000_000]).unwrap();
    command.stdin(std::fs::File::open(&input).unwrap());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut piece = vec![0; 64 * 1024];
    while stdout.read(&mut piece).unwrap() > 0 {
        // A slow reader is what is tested.
        std::thread::sleep(Duration::from_millis(30));
    }
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), stderr.trim()), (Some(0), "1000000"));
    place.end();
}
