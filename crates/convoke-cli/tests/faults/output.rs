//! Every byte arrives, and neither a long line nor a slow reader costs memory.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::place::Place;
use crate::processes::{peak_memory_kib, until_blocked};
use crate::scaled;

/// What a controller and an agent may have resident, in KiB.
const CONTROLLER_KIB: u64 = 64 * 1024;
const AGENT_KIB: u64 = 8 * 1024;

/// What a run said on stdout, and the most memory it took.
struct Weighed {
    code: Option<i32>,
    /// Bytes that a command wrote, without what a mode adds.
    payload: usize,
    controller_kib: u64,
    agent_kib: u64,
}

impl Weighed {
    fn assert_light(&self) {
        let (controller, agent) = (self.controller_kib, self.agent_kib);
        eprintln!("controller {controller} KiB, agent {agent} KiB");
        assert!(
            controller <= CONTROLLER_KIB,
            "the controller took {controller} KiB"
        );
        assert!(agent <= AGENT_KIB, "an agent took {agent} KiB");
    }
}

/// Runs `command`, counting the bytes that are the commands' own; stops reading for a while when
/// `pause_at` bytes have come.
fn weigh(place: &Place, mut command: Command, mode: Mode, pause_at: Option<usize>) -> Weighed {
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let read = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let mut payload = 0;
    let mut peaks = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut piece = vec![0; 256 * 1024];
            let mut pause_at = pause_at;
            while let Ok(count @ 1..) = stdout.read(&mut piece) {
                payload += mode.payload(&piece[..count]);
                let total = read.fetch_add(count, Ordering::Relaxed) + count;
                if pause_at.is_some_and(|at| total >= at) {
                    pause_at = None;
                    until_blocked(pid);
                }
            }
            is_over.store(true, Ordering::Relaxed);
        });
        while !is_over.load(Ordering::Relaxed) {
            peaks.0 = peaks.0.max(peak_memory_kib(pid).unwrap_or(0));
            let agents = place.agents().into_iter().filter_map(peak_memory_kib);
            peaks.1 = agents.fold(peaks.1, u64::max);
            thread::sleep(Duration::from_millis(20)); // A pause between two looks.
        }
    });
    Weighed {
        code: child.wait().unwrap().code(),
        payload,
        controller_kib: peaks.0,
        agent_kib: peaks.1,
    }
}

/// What a mode adds to a command's bytes.
#[derive(Clone, Copy)]
enum Mode {
    /// Nothing.
    Raw,
    /// What stands before a command's own; none of that has an `x` in it, and the output nothing else.
    Marked,
}

impl Mode {
    /// How much of a piece of our output a command wrote.
    fn payload(self, piece: &[u8]) -> usize {
        match self {
            Mode::Raw => piece.len(),
            Mode::Marked => piece.iter().filter(|byte| **byte == b'x').count(),
        }
    }
}

fn size(seldom: u64, full: u64) -> usize {
    scaled(seldom, full).try_into().unwrap()
}

#[test]
fn much_output_is_counted_to_the_byte_in_bounded_memory() {
    let place = Place::warm();
    let bytes = size(200_000_000, 10_000_000_000);
    let command = place.convoke([
        "run",
        "local:a",
        "--",
        "head",
        "-c",
        &bytes.to_string(),
        "/dev/zero",
    ]);
    let weighed = weigh(&place, command, Mode::Raw, Some(bytes / 2));
    assert_eq!((weighed.code, weighed.payload), (Some(0), bytes));
    weighed.assert_light();
    place.end();
}

/// One line, without an end.
fn one_line(bytes: usize) -> String {
    format!("head -c {bytes} /dev/zero | tr '\\0' x")
}

#[test]
fn one_endless_line_of_one_host_is_passed_on_as_it_comes() {
    let place = Place::warm();
    let bytes = size(64_000_000, 1_000_000_000);
    let command = place.convoke(["run", "local:a", "--sh", &one_line(bytes)]);
    let weighed = weigh(&place, command, Mode::Raw, None);
    assert_eq!((weighed.code, weighed.payload), (Some(0), bytes));
    weighed.assert_light();
    place.end();
}

#[test]
fn one_endless_line_of_several_hosts_comes_in_pieces() {
    let place = Place::warm();
    let bytes = size(32_000_000, 1_000_000_000);
    let command = place.convoke(["run", "local:h[1-2]", "--sh", &one_line(bytes)]);
    let weighed = weigh(&place, command, Mode::Marked, Some(bytes));
    assert_eq!((weighed.code, weighed.payload), (Some(0), 2 * bytes));
    weighed.assert_light();
    place.end();
}

