//! The one exception: the system's ssh may ask on the terminal when exactly one host is selected there.

use std::fs;
use std::process::Command;

use convoke_testkit::fleet::{Fleet, Known};

use crate::console::Console;
use crate::operator::Operator;

const CONVOKE: &str = env!("CARGO_BIN_EXE_convoke");

/// Runs convoke and tells its code, whether the terminal is as before, and whether its keys come.
const SCRIPT: &str = "before=$(stty -a); \"$0\" \"$@\"; echo \"code $?\"; \
     [ \"$before\" = \"$(stty -a)\" ] && echo unchanged; read line; echo \"read $line\"";

/// What ssh asks.
const PROMPT: &str = "Enter passphrase for key ";

/// A fleet whose only key has a passphrase: `secret`.
fn guarded() -> Fleet {
    let fleet = Fleet::builder().system_ssh().start();
    let mut keygen = Command::new("ssh-keygen");
    keygen
        .args(["-q", "-p", "-P", "", "-N", "secret", "-f"])
        .arg(fleet.identity());
    assert!(keygen.output().unwrap().status.success());
    fleet
}

fn on_terminal(operator: &Operator, fleet: &Fleet, words: &[&str]) -> Console {
    let config = fleet.ssh_config();
    let before = [
        "bash",
        "-c",
        SCRIPT,
        CONVOKE,
        "run",
        "-F",
        config.to_str().unwrap(),
    ];
    Console::start(operator, &[&before, words].concat())
}

/// The terminal belongs to who had it before, as it was.
fn given_back(mut console: Console, code: &str) -> String {
    console.until(code);
    console.until("unchanged\n");
    console.press("line\n");
    let (text, _) = console.finish();
    assert!(text.ends_with("read line\n"), "{text}");
    text
}

#[test]
fn a_passphrase_is_asked_for_on_the_terminal_of_one_host() {
    let (operator, fleet) = (Operator::new(), guarded());
    let mut console = on_terminal(&operator, &fleet, &["h1", "echo", "hi"]);
    console.until(PROMPT);
    console.press("secret\n");
    let text = given_back(console, "code 0\n");
    assert!(
        text.contains("\nhi\n") && !text.contains("secret"),
        "{text}"
    );
    operator.end(&fleet);
}

#[test]
fn a_wrong_passphrase_is_asked_for_again_and_fails() {
    let (operator, fleet) = (Operator::new(), guarded());
    let mut console = on_terminal(&operator, &fleet, &["h1", "echo", "hi"]);
    for time in 1..=3 {
        console.until_times(PROMPT, time);
        console.press("wrong\n");
    }
    let text = given_back(console, "code 3\n");
    assert!(text.contains("h1: unreachable (authentication): permission denied to "));
    // Nobody misses an ssh-agent who could type a passphrase.
    assert!(
        text.contains("hint: `ssh -v HOST` shows which keys are offered\n"),
        "{text}"
    );
    operator.end(&fleet);
}

#[test]
fn ctrl_c_at_the_question_ends_the_run_and_gives_the_terminal_back() {
    let (operator, fleet) = (Operator::new(), guarded());
    let mut console = on_terminal(&operator, &fleet, &["h1", "echo", "hi"]);
    console.until(PROMPT);
    console.interrupt_until("code 130\n");
    let text = given_back(console, "code 130\n");
    assert!(!text.contains("hi\n"), "{text}");
    operator.end(&fleet);
}

#[test]
fn ctrl_c_after_the_question_reaches_convoke_and_not_the_command() {
    let (operator, fleet) = (Operator::new(), guarded());
    let line = "trap 'echo ended; exit' TERM; echo ready; while :; do sleep 0.05; done";
    let mut console = on_terminal(&operator, &fleet, &["h1", "--sh", line]);
    console.until(PROMPT);
    console.press("secret\n");
    console.until("ready\n");
    console.press("\x03");
    let text = given_back(console, "code 130\n");
    assert!(text.contains("ended\n"), "{text}");
    operator.end(&fleet);
}

#[test]
fn an_unknown_host_key_is_asked_about_on_the_terminal_of_one_host() {
    let (operator, fleet) = (
        Operator::new(),
        Fleet::builder().system_ssh().known(Known::Unknown).start(),
    );
    let (ask, question) = (
        "StrictHostKeyChecking=ask",
        "Are you sure you want to continue connecting",
    );
    let known_hosts = || fs::read(fleet.known_hosts()).unwrap();
    let run = |answer: &str, code: &str| {
        let mut console = on_terminal(&operator, &fleet, &["-o", ask, "h1", "echo", "hi"]);
        console.until(question);
        console.press(answer);
        given_back(console, code)
    };
    let text = run("no\n", "code 3\n");
    assert!(
        text.contains("h1: unreachable (host_key_unknown): "),
        "{text}"
    );
    assert!(known_hosts().is_empty());
    let text = run("yes\n", "code 0\n");
    assert!(text.contains("\nhi\n"), "{text}");
    assert!(!known_hosts().is_empty());
    // Of several hosts none is asked about.
    let console = on_terminal(&operator, &fleet, &["-o", ask, "h[2-3]", "echo", "hi"]);
    let text = given_back(console, "code 3\n");
    assert!(!text.contains(question), "{text}");
    assert!(
        text.contains("h[2-3] (2): unreachable (host_key_unknown): "),
        "{text}"
    );
    operator.end(&fleet);
}

#[test]
fn nothing_is_asked_for_several_hosts_nor_when_stdin_is_sent() {
    let (operator, fleet) = (Operator::new(), guarded());
    for (words, told) in [
        (
            &["h[1-2]", "echo", "hi"][..],
            "2 hosts: 2 unreachable\n  h[1-2] (2): unreachable (authentication): ",
        ),
        (
            &["--stdin", "h1", "cat"],
            "h1: unreachable (authentication): ",
        ),
    ] {
        let console = on_terminal(&operator, &fleet, words);
        let text = given_back(console, "code 3\n");
        assert!(!text.contains(PROMPT), "{text}");
        assert!(text.contains(told), "{text}");
        assert_eq!(
            text.matches("hint: no ssh-agent is running").count(),
            1,
            "{text}"
        );
    }
    operator.end(&fleet);
}
