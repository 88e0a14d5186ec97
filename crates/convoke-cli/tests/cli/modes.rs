//! What the forms of output look like, with bytes of every kind.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use serde_json::Value;

use crate::scene::Scene;

/// Bytes that no mode changes where nothing is a terminal: text, NULs, tabs, what is not UTF-8.
fn harmless() -> Vec<u8> {
    let mut bytes = b"text\tcaf\xc3\xa9\nNUL \0\0 bell \x07\n".to_vec();
    bytes.extend(0xa0..=0xc1);
    bytes.extend(b" \xff\xfe\nunfinished \0");
    bytes
}

/// The bytes of one stream of one host, from the lines of `--json`.
fn json_bytes(stdout: &[u8], host: &str, kind: &str) -> Vec<u8> {
    let lines = stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let events = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
    let pieces = events.filter(|event| event["host"] == host && event["kind"] == kind);
    let bytes = |event: Value| match (&event["data"]["text"], &event["data"]["base64"]) {
        (Value::String(text), _) => text.as_bytes().to_vec(),
        (_, Value::String(base64)) => decoded(base64),
        _ => panic!("{event}"),
    };
    pieces.flat_map(bytes).collect()
}

/// Decoded with the tool of the system: not with the library that encoded it.
fn decoded(base64: &str) -> Vec<u8> {
    let mut tool = std::process::Command::new("base64");
    tool.arg("-d")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut tool = tool.spawn().unwrap();
    std::io::Write::write_all(&mut tool.stdin.take().unwrap(), base64.as_bytes()).unwrap();
    tool.wait_with_output().unwrap().stdout
}

/// What stands behind a prefix.
fn stripped(stdout: &[u8], prefix: &[u8]) -> Vec<u8> {
    let lines = stdout.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter_map(|line| line.strip_prefix(prefix))
        .flatten()
        .copied()
        .collect()
}

#[test]
fn one_host_gives_its_bytes_and_nothing_else() {
    let scene = Scene::new();
    let all: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let file = scene.file("bytes", &all);
    let ran = scene.run(["local:a", "--sh", "cat \"$1\"; cat \"$1\" >&2", "--", &file]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.stdout == all);
    let stderr = scene
        .convoke(["run", "local:a", "--sh", "cat \"$1\" >&2", "--", &file])
        .output();
    let stderr = stderr.unwrap();
    assert!(stderr.stderr == all && stderr.stdout.is_empty());
    scene.end();
}

#[test]
fn bytes_come_through_every_mode() {
    let scene = Scene::new();
    let bytes = harmless();
    let file = scene.file("bytes", &bytes);
    let ended = [&bytes[..], b"\n"].concat();
    let run = |words: &[&str]| scene.run(words.iter().copied().chain(["--", "cat", &file]));

    let ran = run(&["--json", "local:a[1-2]"]);
    for host in ["local:a1", "local:a2"] {
        assert_eq!(json_bytes(&ran.stdout, host, "stdout"), bytes);
    }
    let ran = run(&["local:a[1-2]"]);
    for host in ["local:a1: ", "local:a2: "] {
        assert_eq!(stripped(&ran.stdout, host.as_bytes()), ended);
    }
    let ran = run(&["-b", "local:a[1-2]"]);
    assert!(ran.stdout.starts_with(b"local:a[1-2] (2)\n"));
    assert_eq!(stripped(&ran.stdout, b"  "), ended);
    scene.end();
}

#[test]
fn every_byte_of_an_argument_arrives_as_typed() {
    let scene = Scene::new();
    let all: Vec<u8> = (1..=255).collect();
    let words: Vec<Vec<u8>> = vec![
        all,
        b"".to_vec(),
        b" a  b ".to_vec(),
        b"-n".to_vec(),
        b"--".to_vec(),
        b"$HOME `id` $(id) \\ ' \" * ~ ! #".to_vec(),
        b"two\nlines\n".to_vec(),
        b"\xff\xfe\x80".to_vec(),
    ];
    let expected: Vec<u8> = words
        .iter()
        .flat_map(|word| [word, &b"\0"[..]].concat())
        .collect();
    let typed = || words.iter().cloned().map(OsString::from_vec);
    let program = ["local:a", "printf", "%s\\0"].map(OsString::from);
    assert_eq!(
        scene.run(program.into_iter().chain(typed())).stdout,
        expected
    );
    let line = ["local:a", "--sh", "printf '%s\\0' \"$@\"", "--"].map(OsString::from);
    assert_eq!(scene.run(line.into_iter().chain(typed())).stdout, expected);
    let login = ["--login", "local:a", "printf", "%s\\0"].map(OsString::from);
    assert_eq!(scene.run(login.into_iter().chain(typed())).stdout, expected);
    scene.end();
}

