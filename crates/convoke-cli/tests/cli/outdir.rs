//! Results as files beside what is shown.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::scene::Scene;

/// What became of a host, as its file says.
fn outcome(directory: &Path, host: &str) -> Value {
    let file = directory.join(host).join("outcome.json");
    let text = fs::read(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn every_form_of_output_goes_with_files_and_quiet_leaves_only_them() {
    let scene = Scene::new();
    for (options, hosts, shown) in [
        (&[][..], "local:a1", "out\n"),
        (&["--prefix"], "local:a1", "local:a1: out\n"),
        (
            &["-b"],
            "local:a[1-2]",
            "local:a[1-2] (2): exited 3\n  out\n",
        ),
        (
            &["--diff"],
            "local:a[1-2]",
            "local:a[1-2] (2): exited 3\n  out\n",
        ),
        (&["-q"], "local:a[1-2]", ""),
        (&["-q", "--json"], "local:a[1-2]", ""),
    ] {
        let words = [&["--outdir", "results"], options, &[hosts]].concat();
        let line = ["--sh", "echo out; echo err >&2; exit 3"];
        let ran = scene.run(words.into_iter().chain(line));
        assert_eq!((ran.code, ran.text()), (Some(1), shown), "{options:?}");
        assert_eq!(
            ran.stderr.is_empty(),
            options.contains(&"-q"),
            "{options:?}"
        );
        let results = scene.path("results");
        let own = results.join("local%3Aa1");
        assert_eq!(fs::read(own.join("stdout")).unwrap(), b"out\n");
        assert_eq!(fs::read(own.join("stderr")).unwrap(), b"err\n");
        let outcome = outcome(&results, "local%3Aa1");
        assert_eq!(
            (&outcome["host"], &outcome["code"]),
            (&"local:a1".into(), &3.into())
        );
        fs::remove_dir_all(results).unwrap();
    }
    scene.end();
}

#[test]
fn more_hosts_than_descriptors_have_their_files() {
    let scene = Scene::new();
    let mut command = scene.command("sh");
    let line = "ulimit -n 64; exec \"$0\" run -q --outdir results 'local:n[1-300]' -- \
                sh -c 'echo hi; echo ho >&2'";
    command.args(["-c", line, env!("CARGO_BIN_EXE_convoke")]);
    let ran = scene.start(command).finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    for number in 1..=300 {
        let host = format!("local%3An{number}");
        let own = scene.path("results").join(&host);
        assert_eq!(fs::read(own.join("stdout")).unwrap(), b"hi\n", "{host}");
        assert_eq!(fs::read(own.join("stderr")).unwrap(), b"ho\n", "{host}");
        assert_eq!(outcome(&scene.path("results"), &host)["code"], 0);
    }
    scene.end();
}

#[test]
fn every_host_has_an_outcome_after_an_interrupt() {
    let scene = Scene::new();
    let words = ["--outdir", "results", "--fanout", "2", "local:a[1-4]"];
    let mut live = scene.begin(
        words
            .into_iter()
            .chain(["--sh", "echo ready; exec sleep 1000"]),
    );
    live.until_said("ready", 2);
    live.send(Signal::INT);
    assert_eq!(live.finish().code, Some(130));
    for (host, was_running) in [("a1", true), ("a2", true), ("a3", false), ("a4", false)] {
        let outcome = outcome(&scene.path("results"), &format!("local%3A{host}"));
        let facts = (&outcome["outcome"], &outcome["was_running"]);
        assert_eq!(facts, (&"cancelled".into(), &was_running.into()), "{host}");
        assert_eq!(outcome["why"], "operator", "{host}");
    }
    scene.end();
}

#[test]
fn files_are_written_on_when_nobody_reads_stdout_any_more() {
    let scene = Scene::new();
    let mut live = scene.begin(["--outdir", "results", "local:a[1-2]", "yes"]);
    live.read(10);
    live.close_stdout();
    let ran = live.finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(141), ""));
    for host in ["local%3Aa1", "local%3Aa2"] {
        let outcome = outcome(&scene.path("results"), host);
        let facts = (&outcome["outcome"], &outcome["why"]);
        assert_eq!(facts, (&"cancelled".into(), &"output".into()), "{host}");
    }
    scene.end();
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_fails_the_run() {
    let scene = Scene::new();
    // The agent is in its cache from here on, which is a file, too.
    assert_eq!(scene.run(["local:a", "true"]).code, Some(0));
    let mut command = scene.command("sh");
    let line =
        "trap '' XFSZ; ulimit -f 8; exec \"$0\" run --outdir results 'local:a[1-2]' -- seq 100000";
    command.args(["-c", line, env!("CARGO_BIN_EXE_convoke")]);
    // Its stderr is a file, and small.
    let ran = scene.start(command).finish();
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_eq!(ran.text().lines().count(), 200_000);
    let told = "error: failed to write \"results/local%3Aa1/stdout\": file too large";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("error: 2 files are not whole in \"results\"\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(outcome(&scene.path("results"), "local%3Aa1")["code"], 0);
    scene.end();
}

#[test]
fn no_half_written_outcome_is_left() {
    let scene = Scene::new();
    assert_eq!(scene.run(["local:a", "true"]).code, Some(0));
    let mut command = scene.command("sh");
    let line =
        "trap '' XFSZ; ulimit -f 0; exec \"$0\" run --outdir results local:a true 2>/dev/null";
    command.args(["-c", line, env!("CARGO_BIN_EXE_convoke")]);
    assert_eq!(scene.start(command).finish().code, Some(1));
    let left = fs::read_dir(scene.path("results/local%3Aa")).unwrap();
    let mut left: Vec<_> = left.map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["stderr", "stdout"]);
    scene.end();
}

#[test]
fn a_place_that_is_none_is_refused_before_anything_starts() {
    let scene = Scene::new();
    let file = scene.file("file", "");
    fs::create_dir(scene.path("results")).unwrap();
    fs::create_dir(scene.path("elsewhere")).unwrap();
    symlink(scene.path("elsewhere"), scene.path("results/local%3Aa")).unwrap();
    for (place, what) in [
        (file.as_str(), "failed to keep results in"),
        ("/proc/x", "failed to keep results in \"/proc/x\": "),
        (
            "results",
            "failed to keep results in \"results/local%3Aa\": it is a link",
        ),
        ("", "--outdir names no directory"),
    ] {
        let ran = scene.run(["--outdir", place, "local:a", "touch", "ran"]);
        assert_eq!(ran.code, Some(2), "{place}: {}", ran.stderr);
        assert!(
            ran.stderr.starts_with(&format!("error: {what}")),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("\nhint: "), "{}", ran.stderr);
    }
    assert!(!scene.path("ran").exists());
    assert_eq!(fs::read_dir(scene.path("elsewhere")).unwrap().count(), 0);
    scene.end();
}
