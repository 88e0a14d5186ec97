//! Ranges: what is read, what is refused, and what is folded.

use super::{Interval, RangeSet, Ranges, push_number};
use crate::error::Error;

fn listed(text: &str) -> Vec<String> {
    RangeSet::parse(text).unwrap().iter().collect()
}

#[test]
fn ranges_hold_what_they_say() {
    let table: &[(&str, &[&str])] = &[
        ("7", &["7"]),
        ("1-3,7", &["1", "2", "3", "7"]),
        ("3,1,2,2", &["1", "2", "3"]),
        ("8-11", &["8", "9", "10", "11"]),
        ("08-11", &["08", "09", "10", "11"]),
        ("0-8/2", &["0", "2", "4", "6", "8"]),
        ("00-10/5", &["00", "05", "10"]),
        ("1,01,001", &["1", "01", "001"]),
        ("9-10,09", &["9", "09", "10"]),
        ("098-101", &["098", "099", "100", "101"]),
        (" 1 - 3 , 5 ", &["1", "2", "3", "5"]),
        ("5/1", &["5"]),
        ("0", &["0"]),
        ("00", &["00"]),
        (
            "999999999999999998-999999999999999999",
            &["999999999999999998", "999999999999999999"],
        ),
    ];
    for (text, numbers) in table {
        assert_eq!(&listed(text), numbers, "{text}");
    }
}

#[test]
fn sets_fold_to_the_shortest_text() {
    let table = [
        ("7,1-3,2", "1-3,7"),
        ("1-9,10-99,100", "1-100"),
        ("01-10", "01-10"),
        ("00-99,100", "00-99,100"),
        ("099,100-102,1-3", "1-3,099-102"),
        ("9-10,09", "9,09-10"),
        ("0,00,000,1", "0-1,00,000"),
        ("0-8/2", "0,2,4,6,8"),
        ("5,6", "5-6"),
        ("1,1,1", "1"),
    ];
    for (text, folded) in table {
        assert_eq!(RangeSet::parse(text).unwrap().to_string(), folded, "{text}");
    }
}

#[test]
fn mistakes_are_named_with_their_place() {
    let text = |text: &str| text.to_owned();
    let table = [
        ("", Error::EmptyRange { at: 0 }),
        ("1,,2", Error::EmptyRange { at: 2 }),
        ("1,", Error::EmptyRange { at: 2 }),
        (
            "a-b",
            Error::NotANumber {
                at: 0,
                text: text("a-b"),
            },
        ),
        (
            "1,-3",
            Error::NotANumber {
                at: 2,
                text: text("-3"),
            },
        ),
        (
            "1-2-3",
            Error::NotANumber {
                at: 0,
                text: text("1-2-3"),
            },
        ),
        (
            "1-3/x",
            Error::NotANumber {
                at: 0,
                text: text("1-3/x"),
            },
        ),
        (
            "١-٣",
            Error::NotANumber {
                at: 0,
                text: text("١-٣"),
            },
        ),
        (
            "1, 3-1",
            Error::BackwardRange {
                at: 3,
                text: text("3-1"),
            },
        ),
        (
            "1-010",
            Error::PaddingMismatch {
                at: 0,
                text: text("1-010"),
            },
        ),
        (
            "001-10",
            Error::PaddingMismatch {
                at: 0,
                text: text("001-10"),
            },
        ),
        (
            "1-3/0",
            Error::BadStep {
                at: 0,
                text: text("1-3/0"),
            },
        ),
        (
            "1/2",
            Error::BadStep {
                at: 0,
                text: text("1/2"),
            },
        ),
        (
            "1-1000000000000000000",
            Error::NumberTooLong {
                at: 0,
                text: text("1000000000000000000"),
                limit: super::MAX_DIGITS,
            },
        ),
        (
            "0-999999999999999999",
            Error::TooManyNames {
                at: 0,
                limit: super::MAX_NAMES,
            },
        ),
        (
            "1-1000001",
            Error::TooManyNames {
                at: 0,
                limit: super::MAX_NAMES,
            },
        ),
    ];
    for (text, error) in table {
        assert_eq!(RangeSet::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn a_long_range_is_a_few_intervals() {
    let set = RangeSet::parse("1-1000000").unwrap();
    assert_eq!(set.len(), 1_000_000);
    assert_eq!(set.intervals().len(), 7);
}

#[test]
fn padding_decides_membership() {
    let set = RangeSet::parse("08-11,5").unwrap();
    for (number, held) in [
        ("08", true),
        ("8", false),
        ("11", true),
        ("011", false),
        ("5", true),
        ("", false),
        ("x", false),
    ] {
        assert_eq!(set.contains(number), held, "{number:?}");
    }
    assert!(!RangeSet::default().contains("1"));
}

#[test]
fn ranges_keep_the_order_they_are_written_in() {
    let ranges = Ranges::parse("9-10,2", 0).unwrap();
    assert_eq!(
        ranges.numbers().collect::<Vec<_>>(),
        [(9, 1), (10, 2), (2, 1)]
    );
    assert_eq!(ranges.count(), 3);
}

#[test]
fn counts_do_not_overflow() {
    let many = vec!["0-999999999999999999"; 40].join(",");
    assert_eq!(Ranges::parse(&many, 0).unwrap().count(), u64::MAX);
}

#[test]
fn numbers_are_written_with_their_digits() {
    for (value, digits, written) in [
        (0, 1, "0"),
        (0, 3, "000"),
        (7, 2, "07"),
        (123, 2, "123"),
        (u64::MAX, 0, "18446744073709551615"),
    ] {
        let mut text = String::new();
        push_number(&mut text, value, digits);
        assert_eq!(text, written);
    }
}

#[test]
fn neighbours_join_when_a_set_is_collected() {
    let set: RangeSet = [Interval::of(1, 2), Interval::of(2, 3), Interval::of(1, 1)]
        .into_iter()
        .collect();
    assert_eq!(
        set.intervals(),
        [
            Interval {
                digits: 1,
                low: 1,
                high: 2
            },
            Interval::of(2, 3)
        ]
    );
}
