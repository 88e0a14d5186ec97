//! How many hosts files are moved to and from at once, as a plan says it.

use std::fs;

use rustix::process::{Resource, getrlimit};
use serde_json::Value;

use crate::scene::Scene;

/// Up to how many bytes of a host count as little.
const LITTLE: usize = 128 * 1024;

/// More than are worked on at once in any case.
const HOSTS: &str = "local:h[1-600]";

/// Enough for all hosts that a plan has at once, each with its pipes and the file that lands.
const DESCRIPTORS: u64 = 2_200;

/// Whether a plan is narrower than it would be elsewhere; it says so then.
fn is_cramped() -> bool {
    let most = getrlimit(Resource::Nofile).maximum;
    let is_cramped = most.is_some_and(|most| most < DESCRIPTORS);
    if is_cramped {
        eprintln!("skipped 1: {DESCRIPTORS} descriptors are more than there may be");
    }
    is_cramped
}

/// How many hosts are worked on at once, to both readers of a plan.
fn at_once(scene: &Scene, words: &[&str]) -> usize {
    let words = [&words[..1], &["--dry-run"], &words[1..]].concat();
    let ran = scene.start(scene.convoke(&words)).finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{words:?}");
    let lines: Vec<&str> = ran.text().lines().collect();
    assert_eq!(lines[0], format!("hosts     {HOSTS} (600)"));
    let mut counts = lines.iter().filter_map(|line| line.strip_prefix("at once"));
    let count = counts.next().unwrap().trim_start().strip_suffix(" hosts");
    let count = count.unwrap().parse().unwrap();
    let ran = scene.start(scene.convoke([&words[..], &["--json"]].concat()));
    let plan: Value = serde_json::from_str(ran.finish().text()).unwrap();
    assert_eq!(plan["fanout"], count, "{words:?}");
    count
}

#[test]
fn little_goes_to_more_hosts_at_once_than_much() {
    if is_cramped() {
        return;
    }
    let scene = Scene::new();
    let to = format!("{HOSTS}:/tmp/");
    scene.file("none", "");
    scene.file("little", vec![7; LITTLE]);
    scene.file("half", vec![7; LITTLE / 2]);
    scene.file("rest", vec![7; LITTLE / 2]);
    scene.file("much", vec![7; LITTLE + 1]);
    for (files, expected) in [
        (&["none"][..], 192),
        (&["little"], 192),
        (&["much"], 48),
        // What counts is all that a host gets.
        (&["half", "none", "rest"], 192),
        (&["little", "half"], 48),
    ] {
        let words = [&["put"], files, &[&*to]].concat();
        assert_eq!(at_once(&scene, &words), expected, "{files:?}");
    }
    scene.end();
}

#[test]
fn what_has_no_known_size_counts_as_much() {
    if is_cramped() {
        return;
    }
    let scene = Scene::new();
    // Nobody ever writes into it, and a plan does not wait for that.
    scene.fifo("pipe");
    scene.file("little", "x");
    let to = format!("{HOSTS}:/tmp/x");
    let into = format!("{HOSTS}:/tmp/");
    for words in [
        &["put", "-", &*to][..],
        &["put", "pipe", &to],
        &["put", "little", "pipe", &into],
        &["get", &to, "out"],
    ] {
        assert_eq!(at_once(&scene, words), 48, "{words:?}");
    }
    assert!(!fs::exists(scene.path("out")).unwrap());
    scene.end();
}

#[test]
fn whoever_says_how_many_at_once_is_heard_whatever_the_size() {
    if is_cramped() {
        return;
    }
    let scene = Scene::new();
    scene.file("little", "x");
    scene.file("much", vec![7; LITTLE + 1]);
    let to = format!("{HOSTS}:/tmp/x");
    for (file, wished) in [("little", 3), ("little", 520), ("much", 3), ("much", 500)] {
        let fanout = format!("--fanout={wished}");
        let words = ["put", &*fanout, file, &*to];
        assert_eq!(at_once(&scene, &words), wished, "{file}");
    }
    scene.end();
}
