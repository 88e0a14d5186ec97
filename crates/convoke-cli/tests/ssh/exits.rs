//! Exit codes and checks.

use std::fs;

use convoke_testkit::fleet::{Fleet, Known};
use serde_json::Value;

use crate::connector;
use crate::live::{Live, Ran};
use crate::operator::Operator;

/// Ends as the host's number says, `h2` with 0, `h3` with 1 and so on. The address of the client ends with 1.
const LINE: &str = "set -- $SSH_CONNECTION; exit $((${3##*.} - 2))";

#[test]
fn the_exit_code_is_that_of_the_worst_kind() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let refusing = fleet.refusing();
    fleet.alias("refusing", refusing.address());
    for (words, code) in [
        (&["h2"][..], 0),
        (&["h[2-3]"], 1),
        (&["h3"], 1),
        (&["refusing"], 3),
        (&["h2,refusing"], 3),
        (&["h[2-9],refusing"], 3),
        (&["--exit-code", "max", "h2"], 0),
        (&["--exit-code", "max", "h[2-9]"], 7),
        (&["--exit-code", "max", "h[2-9],refusing"], 255),
        (&["--exit-code", "max", "refusing"], 255),
    ] {
        let ran = operator.run(&fleet, [words, &["--sh", LINE]].concat());
        assert_eq!(ran.code, Some(code), "{words:?}");
    }
    operator.end(&fleet);
}

#[test]
fn a_command_that_ends_with_255_is_no_broken_connection() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    for (line, told) in [
        ("exit 255", "h1: exited 255\n"),
        ("kill -9 $$", "h1: killed by SIGKILL\n"),
    ] {
        let ran = operator.run(&fleet, ["h1", "--sh", line]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), told));
    }
    operator.end(&fleet);
}

fn check(operator: &Operator, fleet: &Fleet, words: &[&str]) -> Ran {
    let mut command = operator.convoke(["hosts", "--check", "-F"]);
    command.arg(fleet.ssh_config()).args(words);
    Live::start(command).finish()
}

#[test]
fn a_check_tells_of_each_host_how_it_is_reached_or_why_not() {
    let fleet = Fleet::builder().known_of(3, Known::Unknown).start();
    let operator = Operator::new();
    let ran = check(&operator, &fleet, &["h[1-3]"]);
    assert_eq!(ran.code, Some(3));
    eprintln!("{}", ran.text());
    let lines: Vec<&str> = ran.text().lines().collect();
    for (line, name) in lines.iter().zip(["h1", "h2"]) {
        assert!(
            line.starts_with(&format!("{name}  ok  {}, agent ", connector())),
            "{line}"
        );
    }
    assert!(
        lines[2].starts_with("h3  unreachable (host_key_unknown)"),
        "{}",
        lines[2]
    );
    assert!(
        ran.stderr
            .contains("h3: unreachable (host_key_unknown): the host key is not known")
    );
    assert_eq!(lines.len(), 3);
    let ran = check(&operator, &fleet, &["h[1-2]"]);
    assert_eq!(
        (ran.code, ran.text().matches(", agent cached, ").count()),
        (Some(0), 2)
    );
    operator.end(&fleet);
}

#[test]
fn a_check_as_json_has_an_end_for_each_host() {
    let fleet = Fleet::builder().known_of(3, Known::Unknown).start();
    let operator = Operator::new();
    let ran = check(&operator, &fleet, &["--json", "h[1-3]"]);
    assert_eq!(ran.code, Some(3));
    for host in ["h1", "h2"] {
        let outcome = ran.outcome(host);
        assert_eq!(
            (&outcome["outcome"], &outcome["ok"]),
            (&Value::from("checked"), &Value::from(true))
        );
        assert!(outcome["round_trip_ms"].as_f64().unwrap() >= 0.0);
    }
    assert_eq!(ran.outcome("h3")["kind"], "host_key_unknown");
    // Nothing but the agent was left there.
    let left: Vec<_> = fs::read_dir(fleet.home(1))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, [".cache"]);
    operator.end(&fleet);
}

#[test]
fn it_is_told_which_option_leaves_a_host_to_the_ssh_of_the_system() {
    let fleet = Fleet::start();
    let operator = Operator::new();
    // In force for one of them; the test of the choice knows every option.
    let config = fs::read_to_string(fleet.ssh_config()).unwrap();
    let config = operator.file(
        "config",
        format!("Host h2\n  ForwardAgent yes\nHost *\n{config}"),
    );
    let words = ["run", "-v", "-F", &config, "h[1-2]", "echo", "hi"];
    let ran = Live::start(operator.convoke(words)).finish();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let left = "h2: left to the system's ssh, which serves forwardagent yes\n";
    assert!(ran.stderr.contains(left), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("h2: connected by openssh in "),
        "{}",
        ran.stderr
    );
    let first = format!("h1: connected by {} in ", connector());
    assert!(ran.stderr.contains(&first), "{}", ran.stderr);
    operator.end(&fleet);
}
