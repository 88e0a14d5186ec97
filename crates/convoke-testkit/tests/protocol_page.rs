//! `docs/protocol.md` tells what the code does.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use std::fs;
use std::path::Path;

use convoke_agent::job::AHEAD;
use convoke_agent::serve::MAX_WEIGHT;
use convoke_proto::credit::{
    AGENT_BUDGET, CONTROLLER_BUDGET, FIRST_WINDOW, MAX_WINDOW, SHORT_WINDOW,
};
use convoke_proto::exit::Exit;
use convoke_proto::fault::Violation;
use convoke_proto::frame::{HEADER_LEN, MAX_DATA, MAX_MESSAGE, MAX_REQUEST};
use convoke_proto::operation::{Failure, MAX_CONTENT, MAX_RECORD};

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).unwrap()
}

fn page() -> String {
    read("docs/protocol.md")
}

#[test]
fn every_tag_has_its_row() {
    let code = read("crates/convoke-proto/src/frame.rs");
    let constants = code.lines().filter_map(|line| {
        let line = line.trim().strip_prefix("pub const ")?;
        let (name, value) = line.split_once(": Tag = Tag(")?;
        Some((name.to_owned(), value.trim_end_matches(");").to_owned()))
    });
    let constants: Vec<_> = constants.collect();
    assert_eq!(constants.len(), 22, "the constants are written differently");
    for (name, value) in constants {
        let row = format!("| `{value}` | `{name}` |");
        assert!(page().contains(&row), "no row {row}");
    }
}

#[test]
fn every_violation_is_named() {
    let code = read("crates/convoke-proto/src/fault.rs");
    let (_, body) = code.split_once("pub enum Violation {").unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let variants = body.lines().filter_map(|line| {
        let word = line.trim().trim_end_matches([' ', '{', ',']);
        let is_variant = line.starts_with("    ") && !line.starts_with("     ");
        (is_variant && word.chars().all(char::is_alphanumeric)).then(|| word.to_owned())
    });
    let variants: Vec<_> = variants.filter(|word| !word.is_empty()).collect();
    assert!(variants.len() >= 7, "{variants:?}");
    for variant in variants {
        assert!(page().contains(&format!("`{variant}`")), "{variant}");
    }
}

#[test]
fn the_numbers_are_those_of_the_code() {
    let kib = |text: &str, bytes: usize| assert_eq!(bytes, 1024 * number(text), "{text}");
    assert_eq!(HEADER_LEN, 4 + 4 + 1);
    for (text, bytes) in [
        ("64 KiB known", MAX_MESSAGE),
        ("| 64 KiB |", MAX_DATA),
        ("8 KiB while", SHORT_WINDOW),
        ("32 KiB;", FIRST_WINDOW),
    ] {
        assert!(page().contains(text), "{text}");
        kib(text, bytes);
    }
    for (text, bytes) in [
        ("4 MiB unknown", MAX_REQUEST),
        ("at most 4 MiB", MAX_WINDOW),
        ("controller 32 MiB", CONTROLLER_BUDGET),
        ("agent 2 MiB inbound", AGENT_BUDGET),
    ] {
        assert!(page().contains(text), "{text}");
        kib(text, bytes / 1024);
    }
    assert!(page().contains(&format!("at most {} |", Exit::MAX_SURVIVORS)));
    assert!(page().contains(&format!("up to {} bytes", Violation::MAX_BYTES)));
}

/// The first number in a text.
fn number(text: &str) -> usize {
    let digits = text.split(|c: char| !c.is_ascii_digit());
    let first = digits.into_iter().find(|digits| !digits.is_empty());
    first.unwrap().parse().unwrap()
}

/// The variants of an enum, in their order, which is their number on the wire.
fn variants(code: &str, name: &str) -> Vec<String> {
    let (_, body) = code.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let lines = body.lines().filter_map(|line| {
        let word = line.strip_prefix("    ")?;
        let end = word.find(|c: char| !c.is_alphanumeric())?;
        word.starts_with(|c: char| c.is_ascii_uppercase())
            .then(|| word[..end].to_owned())
    });
    lines.collect()
}

#[test]
fn every_operation_and_every_answer_has_its_row_and_number() {
    let code = read("crates/convoke-proto/src/operation.rs");
    for (name, count) in [("Operation", 26), ("Answer", 11)] {
        let variants = variants(&code, name);
        assert_eq!(variants.len(), count, "{variants:?}");
        for (number, variant) in variants.iter().enumerate() {
            let row = format!("| {number} | `{variant}` |");
            assert!(page().contains(&row), "no row {row}");
        }
    }
}

#[test]
fn the_numbers_of_operations_are_those_of_the_code() {
    for text in [
        format!("at most {} KiB, and a choice", MAX_RECORD / 1024),
        format!("at most {} KiB |", MAX_CONTENT / 1024),
        format!("at most {} KiB of it", Failure::MAX_VALUE / 1024),
        format!("{} MiB together", MAX_WEIGHT / 1024 / 1024),
        format!("while {} KiB of its records", AHEAD / 1024),
    ] {
        assert!(page().contains(&text), "{text}");
    }
}
