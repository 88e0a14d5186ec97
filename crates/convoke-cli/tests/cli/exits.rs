//! Exit codes and recaps, as tables.

use crate::scene::Scene;

#[test]
fn the_exit_code_tells_the_kind_of_failure() {
    let scene = Scene::new();
    for (words, code, told) in [
        (&["local:a", "true"][..], 0, ""),
        (&["local:a", "--sh", "exit 9"], 1, "local:a: exited 9\n"),
        (&["local:", "--sh", "exit 9"], 1, "local: exited 9\n"),
        (
            &["local:a", "--sh", "kill -9 $$"],
            1,
            "local:a: killed by SIGKILL\n",
        ),
        (
            &["--timeout", "0.2", "local:a", "sleep", "99"],
            1,
            "local:a: timed out: no exit within 0.2 s (--timeout), ended by TERM\n",
        ),
        (
            &["--idle-timeout", "0.2", "local:a", "sleep", "99"],
            1,
            "local:a: timed out: no output within 0.2 s (--idle-timeout), ended by TERM\n",
        ),
        (
            &["--cwd", "/nonexistent", "local:a", "true"],
            1,
            "local:a: not started: failed to enter the directory \"/nonexistent\": \
             no such file or directory\n",
        ),
        (
            &["local:a[1-2]", "false"],
            1,
            "2 hosts: 2 failed\n  local:a[1-2] (2): exited 1\n",
        ),
        (
            &["--max-fail", "1", "--fanout", "1", "local:a[1-3]", "false"],
            4,
            "3 hosts: 1 failed, 2 skipped\n  local:a1: exited 1\n  \
             local:a[2-3] (2): skipped: too many hosts had failed\n",
        ),
        (
            &["--max-fail", "4", "local:a[1-3]", "false"],
            1,
            "3 hosts: 3 failed\n",
        ),
        (
            &["--exit-code", "max", "local:a", "--sh", "exit 9"],
            9,
            "local:a: exited 9\n",
        ),
        (
            &["--exit-code", "max", "local:a", "--sh", "kill -9 $$"],
            137,
            "",
        ),
        (
            &[
                "--exit-code",
                "max",
                "--timeout",
                "0.2",
                "local:a",
                "sleep",
                "9",
            ],
            124,
            "",
        ),
        (&["--exit-code", "max", "local:a", "/nonexistent"], 127, ""),
        (
            &["--exit-code", "max", "local:a", "/etc/passwd"],
            126,
            "permission denied",
        ),
        (
            &["local:a!local:a", "true"],
            2,
            "error: no host selected by \"local:a!local:a\"\nhint: ",
        ),
        (&["--allow-empty", "local:a!local:a", "true"], 0, ""),
        (
            &["local:a,docker:web[1-2]", "true"],
            2,
            "error: no connector for docker endpoints in this build: docker:web[1-2]\nhint: ",
        ),
        (&["local:a"], 2, "error: no command given\nhint: "),
        (
            &["local:a", "--", ""],
            2,
            "error: the program has no name\nhint: ",
        ),
        (
            &["--cwd", "", "local:a", "true"],
            2,
            "error: --cwd names no directory\nhint: ",
        ),
        (
            &["host:0", "true"],
            2,
            "error: host expression \"host:0\": \"0\" at byte 5 is not a port from 1 to 65535\n",
        ),
        (
            &["user@", "true"],
            2,
            "error: host expression \"user@\": no host at byte 5, where one should be\nhint: ",
        ),
        (
            &["--bogus", "local:a", "true"],
            2,
            "error: unexpected argument '--bogus' found\nhint: ",
        ),
        (
            &["--stdin", "-", "cat"],
            2,
            "error: stdin cannot be both a host list and input\nhint: ",
        ),
    ] {
        let ran = scene.run(words);
        assert_eq!(ran.code, Some(code), "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(told), "{words:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, b"", "{words:?}");
    }
    scene.end();
}

#[test]
fn a_program_with_blanks_that_does_not_exist_gets_a_hint() {
    let scene = Scene::new();
    let ran = scene.run(["local:a", "ls -l"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stderr.contains("failed to execute \"ls -l\""),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr
            .contains("hint: the program's name holds blanks; use --sh"),
        "{}",
        ran.stderr
    );
    scene.end();
}

#[test]
fn a_script_without_its_first_line_gets_a_hint() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::new();
    let script = scene.file("script", "echo hi\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ran = scene.run(["local:a", &script]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("`#!` line"), "{}", ran.stderr);
    scene.end();
}

#[test]
fn fail_fast_ends_what_runs() {
    let scene = Scene::new();
    let fifo = scene.fifo("fifo");
    // One host fails once the other one runs.
    let line =
        "mkdir first 2>/dev/null && { echo > \"$1\"; exec sleep 1000; }; read x < \"$1\"; exit 5";
    let cwd = scene.path("");
    let words = [
        "--fail-fast",
        "--cwd",
        cwd.to_str().unwrap(),
        "local:a[1-2]",
        "--sh",
        line,
    ];
    let ran = scene.run(words.into_iter().chain(["--", &fifo]));
    assert_eq!(ran.code, Some(4));
    assert!(
        ran.stderr.contains("2 hosts: 1 failed, 1 cancelled"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("exited 5"), "{}", ran.stderr);
    scene.end();
}
