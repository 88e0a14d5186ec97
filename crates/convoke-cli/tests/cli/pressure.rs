//! Much output, slow readers, few descriptors.

use crate::scene::{Scene, is_full};

/// What the controller may take, whatever comes: the figure of the contract.
const MEMORY_BYTES: u64 = 64 << 20;

/// The length of a line that does not want to end.
fn long() -> u64 {
    if is_full() { 1 << 30 } else { 40 << 20 }
}

#[test]
fn a_line_of_a_gigabyte_takes_little_memory_in_every_mode() {
    for words in [
        &["local:a"][..],
        &["local:a[1-2]"],
        &["-b", "local:a"],
        &["-b", "local:a[1-2]"],
        &["--json", "local:a"],
    ] {
        let scene = Scene::new();
        let bytes = long().to_string();
        let rest = [
            "--sh",
            "head -c \"$1\" /dev/zero | tr '\\0' '~'",
            "--",
            &bytes,
        ];
        let mut live = scene.begin(words.iter().copied().chain(rest));
        let mut found = 0;
        let peak = live.drain(|piece| {
            found += piece.iter().filter(|byte| **byte == b'~').count() as u64;
        });
        let ran = live.finish();
        assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.stderr);
        let copies = if words == ["local:a[1-2]"] { 2 } else { 1 };
        assert_eq!(found, copies * long(), "{words:?}");
        assert!(peak > 0 && peak < MEMORY_BYTES, "{words:?}: {peak} bytes");
        scene.end();
    }
}

#[test]
fn a_slow_reader_costs_no_memory() {
    let scene = Scene::new();
    let line = "yes 'a line of some length, as logs have them' | head -c 40000000";
    let mut live = scene.begin(["local:a[1-4]", "--sh", line]);
    for _ in 0..500 {
        live.read(1000);
    }
    let mut found = 0;
    let peak = live.drain(|piece| found += piece.len());
    let ran = live.finish();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(found > 160_000_000);
    assert!(peak < MEMORY_BYTES, "{peak} bytes");
    scene.end();
}

#[test]
fn more_hosts_than_descriptors_are_worked_on_in_windows() {
    let scene = Scene::new();
    for (hosts, warnings) in [("local:n[1-300]", 1), ("local:n[1-3]", 0)] {
        let mut command = scene.command("sh");
        let line = "ulimit -n 64; exec \"$0\" run \"$1\" -- echo hi";
        command.args(["-c", line, env!("CARGO_BIN_EXE_convoke"), hosts]);
        let ran = scene.start(command).finish();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(
            ran.stderr.matches("warning: ").count(),
            warnings,
            "{}",
            ran.stderr
        );
        let expected = if warnings == 1 { 300 } else { 3 };
        assert_eq!(ran.text().matches(": hi\n").count(), expected);
    }
    scene.end();
}

#[test]
fn the_soft_limit_of_descriptors_is_raised_first() {
    let scene = Scene::new();
    let mut command = scene.command("sh");
    let line = "ulimit -Sn 64; exec \"$0\" run 'local:n[1-40]' -- true";
    command.args(["-c", line, env!("CARGO_BIN_EXE_convoke")]);
    let ran = scene.start(command).finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    scene.end();
}

#[test]
fn a_limit_of_descriptors_too_low_for_any_host_is_said() {
    let scene = Scene::new();
    for limit in ["6", "7", "9", "12", "13", "19"] {
        let mut command = scene.command("sh");
        let line = "ulimit -n $1; exec \"$0\" run local: true";
        command.args(["-c", line, env!("CARGO_BIN_EXE_convoke"), limit]);
        let ran = scene.start(command).finish();
        let told = format!(
            "error: the descriptor limit {limit} is too low\nhint: `ulimit -n` raises it\n"
        );
        assert_eq!((ran.code, ran.stderr), (Some(2), told));
    }
    scene.end();
}

#[test]
fn small_outputs_are_never_lost() {
    let scene = Scene::new();
    let rounds = if is_full() { 200 } else { 20 };
    for _ in 0..rounds {
        let ran = scene.run(["local:a", "--sh", "echo out; echo err >&2"]);
        assert_eq!((ran.text(), ran.stderr.as_str()), ("out\n", "err\n"));
    }
    scene.end();
}