#[test]
fn one_endless_line_is_gathered_outside_of_memory() {
    let place = Place::warm();
    let bytes = size(16_000_000, 1_000_000_000);
    let command = place.convoke(["run", "-b", "local:h[1-2]", "--sh", &one_line(bytes)]);
    let weighed = weigh(&place, command, Mode::Marked, Some(bytes / 2));
    assert_eq!(
        (weighed.code, weighed.payload),
        (Some(0), bytes),
        "equal output is shown once"
    );
    weighed.assert_light();
    place.end();
}

#[test]
fn bytes_of_every_value_arrive_as_they_are() {
    let place = Place::warm();
    let all: Vec<u8> = (0..=255).cycle().take(256 * 1000).collect();
    let file = place.work("all");
    std::fs::write(&file, &all).unwrap();
    let words = ["run", "local:a", "--", "cat"].map(AsRef::as_ref);
    let ran = crate::live::Live::start(place.convoke(words.into_iter().chain([file.as_os_str()])));
    assert!(ran.finish().stdout == all);
    place.end();
}

#[test]
fn what_is_still_in_the_pipe_at_exit_arrives() {
    let place = Place::warm();
    // One write of less than a pipe holds, and the process is gone.
    let words = ["--json", "local:h[1-10]", "--"];
    let program = ["dd", "if=/dev/zero", "bs=60000", "count=1", "status=none"];
    for _ in 0..scaled(3, 20) {
        let ran = place.run(words.into_iter().chain(program));
        assert_eq!(ran.code, Some(0));
        for number in 1..=10 {
            let host = format!("local:h{number}");
            assert_eq!(ran.text(&host, "stdout").len(), 60_000, "{host}");
        }
    }
    place.end();
}

#[test]
fn a_few_words_on_both_streams_are_never_lost() {
    let place = Place::warm();
    for _ in 0..scaled(2, 20) {
        let ran = place.run([
            "--json",
            "local:h[1-20]",
            "--",
            "sh",
            "-c",
            "echo out; echo err >&2",
        ]);
        assert_eq!(ran.code, Some(0));
        for number in 1..=20 {
            let host = format!("local:h{number}");
            assert_eq!(ran.text(&host, "stdout"), "out\n", "{host}");
            assert_eq!(ran.text(&host, "stderr"), "err\n", "{host}");
        }
    }
    place.end();
}

fn seconds(event: &Value) -> f64 {
    let at = event["at"].as_str().unwrap();
    let of_day = at.split(['T', 'Z']).nth(1).unwrap().split(':');
    of_day.fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
}

/// From the last output to the outcome.
fn wait_for_outcome(events: &[Value]) -> f64 {
    let last = events
        .iter()
        .rfind(|event| event["kind"] == "stdout")
        .unwrap();
    let waited = seconds(events.last().unwrap()) - seconds(last);
    waited.rem_euclid(24.0 * 3600.0)
}

#[test]
fn a_daemon_that_holds_stdout_delays_the_outcome_by_250_ms() {
    let place = Place::warm();
    let ran = place.run(["--json", "local:a", "--sh", "sleep 1000 & echo out"]);
    let outcome = ran.outcome("local:a");
    assert_eq!((ran.code, &outcome["left_running"]), (Some(0), &1.into()));
    assert_eq!(outcome["stream_cut"], false);
    assert_eq!(ran.text("local:a", "stdout"), "out\n");
    let waited = wait_for_outcome(&ran.events());
    assert!(
        (0.2..1.0).contains(&waited),
        "the outcome came {waited} s after the last output"
    );
    assert_eq!(place.steps().len(), 1, "the daemon lives on");
    place.end_steps();
    place.end();
}

#[test]
fn a_daemon_that_never_stops_writing_is_cut() {
    let place = Place::warm();
    let ran = place.run([
        "--json",
        "local:a",
        "--sh",
        "while :; do echo more; sleep 0.01; done & exec true",
    ]);
    let outcome = ran.outcome("local:a");
    assert_eq!((ran.code, &outcome["stream_cut"]), (Some(0), &true.into()));
    assert_ne!(outcome["left_running"], 0);
    assert!(ran.took >= Duration::from_secs(2), "{:?}", ran.took);
    place.end_steps();
    place.end();
}

#[test]
fn a_main_process_that_closed_its_streams_is_waited_for() {
    let place = Place::warm();
    let ran = place.run([
        "--json",
        "local:a",
        "--sh",
        "exec >&- 2>&-; sleep 0.5; exit 3",
    ]);
    assert_eq!(ran.outcome("local:a")["code"], 3);
    assert!(ran.took >= Duration::from_millis(500));
    place.end();
}
