//! How far a run is, in one line.

use convoke::event::Kind;

use super::super::view_tests::{ended, event};
use super::*;

fn started(host: &str) -> Event {
    event(host, Kind::Started { pid: 1 })
}

#[test]
fn a_short_run_shows_none() {
    let now = Instant::now();
    let progress = Progress::new(3, now);
    assert_eq!(progress.line(now + Duration::from_millis(999), 80), None);
}

#[test]
fn the_line_counts_and_names_slow_hosts() {
    let began = Instant::now();
    let later = |seconds| began + Duration::from_secs(seconds);
    let mut progress = Progress::new(9, began);
    for (host, at) in [("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 4), ("f", 14)] {
        progress.note(&started(host), later(at));
    }
    progress.note(&ended("a", 0), later(2));
    progress.note(&ended("b", 1), later(2));
    let line = |at, width| progress.line(later(at), width).unwrap();
    assert_eq!(line(2, 80), "2/9 done, 1 ok, 1 failed, 4 running");
    let slow = "2/9 done, 1 ok, 1 failed, 4 running; slow: c 13 s, d 12 s, e 11 s";
    assert_eq!(line(15, 80), slow);
    assert_eq!(line(15, 20), &slow[..19]);
}
