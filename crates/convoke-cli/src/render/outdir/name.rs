//! The name of a host as the name of a directory: no two hosts share one, and none leads anywhere else.
//!
//! Letters, digits and `._@+-` stand for themselves; every other byte, and a dot at the beginning, is written `%XX`. What
//! would be too long is cut and ends with `%-` and a hash of the whole.

use std::fmt::Write as _;

/// The longest name that is written out. File systems allow 255 bytes; a cut name needs room for its hash, and is
/// longer than any that is written out.
const LONGEST: usize = 180;

/// The name of a host's directory.
pub(crate) fn directory_of(host: &str) -> String {
    let mut name = String::with_capacity(host.len());
    for (index, byte) in host.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte);
        match is_plain && !(index == 0 && byte == b'.') {
            true => name.push(char::from(byte)),
            // Writing to a string cannot fail.
            false => drop(write!(name, "%{byte:02X}")),
        }
    }
    match name.len() {
        0 => "%".to_owned(),
        1..=LONGEST => name,
        _ => {
            let hash = blake3::hash(host.as_bytes()).to_hex();
            // Not inside a `%XX`.
            let end = name[..LONGEST].rfind('%').filter(|at| at + 3 > LONGEST);
            name.truncate(end.unwrap_or(LONGEST));
            format!("{name}%-{}", &hash[..32])
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_plain_and_readable() {
        for (host, directory) in [
            ("web1", "web1"),
            ("root@web1.example", "root@web1.example"),
            ("local:demo1", "local%3Ademo1"),
            (
                "ssh://u@h:22/docker:web",
                "ssh%3A%2F%2Fu@h%3A22%2Fdocker%3Aweb",
            ),
            ("[::1]:22", "%5B%3A%3A1%5D%3A22"),
            (".", "%2E"),
            ("..", "%2E."),
            (".ssh", "%2Essh"),
            ("b\u{fc}cher", "b%C3%BCcher"),
            ("a%3A", "a%253A"),
            ("", "%"),
        ] {
            assert_eq!(directory_of(host), directory);
        }
    }

    #[test]
    fn names_that_are_long_alike_stay_apart() {
        let names: HashSet<String> = (0..200)
            .map(|length| {
                directory_of(&format!("{}:{}", "a".repeat(100 + length), "b".repeat(100)))
            })
            .collect();
        assert_eq!(names.len(), 200);
    }

    proptest! {
        #[test]
        fn every_host_has_a_directory_of_its_own(one in ".{0,120}", other in ".{0,120}") {
            let (a, b) = (directory_of(&one), directory_of(&other));
            prop_assert_eq!(a == b, one == other);
            prop_assert!(!a.is_empty() && a.len() <= 255 && !a.starts_with('.'));
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+-%".contains(&byte);
            prop_assert!(a.bytes().all(is_plain));
        }
    }
}
