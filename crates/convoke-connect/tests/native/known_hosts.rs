//! Known hosts are found as `ssh-keygen -F` finds them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use convoke_connect::ssh::native::known_hosts::{KnownHosts, Mark};
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::prelude::*;
use russh::keys::HashAlg;
use sha1::Sha1;

const KEYS: [&str; 5] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X",
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPkxHQxN4OkzyB+e5xlshz7HlHjdjXxhU3WyocrRsntH0OC8syq7vEc3dxYcN0t6vHU0S8fWkQAJcRyd2NyJ8Gc=",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDWm2QVp3nmWQGxWtlBHZEnxrtQ//lBre+hghwkaRIVXDLRTuWuNTG8cmhaCmbahPBCaUUBNpy7mGJTaX4QsEtG2SntWYsuUaOVWC3MomzE1o5BMsn7DdY6wtH0RW2IunBpzHV6ti7R47IUaP+vOgEjdNx9Av1F7pPllq8ARR1g9Q==",
    // Another name for the same kind of key.
    "rsa-sha2-512 AAAAB3NzaC1yc2EAAAADAQABAAAAgQDWm2QVp3nmWQGxWtlBHZEnxrtQ//lBre+hghwkaRIVXDLRTuWuNTG8cmhaCmbahPBCaUUBNpy7mGJTaX4QsEtG2SntWYsuUaOVWC3MomzE1o5BMsn7DdY6wtH0RW2IunBpzHV6ti7R47IUaP+vOgEjdNx9Av1F7pPllq8ARR1g9Q==",
];

/// What stands where a key should.
const NO_KEYS: [&str; 10] = [
    "",
    "ssh-ed25519",
    "ssh-ed25519 AAAA",
    "ssh-ed25519 !!!",
    "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
    "1024 35 1234567890",
    "# ssh-ed25519",
    // Too short for ssh, of a type that nobody knows, and under a name of another kind.
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAYQCNEW7OFzj32T2cFyQR4guPaw1Um28DZ1oWAKNaCZlQ2Db2dcyB50716OJdlA7ZBHWVMZhdXZ3J+BgY6BGJL5Ar0j8IJBKLLzMMXH/QpqOkUGUTJw4mng038qdN5FLmtDk=",
    "x@example.org AAAADXhAZXhhbXBsZS5vcmcAAAADYWJj",
    "ssh-ed25519 AAAAB3NzaC1yc2EAAAADAQABAAAAgQDWm2QVp3nmWQGxWtlBHZEnxrtQ//lBre+hghwkaRIVXDLRTuWuNTG8cmhaCmbahPBCaUUBNpy7mGJTaX4QsEtG2SntWYsuUaOVWC3MomzE1o5BMsn7DdY6wtH0RW2IunBpzHV6ti7R47IUaP+vOgEjdNx9Av1F7pPllq8ARR1g9Q==",
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
    let key: Hmac<Sha1> = Hmac::new_from_slice(&salt).unwrap();
    let hash = key.chain_update(name).finalize().into_bytes();
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
        // Behind a name that ends its line ssh reads what an earlier line has left in its memory.
        1 => prop::sample::select(vec!["", "# h1", " ", "h1 ", "\r", "!", "@revoked"]).prop_map(str::to_owned),
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

/// A file of many lines does not make many hosts slow. The bounds are those of an unoptimised build on a
/// busy machine; the times are printed.
#[test]
fn many_hosts_are_found_quickly_in_a_long_file() {
    let plain: String = (0..100_000)
        .map(|n| {
            format!(
                "host{n}.example.org,10.{}.{}.{} {}\n",
                n >> 16,
                n >> 8 & 255,
                n & 255,
                KEYS[0]
            )
        })
        .collect();
    let hashes: String = (0..2_000_u32)
        .map(|n| {
            let mut salt = [0; 20];
            salt[..4].copy_from_slice(&n.to_be_bytes());
            format!(
                "{} {}\n",
                hashed(&format!("host{n}.example.org"), salt),
                KEYS[0]
            )
        })
        .collect();
    for (what, text, limit) in [("plain", plain, 10), ("hashed", hashes, 60)] {
        let began = Instant::now();
        let book = KnownHosts::parse("/k".into(), text.into_bytes());
        let read = began.elapsed();
        let found: usize = (0..1_000)
            .map(|n| book.of(&format!("host{n}.example.org")).count())
            .sum();
        eprintln!(
            "{what}: read in {read:?}, 1000 hosts in {:?} together",
            began.elapsed()
        );
        assert_eq!(found, 1_000, "{what}");
        assert!(began.elapsed() < Duration::from_secs(limit), "{what}");
    }
}
