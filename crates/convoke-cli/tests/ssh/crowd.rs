//! Many hosts: at one server, behind one master, with few descriptors.

use std::io::Read as _;
use std::net::TcpStream;

use convoke_testkit::fleet::Fleet;

use crate::live::Live;
use crate::operator::{Operator, eventually};

/// How many names one server has.
const NAMES: usize = 100;

/// A server that turns connections away as every server does, and its many names.
fn one_server() -> Fleet {
    let fleet = Fleet::builder().max_startups("10:30:100").start();
    for n in 1..=NAMES {
        fleet.alias(&format!("name{n}"), (fleet.address(1), fleet.port()).into());
    }
    fleet
}

#[test]
fn a_server_with_many_names_turns_nobody_away() {
    let fleet = one_server();
    for (words, names) in [
        (&["name[1-100]"][..], 100),
        (&["--connecting", "1", "name[1-25]"], 25),
    ] {
        let operator = Operator::new();
        let words = [&["-v"], words, &["true"]].concat();
        let ran = operator.run(&fleet, words);
        assert_eq!(ran.code, Some(0));
        assert!(
            ran.stderr
                .ends_with(&format!("{names} hosts: {names} ok\n"))
        );
        assert!(!ran.stderr.contains("attempt"), "somebody was tried twice");
        assert!(!fleet.log().contains("MaxStartups"), "{}", fleet.log());
        operator.end(&fleet);
    }
}

#[test]
fn a_crowd_behind_a_gate_is_one_connection_there() {
    let fleet = Fleet::builder()
        .max_startups("10:30:100")
        .max_sessions(1)
        .client_option("Host name*\n  ProxyJump h1\nHost *")
        .start();
    for n in 1..=NAMES {
        fleet.alias(
            &format!("name{n}"),
            (fleet.address(n + 1), fleet.port()).into(),
        );
    }
    let operator = Operator::new();
    let ran = operator.run(&fleet, ["-v", "name[1-100]", "true"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("100 hosts: 100 ok\n"));
    if crate::connector() == "ssh+native" {
        let logins = fleet.log().matches("Accepted publickey").count();
        assert_eq!(logins, NAMES + 1);
        assert!(!ran.stderr.contains("attempt"), "somebody was tried twice");
    }
    operator.end(&fleet);
}

/// Takes the only place of a server, by saying nothing.
fn guest(fleet: &Fleet) -> TcpStream {
    let mut guest = None;
    let is_let_in = || {
        let mut stream = TcpStream::connect((fleet.address(1), fleet.port())).unwrap();
        // Others hear that the server is full, or nothing.
        let mut said = [0];
        let is_banner = stream.read_exact(&mut said).is_ok() && said == *b"S";
        guest = is_banner.then_some(stream);
        is_banner
    };
    eventually(|| "nobody is let in".into(), is_let_in);
    guest.unwrap()
}

#[test]
fn a_host_that_is_turned_away_is_tried_again() {
    let (operator, fleet) = (
        Operator::new(),
        Fleet::builder().max_startups("1:100:1").start(),
    );
    let guest = guest(&fleet);
    let live = operator.begin(&fleet, ["-v", "h2", "echo", "hi"]);
    live.until_told("attempt 1 failed: ");
    drop(guest);
    let ran = live.finish();
    assert_eq!((ran.code, ran.text()), (Some(0), "hi\n"));
    operator.end(&fleet);
}

#[test]
fn a_host_that_is_always_turned_away_says_so() {
    let (operator, fleet) = (
        Operator::new(),
        Fleet::builder().max_startups("1:100:1").start(),
    );
    let _guest = guest(&fleet);
    let ran = operator.run(&fleet, ["h2", "echo", "hi"]);
    assert_eq!((ran.code, ran.text()), (Some(3), ""));
    for told in [
        "h2: unreachable (closed): ",
        " before its banner",
        " (3 attempts)\n",
        "hint: the server may take no more connections at once (MaxStartups)\n",
    ] {
        assert!(ran.stderr.contains(told), "{told:?}");
    }
    operator.is_left();
}

/// Hosts with addresses of their own cannot be known to be one server.
#[test]
fn hosts_of_a_server_that_is_often_full_are_reached_or_say_so() {
    let operator = Operator::new();
    let fleet = Fleet::builder().max_startups("1:100:2").start();
    let ran = operator.run(&fleet, ["--json", "h[1-8]", "echo", "hi"]);
    for host in fleet.names(8) {
        let outcome = ran.outcome(&host);
        if outcome["ok"] == true {
            assert_eq!(ran.stream(&host, "stdout"), "hi\n");
        } else {
            assert_eq!(outcome["kind"], "closed", "{outcome}");
            assert!(
                outcome["text"].as_str().unwrap().ends_with(" (3 attempts)"),
                "{outcome}"
            );
        }
    }
    // One after the other they all find room.
    let ran = operator.run(&fleet, ["--connecting", "1", "h[1-8]", "echo", "hi"]);
    assert_eq!(
        (ran.code, ran.text().matches(": hi\n").count()),
        (Some(0), 8)
    );
    operator.end(&fleet);
}

#[test]
fn more_hosts_than_descriptors_are_worked_on_in_windows() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let script = "ulimit -n 64; exec \"$0\" run -F \"$1\" \"$2\" -- echo hi";
    let mut command = operator.command("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_convoke")]);
    command.arg(fleet.ssh_config()).arg(fleet.hosts(300));
    let ran = Live::start(command).finish();
    assert_eq!(
        (ran.code, ran.text().matches(": hi\n").count()),
        (Some(0), 300)
    );
    assert_eq!(ran.stderr.matches("warning: ").count(), 1);
    assert_eq!(ran.stderr.lines().count(), 2);
    operator.end(&fleet);
}
