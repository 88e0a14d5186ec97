//! The stage at which a command could not be started, with the host's error and what was tried.

use std::fs;

use serde_json::{Value, json};

use crate::live::Ran;
use crate::place::{Place, set_mode};

const ENOENT: i32 = 2;
const E2BIG: i32 = 7;
const ENOEXEC: i32 = 8;
const EAGAIN: i32 = 11;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;
const EMFILE: i32 = 24;

/// A program name that holds no slash and that no `PATH` has.
const NOWHERE: &str = "no-such-program-anywhere";

fn assert_not_started(ran: &Ran, stage: &str, errno: i32) -> Value {
    let outcome = ran.outcome("local:a");
    let facts = (&outcome["outcome"], &outcome["stage"], &outcome["errno"]);
    assert_eq!(
        facts,
        (&json!("not_started"), &json!(stage), &json!(errno)),
        "{ran:?}"
    );
    assert_eq!((ran.code, &outcome["ok"]), (Some(1), &json!(false)));
    assert!(ran.stderr.contains("not started"), "{}", ran.stderr);
    let started = |event: &Value| event["kind"] == "started";
    assert!(!ran.events().iter().any(started), "it did not start");
    outcome["tried"].clone()
}

/// Runs `true` in a directory.
fn enter(place: &Place, directory: &str) -> Ran {
    place.run(["--json", "--cwd", directory, "local:a", "--", "true"])
}

fn execute(place: &Place, program: &str) -> Ran {
    place.run(["--json", "local:a", "--", program])
}

#[test]
fn a_directory_that_is_missing() {
    let place = Place::warm();
    let directory = place.work("missing").display().to_string();
    let tried = assert_not_started(&enter(&place, &directory), "cwd", ENOENT);
    assert_eq!(tried, json!([directory]));
    place.end();
}

#[test]
fn a_relative_directory_is_one_of_the_home() {
    let place = Place::warm();
    let tried = assert_not_started(&enter(&place, "missing"), "cwd", ENOENT);
    assert_eq!(
        tried,
        json!([place.path("home/missing").display().to_string()])
    );
    place.end();
}

#[test]
fn a_directory_that_is_none() {
    let place = Place::warm();
    let file = place.work("file").display().to_string();
    fs::write(&file, "").unwrap();
    let tried = assert_not_started(&enter(&place, &file), "cwd", ENOTDIR);
    assert_eq!(tried, json!([file]));
    place.end();
}

#[test]
fn a_directory_that_may_not_be_entered() {
    let place = Place::of_account(account());
    let directory = place.work("closed");
    fs::create_dir(&directory).unwrap();
    set_mode(&directory, 0o700);
    let directory = directory.display().to_string();
    let tried = assert_not_started(&enter(&place, &directory), "cwd", EACCES);
    assert_eq!(tried, json!([directory]));
    place.end();
}

#[test]
fn a_program_that_is_nowhere() {
    let place = Place::warm();
    let ran = execute(&place, NOWHERE);
    let bin = place.path("bin").display().to_string();
    let tried = assert_not_started(&ran, "exec", ENOENT);
    let expected = [&bin, "/usr/local/bin", "/usr/bin", "/bin"];
    assert_eq!(tried, json!(expected.map(|dir| format!("{dir}/{NOWHERE}"))));
    place.end();
}

#[test]
fn a_program_that_may_not_be_executed() {
    let place = Place::warm();
    let file = place.work("plain").display().to_string();
    fs::write(&file, "#!/bin/sh\n").unwrap();
    let tried = assert_not_started(&execute(&place, &file), "exec", EACCES);
    assert_eq!(tried, json!([file]));
    place.end();
}

#[test]
fn a_file_that_is_no_program() {
    let place = Place::warm();
    let file = place.work("text");
    fs::write(&file, "neither a program nor a script\n").unwrap();
    set_mode(&file, 0o755);
    let file = file.display().to_string();
    let ran = execute(&place, &file);
    let tried = assert_not_started(&ran, "exec", ENOEXEC);
    assert_eq!(tried, json!([file]));
    assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
    place.end();
}

#[test]
fn a_script_whose_interpreter_is_missing() {
    let place = Place::warm();
    let file = place.work("script");
    fs::write(&file, "#!/no/such/interpreter\n").unwrap();
    set_mode(&file, 0o755);
    let file = file.display().to_string();
    let tried = assert_not_started(&execute(&place, &file), "exec", ENOENT);
    assert_eq!(tried, json!([file]));
    place.end();
}

/// Runs `true` with a variable of so many bytes.
fn run_with_variable(place: &Place, bytes: usize) -> Ran {
    let file = place.work("variables");
    fs::write(&file, format!("BIG={}\n", "x".repeat(bytes))).unwrap();
    let file = file.display().to_string();
    place.run(["--json", "--env-file", &file, "local:a", "--", "true"])
}

#[test]
fn a_text_that_is_too_long_for_the_hosts_kernel() {
    let place = Place::warm();
    let ran = run_with_variable(&place, 200 * 1024);
    assert_not_started(&ran, "exec", E2BIG);
    place.end();
}

#[test]
fn a_text_that_is_too_long_for_a_request() {
    let place = Place::warm();
    let ran = run_with_variable(&place, 5 * 1024 * 1024);
    assert_not_started(&ran, "exec", E2BIG);
    place.end();
}

/// Gives the shell of the host, which becomes the agent, a limit.
fn limit(place: &Place, option: &str, value: u32) {
    let script =
        format!("prlimit --pid $PPID --{option}={value}:{value}\nexec /usr/bin/sha256sum \"$@\"");
    place.add_tool("sha256sum", &script);
}

/// Runs `true` with every limit from `from` to the first with which it succeeds. Each outcome on the
/// way is one of those that such a limit explains; returns those that did not start.
fn with_rising_limit(place: &Place, option: &str, from: u32) -> Vec<Ran> {
    place.warm_up();
    let mut found = Vec::new();
    for value in from..from + 64 {
        limit(place, option, value);
        let ran = place.run(["--json", "local:a", "--", "true"]);
        let outcome = ran.outcome("local:a");
        eprintln!("{option} {value}: {outcome}");
        match outcome["outcome"].as_str().unwrap() {
            "exited" => {
                assert_eq!(outcome["ok"], true);
                return found;
            }
            "not_started" => found.push(ran),
            "unreachable" => assert_eq!(ran.code, Some(3)),
            other => panic!("{option} {value}: {other}"),
        }
    }
    panic!("it never succeeds");
}

#[test]
fn a_process_that_the_host_refuses() {
    let place = Place::of_account(account());
    let ran = with_rising_limit(&place, "nproc", 1);
    assert!(!ran.is_empty());
    for ran in ran {
        assert_not_started(&ran, "fork", EAGAIN);
    }
    place.end();
}

#[test]
fn a_descriptor_that_the_host_refuses() {
    let place = Place::new();
    let ran = with_rising_limit(&place, "nofile", 3);
    assert!(!ran.is_empty());
    for ran in ran {
        assert_not_started(&ran, "fork", EMFILE);
    }
    place.end();
}

/// An account that no other process here acts as, so that its limits count this test alone.
fn account() -> u32 {
    300_000 + std::process::id()
}
