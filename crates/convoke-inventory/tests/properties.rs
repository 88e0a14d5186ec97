//! Properties of host lists and expressions, against a plain list of names.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use convoke_inventory::hostlist::Pattern;
use convoke_inventory::{Expr, HostFile, HostList, HostName, RangeSet, Supplied};
use proptest::prelude::*;

/// Applies an operator the slow and obvious way.
fn applied(left: Vec<String>, operator: char, right: Vec<String>) -> Vec<String> {
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these
            .iter()
            .filter(|name| !those.contains(name))
            .cloned()
            .collect()
    };
    match operator {
        '!' => only(&left, &right),
        '&' => left
            .iter()
            .filter(|name| right.contains(name))
            .cloned()
            .collect(),
        '^' => [only(&left, &right), only(&right, &left)].concat(),
        _ => [left.clone(), only(&right, &left)].concat(),
    }
}

/// A term with the names it stands for, in order.
fn term() -> impl Strategy<Value = (String, Vec<String>)> {
    let prefix = prop::sample::select(vec!["n", "n0", "r1n", "u@n"]);
    let suffix = prop::sample::select(vec!["", "", "5", ".dc1", "-ib0", ":22"]);
    let stretch = (0_u64..25, 0_u64..15, 1_u64..4);
    (prefix, prop::collection::vec(stretch, 1..4), suffix).prop_map(
        |(prefix, stretches, suffix)| {
            let mut ranges = Vec::new();
            let mut names: Vec<String> = Vec::new();
            for (low, more, step) in stretches {
                ranges.push(format!("{low}-{}/{step}", low + more));
                for number in (low..=low + more).step_by(step as usize) {
                    let name = format!("{prefix}{number}{suffix}");
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
            }
            (format!("{prefix}[{}]{suffix}", ranges.join(",")), names)
        },
    )
}

/// An expression with the names it selects, in order.
fn expression() -> impl Strategy<Value = (String, Vec<String>)> {
    let leaf = term().boxed();
    leaf.prop_recursive(4, 16, 4, |inner| {
        let operator = prop::sample::select(vec![',', '!', '&', '^']);
        let sliced =
            (inner.clone(), -12_i64..12, -12_i64..12).prop_map(|((text, names), from, to)| {
                let place = |bound: i64| {
                    let end = names.len() as i64;
                    (if bound < 0 { end + bound } else { bound }).clamp(0, end) as usize
                };
                let kept = names
                    .get(place(from)..place(to))
                    .unwrap_or_default()
                    .to_vec();
                (format!("({text})[{from}:{to}]"), kept)
            });
        let joined = (
            inner.clone(),
            prop::collection::vec((operator, inner), 0..4),
        )
            .prop_map(|(first, rest)| {
                rest.into_iter().fold(
                    (format!("({})", first.0), first.1),
                    |(text, names), (operator, right)| {
                        (
                            format!("{text}{operator}({})", right.0),
                            applied(names, operator, right.1),
                        )
                    },
                )
            });
        prop_oneof![1 => sliced, 3 => joined]
    })
}

fn hosts(text: &str) -> HostList {
    let expr = Expr::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    expr.evaluate(&Supplied::nothing()).unwrap()
}

fn names(hosts: &HostList) -> Vec<String> {
    hosts.iter().map(|host| host.to_string()).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

proptest! {
    #[test]
    fn an_expression_selects_what_the_obvious_way_selects((text, expected) in expression()) {
        let hosts = hosts(&text);
        prop_assert_eq!(names(&hosts), expected.clone());
        prop_assert_eq!(hosts.len(), expected.len());
        prop_assert_eq!(hosts.join("\n"), expected.join("\n"));
        prop_assert!(Expr::parse(&text).unwrap().count() >= hosts.len() as u64);
        for name in &expected {
            prop_assert!(hosts.contains(&HostName::parse(name).unwrap()));
        }
    }

    #[test]
    fn a_folded_list_selects_the_same_hosts((text, expected) in expression()) {
        let folded = hosts(&text).fold();
        prop_assert_eq!(sorted(names(&hosts(&folded))), sorted(expected));
        prop_assert_eq!(hosts(&folded).fold(), folded);
    }

    #[test]
    fn any_names_fold_to_an_expression_for_them(
        names in prop::collection::vec("(ssh://|u@|local:)?[a-c]{0,2}[0-9]{1,3}([.:_-][0-9a]{1,2}|%[0-9]{1,2}){0,3}", 0..40),
    ) {
        let names: Vec<HostName> = names.iter().filter_map(|name| HostName::parse(name).ok()).collect();
        let list: HostList = names.iter().collect();
        let folded = hosts(&list.fold());
        prop_assert_eq!(folded.minus(&list).len(), 0);
        prop_assert_eq!(list.minus(&folded).len(), 0);
    }

    #[test]
    fn a_pattern_counts_its_names(ranges in prop::collection::vec((0_u64..2_000, 0_u64..40), 1..4)) {
        let brackets: Vec<String> = ranges.iter().map(|(low, more)| format!("x[{low}-{}]", low + more)).collect();
        let pattern = Pattern::parse(&brackets.concat()).unwrap();
        let mut list = HostList::new();
        list.append_pattern(&pattern);
        prop_assert_eq!(list.len() as u64, pattern.count());
        prop_assert_eq!(list.iter().count(), list.len());
    }

    #[test]
    fn a_range_set_folds_to_itself(text in "[0-9]{1,3}(,[0-9]{1,3}){0,20}") {
        let set = RangeSet::parse(&text).unwrap();
        prop_assert_eq!(RangeSet::parse(&set.to_string()).unwrap(), set.clone());
        prop_assert_eq!(set.iter().count() as u64, set.len());
        prop_assert!(text.split(',').all(|number| set.contains(number)));
    }

    #[test]
    fn no_text_is_too_much(text in prop_oneof![
        any::<String>(),
        r"[a-b0-3\[\],:!&^()/%{}@*#\\ \-.'?\n]{0,40}",
        r"([ab@]|\[|\]|[0-9]{1,4}|[,!&^:/-]|\(|\)){0,30}",
    ]) {
        let supplied = Supplied::nothing();
        if let Ok(expr) = Expr::parse(&text) {
            let _ = expr.needs();
            if let Ok(hosts) = expr.evaluate(&supplied) {
                prop_assert!(hosts.len() as u64 <= expr.count());
                prop_assert!(hosts.iter().take(100).all(|host| HostName::parse(host.as_str()).as_ref() == Ok(&host)));
            }
        } else if let Some(at) = Expr::parse(&text).unwrap_err().at() {
            prop_assert!(text.is_char_boundary(at));
        }
        let _ = HostFile::parse("f", &text);
        let _ = RangeSet::parse(&text);
        let _ = HostName::parse(&text);
    }
}
