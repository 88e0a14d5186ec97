//! What the native client asks the operator: on the terminal, once, for one host or for many.

use std::fs;
use std::process::Command;

use convoke_testkit::fleet::{Builder, Fleet, Known};

use crate::console::Console;
use crate::operator::Operator;
use crate::{available, connector};

const CONVOKE: &str = env!("CARGO_BIN_EXE_convoke");

/// Runs convoke and tells its code, whether the terminal is as before, and whether its keys come.
const SCRIPT: &str = "before=$(stty -a); \"$0\" \"$@\"; echo \"code $?\"; \
     [ \"$before\" = \"$(stty -a)\" ] && echo unchanged; read line; echo \"read $line\"";

/// The same from a shell that has jobs: convoke is stopped once.
const JOBS: &str = "set -m; before=$(stty -a); \"$0\" \"$@\"; \
     [ \"$before\" = \"$(stty -a)\" ] && echo stopped as before; fg; echo \"code $?\"; \
     [ \"$before\" = \"$(stty -a)\" ] && echo unchanged; read line; echo \"read $line\"";

const PASSPHRASE: &str = "Enter passphrase for key '";
const PASSWORD: &str = "Password for all hosts: ";

/// Whether the native client serves hosts; the system's asks nothing of several.
fn is_native() -> bool {
    let is_native = connector() == "ssh+native";
    if !is_native {
        eprintln!("skipped 1: the system's ssh asks by itself");
    }
    is_native
}

/// A fleet whose only key has a passphrase: `secret`.
fn guarded() -> Fleet {
    let fleet = Fleet::start();
    lock(&fleet);
    fleet
}

fn lock(fleet: &Fleet) {
    let mut keygen = Command::new("ssh-keygen");
    keygen
        .args(["-q", "-p", "-P", "", "-N", "secret", "-f"])
        .arg(fleet.identity());
    assert!(keygen.output().unwrap().status.success());
}

/// A fleet that is entered by password: `secret`.
fn with_password(builder: Builder) -> Option<Fleet> {
    available(builder.password("secret").try_start())
}

fn on_terminal(operator: &Operator, fleet: &Fleet, script: &str, words: &[&str]) -> Console {
    let config = fleet.ssh_config();
    configured(operator, config.to_str().unwrap(), script, words)
}

fn configured(operator: &Operator, config: &str, script: &str, words: &[&str]) -> Console {
    let before = ["bash", "-c", script, CONVOKE, "run", "-F", config];
    Console::start(
        operator,
        &[&before[..], &["--color", "never"], words].concat(),
    )
}

