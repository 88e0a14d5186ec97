//! Host lists: names, order, algebra, folding, and what it costs.

use super::series::Cut;
use super::{HostList, HostName, MAX_NAME_BYTES, Pattern};
use crate::error::Error;

/// Makes a list of patterns separated by blanks.
fn list(patterns: &str) -> HostList {
    let mut hosts = HostList::new();
    patterns
        .split_whitespace()
        .for_each(|pattern| hosts.append_pattern(&Pattern::parse(pattern).unwrap()));
    hosts
}

#[test]
fn endpoints_are_names() {
    for name in [
        "web1",
        "root@web1",
        "root@web1:22",
        "local:",
        "local:demo1",
        "local:0",
        "docker:web1",
        "docker:99999",
        "web1:1",
        "web1:65535",
        "ssh://h:22/local:",
        "memory:x",
        "ssh://u@h:22",
        "ssh://h1/docker:web",
        "k8s:prod/web-0",
        "10.0.0.1",
        "[2001:db8::1]",
        "[2001:db8::1%eth0]:22",
        "root@[::1]:22",
        "ssh://u@[::1]:22/local:",
        "fe80::1%eth0",
        "::1",
        "bücher.example",
        "ssh://a%40b@h",
        "A_b.c-d+e",
        "123456789012345678901",
    ] {
        assert_eq!(HostName::parse(name).unwrap().as_str(), name);
    }
}

#[test]
fn what_is_dangerous_is_no_name() {
    let bad = |at, found| Error::BadCharacter { at, found };
    let address = |at, text: &str| Error::BadAddress {
        at,
        text: text.to_owned(),
    };
    let table = [
        ("", Error::EmptyName),
        ("-oProxyCommand=x", Error::LeadingDash { at: 0 }),
        ("u@-oProxyCommand", Error::LeadingDash { at: 2 }),
        ("ssh://-x", Error::LeadingDash { at: 6 }),
        ("local:-x", Error::LeadingDash { at: 6 }),
        ("ssh://%2dx", Error::LeadingDash { at: 6 }),
        ("ssh://u%20v@h", bad(7, ' ')),
        ("ssh://u%0a@h", bad(7, '\n')),
        ("ssh://u%60@h", bad(7, '`')),
        ("ssh://u%ff@h", bad(7, 'ÿ')),
        ("a b", bad(1, ' ')),
        ("a\tb", bad(1, '\t')),
        ("a;b", bad(1, ';')),
        ("$x", bad(0, '$')),
        ("a`b", bad(1, '`')),
        ("a*", bad(1, '*')),
        ("~root", bad(0, '~')),
        ("a\\b", bad(1, '\\')),
        ("a\0", bad(1, '\0')),
        ("a\u{1b}[2J", bad(1, '\u{1b}')),
        ("a\u{202e}b", bad(1, '\u{202e}')),
        ("a\u{a0}b", bad(1, '\u{a0}')),
        ("@a", bad(0, '@')),
        ("/a", bad(0, '/')),
        ("[", Error::UnclosedBracket { at: 0 }),
        ("a]", Error::UnopenedBracket { at: 1 }),
        ("[1-3]", address(1, "1-3")),
        ("web[::1]", address(4, "::1")),
        ("[::1]x", address(1, "::1")),
        ("[::1%]", address(1, "::1%")),
        ("[::1%-x]", address(1, "::1%-x")),
        ("[::1%a b]", address(1, "::1%a b")),
    ];
    for (name, error) in table {
        assert_eq!(HostName::parse(name), Err(error), "{name:?}");
    }
}

#[test]
fn a_mark_has_its_part_and_a_port_is_one() {
    let missing = |at, part| Error::MissingPart { at, part };
    let port = |at, text: &str| Error::BadPort {
        at,
        text: text.to_owned(),
    };
    for (name, error) in [
        ("host:", missing(5, "port")),
        ("user@", missing(5, "host")),
        ("user@host:", missing(10, "port")),
        ("user@:22", missing(5, "host")),
        (":22", missing(0, "host")),
        (":", missing(0, "host")),
        ("[::1]:", missing(6, "port")),
        ("ssh://", missing(6, "host")),
        ("ssh://:22", missing(6, "host")),
        ("ssh://@h", missing(6, "user")),
        ("ssh://u@/local:", missing(8, "host")),
        ("ssh://u@h:", missing(10, "port")),
        ("host:0", port(5, "0")),
        ("host:00", port(5, "00")),
        ("host:65536", port(5, "65536")),
        ("host:99999", port(5, "99999")),
        ("user@host:99999", port(10, "99999")),
        ("user@host:x", port(10, "x")),
        ("10.0.0.1:x", port(9, "x")),
        ("[::1]:0", port(6, "0")),
        ("[::1]:x", port(6, "x")),
        ("ssh://h:0", port(8, "0")),
        ("SSH://h:65536/local:", port(8, "65536")),
    ] {
        assert_eq!(HostName::parse(name), Err(error), "{name:?}");
    }
}

