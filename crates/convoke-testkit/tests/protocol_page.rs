//! `docs/protocol.md` tells what the code does.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use std::fs;
use std::path::Path;

use convoke_proto::credit::{
    AGENT_BUDGET, CONTROLLER_BUDGET, FIRST_WINDOW, MAX_WINDOW, SHORT_WINDOW,
};
use convoke_proto::exit::Exit;
use convoke_proto::fault::Violation;
use convoke_proto::frame::{HEADER_LEN, MAX_DATA, MAX_MESSAGE, MAX_REQUEST};

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
        ("8 KiB for good", SHORT_WINDOW),
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