/// The terminal belongs to who had it before, as it was.
fn given_back(mut console: Console, code: &str) -> String {
    console.until(code);
    console.until("unchanged\n");
    console.press("line\n");
    let (text, _) = console.finish();
    assert!(text.ends_with("read line\n"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    text
}

#[test]
fn a_passphrase_is_asked_for_once_for_all_hosts() {
    if !is_native() {
        return;
    }
    let (operator, fleet) = (Operator::new(), guarded());
    let words = ["-vv", "-b", "h[1-20]", "echo", "hi"];
    let mut console = on_terminal(&operator, &fleet, SCRIPT, &words);
    console.until(PASSPHRASE);
    console.press("secret\n");
    let text = given_back(console, "code 0\n");
    assert_eq!(text.matches(PASSPHRASE).count(), 1, "{text}");
    assert!(text.contains("h[1-20] (20)\n  hi\n"), "{text}");
    operator.end(&fleet);
}

#[test]
fn a_wrong_passphrase_is_asked_for_three_times_and_an_empty_one_once() {
    if !is_native() {
        return;
    }
    let (operator, fleet) = (Operator::new(), guarded());
    let wrong = "what was typed as its passphrase was wrong";
    let nothing = "its passphrase was not typed";
    for (typed, times, why) in [
        ("wrong\n", 3, wrong),
        ("\n", 1, nothing),
        ("\x04", 1, nothing),
    ] {
        let words = ["h[1-3]", "echo", "hi"];
        let mut console = on_terminal(&operator, &fleet, SCRIPT, &words);
        for time in 1..=times {
            console.until_times(PASSPHRASE, time);
            console.press(typed);
        }
        let text = given_back(console, "code 3\n");
        assert_eq!(text.matches(PASSPHRASE).count(), times, "{text}");
        let denied = "h[1-3] (3): unreachable (authentication): permission denied to ";
        assert!(text.contains(denied) && text.contains(why), "{text}");
    }
    operator.end(&fleet);
}

#[test]
fn ctrl_c_at_a_question_ends_the_run_and_shows_keys_again() {
    if !is_native() {
        return;
    }
    let (operator, fleet) = (Operator::new(), guarded());
    for words in [&["h1", "echo", "hi"][..], &["h[1-9]", "echo", "hi"]] {
        let mut console = on_terminal(&operator, &fleet, SCRIPT, words);
        console.until(PASSPHRASE);
        console.press("\x03");
        let text = given_back(console, "code 130\n");
        // Which line comes first depends on how soon the hosts are done.
        assert!(text.contains("': \n"), "{text}");
        assert_eq!(text.matches(PASSPHRASE).count(), 1, "{text}");
    }
    operator.end(&fleet);
}

#[test]
fn ctrl_z_at_a_question_shows_keys_and_fg_asks_again() {
    if !is_native() {
        return;
    }
    let (operator, fleet) = (Operator::new(), guarded());
    let words = ["h[1-3]", "echo", "hi"];
    let mut console = on_terminal(&operator, &fleet, JOBS, &words);
    console.until(PASSPHRASE);
    console.press("\x1a");
    console.until("stopped as before\n");
    console.until_times(PASSPHRASE, 2);
    console.press("secret\n");
    let text = given_back(console, "code 0\n");
    assert_eq!(text.matches(": hi\n").count(), 3, "{text}");
    operator.end(&fleet);
}

/// One host needs no answer, and speaks while the question for the other is open.
#[test]
fn what_hosts_say_waits_until_a_question_is_answered() {
    if !is_native() {
        return;
    }
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let plain = operator.file("plain", fs::read(fleet.identity()).unwrap());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&plain, mode).unwrap();
    lock(&fleet);
    let text = fs::read_to_string(fleet.ssh_config()).unwrap();
    let rest = text.replace("  IdentityFile", "  # ");
    let locked = fleet.identity();
    let config = format!(
        "Host h1\n  IdentityFile {plain}\nHost h2\n  IdentityFile {}\n{rest}",
        locked.display()
    );
    let config = operator.file("config", config);
    let (go, gone) = (operator.path("go"), operator.path("gone"));
    let line = format!(
        "while [ ! -e {} ]; do sleep 0.02; done; echo hi; touch {}",
        go.display(),
        gone.display()
    );
    let words = ["h[1-2]", "--sh", &line];
    let mut console = configured(&operator, &config, SCRIPT, &words);
    console.until(PASSPHRASE);
    fs::write(&go, "").unwrap();
    let deadline = std::time::Instant::now() + crate::operator::PATIENCE;
    while !gone.exists() {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
    console.press("secret\n");
    let text = given_back(console, "code 0\n");
    let question = format!("{PASSPHRASE}{}': \n", locked.display());
    let after = text.split(&question).nth(1);
    let after = after.unwrap_or_else(|| panic!("the question is torn: {text}"));
    for said in ["h1: hi\n", "h2: hi\n"] {
        assert!(after.contains(said), "{text}");
    }
    operator.end(&fleet);
}

#[test]
fn a_password_is_asked_for_before_many_hosts_are_connected() {
    if !is_native() {
        return;
    }
    let Some(fleet) = with_password(Fleet::builder()) else {
        return;
    };
    let operator = Operator::new();
    // Nothing that is logged shows it.
    let words = ["-vv", "--ask-pass", "-b", "h[1-20]", "echo", "hi"];
    let mut console = on_terminal(&operator, &fleet, SCRIPT, &words);
    console.until(PASSWORD);
    let before = fleet.log();
    assert!(!before.contains("Connection from"), "{before}");
    console.press("secret\n");
    let text = given_back(console, "code 0\n");
    assert_eq!(text.matches(PASSWORD).count(), 1, "{text}");
    assert!(text.contains("h[1-20] (20)\n  hi\n"), "{text}");
    operator.end(&fleet);
}

#[test]
fn a_wrong_password_for_many_hosts_is_tried_once_a_host() {
    if !is_native() {
        return;
    }
    let Some(fleet) = with_password(Fleet::builder()) else {
        return;
    };
    let operator = Operator::new();
    let words = ["--ask-pass", "h[1-5]", "echo", "hi"];
    let mut console = on_terminal(&operator, &fleet, SCRIPT, &words);
    console.until(PASSWORD);
    console.press("wrong\n");
    let text = given_back(console, "code 3\n");
    assert!(text.contains("hint: the password was not taken"), "{text}");
    let log = fleet.log();
    assert_eq!(log.matches("Failed password for").count(), 5, "{log}");
    operator.end(&fleet);
}

#[test]
fn a_password_is_asked_for_as_ssh_does_for_one_host_and_not_for_many() {
    if !is_native() {
        return;
    }
    let Some(fleet) = with_password(Fleet::builder()) else {
        return;
    };
    let operator = Operator::new();
    let prompt = format!("{}@{}'s password: ", fleet.account(), fleet.address(1));
    let mut console = on_terminal(&operator, &fleet, SCRIPT, &["h1", "echo", "hi"]);
    console.until(&prompt);
    console.press("wrong\n");
    console.until_times(&prompt, 2);
    console.press("secret\n");
    let text = given_back(console, "code 0\n");
    assert!(
        text.contains("Permission denied, please try again.\n"),
        "{text}"
    );
    assert!(text.contains("\nhi\n"), "{text}");
    let console = on_terminal(&operator, &fleet, SCRIPT, &["h[1-2]", "echo", "hi"]);
    let text = given_back(console, "code 3\n");
    assert!(!text.contains("'s password"), "{text}");
    assert!(text.contains("--ask-pass"), "{text}");
    let log = fleet.log();
    assert_eq!(log.matches("Failed password for").count(), 1, "{log}");
    operator.end(&fleet);
}

/// They have one address and one account, and differ in their ports.
#[test]
fn no_password_is_given_to_a_host_that_it_was_not_typed_for() {
    if !is_native() {
        return;
    }
    let Some(fleet) = with_password(Fleet::builder()) else {
        return;
    };
    let operator = Operator::new();
    let (gate, host) = (fleet.proxy(1).start(), fleet.proxy(1).start());
    fleet.alias("gate", gate.address());
    fleet.alias("inner", host.address());
    let who = format!("{}@{}'s password", fleet.account(), gate.address().ip());
    let (before, behind) = (format!("{who} (jump host gate): "), format!("{who}: "));
    let words = ["-o", "ProxyJump=gate", "inner", "echo", "hi"];
    let mut console = on_terminal(&operator, &fleet, SCRIPT, &words);
    console.until(&before);
    console.press("secret\n");
    console.until(&behind);
    console.press("wrong\n");
    console.until_times(&behind, 2);
    console.press("secret\n");
    let text = given_back(console, "code 0\n");
    assert!(text.contains("\nhi\n"), "{text}");
    // What is typed for all hosts is for no host on the way.
    let words = ["--ask-pass", "-o", "ProxyJump=gate", "h[2-4]", "echo", "hi"];
    let mut console = on_terminal(&operator, &fleet, SCRIPT, &words);
    console.until(PASSWORD);
    console.press("wrong\n");
    console.until(&before);
    console.press("secret\n");
    let text = given_back(console, "code 3\n");
    assert_eq!(text.matches(&before).count(), 1, "{text}");
    let log = fleet.log();
    assert_eq!(log.matches("Failed password for").count(), 1 + 3, "{log}");
    operator.end(&fleet);
}

/// Its answer ends with no line.
#[test]
fn what_is_said_after_an_answer_has_a_line_of_its_own() {
    if !is_native() {
        return;
    }
    let operator = Operator::new();
    let fleet = Fleet::builder().known(Known::Unknown).start();
    let question = "(yes/no/[fingerprint])? ";
    for (typed, then) in [("\x04", "\n"), ("no\n", "no\n"), ("no\x04\x04", "no\n")] {
        let words = ["-o", "StrictHostKeyChecking=ask", "h1", "echo", "hi"];
        let mut console = on_terminal(&operator, &fleet, SCRIPT, &words);
        console.until(question);
        console.press(typed);
        let text = given_back(console, "code 3\n");
        let said = format!("{question}{then}h1: unreachable");
        assert!(text.contains(&said), "{text}");
    }
    operator.end(&fleet);
}

/// The account modules of the machine ask for the password by the other method.
#[test]
fn the_password_answers_a_single_secret_question() {
    if !is_native() {
        return;
    }
    let builder = Fleet::builder()
        .option("UsePAM yes")
        .option("KbdInteractiveAuthentication yes")
        .option("AuthenticationMethods keyboard-interactive");
    let Some(fleet) = with_password(builder) else {
        return;
    };
    let operator = Operator::new();
    for (typed, code, failed) in [("secret\n", "code 0\n", 0), ("wrong\n", "code 3\n", 2)] {
        let words = ["--ask-pass", "h[1-2]", "echo", "hi"];
        let mut console = on_terminal(&operator, &fleet, SCRIPT, &words);
        console.until(PASSWORD);
        console.press(typed);
        given_back(console, code);
        let log = fleet.log();
        let failures = log.matches("PAM: Authentication failure for").count();
        assert_eq!(failures, failed, "{log}");
    }
    operator.end(&fleet);
}

#[test]
fn ctrl_c_at_the_password_for_all_hosts_leaves_at_once() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    for (typed, code, said) in [
        ("\x03", "code 130\n", ""),
        (
            "\n",
            "code 2\n",
            "error: --ask-pass: no password was typed\n",
        ),
    ] {
        let words = ["--ask-pass", "h[1-2]", "echo", "hi"];
        let mut console = on_terminal(&operator, &fleet, SCRIPT, &words);
        console.until(PASSWORD);
        console.press(typed);
        let text = given_back(console, code);
        assert!(text.contains(said), "{text}");
    }
    assert!(!fleet.log().contains("Accepted"), "{}", fleet.log());
    operator.end(&fleet);
}

#[test]
fn without_a_terminal_nobody_is_asked() {
    let (operator, fleet) = (Operator::new(), guarded());
    let config = fleet.ssh_config();
    let config = config.to_str().unwrap();
    for (words, code, said) in [
        (
            &["run", "-F", config, "h[1-2]", "true"][..],
            3,
            "hint: no ssh-agent is running",
        ),
        (
            &["run", "--ask-pass", "-F", config, "h[1-2]", "true"],
            2,
            "error: --ask-pass: there is no terminal to ask on\nhint: ",
        ),
        (
            &["hosts", "--check", "--ask-pass", "-F", config, "h1"],
            2,
            "error: --ask-pass: there is no terminal to ask on\nhint: ",
        ),
    ] {
        // A session of its own has no terminal.
        let mut command = operator.command("setsid");
        command.args(["--wait", CONVOKE]).args(words);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(said), "{text}");
    }
    operator.end(&fleet);
}