#[test]
fn every_port_of_a_pattern_is_one() {
    for (pattern, is_right) in [
        ("h:[1-65535]", true),
        ("h[1-2]:22", true),
        ("h:2[0-9]", true),
        ("local:[0-99999]", true),
        ("h:[0-3]", false),
        ("h:[1-65536]", false),
        ("h:[7,0]", false),
        ("h[1-2]:99999", false),
        ("h[1-2]:", false),
        ("u[1-2]@", false),
    ] {
        assert_eq!(Pattern::parse(pattern).is_ok(), is_right, "{pattern:?}");
    }
}

#[test]
fn a_name_has_a_longest_length() {
    assert!(HostName::parse(&"a".repeat(MAX_NAME_BYTES)).is_ok());
    let error = Error::NameTooLong {
        at: 0,
        limit_bytes: MAX_NAME_BYTES,
    };
    assert_eq!(
        HostName::parse(&"a".repeat(MAX_NAME_BYTES + 1)),
        Err(error.clone())
    );
    assert_eq!(
        Pattern::parse(&format!("{}[9-10]", "a".repeat(MAX_NAME_BYTES - 1))),
        Err(error)
    );
    assert!(Pattern::parse(&format!("{}[8-9]", "a".repeat(MAX_NAME_BYTES - 1))).is_ok());
}

#[test]
fn names_are_cut_at_the_number_that_most_often_varies() {
    for (name, prefix, suffix) in [
        ("n12", "n", ""),
        ("rack3-n12", "rack3-n", ""),
        ("n12.dc1.example", "n", ".dc1.example"),
        ("u1@n12.dc1", "u1@n", ".dc1"),
        ("gate.dc12", "gate.dc", ""),
        ("10.0.0.12", "10.0.0.", ""),
        ("n12:22", "n", ":22"),
        ("n:12", "n:", ""),
        ("ssh://u@n12:22", "ssh://u@n", ":22"),
        ("[::1]:22", "[::1]:22", ""),
        ("fe80::1%eth0", "fe80::1%eth0", ""),
        ("gate", "gate", ""),
        ("n1-1234567890123456789", "n", "-1234567890123456789"),
    ] {
        let cut = Cut::of(name);
        assert_eq!((cut.prefix, cut.suffix), (prefix, suffix), "{name}");
    }
}

#[test]
fn patterns_stand_for_their_names_in_order() {
    for (pattern, names) in [
        ("web[1-3]", "web1 web2 web3"),
        ("web[3,1-2]", "web3 web1 web2"),
        ("r[2,1]n[1-2]", "r2n1 r2n2 r1n1 r1n2"),
        ("n[9-11].dc1", "n9.dc1 n10.dc1 n11.dc1"),
        ("n[9-10]-ib0", "n9-ib0 n10-ib0"),
        ("x0[8-10]", "x08 x09 x010"),
        ("x[8-10]4", "x84 x94 x104"),
        ("x[1-2][1-2]", "x11 x12 x21 x22"),
        ("x[1,11][1,11]", "x11 x111 x1111"),
        ("[1-2]", "1 2"),
        ("10.0.[0-1].[1-2]", "10.0.0.1 10.0.0.2 10.0.1.1 10.0.1.2"),
        ("[2001:db8::1]:[22-23]", "[2001:db8::1]:22 [2001:db8::1]:23"),
        ("root@n[1-2]:22", "root@n1:22 root@n2:22"),
        ("x[1,1,1]", "x1"),
    ] {
        assert_eq!(list(pattern).join(" "), names, "{pattern}");
    }
}

