//! Files that hold exactly what came, where they belong.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::Value;

use super::super::view_tests::{ended, err, exited, hosts, out};
use super::*;

fn made(path: &Path, names: &[&str]) -> Outdir {
    Outdir::new(path, &hosts(names), RunId::new([0; 8]))
        .map_err(|(path, error)| format!("{path:?}: {error}"))
        .unwrap()
}

fn refused(path: &Path, names: &[&str]) -> (PathBuf, String) {
    let (path, error) = Outdir::new(path, &hosts(names), RunId::new([0; 8]))
        .err()
        .unwrap();
    (path, error.to_string())
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn each_host_has_its_output_and_its_outcome() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("new/results");
    let mut outdir = made(&path, &["local:a", "b"]);
    let events = [
        out("local:a", b"one\n"),
        err("local:a", b"hm\xff\n"),
        out("local:a", b"two"),
        ended("local:a", 3),
    ];
    for event in events {
        assert_eq!(outdir.event(&event), "");
    }
    let report = Report {
        results: vec![HostResult {
            host: "b".into(),
            outcome: exited(0),
        }],
        stopped_early: false,
    };
    assert_eq!(outdir.finish(&report), "");
    assert!(outdir.is_whole());
    let read = |file: &str| fs::read(path.join(file)).unwrap();
    assert_eq!(read("local%3Aa/stdout"), b"one\ntwo");
    assert_eq!(read("local%3Aa/stderr"), b"hm\xff\n");
    assert_eq!((read("b/stdout"), read("b/stderr")), (vec![], vec![]));
    for (file, host, code) in [("local%3Aa", "local:a", 3), ("b", "b", 0)] {
        let outcome: Value = serde_json::from_slice(&read(&format!("{file}/{OUTCOME}"))).unwrap();
        assert_eq!(outcome["host"], host);
        assert_eq!(
            (&outcome["schema"], &outcome["run"]),
            (&1.into(), &"0000000000000000".into())
        );
        let at = outcome["at"].as_str().unwrap();
        assert!(humantime::parse_rfc3339(at).is_ok(), "{at}");
        assert_eq!(
            (&outcome["outcome"], &outcome["code"]),
            (&"exited".into(), &code.into())
        );
    }
    assert_eq!((mode(&path), mode(path.join("b"))), (0o700, 0o700));
    for file in ["stdout", "stderr", OUTCOME] {
        assert_eq!(mode(path.join("b").join(file)), 0o600, "{file}");
    }
    assert_eq!(fs::read_dir(path.join("b")).unwrap().count(), 3);
}

#[test]
fn many_hosts_that_write_in_turn_need_few_files() {
    let place = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..100).map(|number| format!("h{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut outdir = made(place.path(), &names);
    for round in 0..3 {
        for name in &names {
            assert_eq!(
                outdir.event(&out(name, format!("{round}\n").as_bytes())),
                ""
            );
            assert!(outdir.open.len() <= OPEN);
        }
    }
    for name in &names {
        assert_eq!(outdir.event(&ended(name, 0)), "");
        let text = fs::read_to_string(place.path().join(name).join("stdout")).unwrap();
        assert_eq!(text, "0\n1\n2\n");
    }
    assert!(outdir.open.is_empty());
}

#[test]
fn what_an_earlier_run_left_is_replaced() {
    let place = tempfile::tempdir().unwrap();
    for text in [&b"a long text\n"[..], b"short\n"] {
        let mut outdir = made(place.path(), &["h"]);
        outdir.event(&out("h", text));
        outdir.event(&ended("h", 0));
        assert_eq!(fs::read(place.path().join("h/stdout")).unwrap(), text);
    }
    // Until it has ended again, nothing says how it ended.
    made(place.path(), &["h"]);
    assert!(!place.path().join("h").join(OUTCOME).exists());
}

#[test]
fn no_link_is_followed() {
    let place = tempfile::tempdir().unwrap();
    let (path, victim) = (place.path().join("out"), place.path().join("victim"));
    fs::create_dir_all(path.join("h")).unwrap();
    fs::create_dir(&victim).unwrap();
    let file = victim.join("file");
    fs::write(&file, "mine").unwrap();
    for name in ["stdout", "stderr", OUTCOME, UNFINISHED] {
        symlink(&file, path.join("h").join(name)).unwrap();
    }
    let mut outdir = made(&path, &["h"]);
    outdir.event(&out("h", b"new\n"));
    // One that is planted while it runs is not followed either, and told.
    symlink(&file, path.join("h/stderr")).unwrap();
    let told = outdir.event(&err("h", b"new\n"));
    assert!(told.contains("h/stderr\": "), "{told}");
    outdir.event(&ended("h", 0));
    assert!(!outdir.is_whole());
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    assert_eq!(fs::read(path.join("h/stdout")).unwrap(), b"new\n");

    symlink(&victim, path.join("g")).unwrap();
    let (place, why) = refused(&path, &["g"]);
    assert_eq!(
        (place, why.as_str()),
        (path.join("g"), "it is a link, or no directory")
    );
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_written_is_told_counted_and_not_tried_again() {
    let place = tempfile::tempdir().unwrap();
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let mut outdir = made(place.path(), &names);
    for name in names {
        fs::remove_dir(place.path().join(name)).unwrap();
    }
    let mut told = String::new();
    for name in names {
        told += &outdir.event(&out(name, b"x"));
        told += &outdir.event(&out(name, b"x"));
    }
    assert_eq!(told.lines().count(), TOLD, "{told}");
    let report = Report {
        results: Vec::new(),
        stopped_early: false,
    };
    let last = outdir.finish(&report);
    let expected = format!("error: 7 files are not whole in {:?}\n", place.path());
    assert_eq!(last, expected);
}
