//! How far a run is, in one line.

use convoke::event::{self, AgentOrigin, Connected, Kind};
use convoke::outcome::{Done, Outcome};

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
    let mut progress = Progress::new(3, None, now);
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
    let mut line = |at, width| progress.line(later(at), width).unwrap();
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
    let mut line = |width| {
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

const MIB: u64 = 1024 * 1024;

fn moved(host: &str, bytes: u64, total: Option<u64>) -> Event {
    event(host, Kind::Progress(event::Progress { bytes, total }))
}

/// Four hosts that get 300 MiB each, after two seconds in which one of them got 240 and another had 210.
fn halfway(began: Instant) -> Progress {
    let mut progress = Progress::new(4, Some(300 * MIB), began);
    for host in ["a", "b", "c", "d"] {
        progress.note(&started(host), began);
    }
    progress.note(&moved("a", 210 * MIB, None), began);
    for step in 0..=8 {
        let at = began + Duration::from_millis(250 * step);
        progress.note(&moved("b", 30 * step * MIB, None), at);
    }
    progress
}

#[test]
fn a_line_about_files_fits_every_terminal() {
    let began = Instant::now();
    let now = began + Duration::from_secs(2);
    let mut progress = halfway(began);
    let mut line = |width| progress.line(now, width).unwrap();
    for (width, expected) in [
        (
            200,
            "[=======             ] 37% 450 MiB of 1.2 GiB, 120 MiB/s, 7 s left; 0/4 done",
        ),
        (
            80,
            "[=======             ] 37% 450 MiB of 1.2 GiB, 120 MiB/s, 7 s left; 0/4 done",
        ),
        (
            66,
            "[===      ] 37% 450 MiB of 1.2 GiB, 120 MiB/s, 7 s left; 0/4 done",
        ),
        (60, "37% 450 MiB of 1.2 GiB, 120 MiB/s, 7 s left; 0/4 done"),
        (40, "37%, 120 MiB/s, 7 s left; 0/4 done"),
        (20, "37%, 120 MiB/s, 7 …"),
    ] {
        assert_eq!(line(width), expected, "{width}");
    }
    for width in 1..120 {
        assert!(columns(&line(width)) <= width.max(2), "{width}");
    }
}

#[test]
fn hosts_that_failed_are_waited_for_no_more() {
    let began = Instant::now();
    let now = began + Duration::from_secs(2);
    let mut progress = halfway(began);
    progress.note(&ended("d", 1), now);
    let line = progress.line(now, 100).unwrap();
    let expected =
        "[==========          ] 50% 450 MiB of 900 MiB, 120 MiB/s, 4 s left; 1/4 done, 1 failed";
    assert_eq!(line, expected);
    for host in ["a", "b", "c"] {
        let done = Outcome::Done(Done { bytes: 300 * MIB });
        progress.note(&event(host, Kind::Ended(done)), now);
    }
    let line = progress.line(now, 100).unwrap();
    assert!(
        line.starts_with("[====================] 100% 900 MiB of 900 MiB, "),
        "{line}"
    );
    assert!(
        line.ends_with("; 4/4 done, 1 failed") && !line.contains("left"),
        "{line}"
    );
}

#[test]
fn what_stalls_has_no_pace_and_no_end() {
    let began = Instant::now();
    let mut progress = halfway(began);
    for second in 3..9 {
        progress.line(began + Duration::from_secs(second), 80);
    }
    let line = progress.line(began + Duration::from_secs(9), 80).unwrap();
    let expected =
        "[=======             ] 37% 450 MiB of 1.2 GiB, 0 B/s; 0/4 done; slow: a 9 s, +3";
    assert_eq!(line, expected);
}

#[test]
fn of_a_single_host_only_its_bytes_are_told() {
    let began = Instant::now();
    let at = |ms| began + Duration::from_millis(ms);
    let mut progress = Progress::new(1, None, began);
    progress.note(&started("a"), began);
    progress.note(&moved("a", MIB, None), began);
    progress.note(&moved("a", 3 * MIB, None), at(1000));
    assert_eq!(progress.line(at(1000), 80).unwrap(), "3.0 MiB, 2.0 MiB/s");
    progress.note(&moved("a", 5 * MIB, Some(900 * MIB)), at(2000));
    let line = progress.line(at(2000), 50).unwrap();
    assert_eq!(line, "0% 5.0 MiB of 900 MiB, 2.0 MiB/s, 8 min left");
}
