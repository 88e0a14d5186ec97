//! Texts made to break things: every one ends soon, in a list or in an error.

use std::time::{Duration, Instant};

use convoke_inventory::{Error, Expr, HostFile, Supplied};

/// How long one text may take in a debug build on a busy machine. What is quadratic takes minutes.
const LONGEST: Duration = Duration::from_secs(10);

/// Says what became of a text: how many hosts, or the error.
fn fate(text: &str) -> Result<usize, Error> {
    let start = Instant::now();
    let hosts = Expr::parse(text).and_then(|expr| expr.evaluate(&Supplied::nothing()));
    let fate = hosts.map(|hosts| {
        let folded = hosts.fold();
        assert!(folded.len() <= hosts.len() * 600);
        hosts.len()
    });
    assert!(
        start.elapsed() < LONGEST,
        "{} took {:?}",
        &text[..text.len().min(60)],
        start.elapsed()
    );
    fate
}

#[test]
fn more_names_than_may_be_are_refused_before_they_are_made() {
    for text in [
        "n[0-999999999999999999]".to_owned(),
        "n[1-1000001]".to_owned(),
        "a[1-1000]b[1-1000]c[1-2]".to_owned(),
        "a[1-1000000][1-1000000][1-1000000][1-1000000]".to_owned(),
        "[0-9]".repeat(500),
        format!("n[{}]", vec!["0-999999999999999999"; 10_000].join(",")),
        vec!["n[1-1000000]"; 1_000].join("!"),
        format!("({})", ["(n[1-600000])"; 2].join("&")),
        "n[0-999999999999999998/2]".to_owned(),
    ] {
        assert!(
            matches!(fate(&text), Err(Error::TooManyNames { .. })),
            "{}",
            &text[..text.len().min(60)]
        );
    }
}

#[test]
fn as_many_names_as_may_be_are_served() {
    for (text, hosts) in [
        ("n[1-1000000]", 1_000_000),
        ("a[1-1000]b[1-1000]", 1_000_000),
        ("n[1-500000]!n[1-499999]", 1),
        ("n[1-199999/2]", 100_000),
    ] {
        assert_eq!(fate(text), Ok(hosts), "{text}");
    }
}

#[test]
fn long_texts_take_time_in_proportion() {
    let names = |count: usize, separator: &str| {
        (0..count)
            .map(|index| format!("n{}", index * 7919 % count))
            .collect::<Vec<_>>()
            .join(separator)
    };
    for (label, text) in [
        ("names", names(30_000, ",")),
        (
            "all taken away one by one",
            format!("n[0-29999]!{}", names(30_000, "!")),
        ),
        (
            "toggled one by one",
            format!("n[0-29999]^{}", names(30_000, "^")),
        ),
        (
            "kept again and again",
            format!("{}{}", names(15_000, ","), "&n[0-9]".repeat(15_000)),
        ),
        (
            "every second one",
            format!("n[0-29999]!n[0-29998/2]^{}", names(15_000, "^")),
        ),
        (
            "diagonal",
            (0..10_000)
                .map(|index| format!("r{index}n{index}"))
                .collect::<Vec<_>>()
                .join(","),
        ),
        (
            "shapes",
            (0..10_000)
                .map(|index| format!("{}{index}", "x".repeat(index % 200)))
                .collect::<Vec<_>>()
                .join(","),
        ),
        (
            "many numbers",
            (0..2_000)
                .map(|index| format!("{}{index}", "a1".repeat(200)))
                .collect::<Vec<_>>()
                .join(","),
        ),
        ("number cut elsewhere", "n[1-20000]-ib0".to_owned()),
        ("product of twos", "a[1-2]".repeat(13)),
        ("ones", format!("n[{}]", vec!["1"; 200_000].join(","))),
        (
            "backwards",
            (0..30_000)
                .rev()
                .map(|index| format!("n{index}"))
                .collect::<Vec<_>>()
                .join(","),
        ),
    ] {
        assert!(fate(&text).is_ok(), "{label}: {:?}", fate(&text));
    }
}

#[test]
fn long_nonsense_is_refused() {
    for (label, text) in [
        ("parentheses", "(".repeat(1_000_000)),
        ("closed parentheses", ")".repeat(1_000_000)),
        ("brackets", "[".repeat(1_000_000)),
        ("closed brackets", "]".repeat(1_000_000)),
        ("pairs of brackets", "[]".repeat(500_000)),
        ("slices", format!("a{}", "[0:]".repeat(250_000))),
        (
            "sliced parenthesis",
            format!("(a){}", "[0:]".repeat(250_000)),
        ),
        ("commas", ",".repeat(1_000_000)),
        ("marks", "^".repeat(1_000_000)),
        ("slashes", "/".repeat(1_000_000)),
        ("backslashes", format!("/{}", "\\".repeat(1_000_000))),
        ("quotes", format!("%{{{}", "'".repeat(1_000_001))),
        ("one long name", "a".repeat(1_000_000)),
        ("one long number", format!("n[{}]", "9".repeat(1_000_000))),
        ("dashes", "-".repeat(1_000_000)),
        ("blanks in a name", format!("a{}b", " ".repeat(1_000_000))),
        ("controls", "\u{1}".repeat(1_000_000)),
        ("wide characters", "\u{1f980}".repeat(250_000)),
        ("many brackets", "a[1]".repeat(250_000)),
    ] {
        assert!(fate(&text).is_err(), "{label}");
    }
}

#[test]
fn host_files_are_bounded_too() {
    let many = "n[1-1000]\n".repeat(1_001);
    let error = HostFile::parse("f", &many).unwrap_err();
    assert!(
        matches!(error, Error::InFile { line: 1_001, .. }),
        "{error}"
    );
    let mut supplied = Supplied::nothing();
    supplied.file("f", &"# nothing\n".repeat(100_000)).unwrap();
    let again = Expr::parse(&vec!["^f"; 100_000].join(",")).unwrap();
    assert_eq!(again.needs().len(), 1);
    assert!(again.evaluate(&supplied).unwrap().is_empty());
}
