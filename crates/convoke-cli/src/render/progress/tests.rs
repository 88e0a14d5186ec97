//! How far a run is, in one line.

use convoke::event::{AgentOrigin, Connected, Kind};

use super::super::view_tests::{ended, event};
use super::*;

fn started(host: &str) -> Event {
    let connected = Connected {
        connector: "local",
        agent: AgentOrigin::Cached,
        platform: "x86_64-linux".into(),
        took: Duration::ZERO,
    };
    event(host, Kind::Connected(connected))
}

#[test]
fn hosts_that_are_being_connected_are_counted_and_named() {
    let began = Instant::now();
    let later = |seconds| began + Duration::from_secs(seconds);
    let mut progress = Progress::new(3, None, began);
    progress.note(&event("far", Kind::Connecting { attempt: 1 }), began);
    progress.note(&event("far", Kind::Connecting { attempt: 2 }), later(3));
    progress.note(&event("near", Kind::Connecting { attempt: 1 }), began);
    progress.note(&started("near"), later(6));
    let counts = "0/3 done, 0 ok, 0 failed, 1 running, 1 connecting";
    let line = progress.line(later(7), 80).unwrap();
    assert_eq!(line, format!("{counts}; slow: far 7 s"));
}

#[test]
fn a_short_run_shows_none() {
    let now = Instant::now();
    let progress = Progress::new(3, None, now);
    assert_eq!(progress.line(now + Duration::from_millis(999), 80), None);
}

#[test]
fn the_line_counts_and_names_slow_hosts() {
    let began = Instant::now();
    let later = |seconds| began + Duration::from_secs(seconds);
    let mut progress = Progress::new(9, None, began);
    for (host, at) in [("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 4), ("f", 14)] {
        progress.note(&started(host), later(at));
    }
    progress.note(&ended("a", 0), later(2));
    progress.note(&ended("b", 1), later(2));
    let line = |at, width| progress.line(later(at), width).unwrap();
    let counts = "2/9 done, 1 ok, 1 failed, 4 running";
    assert_eq!(line(6, 80), counts);
    let slow = format!("{counts}; slow: c 13 s, d 12 s, e 11 s");
    assert_eq!(line(15, 80), slow);
}

#[test]
fn a_line_is_cut_between_names() {
    let began = Instant::now();
    let mut progress = Progress::new(9, None, began);
    for host in ["web1", "web2", "web3", "b\u{fc}cher"] {
        progress.note(&started(host), began);
    }
    let line = |width| {
        progress
            .line(began + Duration::from_secs(7), width)
            .unwrap()
    };
    let counts = "0/9 done, 0 ok, 0 failed, 4 running";
    for (width, expected) in [
        (
            80,
            format!("{counts}; slow: b\u{fc}cher 7 s, web1 7 s, web2 7 s, +1"),
        ),
        (
            90,
            format!("{counts}; slow: b\u{fc}cher 7 s, web1 7 s, web2 7 s, web3 7 s"),
        ),
        (66, format!("{counts}; slow: b\u{fc}cher 7 s, +3")),
        (45, format!("{counts}; 4 slow")),
        (40, counts.to_owned()),
        (20, "0/9 done, 0 ok, 0 …".to_owned()),
        (0, "…".to_owned()),
    ] {
        assert_eq!(line(width), expected, "{width}");
    }
    for width in 1..120 {
        assert!(line(width).chars().count() <= width.max(1), "{width}");
    }
}
