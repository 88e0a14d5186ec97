//! Plans, host lists and help.

use crate::scene::Scene;

#[test]
fn a_dry_run_shows_the_plan_and_starts_nothing() {
    let scene = Scene::new();
    let witness = scene.path("witness");
    let words = [
        "--dry-run",
        "--fanout",
        "2",
        "--max-fail",
        "50%",
        "local:a[1-3]",
        "touch",
    ];
    let ran = scene.run(words.into_iter().chain([witness.to_str().unwrap()]));
    let expected = format!(
        "hosts     local:a[1-3] (3)\ncommand   touch {}\ngrace     10s\nat once   2 hosts\n\
         stop at   2 failed hosts: nothing new is started\noutput    prefixed\n",
        witness.display()
    );
    assert_eq!(
        (ran.code, ran.text(), ran.stderr.as_str()),
        (Some(0), expected.as_str(), "")
    );
    assert!(!witness.exists());
    assert!(scene.processes().is_empty());
    scene.end();
}

#[test]
fn a_dry_run_finds_what_would_stop_the_run() {
    let scene = Scene::new();
    let ran = scene.run(["--dry-run", "docker:web1", "true"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.starts_with("error: no connector for docker"),
        "{}",
        ran.stderr
    );
    scene.end();
}

#[test]
fn hosts_are_shown_in_order_folded_or_counted() {
    let scene = Scene::new();
    for (words, code, stdout) in [
        (&["web[2-3],web1"][..], 0, "web2\nweb3\nweb1\n"),
        (&["--fold", "web[2-3],web1"], 0, "web[1-3]\n"),
        (&["--count", "n[1-100000]"], 0, "100000\n"),
        (&["--allow-empty", "a!a"], 0, ""),
        (&["--allow-empty", "--count", "a!a"], 0, "0\n"),
        (&["a!a"], 2, ""),
        (&["web[3-1]"], 2, ""),
        (&["^/nonexistent"], 2, ""),
    ] {
        let ran = scene
            .start(scene.convoke(["hosts"].iter().chain(words)))
            .finish();
        assert_eq!(
            (ran.code, ran.text()),
            (Some(code), stdout),
            "{words:?}: {}",
            ran.stderr
        );
        assert_eq!(ran.stderr.starts_with("error: "), code == 2, "{words:?}");
    }
    scene.end();
}

#[test]
fn alone_it_shows_help_and_asks_for_more() {
    let scene = Scene::new();
    let ran = scene
        .start(scene.command(env!("CARGO_BIN_EXE_convoke")))
        .finish();
    assert_eq!((ran.code, ran.text()), (Some(2), ""));
    assert!(ran.stderr.contains("Examples:"), "{}", ran.stderr);
    for (words, text) in [
        (["run", "--help"], "--max-fail"),
        (["hosts", "-h"], "Expressions:"),
    ] {
        let ran = scene.start(scene.convoke(words)).finish();
        assert_eq!(ran.code, Some(0));
        assert!(ran.text().contains(text), "{}", ran.text());
    }
    let ran = scene.start(scene.convoke(["--version"])).finish();
    assert_eq!(
        ran.text(),
        concat!("convoke ", env!("CARGO_PKG_VERSION"), "\n")
    );
    scene.end();
}

#[test]
fn an_option_after_the_program_belongs_to_it() {
    let scene = Scene::new();
    let ran = scene.run(["local:a", "echo", "--json", "-b", "--help"]);
    assert_eq!((ran.code, ran.text()), (Some(0), "--json -b --help\n"));
    scene.end();
}
