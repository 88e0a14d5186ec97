//! Host expressions: what they select, what they need, and what is said about mistakes.

use super::{Expr, HostFile, MAX_NESTING, Need, Supplied};
use crate::error::Error;
use crate::rangeset::MAX_NAMES;

fn selected(text: &str) -> String {
    let expr = Expr::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    expr.evaluate(&Supplied::nothing()).unwrap().join(" ")
}

#[test]
fn expressions_select_hosts_in_order() {
    for (text, names) in [
        ("", ""),
        ("  \t", ""),
        ("web1", "web1"),
        ("web[2,1],db1", "web2 web1 db1"),
        ("b , a\n,c", "b a c"),
        ("n[1-5]!n[2-3],n2", "n1 n4 n5 n2"),
        ("n[1-5]&n[4-9]", "n4 n5"),
        ("n[5,1-4]^n[4-6]", "n1 n2 n3 n6"),
        ("a,b!b,b", "a b"),
        ("a!(a,b),b", "b"),
        ("(a,b)&(b,c)", "b"),
        ("((a))", "a"),
        ("n[1-9][0:2]", "n1 n2"),
        ("n[1-9][-2:]", "n8 n9"),
        ("n[1-9][:-7]", "n1 n2"),
        ("n[1-9][7:99],a", "n8 n9 a"),
        ("n[1-9][5:2]", ""),
        ("n[1-9][-99:1]", "n1"),
        ("n[1-9][ 1 : 2 ]", "n2"),
        ("n[1-9][:]&n5", "n5"),
        ("web[0:1]", "web"),
        ("(a,b,c)[1:]!c", "b"),
        ("((a,b,c)[1:],d)[-1:]", "d"),
        ("local:demo[1-3]", "local:demo1 local:demo2 local:demo3"),
        ("local:,docker:web1", "local: docker:web1"),
        (
            "ssh://u@h[1-2]:22/docker:web!ssh://u@h2:22/docker:web",
            "ssh://u@h1:22/docker:web",
        ),
        ("(ssh://u@h:22)", "ssh://u@h:22"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        (
            "[2001:db8::1%eth0]:22,root@[::1]:22",
            "[2001:db8::1%eth0]:22 root@[::1]:22",
        ),
        ("[::1][0:1]", "[::1]"),
        ("[::]", "[::]"),
        ("web1,root@web1", "web1 root@web1"),
    ] {
        assert_eq!(selected(text), names, "{text:?}");
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    let text = |text: &str| text.to_owned();
    let table = [
        ("a,,b", Error::EmptyTerm { at: 2 }),
        ("a,", Error::EmptyTerm { at: 2 }),
        (",a", Error::EmptyTerm { at: 0 }),
        ("a! ", Error::EmptyTerm { at: 3 }),
        ("()", Error::EmptyTerm { at: 1 }),
        ("[0:2]", Error::EmptyTerm { at: 0 }),
        ("a b", Error::MissingOperator { at: 2, found: 'b' }),
        ("a(b)", Error::MissingOperator { at: 1, found: '(' }),
        ("(a)b", Error::MissingOperator { at: 3, found: 'b' }),
        ("(a b)", Error::MissingOperator { at: 3, found: 'b' }),
        ("(a,b", Error::UnclosedParenthesis { at: 0 }),
        ("a,b)", Error::UnopenedParenthesis { at: 3 }),
        (")", Error::EmptyTerm { at: 0 }),
        ("web[1-", Error::UnclosedBracket { at: 3 }),
        ("a,web[1-3]]", Error::UnopenedBracket { at: 10 }),
        ("web]1", Error::UnopenedBracket { at: 3 }),
        ("web[]", Error::EmptyRange { at: 4 }),
        (
            "a,web[1,x]",
            Error::NotANumber {
                at: 8,
                text: text("x"),
            },
        ),
        (
            "web[a-b]",
            Error::NotANumber {
                at: 4,
                text: text("a-b"),
            },
        ),
        (
            "web[-3]",
            Error::NotANumber {
                at: 4,
                text: text("-3"),
            },
        ),
        (
            "web[3-1]",
            Error::BackwardRange {
                at: 4,
                text: text("3-1"),
            },
        ),
        (
            "web[1-010]",
            Error::PaddingMismatch {
                at: 4,
                text: text("1-010"),
            },
        ),
        (
            "web[1:x]",
            Error::BadSlice {
                at: 4,
                text: text("1:x"),
            },
        ),
        (
            "web[1:2:3]",
            Error::BadSlice {
                at: 4,
                text: text("1:2:3"),
            },
        ),
        (
            "web[0:99999999999999999999]",
            Error::BadSlice {
                at: 4,
                text: text("0:99999999999999999999"),
            },
        ),
        (
            "(a)[1-2]",
            Error::BadSlice {
                at: 4,
                text: text("1-2"),
            },
        ),
        (
            "(a)[0:1][0:1]",
            Error::MisplacedSlice {
                at: 4,
                text: text("0:1"),
            },
        ),
        (
            "web[0:1][0:1]",
            Error::MisplacedSlice {
                at: 4,
                text: text("0:1"),
            },
        ),
        (
            "web[0:1]x",
            Error::MisplacedSlice {
                at: 4,
                text: text("0:1"),
            },
        ),
        (
            "web[::2]",
            Error::BadAddress {
                at: 4,
                text: text("::2"),
            },
        ),
        ("a,-x", Error::LeadingDash { at: 2 }),
        ("a,web{1..3}", Error::BadCharacter { at: 5, found: '{' }),
        ("a,$(reboot)", Error::BadCharacter { at: 2, found: '$' }),
        ("/web", Error::UnclosedRegex { at: 0 }),
        ("/a\\/", Error::UnclosedRegex { at: 0 }),
        ("a,%{role=db", Error::UnclosedPredicate { at: 2 }),
        ("%{a='}'", Error::UnclosedPredicate { at: 0 }),
        ("//", Error::EmptySelector { at: 0, mark: "/" }),
        ("%{ }", Error::EmptySelector { at: 0, mark: "%{" }),
        ("@", Error::EmptySelector { at: 0, mark: "@" }),
        ("a,^", Error::EmptySelector { at: 2, mark: "^" }),
        (
            "a,n[1-1000000]",
            Error::TooManyNames {
                at: 2,
                limit: MAX_NAMES,
            },
        ),
        (
            "n[1-600000],(m[1-600000])",
            Error::TooManyNames {
                at: 13,
                limit: MAX_NAMES,
            },
        ),
    ];
    for (text, error) in table {
        assert_eq!(Expr::parse(text), Err(error.clone()), "{text:?}");
        assert!(error.at().is_some_and(|at| at <= text.len()), "{text:?}");
    }
}

#[test]
fn messages_quote_and_escape_what_the_user_wrote() {
    let message = |text: &str| Expr::parse(text).unwrap_err().to_string();
    assert_eq!(
        message("web[3-1]"),
        "range \"3-1\" at byte 4 runs backwards"
    );
    assert_eq!(
        message("web[\u{1b}]"),
        "range \"\\u{1b}\" at byte 4 is not made of numbers"
    );
    assert!(message(&format!("web[{}]", "x".repeat(10_000))).len() < 200);
}

#[test]
fn what_only_an_inventory_knows_is_no_host_name() {
    for (text, what, term) in [
        ("@web", "groups", "@web"),
        ("@*", "groups", "@*"),
        ("@dc:web*", "groups", "@dc:web*"),
        ("@rack[1-3][0:2]", "groups", "@rack[1-3]"),
        ("web*", "globs", "web*"),
        ("web?[0:2]", "globs", "web?"),
        (
            "/web[0-9](a|b)+/",
            "regular expressions",
            "/web[0-9](a|b)+/",
        ),
        ("/a\\/b/[0:1]", "regular expressions", "/a\\/b/"),
        (
            "%{role=db and env!=prod}",
            "predicates",
            "%{role=db and env!=prod}",
        ),
        (
            "%{a='}' or b in (x,y)}[0:2]",
            "predicates",
            "%{a='}' or b in (x,y)}",
        ),
        ("(a,(b!@web))", "groups", "@web"),
    ] {
        let expr = Expr::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let at = text.find(term).unwrap();
        let error = Error::NeedsInventory {
            what,
            term: term.to_owned(),
            at,
        };
        assert_eq!(
            expr.evaluate(&Supplied::nothing()),
            Err(error.clone()),
            "{text:?}"
        );
        assert_eq!(expr.check_without_inventory(), Err(error));
        assert_eq!(expr.needs(), []);
    }
    let error = Expr::parse("@web")
        .unwrap()
        .check_without_inventory()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "groups need an inventory, there is none for \"@web\" at byte 0"
    );
}

#[test]
fn needs_are_told_once_and_in_order() {
    let file = |path: &str| Need::File(path.to_owned());
    for (text, needs) in [
        ("a,b", vec![]),
        ("-", vec![Need::Stdin]),
        (
            "a!^/etc/my.hosts,-",
            vec![file("/etc/my.hosts"), Need::Stdin],
        ),
        (
            "^a&(-,^b)[0:1],^a[0:2]",
            vec![file("a"), Need::Stdin, file("b")],
        ),
        ("^a^^b", vec![file("a"), file("b")]),
        ("^hosts[1]", vec![file("hosts[1]")]),
    ] {
        assert_eq!(Expr::parse(text).unwrap().needs(), needs, "{text:?}");
    }
}

#[test]
fn supplied_texts_take_part_like_lists() {
    let mut supplied = Supplied::nothing();
    supplied.file("a", "n[1-4]!n2\nm1").unwrap();
    supplied.stdin("n3\r\nx\r\n").unwrap();
    for (text, names) in [
        ("^a", "n1 n3 n4 m1"),
        ("^a!-", "n1 n4 m1"),
        ("-[-1:],^a[0:1]", "x n1"),
        ("z,^a^-", "z n1 n4 m1 x"),
    ] {
        assert_eq!(
            Expr::parse(text)
                .unwrap()
                .evaluate(&supplied)
                .unwrap()
                .join(" "),
            names,
            "{text:?}"
        );
    }
}

#[test]
fn what_is_not_supplied_is_missed() {
    let missing = |text: &str| {
        Expr::parse(text)
            .unwrap()
            .evaluate(&Supplied::nothing())
            .unwrap_err()
    };
    assert_eq!(
        missing("a,^f"),
        Error::FileNotSupplied {
            path: "f".to_owned(),
            at: 2
        }
    );
    assert_eq!(missing("a,-"), Error::StdinNotSupplied { at: 2 });
}

#[test]
fn host_files_are_read_as_people_write_them() {
    let text = "\u{feff}# all\r\n\r\n  web[1-2]\t# front # end\r\ndb1,db2!db1\r\n#x\n\tdb3";
    let mut supplied = Supplied::nothing();
    supplied.file("f", text).unwrap();
    let hosts = Expr::parse("^f").unwrap().evaluate(&supplied).unwrap();
    assert_eq!(hosts.join(" "), "web1 web2 db2 db3");
    for empty in ["", "\u{feff}", "\n\r\n", "# nothing"] {
        assert_eq!(HostFile::parse("f", empty).unwrap().count(), 0, "{empty:?}");
    }
}

#[test]
fn mistakes_in_a_host_file_have_their_line() {
    let nested = |term: &str| Error::NestedFile {
        term: term.to_owned(),
        at: 0,
    };
    let group = Error::NeedsInventory {
        what: "groups",
        term: "@g".to_owned(),
        at: 2,
    };
    for (text, line, source) in [
        ("a\nb c", 2, Error::MissingOperator { at: 2, found: 'c' }),
        ("a\r\n\r\n^f", 3, nested("^f")),
        ("-", 1, nested("-")),
        ("a,@g", 1, group),
        ("a#b", 1, Error::BadCharacter { at: 1, found: '#' }),
        (
            "n[1-1000000]\nm",
            2,
            Error::TooManyNames {
                at: 0,
                limit: MAX_NAMES,
            },
        ),
    ] {
        let error = Error::InFile {
            name: "hosts".to_owned(),
            line,
            source: Box::new(source),
        };
        assert_eq!(HostFile::parse("hosts", text), Err(error), "{text:?}");
    }
}

#[test]
fn names_in_files_count_each_time_they_are_read() {
    let mut supplied = Supplied::nothing();
    supplied.file("f", "n[1-600000]").unwrap();
    assert!(Expr::parse("^f,a").unwrap().evaluate(&supplied).is_ok());
    let twice = Expr::parse("^f,^f").unwrap().evaluate(&supplied);
    assert_eq!(
        twice,
        Err(Error::TooManyNames {
            at: 3,
            limit: MAX_NAMES
        })
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| "(".repeat(depth) + "a" + &")".repeat(depth);
    assert_eq!(selected(&nested(MAX_NESTING)), "a");
    let error = Error::TooDeep {
        at: MAX_NESTING,
        limit: MAX_NESTING,
    };
    assert_eq!(Expr::parse(&nested(MAX_NESTING + 1)), Err(error));
}

#[test]
fn count_is_what_is_written() {
    for (text, count) in [
        ("", 0),
        ("a,a", 2),
        ("n[1-9]!n[1-9]", 18),
        ("(a,n[1-2]m[1-3])[0:1]", 7),
        ("^f,-,@g", 0),
    ] {
        assert_eq!(Expr::parse(text).unwrap().count(), count, "{text:?}");
    }
}
