//! Events as lines.

use convoke::outcome::{
    Cancelled, Checked, Fate, Killed, Limit, Lost, NotStarted, Outcome, SkipCause, Skipped, Stage,
    TimedOut, Unreachable, UnreachableKind,
};
use proptest::prelude::*;
use serde_json::Value;

use super::super::view_tests::{FILE, TERMINAL, ended, err, exited, out, output, shown};
use super::*;

fn lines(paper: Paper, events: Vec<Event>) -> Vec<Value> {
    let (stdout, stderr) = shown(Json::new(&output(paper)), events);
    assert_eq!(stderr, b"");
    let lines = stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// The bytes of a stream, from its pieces.
fn bytes(lines: &[Value], stream: &str) -> Vec<u8> {
    use base64_decode as decode;
    let pieces = lines
        .iter()
        .filter(|line| line["kind"] == stream)
        .map(|line| &line["data"]);
    let bytes = |data: &Value| match data["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => decode(data["base64"].as_str().unwrap()),
    };
    pieces.flat_map(bytes).collect()
}

fn base64_decode(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter(|byte| *byte != b'=');
    let mut bits = digits.flat_map(|digit| {
        let value = ALPHABET.iter().position(|one| *one == digit).unwrap();
        (0..6).rev().map(move |bit| value >> bit & 1)
    });
    let mut bytes = Vec::new();
    loop {
        let byte: Vec<usize> = bits.by_ref().take(8).collect();
        if byte.len() < 8 {
            return bytes;
        }
        bytes.push(byte.into_iter().fold(0, |byte, bit| byte << 1 | bit as u8));
    }
}

#[test]
fn a_line_is_the_event() {
    let lines = lines(FILE, vec![out("web1", b"hi\n"), ended("web1", 3)]);
    assert_eq!(lines[0]["host"], "web1");
    assert_eq!(lines[0]["kind"], "stdout");
    assert_eq!(lines[0]["data"]["text"], "hi\n");
    assert_eq!(lines[1]["data"]["outcome"], "exited");
    assert_eq!(lines[1]["data"]["code"], 3);
}

#[test]
fn a_character_that_comes_in_two_pieces_stays_text() {
    let events = vec![
        out("a", b"caf\xc3"),
        err("a", b"\xe2"),
        out("a", b"\xa9\n"),
        ended("a", 0),
    ];
    let lines = lines(FILE, events);
    let texts: Vec<&Value> = lines.iter().map(|line| &line["data"]["text"]).collect();
    assert_eq!(texts[..2], ["caf", "\u{e9}\n"]);
    assert_eq!(lines[2]["data"]["base64"], "4g==");
    assert_eq!(lines[3]["kind"], "ended");
}

#[test]
fn lines_of_a_host_are_numbered_without_gaps() {
    let events = vec![
        out("a", b"\xc3"),
        out("b", b"x"),
        out("a", b"\xa9"),
        out("a", b"\xc3"),
        ended("a", 0),
        ended("b", 0),
    ];
    let lines = lines(FILE, events);
    let numbers = |host: &str| -> Vec<u64> {
        let lines = lines.iter().filter(|line| line["host"] == host);
        lines.map(|line| line["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers("a"), [0, 1, 2]);
    assert_eq!(numbers("b"), [0, 1]);
}

#[test]
fn how_far_files_are_is_told_now_and_then_and_when_all_has_moved() {
    let progress = |bytes, total| {
        let kind = Kind::Progress(Progress { bytes, total });
        Event {
            kind,
            ..out("web1", b"")
        }
    };
    let at = SystemTime::now();
    let of_known = (1..=4).map(|bytes| progress(bytes, Some(4)));
    let of_unknown = (5..=9).map(|bytes| progress(bytes, None));
    let events = of_known
        .chain(of_unknown)
        .map(|event| Event { at, ..event });
    let lines = lines(FILE, events.collect());
    let told: Vec<&Value> = lines.iter().map(|line| &line["data"]["bytes"]).collect();
    assert_eq!(told, [1, 4]);
}

#[test]
fn nothing_in_a_line_drives_a_terminal() {
    let text = "\x1b\x7f\u{9b}\u{202e}\u{e0041}\r caf\u{e9}";
    let (stdout, _) = shown(Json::new(&output(TERMINAL)), [out("a", text.as_bytes())]);
    let line = String::from_utf8(stdout).unwrap();
    assert!(
        !line.trim_end_matches('\n').chars().any(is_invisible),
        "{line}"
    );
    let value: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["data"]["text"], text);
}

/// Every outcome once.
fn outcomes() -> Vec<Outcome> {
    vec![
        exited(0),
        Outcome::Checked(Checked {
            round_trip: std::time::Duration::from_millis(1),
        }),
        Outcome::NotStarted(NotStarted {
            stage: Stage::Exec,
            errno: 2,
            tried: Vec::new(),
            why: None,
        }),
        Outcome::TimedOut(TimedOut {
            limit: Limit::Total,
            killed: Killed::Term,
            survivors: Vec::new(),
        }),
        Outcome::Unreachable(Unreachable {
            kind: UnreachableKind::NoShell,
            text: String::new(),
            hint: Some(String::new()),
        }),
        Outcome::Lost(Lost {
            text: String::new(),
            fate: Fate::Unknown,
        }),
        Outcome::Cancelled(Cancelled::default()),
        Outcome::Skipped(Skipped {
            why: SkipCause::MaxFail,
        }),
        Outcome::Crashed {
            text: String::new(),
        },
    ]
}

#[test]
fn the_page_names_the_fields_of_every_outcome() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/json.md"));
    let (_, section) = page.split_once("\n## Outcomes\n").unwrap();
    for outcome in outcomes() {
        let word = outcome.word();
        let row = section
            .lines()
            .find(|line| line.starts_with(&format!("| `{word}` |")));
        let (_, cell) = row
            .unwrap()
            .trim_end_matches([' ', '|'])
            .rsplit_once(" | ")
            .unwrap();
        let value = serde_json::to_value(&outcome).unwrap();
        let fields = value.as_object().unwrap();
        for field in fields
            .keys()
            .filter(|field| !["outcome", "ok"].contains(&field.as_str()))
        {
            let optional = format!("`{field}?`");
            let is_optional = (word, field.as_str()) == ("unreachable", "hint");
            assert!(
                cell.contains(&format!("`{field}`")) != is_optional,
                "{word}: {field}"
            );
            assert!(cell.contains(&optional) == is_optional, "{word}: {field}");
        }
        // Words in parentheses are values.
        let named = cell
            .split('(')
            .map(|part| part.rsplit(')').next().unwrap_or_default());
        let named: Vec<&str> = named
            .flat_map(|part| part.split('`').skip(1).step_by(2))
            .collect();
        for field in named {
            assert!(
                fields.contains_key(field.trim_end_matches('?')),
                "{word}: {field}"
            );
        }
    }
}

proptest! {
    #[test]
    fn pieces_together_are_the_bytes(
        pieces in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 1..20),
                "\\PC{1,8}".prop_map(String::into_bytes),
            ],
            0..8,
        ),
        size in 1..9_usize,
    ) {
        let all = pieces.concat();
        let mut events: Vec<Event> = all.chunks(size).map(|piece| out("a", piece)).collect();
        events.push(ended("a", 0));
        prop_assert_eq!(bytes(&lines(FILE, events), "stdout"), all);
    }

    #[test]
    fn text_stays_text_wherever_it_is_cut(text in "\\PC{1,40}", size in 1..7_usize) {
        let mut events: Vec<Event> = text.as_bytes().chunks(size).map(|piece| out("a", piece)).collect();
        events.push(ended("a", 0));
        let lines = lines(FILE, events);
        prop_assert!(lines.iter().all(|line| line["data"].get("base64").is_none()));
    }
}