#[test]
fn an_unknown_host_is_introduced_on_the_terminal_of_one_host() {
    if !is_native() {
        return;
    }
    let operator = Operator::new();
    let fleet = Fleet::builder().known(Known::Unknown).start();
    let (ask, question) = ("StrictHostKeyChecking=ask", "(yes/no/[fingerprint])? ");
    let known_hosts = || fs::read_to_string(fleet.known_hosts()).unwrap();
    let run = |options: &[&str], answers: &[&str], code: &str| {
        let words = [&["-o", ask], options, &["h1", "echo", "hi"]].concat();
        let mut console = on_terminal(&operator, &fleet, SCRIPT, &words);
        console.until(question);
        for (times, answer) in answers.iter().enumerate() {
            if times > 0 {
                console.until_times("Please type yes, no or the fingerprint: ", times);
            }
            console.press(answer);
        }
        given_back(console, code)
    };
    let text = run(&[], &["y\n", "no\n"], "code 3\n");
    let told = "h1: unreachable (host_key_unknown): ";
    assert!(text.contains(told), "{text}");
    assert_eq!(known_hosts(), "");
    // What is not remembered is asked again.
    let nowhere = ["-o", "UserKnownHostsFile=/dev/null"];
    for _ in 0..2 {
        let text = run(&nowhere, &["yes\n"], "code 0\n");
        assert!(text.contains("\nhi\n"), "{text}");
    }
    let text = run(&[], &["yes\n"], "code 0\n");
    assert!(text.contains("\nhi\n"), "{text}");
    assert_eq!(known_hosts().lines().count(), 1);
    // Now it is known; and of several hosts none is asked about.
    let console = on_terminal(&operator, &fleet, SCRIPT, &["-o", ask, "h1", "echo", "hi"]);
    let text = given_back(console, "code 0\n");
    assert!(!text.contains(question), "{text}");
    let console = on_terminal(&operator, &fleet, SCRIPT, &["-o", ask, "h[2-3]", "true"]);
    let text = given_back(console, "code 3\n");
    assert!(!text.contains(question), "{text}");
    operator.end(&fleet);
}