#[test]
fn patterns_are_checked_like_every_name_in_them() {
    for pattern in [
        "ssh://u%6[0-9]@h",
        "ssh://u%[20-22]@h",
        "-x[1-2]",
        "x[1-2] ",
        "web[::2]",
        "web[0:2]x",
        "x[1-2",
        "x]1[1-2]",
    ] {
        assert!(Pattern::parse(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn a_pattern_is_counted_before_it_is_expanded() {
    for (pattern, count) in [
        ("x[1-1000][1-1000]", Some(1_000_000)),
        ("x[1-1000][1-1001]", None),
        (&"[0-9]".repeat(400), None),
    ] {
        match (Pattern::parse(pattern), count) {
            (Ok(parsed), Some(count)) => assert_eq!(parsed.count(), count),
            (Err(Error::TooManyNames { .. }), None) => {}
            (parsed, _) => panic!("{pattern}: {parsed:?}"),
        }
    }
}

#[test]
fn the_first_appearance_wins() {
    assert_eq!(
        list("n3 n[1-5] n2 m1 n[4-6]").join(" "),
        "n3 n1 n2 n4 n5 m1 n6"
    );
}

#[test]
fn many_hosts_at_once_are_appended_as_one_by_one() {
    let names: Vec<HostName> = (0..500)
        .map(|index| HostName::parse(&format!("n{}", index * 7919 % 311)).unwrap())
        .collect();
    let mut single = list("n[100-120] n[5-6]");
    let mut together = single.clone();
    names.iter().for_each(|name| single.append(name));
    together.append_all(&names);
    assert_eq!(single, together);
    assert_eq!(together.len(), 311);
}

#[test]
fn algebra_keeps_order() {
    let (left, right) = (list("n[5-8] n[1-3] a"), list("n7 b n[2-5]"));
    for (result, names) in [
        (left.union(&right), "n5 n6 n7 n8 n1 n2 n3 a b n4"),
        (left.minus(&right), "n6 n8 n1 a"),
        (left.intersection(&right), "n5 n7 n2 n3"),
        (left.symmetric_difference(&right), "n6 n8 n1 a b n4"),
        (right.intersection(&left), "n7 n2 n3 n5"),
        (left.minus(&left), ""),
        (left.symmetric_difference(&left), ""),
        (HostList::new().union(&right), "n7 b n2 n3 n4 n5"),
        (left.minus(&HostList::new()), "n5 n6 n7 n8 n1 n2 n3 a"),
    ] {
        assert_eq!(result.join(" "), names);
        assert_eq!(result.len(), names.split_whitespace().count());
        assert_eq!(result.is_empty(), names.is_empty());
    }
}

#[test]
fn a_host_that_comes_back_comes_last() {
    let mut hosts = list("n[1-5]");
    hosts.remove_list(&list("n[2-3]"));
    hosts.append_list(&list("n[1-4]"));
    assert_eq!(hosts.join(" "), "n1 n4 n5 n2 n3");
}

#[test]
fn slices_take_places_in_the_order() {
    let hosts = list("n[5-8] a n[1-3]");
    for (places, names) in [
        (0..2, "n5 n6"),
        (3..6, "n8 a n1"),
        (6..99, "n2 n3"),
        (8..9, ""),
        (0..0, ""),
        (0..usize::MAX, "n5 n6 n7 n8 a n1 n2 n3"),
    ] {
        assert_eq!(hosts.slice(places).join(" "), names);
    }
}

#[test]
fn user_and_padding_tell_hosts_apart() {
    let hosts = list("web1 root@web1 web01");
    assert_eq!(hosts.len(), 3);
    for (name, held) in [
        ("web1", true),
        ("root@web1", true),
        ("web01", true),
        ("web001", false),
        ("web", false),
        ("WEB1", false),
    ] {
        assert_eq!(
            hosts.contains(&HostName::parse(name).unwrap()),
            held,
            "{name}"
        );
    }
}

#[test]
fn lists_fold_sorted() {
    for (patterns, folded) in [
        ("", ""),
        ("web7 db1 web[1-3]", "db1,web[1-3,7]"),
        ("n[9-10] n09", "n[9,09-10]"),
        ("r[1-2]n[1-4]", "r[1-2]n[1-4]"),
        ("r1n1 r1n2 r2n1", "r1n[1-2],r2n1"),
        ("r1n1 r2n2", "r1n1,r2n2"),
        ("r[1-2]n[1-2] r3n5", "r[1-2]n[1-2],r3n5"),
        ("n1.dc1 n2.dc1 n1.dc2 n2.dc2", "n[1-2].dc[1-2]"),
        ("web1:22 web2:22", "web[1-2]:22"),
        ("[::1]:22 [::1]:23", "[::1]:22,[::1]:23"),
        ("a%b1 a%b2", "a%b1,a%b2"),
        ("n[1-3]-ib0", "n[1-3]-ib0"),
        ("gate", "gate"),
        ("a1b1c1d1e1f1g1h1i[1-2]", "a1b1c1d1e1f1g1h1i[1-2]"),
    ] {
        assert_eq!(list(patterns).fold(), folded, "{patterns}");
    }
}

#[test]
fn iteration_knows_its_length() {
    let hosts = list("n[9-11] a");
    let mut iter = hosts.iter();
    assert_eq!(iter.len(), 4);
    iter.next();
    assert_eq!(iter.len(), 3);
    assert_eq!(hosts.iter().collect::<HostList>(), hosts);
    assert_eq!(format!("{hosts:?}"), r#"["n9", "n10", "n11", "a"]"#);
}

#[test]
fn lists_are_equal_by_hosts_and_order() {
    assert_eq!(list("n[1-3]"), list("n1 n2 n3"));
    assert_ne!(list("n[1-3]"), list("n3 n2 n1"));
    assert_ne!(list("n[1-3]"), list("n[1-4]"));
}
