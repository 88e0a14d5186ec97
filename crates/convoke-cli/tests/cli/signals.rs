//! Signals, and a stdout that nobody reads any more.

use std::io::Read as _;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::scene::Scene;

#[test]
fn the_first_signal_ends_what_runs_and_gives_its_own_exit_code() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let scene = Scene::new();
        let mut live = scene.begin(["local:a[1-3]", "--sh", "echo ready; exec sleep 1000"]);
        live.until_said("ready", 3);
        // Three commands, the agents' two processes each, and we: the leak check sees them all.
        scene.until_there_are(10);
        live.send(signal);
        let ran = live.finish();
        assert_eq!(ran.code, Some(code));
        assert!(
            ran.stderr.contains("3 hosts: 3 cancelled"),
            "{}",
            ran.stderr
        );
        scene.end();
    }
}

#[test]
fn the_last_words_of_an_interrupted_command_are_heard() {
    let scene = Scene::new();
    let line = "trap 'echo last words; exit 0' TERM; echo ready; while :; do sleep 0.1; done";
    let mut live = scene.begin(["local:a", "--sh", line]);
    live.until_said("ready", 1);
    live.send(Signal::INT);
    let ran = live.finish();
    assert_eq!((ran.code, ran.text()), (Some(130), "ready\nlast words\n"));
    scene.end();
}

#[test]
fn pending_hosts_never_start_after_an_interrupt() {
    let scene = Scene::new();
    let words = [
        "--fanout",
        "1",
        "local:a[1-3]",
        "--sh",
        "echo ready; exec sleep 1000",
    ];
    let mut live = scene.begin(words);
    live.until_said("ready", 1);
    live.send(Signal::INT);
    let ran = live.finish();
    assert_eq!(ran.code, Some(130));
    assert!(
        ran.stderr
            .contains("local:a[2-3] (2): cancelled before it started"),
        "{}",
        ran.stderr
    );
    scene.end();
}

#[test]
fn the_second_interrupt_leaves_at_once() {
    let scene = Scene::new();
    let line = "trap '' TERM; echo ready; while :; do sleep 0.1; done";
    let mut live = scene.begin(["--grace", "8s", "local:a", "--sh", line]);
    live.until_said("ready", 1);
    live.send(Signal::INT);
    live.until_told("Ctrl-C again leaves at once");
    let second = Instant::now();
    live.send(Signal::INT);
    let ran = live.finish();
    assert_eq!(ran.code, Some(130));
    let last = ran.stderr.lines().last();
    assert_eq!(last, Some("left at once; the hosts end what runs"));
    assert!(
        second.elapsed() < Duration::from_secs(5),
        "{:?}",
        second.elapsed()
    );
    scene.end();
}

#[test]
fn the_second_interrupt_is_heard_while_nobody_reads_stdout() {
    for mode in [&[][..], &["--json"], &["-v"]] {
        let scene = Scene::new();
        let mut live = scene.begin(mode.iter().copied().chain(["local:a[1-2]", "yes"]));
        // More than the announcements: a command runs, and its end shows that the first was heard.
        live.read(4096);
        live.send(Signal::INT);
        scene.until_none_is_called("yes");
        live.send(Signal::INT);
        // It leaves before anybody reads on.
        scene.until_none_is_called("convoke");
        live.close_stdout();
        assert_eq!(live.finish().code, Some(130));
        scene.end();
    }
}

#[test]
fn a_hang_up_that_was_to_be_ignored_is() {
    let scene = Scene::new();
    let fifo = scene.fifo("fifo");
    let mut command = scene.command("sh");
    let line = "trap '' HUP; exec \"$0\" run local:a --sh 'echo ready; read x < \"$1\"; echo done' -- \"$1\"";
    command.args(["-c", line, env!("CARGO_BIN_EXE_convoke"), &fifo]);
    let mut live = scene.start(command);
    live.until_said("ready", 1);
    live.send(Signal::HUP);
    std::fs::write(&fifo, "\n").unwrap();
    let ran = live.finish();
    assert_eq!((ran.code, ran.text()), (Some(0), "ready\ndone\n"));
    scene.end();
}

#[test]
fn what_was_gathered_is_shown_after_an_interrupt() {
    let scene = Scene::new();
    let fifo = scene.fifo("fifo");
    // One at a time: when the second host says that it runs, the first one has ended.
    let line = "mkdir first 2>/dev/null && { echo came; exit; }; echo part; \
                echo > \"$1\"; exec sleep 1000";
    let cwd = scene.path("");
    let words = [
        "-b",
        "--fanout",
        "1",
        "--cwd",
        cwd.to_str().unwrap(),
        "local:a[1-3]",
        "--sh",
        line,
    ];
    let live = scene.begin(words.into_iter().chain(["--", &fifo]));
    std::fs::File::open(&fifo)
        .unwrap()
        .read_exact(&mut [0])
        .unwrap();
    live.send(Signal::INT);
    let ran = live.finish();
    let expected = "local:a1 (1)\n  came\nlocal:a2 (1): cancelled\n  part\n";
    assert_eq!((ran.code, ran.text()), (Some(130), expected));
    scene.end();
}

#[test]
fn a_closed_stdout_ends_the_run_and_nothing_is_printed() {
    for words in [
        &["local:a", "yes"][..],
        &["local:a[1-3]", "yes"],
        &["--json", "local:a[1-3]", "yes"],
        &["-b", "local:a[1-3]", "head", "-c", "3000000", "/dev/zero"],
    ] {
        let scene = Scene::new();
        let mut live = scene.begin(words);
        live.read(10);
        live.close_stdout();
        let ran = live.finish();
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(141), ""),
            "{words:?}"
        );
        scene.end();
    }
}

#[test]
fn hosts_that_nobody_reads_are_no_error_of_ours() {
    let scene = Scene::new();
    let mut live = scene.start(scene.convoke(["hosts", "n[1-200000]"]));
    live.read(10);
    live.close_stdout();
    let ran = live.finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(141), ""));
    scene.end();
}
