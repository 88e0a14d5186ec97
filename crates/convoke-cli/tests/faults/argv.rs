//! Arguments and variables of any bytes arrive as they were typed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::live::{Live, Ran};
use crate::place::Place;
use crate::scaled;

/// Says the arguments of the shell that reads it, each with a NUL at its end.
const ECHO: &str = "cat /proc/$$/cmdline; :";

/// Any bytes but NUL, and words that a parser on the way might take for itself.
fn word() -> impl Strategy<Value = Vec<u8>> {
    let special = [
        "", "-", "--", "--json", "-b", "--sh", "'", "\"", "\\", "$HOME", "`id`", "!", "*", "\n",
        " ", "\r\n", "a=b", "local:b", "@", "{}", "%h", "\u{202e}", "~",
    ];
    prop_oneof![
        4 => prop::collection::vec(1..=255_u8, 0..40),
        1 => prop::sample::select(special.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
    ]
}

fn check<S: Strategy>(strategy: S, holds: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let cases = u32::try_from(scaled(24, 512)).unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config).run(&strategy, holds).unwrap();
}

fn os(words: &[Vec<u8>]) -> Vec<OsString> {
    words.iter().cloned().map(OsString::from_vec).collect()
}

/// What a command line that ends in [`ECHO`] and `words` says of the words.
fn said(place: &Place, before: &[&str], words: &[Vec<u8>]) -> Ran {
    let before = before
        .iter()
        .map(|word| OsStr::from_bytes(word.as_bytes()).to_owned());
    let command = place.convoke(before.chain(os(words)));
    Live::start(command).finish()
}

/// The words, after so many others.
fn after(skipped: usize, ran: &Ran) -> Vec<Vec<u8>> {
    let mut words: Vec<_> = ran
        .stdout
        .split(|byte| *byte == 0)
        .map(<[u8]>::to_vec)
        .collect();
    assert_eq!(words.pop().as_deref(), Some(&[][..]), "{ran:?}");
    words.split_off(skipped)
}

/// The three ways of arguments to a command, each with the number of words before them.
const WAYS: [(&[&str], usize); 3] = [
    (&["run", "local:a", "--", "sh", "-c", ECHO, "sh"], 4),
    (&["run", "local:a", "--sh", ECHO, "--"], 4),
    (
        &["run", "--login", "local:a", "--", "sh", "-c", ECHO, "sh"],
        4,
    ),
];

#[test]
fn arguments_of_any_bytes_arrive_as_typed_by_every_way() {
    let place = Place::warm();
    check(prop::collection::vec(word(), 0..12), |words| {
        for (before, skipped) in WAYS {
            let ran = said(&place, before, &words);
            prop_assert_eq!(ran.code, Some(0), "{:?}", ran);
            prop_assert_eq!(after(skipped, &ran), words.clone(), "{:?}", before);
        }
        Ok(())
    });
    place.end();
}

#[test]
fn a_thousand_arguments_and_every_byte_arrive() {
    let place = Place::warm();
    let mut words: Vec<Vec<u8>> = (1..=255).map(|byte| vec![byte]).collect();
    words.push((1..=255).collect());
    words.resize(1000, Vec::new());
    for (before, skipped) in WAYS {
        let ran = said(&place, before, &words);
        assert!(after(skipped, &ran) == words, "{before:?}: {}", ran.stderr);
    }
    place.end();
}

#[test]
fn the_first_word_after_the_hosts_begins_the_command() {
    let place = Place::warm();
    let words = ["-c", ECHO, "--json", "--", "-b"].map(|word| word.as_bytes().to_vec());
    let ran = said(&place, &["run", "local:a", "sh"], &words);
    assert_eq!(after(1, &ran), words);
    place.end();
}

#[test]
fn variables_of_any_bytes_arrive_as_typed() {
    let place = Place::warm();
    let echo = "cat /proc/$$/environ; :";
    check(prop::collection::vec(word(), 1..6), |values| {
        let pair = |(number, value): (usize, &Vec<u8>)| {
            [format!("ANY_{number}=").as_bytes(), value].concat()
        };
        let pairs: Vec<Vec<u8>> = values.iter().enumerate().map(pair).collect();
        let options = os(&pairs)
            .into_iter()
            .flat_map(|pair| ["--env".into(), pair]);
        let words: Vec<OsString> = std::iter::once("run".into())
            .chain(options)
            .chain(["local:a", "--sh", echo].map(OsString::from))
            .collect();
        let ran = Live::start(place.convoke(words)).finish();
        prop_assert_eq!(ran.code, Some(0), "{:?}", ran);
        let mut there: Vec<_> = ran.stdout.split(|byte| *byte == 0).collect();
        there.retain(|pair| pair.starts_with(b"ANY_"));
        prop_assert_eq!(there, pairs);
        Ok(())
    });
    place.end();
}
