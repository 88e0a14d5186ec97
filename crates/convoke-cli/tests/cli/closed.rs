//! Standard descriptors that are closed, full, or read by nobody: one rule for every verb and form.

use std::fs;
use std::process::Stdio;

use crate::scene::{Ran, Scene};

/// Every way to print something; each of them would print.
fn verbs() -> Vec<Vec<&'static str>> {
    let run: [&[&str]; 9] = [
        &["local:a"],
        &["local:a[1-2]"],
        &["-q", "local:a[1-2]"],
        &["-b", "local:a[1-2]"],
        &["--diff", "local:a[1-2]"],
        &["--json", "local:a"],
        &["--exit-code", "max", "local:a"],
        &["--dry-run", "local:a"],
        &["--dry-run", "--json", "local:a"],
    ];
    let run = run
        .iter()
        .map(|words| [&["run"], *words, &["--", "sh", "-c", ":>>ran; echo hi"]].concat());
    let others: [&[&str]; 8] = [
        &["hosts", "a[1-3]"],
        &["hosts", "--fold", "a[1-3]"],
        &["hosts", "--count", "a[1-3]"],
        &["--help"],
        &["run", "--help"],
        &["--version"],
        &["completions", "bash"],
        &["man", "run"],
    ];
    run.chain(others.iter().map(|words| words.to_vec()))
        .collect()
}

/// Runs `convoke` with descriptors as a shell redirects them.
fn redirected(scene: &Scene, redirection: &str, words: &[&str]) -> Ran {
    let mut command = scene.command("sh");
    let line = format!("exec \"$0\" \"$@\" {redirection}");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_convoke")]);
    command.args(words);
    scene.start(command).finish()
}

#[test]
fn nothing_begins_while_stdout_is_closed() {
    let scene = Scene::new();
    for words in verbs() {
        let ran = redirected(&scene, ">&-", &words);
        let seen = (ran.code, ran.stderr.as_str());
        assert_eq!(seen, (Some(141), ""), "{words:?}");
    }
    assert!(!scene.path("ran").exists());
    scene.end();
}

#[test]
fn a_mistake_is_told_although_stdout_is_closed() {
    let scene = Scene::new();
    let ran = redirected(&scene, ">&-", &["run", "--bogus"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    scene.end();
}

#[test]
fn a_pipe_that_nobody_reads_is_a_closed_stdout() {
    let scene = Scene::new();
    for words in verbs() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        drop(reader);
        let mut command = scene.convoke(&words);
        command.stdout(writer).stderr(Stdio::piped());
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let seen = (output.status.code(), stderr.as_str());
        assert_eq!(seen, (Some(141), ""), "{words:?}");
    }
    scene.end();
}

#[test]
fn a_full_disk_has_one_exit_code_and_is_told() {
    let scene = Scene::new();
    for words in verbs() {
        let ran = redirected(&scene, ">/dev/full", &words);
        assert_eq!(ran.code, Some(1), "{words:?}: {}", ran.stderr);
        let told = "error: failed to write the output: no space left on device";
        assert!(ran.stderr.contains(told), "{words:?}: {}", ran.stderr);
    }
    scene.end();
}

#[test]
fn a_stderr_that_cannot_be_written_changes_nothing() {
    let scene = Scene::new();
    for redirection in ["2>&-", "2>/dev/full", "<&- 2>&-"] {
        for (words, code, stdout) in [
            (&["run", "local:a", "echo", "hi"][..], 0, "hi\n"),
            (&["run", "-v", "local:a", "echo", "hi"], 0, "hi\n"),
            (&["run", "local:a[1-2]", "--", "false"], 1, ""),
            (&["run", "--bogus"], 2, ""),
            (&[], 2, ""),
        ] {
            let ran = redirected(&scene, redirection, words);
            assert_eq!(
                (ran.code, ran.text()),
                (Some(code), stdout),
                "{redirection} {words:?}"
            );
        }
    }
    scene.end();
}

#[test]
fn a_closed_stdin_is_an_empty_one_but_where_a_file_would_get_it() {
    let scene = Scene::new();
    scene.file("there", "old");
    for (words, code) in [
        (&["run", "local:a", "cat"][..], 0),
        (&["run", "--stdin", "local:a", "cat"], 0),
        (&["run", "-", "cat"], 2),
        (&["hosts", "-"], 2),
        (&["put", "-", "local:a:there"], 2),
        (&["put", "/dev/stdin", "local:a:there"], 2),
        (&["put", "-", "local:a[1-2]:there"], 2),
    ] {
        let ran = redirected(&scene, "<&-", words);
        assert_eq!((ran.code, ran.text()), (Some(code), ""), "{words:?}");
        assert_eq!(ran.stderr.is_empty(), code == 0, "{}", ran.stderr);
    }
    assert_eq!(fs::read(scene.path("there")).unwrap(), b"old");
    scene.end();
}
