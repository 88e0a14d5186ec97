//! Our stdin as input, and what else goes to a command.

use std::fs::File;
use std::process::Stdio;

use crate::scene::Scene;

fn big() -> Vec<u8> {
    (0..3_000_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

#[test]
fn several_hosts_get_all_of_stdin() {
    let scene = Scene::new();
    let input = scene.file("input", big());
    let mut command = scene.convoke(["run", "--stdin", "local:a[1-3]", "--sh"]);
    command.args(["cmp - \"$1\" && echo same", "--", &input]);
    command.stdin(File::open(&input).unwrap());
    let ran = scene.start(command).finish();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.text().matches(": same\n").count(), 3);
    scene.end();
}

#[test]
fn one_host_reads_stdin_straight_through() {
    let scene = Scene::new();
    let input = scene.file("input", big());
    let mut command = scene.convoke(["run", "--stdin", "local:a", "cat"]);
    command.stdin(File::open(&input).unwrap());
    let ran = scene.start(command).finish();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout == big());
    scene.end();
}

#[test]
fn input_that_comes_slowly_arrives_as_it_comes() {
    use std::io::Write as _;
    for hosts in ["local:a", "local:a[1-2]"] {
        let scene = Scene::new();
        let count = if hosts == "local:a" { 1 } else { 2 };
        let mut command = scene.convoke(["run", "--stdin", hosts, "--sh"]);
        command.arg("while read line; do echo \"got $line\"; done");
        let (reader, mut writer) = std::io::pipe().unwrap();
        command.stdin(reader);
        let mut live = scene.start(command);
        for word in ["one", "two"] {
            writeln!(writer, "{word}").unwrap();
            live.until_said(&format!("got {word}"), count);
        }
        drop(writer);
        assert_eq!(live.finish().code, Some(0));
        scene.end();
    }
}

#[test]
fn a_host_that_reads_nothing_is_no_error() {
    let scene = Scene::new();
    let input = scene.file("input", big());
    let mut command = scene.convoke(["run", "--stdin", "local:a[1-2]", "--sh"]);
    command.arg("exec <&-; echo done");
    command.stdin(File::open(&input).unwrap());
    let ran = scene.start(command).finish();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    scene.end();
}

#[test]
fn stdin_is_not_touched_without_being_asked_for() {
    let scene = Scene::new();
    let input = scene.file("input", "left alone\n");
    let mut command = scene.command("sh");
    command.args([
        "-c",
        "\"$0\" run local:a -- cat && cat",
        env!("CARGO_BIN_EXE_convoke"),
    ]);
    command.stdin(File::open(&input).unwrap());
    let ran = scene.start(command).finish();
    assert_eq!((ran.code, ran.text()), (Some(0), "left alone\n"));
    scene.end();
}

#[test]
fn a_stdin_that_cannot_be_read_is_told_and_no_end_of_input() {
    for hosts in ["local:a", "local:a[1-2]"] {
        let scene = Scene::new();
        let mut command = scene.convoke(["run", "--stdin", hosts, "cat"]);
        command.stdin(File::open("/").unwrap());
        let ran = scene.start(command).finish();
        assert_eq!(ran.code, Some(1), "{hosts}");
        let told = "error: failed to read stdin: is a directory";
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
        let why = ", as the input could not be read";
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        let mut command = scene.convoke(["run", "--json", "--stdin", hosts, "cat"]);
        command.stdin(File::open("/").unwrap());
        let ran = scene.start(command).finish();
        let why = r#""outcome":"cancelled","ok":false,"why":"input""#;
        assert!(ran.text().contains(why), "{}", ran.text());
        assert_eq!(ran.code, Some(1), "{hosts}");
        scene.end();
    }
}

#[test]
fn hosts_can_come_from_stdin_and_files() {
    let scene = Scene::new();
    let file = scene.file(
        "hosts",
        "\u{feff}# ours\r\nlocal:a[1-2]\r\n\r\n local:b # last\r\n",
    );
    let count = |expr: &str| {
        let mut command = scene.convoke(["hosts", expr]);
        command.stdin(Stdio::from(File::open(&file).unwrap()));
        scene.start(command).finish()
    };
    assert_eq!(count("-").text(), "local:a1\nlocal:a2\nlocal:b\n");
    assert_eq!(
        count(&format!("^{file}!local:a1")).text(),
        "local:a2\nlocal:b\n"
    );
    scene.end();
}

#[test]
fn variables_arrive_and_the_later_pair_wins() {
    let scene = Scene::new();
    let file = scene.file("vars", "# ours\nA=file \n\nB=x=y\n");
    let line = "printf '%s|%s|%s' \"$A\" \"$B\" \"$C\"";
    let words = [
        "--env",
        "C=1",
        "--env-file",
        &file,
        "--env",
        "C=2",
        "local:a",
        "--sh",
        line,
    ];
    assert_eq!(scene.run(words).text(), "file |x=y|2");
    let wrong = scene.file("wrong", "A=b\nhush\n");
    let ran = scene.run(["--env-file", &wrong, "local:a", "true"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.starts_with("error: line 2 of "),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("hush"), "{}", ran.stderr);
    scene.end();
}

#[test]
fn a_secret_of_an_env_file_appears_nowhere() {
    let scene = Scene::new();
    let file = scene.file("vars", "TOKEN=hush-hush\n");
    for (words, code) in [
        (&["-vv"][..], 1),
        (&["--json"], 1),
        (&["--dry-run"], 0),
        (&["--dry-run", "--json"], 0),
        (&["-b", "--login"], 1),
        (&["--cwd", "/nonexistent"], 1),
    ] {
        let line = "[ \"$TOKEN\" = hush-hus\"h\" ] && exit 3";
        let words = words.iter().copied();
        let rest = ["--env-file", &file, "local:a[1-2]", "--sh", line];
        let ran = scene.run(words.clone().chain(rest));
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        let words: Vec<&str> = words.collect();
        assert!(
            !ran.text().contains("hush-hush"),
            "{words:?}: {}",
            ran.text()
        );
        assert!(
            !ran.stderr.contains("hush-hush"),
            "{words:?}: {}",
            ran.stderr
        );
        let arrived = ran.stderr.contains("exited 3");
        assert_eq!(
            arrived,
            code == 1 && !words.contains(&"--cwd"),
            "{words:?}: {}",
            ran.stderr
        );
    }
    scene.end();
}
