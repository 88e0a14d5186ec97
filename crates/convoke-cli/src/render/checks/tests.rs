//! Lines of hosts, in order and in columns.

use convoke::event::AgentOrigin;
use convoke::outcome::{Checked, Unreachable, UnreachableKind};

use super::super::view_tests::{FILE, event, hosts, output, shown};
use super::*;
use crate::config::Paper;

fn connected(host: &str, connector: &'static str, agent: AgentOrigin, ms: u64) -> Event {
    let connected = Connected {
        connector,
        agent,
        platform: "x86_64-linux".to_owned(),
        took: Duration::from_millis(ms),
    };
    event(host, Kind::Connected(connected))
}

fn checked(host: &str) -> Event {
    let round_trip = Duration::from_micros(1500);
    event(host, Kind::Ended(Outcome::Checked(Checked { round_trip })))
}

fn refused(host: &str) -> Event {
    let outcome = Outcome::Unreachable(Unreachable {
        kind: UnreachableKind::NoShell,
        text: "told by the recap".to_owned(),
        hint: None,
    });
    event(host, Kind::Ended(outcome))
}

fn lines(paper: Paper, names: &[&str], events: Vec<Event>) -> String {
    let checks = Checks::new(&output(paper), &hosts(names));
    String::from_utf8(shown(checks, events).0).unwrap()
}

#[test]
fn a_time_is_short() {
    for (ms, text) in [
        (0.04, "0.0 ms"),
        (9.94, "9.9 ms"),
        (143.4, "143 ms"),
        (12_345.0, "12.3 s"),
    ] {
        assert_eq!(time(Duration::from_secs_f64(ms / 1e3)), text);
    }
}

#[test]
fn hosts_stand_in_their_order_and_what_is_told_of_them_in_columns() {
    let events = vec![
        refused("web10"),
        connected("db", "local", AgentOrigin::Cached, 3),
        checked("db"),
        connected("a", "openssh", AgentOrigin::Sent, 1234),
        checked("a"),
    ];
    assert_eq!(
        lines(FILE, &["a", "web10", "db"], events),
        "a      ok  openssh, agent sent,   connected in 1234 ms, answers in  1.5 ms\n\
         web10  unreachable (no_shell)\n\
         db     ok  local,   agent cached, connected in  3.0 ms, answers in  1.5 ms\n"
    );
}

#[test]
fn nothing_is_shown_while_the_first_host_is_awaited() {
    let mut checks = Checks::new(&output(FILE), &hosts(&["slow", "b"]));
    let (mut screen, out, _) = Screen::in_memory();
    for event in [refused("b"), refused("slow")] {
        screen.flush().unwrap();
        assert_eq!(out.bytes(), b"");
        checks.event(event, &mut screen).unwrap();
    }
    screen.flush().unwrap();
    assert_eq!(
        out.bytes(),
        b"slow  unreachable (no_shell)\nb     unreachable (no_shell)\n"
    );
}

#[test]
fn a_quiet_check_tells_only_of_hosts_that_were_not_reached() {
    let quiet = Output {
        talk: Volume::Quiet,
        ..output(FILE)
    };
    let events = vec![
        connected("a", "local", AgentOrigin::Cached, 3),
        checked("a"),
        refused("b"),
    ];
    let (told, _) = shown(Checks::new(&quiet, &hosts(&["a", "b"])), events);
    assert_eq!(told, b"b  unreachable (no_shell)\n");
}

#[test]
fn a_long_name_pushes_only_its_own_line() {
    let long = "x".repeat(WIDEST + 5);
    let text = lines(FILE, &[&long, "b"], vec![refused(&long), refused("b")]);
    let expected = format!(
        "{long}  unreachable (no_shell)\n{:WIDEST$}  unreachable (no_shell)\n",
        "b"
    );
    assert_eq!(text, expected);
}

#[test]
fn what_is_well_is_green_and_what_is_not_is_red() {
    let paper = Paper {
        is_coloured: true,
        ..FILE
    };
    let events = vec![
        connected("a", "local", AgentOrigin::Cached, 3),
        checked("a"),
        refused("b"),
    ];
    let text = lines(paper, &["a", "b"], events);
    assert!(text.contains("a  \x1b[32mok\x1b[0m  local,"), "{text}");
    assert!(
        text.ends_with("b  \x1b[31munreachable (no_shell)\x1b[0m\n"),
        "{text}"
    );
}
