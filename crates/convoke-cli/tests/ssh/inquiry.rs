//! The verbs that ask hosts, over ssh.

use std::fs;

use convoke_testkit::fleet::Fleet;

use crate::available;
use crate::live::Live;
use crate::operator::Operator;

#[test]
fn every_verb_answers_over_ssh_as_on_this_machine() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let file = operator.file("file", "content\n");
    for words in [
        &["stat", "--digest", "blake3", &file][..],
        // The hosts of a fleet have accounts of their own in /etc.
        &["ls", "--long", "/usr"],
        &["cat", &file],
        &["facts", "os", "kernel", "cpus"],
        &["user", "daemon", "1"],
        &["group", "0"],
    ] {
        let [verb, rest @ ..] = words else { continue };
        let run = |hosts: &str| {
            let words = [&["-b", hosts], rest].concat();
            let ran = Live::start(operator.with(&fleet, verb, words)).finish();
            assert_eq!(
                (ran.code, ran.stderr.as_str()),
                (Some(0), ""),
                "{words:?}",
                words = rest
            );
            let (title, answer) = ran.text().split_once('\n').unwrap();
            (title.to_owned(), answer.to_owned())
        };
        let (title, over_ssh) = run("h[1-3]");
        assert_eq!(title, "h[1-3] (3)", "{verb}");
        let (_, here) = run("local:");
        assert_eq!(over_ssh, here, "{verb}");
        assert!(!here.is_empty(), "{verb}");
    }
    operator.end(&fleet);
}

#[test]
fn what_is_there_on_some_hosts_only_is_told_for_the_others() {
    let Some(fleet) = available(Fleet::builder().separate_homes().try_start()) else {
        return;
    };
    let operator = Operator::new();
    for n in [1, 3] {
        fs::write(fleet.home(n).join("here"), "").unwrap();
    }
    for (verb, on_stdout) in [("stat", true), ("cat", false)] {
        let ran = Live::start(operator.with(&fleet, verb, ["h[1-3]", "here"])).finish();
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(
            ran.stderr
                .starts_with("3 hosts: 2 ok, 1 failed\n  h2: failed: "),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.ends_with("here\": no such file or directory\n"),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.text().contains("h2: here: does not exist\n"), on_stdout);
    }
    operator.end(&fleet);
}

#[test]
fn a_host_that_is_not_reached_and_one_that_is_lost_are_told_apart_from_failures() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let refusing = fleet.refusing();
    fleet.alias("refusing", refusing.address());
    let ran = Live::start(operator.with(&fleet, "stat", ["h1,refusing", "/"])).finish();
    assert_eq!(ran.code, Some(3));
    assert!(ran.text().starts_with("h1: dir  "), "{}", ran.text());
    assert!(ran.stderr.contains("1 ok, 1 unreachable"), "{}", ran.stderr);

    // Cut in the middle of the file, long after the agent has arrived.
    let cut = fleet.cutting(2, 16 << 20);
    fleet.alias("cut", cut.address());
    let file = operator.path("file");
    fs::File::create(&file).unwrap().set_len(64 << 20).unwrap();
    let words = ["-b", "cut", file.to_str().unwrap()];
    let ran = Live::start(operator.with(&fleet, "cat", words)).finish();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("cut: lost: "), "{}", ran.stderr);
    operator.end(&fleet);
}
