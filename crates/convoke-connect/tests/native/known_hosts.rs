//! Known hosts are found as `ssh-keygen -F` finds them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use convoke_connect::ssh::known_hosts::{KnownHosts, Mark};
use proptest::prelude::*;
use ring::hmac;
use russh::keys::HashAlg;

const KEYS: [&str; 3] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X",
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPkxHQxN4OkzyB+e5xlshz7HlHjdjXxhU3WyocrRsntH0OC8syq7vEc3dxYcN0t6vHU0S8fWkQAJcRyd2NyJ8Gc=",
];

/// What stands where a key should.
const NO_KEYS: [&str; 7] = [
    "",
    "ssh-ed25519",
    "ssh-ed25519 AAAA",
    "ssh-ed25519 !!!",
    "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
    "1024 35 1234567890",
    "# ssh-ed25519",
];

const NAMES: [&str; 6] = [
    "h1",
    "h2.lan",
    "[h1]:2222",
    "10.0.0.1",
    "[10.0.0.1]:22",
    "fe80::1",
];

/// Line, mark and fingerprint of every key that is known under a name.
type Found = BTreeSet<(usize, &'static str, String)>;

fn ours(text: &str, name: &str) -> Found {
    let book = KnownHosts::parse("/k".into(), text.as_bytes().to_vec());
    let found = book.of(name).map(|known| {
        let mark = match known.mark {
            Mark::Key => "",
            Mark::Authority => "CA",
            Mark::Revoked => "REVOKED",
        };
        let print = known.key.fingerprint(HashAlg::Sha256).to_string();
        (known.place.line, mark, print)
    });
    found.collect()
}

fn theirs(file: &Path, name: &str) -> Found {
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-l", "-F", name, "-f"]).arg(file);
    let output = keygen.output().expect("ssh-keygen is missing");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    let mut found = Found::new();
    while let Some(head) = lines.next() {
        let (_, place) = head.split_once(" found: line ").unwrap();
        let mut words = place.split_whitespace();
        let number = words.next().unwrap().parse().unwrap();
        let mark = match words.next() {
            Some("CA") => "CA",
            Some("REVOKED") => "REVOKED",
            _ => "",
        };
        let key = lines.next().unwrap();
        let print = key
            .split_whitespace()
            .find(|word| word.starts_with("SHA256:"));
        found.insert((number, mark, print.unwrap().to_owned()));
    }
    found
}

fn hashed(name: &str, salt: [u8; 20]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
    let hash = hmac::sign(&key, name.as_bytes());
    format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hash))
}

/// The names of a line: patterns near the names that are looked for, or a hash.
fn names() -> impl Strategy<Value = String> {
    let name = prop::sample::select(NAMES.to_vec());
    let pattern = prop_oneof![
        4 => name.clone().prop_map(str::to_owned),
        1 => name.clone().prop_map(str::to_uppercase),
        4 => "[h1l*?.!\\[\\]:2]{0,7}",
        1 => Just("*".to_owned()),
    ];
    let negated = (any::<bool>(), pattern).prop_map(|(negated, pattern)| match negated {
        true => format!("!{pattern}"),
        false => pattern,
    });
    prop_oneof![
        6 => prop::collection::vec(negated, 1..4).prop_map(|list| list.join(",")),
        2 => (name, any::<[u8; 20]>()).prop_map(|(name, salt)| hashed(name, salt)),
        1 => "\\|[12]\\|[A-Za-z=]{0,8}\\|?[A-Za-z=]{0,8}",
    ]
}

fn line() -> impl Strategy<Value = String> {
    let blank = prop::sample::select(vec![" ", "  ", "\t", " \t"]);
    let lead = prop::sample::select(vec!["", "", "", " ", "\t"]);
    let mark = prop::sample::select(vec![
        "",
        "",
        "",
        "@revoked ",
        "@cert-authority ",
        "@cert-authority\t",
        "@other ",
        "@revoked @revoked ",
        "@ ",
    ]);
    let key = prop_oneof![
        6 => prop::sample::select(KEYS.to_vec()),
        1 => prop::sample::select(NO_KEYS.to_vec()),
    ];
    let tail = prop::sample::select(vec!["", "", " a comment", "\r", " x\r", "\t#"]);
    let known = (lead, mark, names(), blank, key, tail).prop_map(
        |(lead, mark, names, blank, key, tail)| [lead, mark, &names, blank, key, tail].concat(),
    );
    prop_oneof![
        8 => known,
        1 => prop::sample::select(vec!["", "# h1", " ", "h1", "\r", "!", "@revoked"]).prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_lines_are_found(lines in prop::collection::vec(line(), 0..12)) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("known_hosts");
        let text = lines.join("\n");
        fs::write(&file, &text).unwrap();
        for name in NAMES {
            prop_assert_eq!(ours(&text, name), theirs(&file, name), "{} in\n{}", name, text);
        }
    }
}

#[test]
fn what_ssh_keygen_hashes_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("known_hosts");
    let plain: String = NAMES
        .iter()
        .map(|name| format!("{name} {}\n", KEYS[0]))
        .collect();
    fs::write(&file, plain).unwrap();
    let hashed = Command::new("ssh-keygen")
        .args(["-H", "-f"])
        .arg(&file)
        .output();
    assert!(hashed.unwrap().status.success());
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.lines().all(|line| line.starts_with("|1|")), "{text}");
    for (index, name) in NAMES.iter().enumerate() {
        let lines: Vec<_> = ours(&text, name).into_iter().map(|found| found.0).collect();
        assert_eq!(lines, [index + 1], "{name}");
    }
}