#[test]
fn stderr_is_marked_and_goes_to_stderr() {
    let scene = Scene::new();
    let ran = scene.run([
        "local:a[1-2]",
        "--sh",
        "echo out; echo err >&2; printf half",
    ]);
    let mut lines: Vec<&str> = ran.text().lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "local:a1: half",
            "local:a1: out",
            "local:a2: half",
            "local:a2: out"
        ]
    );
    let mut lines: Vec<&str> = ran.stderr.lines().collect();
    lines.sort_unstable();
    // That all is well is told only to who looks.
    assert_eq!(lines, ["local:a1! err", "local:a2! err"]);
    scene.end();
}

#[test]
fn gathering_shows_equal_results_once() {
    let scene = Scene::new();
    let line = "mkdir first 2>/dev/null && { echo other; exit 3; }; echo same; echo hm >&2";
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
    let ran = scene.run(words);
    let expected = "local:a1 (1): exited 3\n  other\nlocal:a[2-3] (2)\n  same\n";
    assert_eq!((ran.text(), ran.code), (expected, Some(1)));
    assert_eq!(
        ran.stderr,
        "local:a[2-3] (2): stderr\n! hm\n3 hosts: 2 ok, 1 failed\n  local:a1: exited 3\n"
    );
    scene.end();
}

#[test]
fn json_is_one_event_a_line_and_the_outcome_is_the_last_of_a_host() {
    let scene = Scene::new();
    let ran = scene.run([
        "--json",
        "local:a[1-3]",
        "--sh",
        "echo out; echo err >&2; exit 7",
    ]);
    let events: Vec<Value> = ran
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for host in ["local:a1", "local:a2", "local:a3"] {
        let own: Vec<&Value> = events
            .iter()
            .filter(|event| event["host"] == host)
            .collect();
        let numbers: Vec<u64> = own
            .iter()
            .map(|event| event["seq"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, (0..own.len() as u64).collect::<Vec<_>>());
        let last = &own[own.len() - 1];
        assert_eq!(
            (&last["kind"], &last["data"]["code"]),
            (&"ended".into(), &7.into())
        );
    }
    scene.end();
}

#[test]
fn a_long_line_comes_in_marked_pieces() {
    let scene = Scene::new();
    let ran = scene.run([
        "local:a[1-2]",
        "--sh",
        "head -c 150000 /dev/zero | tr '\\0' x; echo",
    ]);
    for host in ["local:a1", "local:a2"] {
        let own = ran.text().lines().filter(|line| line.starts_with(host));
        let lengths: Vec<usize> = own.map(str::len).collect();
        let (piece, last) = (
            host.len() + 3 + 65_536,
            host.len() + 2 + 150_000 - 2 * 65_536,
        );
        assert_eq!(lengths, [piece, piece, last]);
    }
    scene.end();
}

#[test]
fn quiet_keeps_the_recap_to_itself() {
    let scene = Scene::new();
    let ran = scene.run(["-q", "local:a[1-2]", "--", "false"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""));
    scene.end();
}

#[test]
fn a_difference_is_shown_against_what_most_hosts_say() {
    let scene = Scene::new();
    let line = "mkdir first 2>/dev/null && { printf 'a\\nB\\nc\\n'; echo hm >&2; exit 3; }; \
                printf 'a\\nb\\nc\\n'";
    let cwd = scene.path("");
    let words = ["--diff", "--fanout", "1", "--cwd", cwd.to_str().unwrap()];
    let ran = scene.run(words.into_iter().chain(["local:a[1-3]", "--sh", line]));
    let expected = "local:a[2-3] (2)\n  a\n  b\n  c\n\
                    local:a1 (1): exited 3, stdout differs, stderr differs\n  \
                    @@ -1,3 +1,3 @@\n   a\n  -b\n  +B\n   c\n";
    assert_eq!((ran.text(), ran.code), (expected, Some(1)));
    assert!(
        ran.stderr
            .starts_with("local:a1 (1): exited 3, stderr\n! hm\n"),
        "{}",
        ran.stderr
    );
    scene.end();
}

#[test]
fn gathering_without_a_place_to_keep_output_loses_nothing() {
    let scene = Scene::new();
    let mut command = scene.convoke(["run", "-b", "local:a[1-2]", "--sh", "seq 200000"]);
    command.env("TMPDIR", "/nonexistent");
    let ran = scene.start(command).finish();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let told = "warning: failed to keep output in \"/nonexistent\": ";
    assert!(ran.stderr.starts_with(told), "{}", ran.stderr);
    assert!(ran.stderr.contains("\nhint: TMPDIR "), "{}", ran.stderr);
    let numbers: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
    for host in ["local:a1: ", "local:a2: "] {
        assert!(stripped(&ran.stdout, host.as_bytes()) == numbers.as_bytes());
    }
    scene.end();
}
