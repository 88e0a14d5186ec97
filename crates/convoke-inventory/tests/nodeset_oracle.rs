//! Compares host expressions with ClusterShell's `NodeSet`, whose grammar and folding this crate follows.
//!
//! What differs on purpose, and so is not asked here: order (theirs is sorted, so sets are compared), parentheses, slices
//! and stdin (theirs are command line options), negative numbers, a range right after another, and digits next to a
//! range whose bounds differ in length (`x1[8-11]` is `x[18-111]` there, `x[0-10]4` is a padding mismatch).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the test starts python and reads its knobs"
)]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use convoke_inventory::{Expr, Supplied};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

/// Answers every line with the folded text, a tab and the names, or with `!` and the error.
const ORACLE: &str = r#"
import sys
try:
    from ClusterShell.NodeSet import NodeSet
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
for line in sys.stdin:
    try:
        nodes = NodeSet(line.rstrip("\n"))
        print(str(nodes), " ".join(nodes), sep="\t")
    except Exception as error:
        print("!", str(error).replace("\n", " "), sep="")
"#;

/// What `NodeSet` makes of an expression.
struct Answer {
    fold: String,
    names: BTreeSet<String>,
}

#[test]
fn expressions_select_the_hosts_that_nodeset_selects() {
    let expressions = generated(expression(), cases(600, 20_000));
    let Some(answers) = ask(&expressions) else {
        return;
    };
    for (text, answer) in expressions.iter().zip(answers) {
        let answer = answer.unwrap_or_else(|error| panic!("NodeSet refuses {text:?}: {error}"));
        assert_eq!(names(text), answer.names, "{text}");
    }
}

#[test]
fn one_number_folds_to_the_text_of_nodeset() {
    let expressions = generated(expression_of(one_number().boxed()), cases(600, 20_000));
    let Some(answers) = ask(&expressions) else {
        return;
    };
    for (text, answer) in expressions.iter().zip(answers) {
        assert_eq!(
            fold(text),
            answer
                .unwrap_or_else(|error| panic!("NodeSet refuses {text:?}: {error}"))
                .fold,
            "{text}"
        );
    }
}

#[test]
fn several_numbers_fold_to_the_same_hosts_in_no_more_pieces() {
    let expressions = generated(expression(), cases(600, 20_000));
    let Some(answers) = ask(&expressions) else {
        return;
    };
    let (mut ours, mut theirs, mut equal) = (0, 0, 0);
    for (text, answer) in expressions.iter().zip(answers) {
        let answer = answer.unwrap_or_else(|error| panic!("NodeSet refuses {text:?}: {error}"));
        let fold = fold(text);
        assert_eq!(names(&fold), answer.names, "{text} folds to {fold}");
        ours += pieces(&fold);
        theirs += pieces(&answer.fold);
        equal += usize::from(fold == answer.fold);
    }
    println!(
        "{ours} pieces, {theirs} by NodeSet; {equal} of {} texts are equal",
        expressions.len()
    );
    assert!(
        ours <= theirs + theirs / 100,
        "{ours} pieces, {theirs} by NodeSet"
    );
    assert!(
        equal * 10 >= expressions.len() * 9,
        "{equal} of {} texts are equal",
        expressions.len()
    );
}

#[test]
fn what_nodeset_folds_selects_the_same_hosts_here() {
    let expressions = generated(expression(), cases(300, 5_000));
    let Some(answers) = ask(&expressions) else {
        return;
    };
    for answer in answers.into_iter().flatten() {
        assert_eq!(names(&answer.fold), answer.names, "{}", answer.fold);
    }
}

#[test]
fn mistakes_are_mistakes_in_both() {
    let wrong = [
        "web[3-1]",
        "web[1-",
        "web[a-b]",
        "web[]",
        "web[1,,2]",
        "web[1,]",
        "a,,b",
        "a,",
        ",a",
        "a!",
        "a&&b",
        "web[1-010]",
        "web[001-10]",
        "web[0-010]",
        "web]1",
        "web[1-3]]",
        "web[[1-3]]",
        "web[1/2]",
        "web[1-3/0]",
        "web[1-3/x]",
    ];
    let Some(answers) = ask(&wrong.map(str::to_owned)) else {
        return;
    };
    for (text, answer) in wrong.iter().zip(answers) {
        assert!(answer.is_err(), "NodeSet takes {text:?}");
        assert!(Expr::parse(text).is_err(), "{text:?}");
    }
}

fn names(text: &str) -> BTreeSet<String> {
    hosts(text).iter().map(|host| host.to_string()).collect()
}

fn fold(text: &str) -> String {
    hosts(text).fold()
}

fn hosts(text: &str) -> convoke_inventory::HostList {
    let expr = Expr::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    expr.evaluate(&Supplied::nothing()).unwrap()
}

/// Counts the terms of a folded text.
fn pieces(fold: &str) -> usize {
    let mut open = false;
    fold.chars()
        .filter(|found| {
            open = (open || *found == '[') && *found != ']';
            *found == ',' && !open
        })
        .count()
}

fn cases(few: usize, many: usize) -> usize {
    if std::env::var_os("CONVOKE_TEST_FULL").is_some() {
        many
    } else {
        few
    }
}

/// Asks one python process about all expressions; `None` when the user asked not to.
fn ask(expressions: &[String]) -> Option<Vec<Result<Answer, String>>> {
    if std::env::var("CONVOKE_TEST_SKIP_ORACLE").as_deref() == Ok("1") {
        println!("skipped: CONVOKE_TEST_SKIP_ORACLE=1, nothing was compared with ClusterShell");
        return None;
    }
    let mut python = Command::new("python3")
        .args(["-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 is missing; it runs ClusterShell, which is what this test compares with");
    let mut stdin = python.stdin.take().unwrap();
    let questions = expressions.join("\n") + "\n";
    let writer = std::thread::spawn(move || stdin.write_all(questions.as_bytes()));
    let output = python.wait_with_output().unwrap();
    let written = writer.join().unwrap();
    assert!(
        output.status.success(),
        "ClusterShell is not importable: `pip install ClusterShell`, or set CONVOKE_TEST_SKIP_ORACLE=1 to go without: {}",
        String::from_utf8_lossy(&output.stderr),
    );
    written.unwrap();
    let answers: Vec<_> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(answer)
        .collect();
    assert_eq!(answers.len(), expressions.len());
    Some(answers)
}

fn answer(line: &str) -> Result<Answer, String> {
    if let Some(error) = line.strip_prefix('!') {
        return Err(error.to_owned());
    }
    let (fold, names) = line.split_once('\t').unwrap();
    Ok(Answer {
        fold: fold.to_owned(),
        names: names.split_whitespace().map(str::to_owned).collect(),
    })
}

fn generated(strategy: impl Strategy<Value = String>, count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    (0..count)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

fn expression() -> impl Strategy<Value = String> {
    expression_of(prop_oneof![3 => one_number().boxed(), 3 => several_numbers().boxed(), 1 => Just("gate".to_owned()).boxed()].boxed())
}

/// Terms with operators and blanks between them.
fn expression_of(term: BoxedStrategy<String>) -> impl Strategy<Value = String> {
    let operator = prop_oneof![6 => Just(","), 1 => Just(" , "), 2 => Just("!"), 1 => Just("&"), 1 => Just("^")];
    (term.clone(), prop::collection::vec((operator, term), 0..7)).prop_map(|(first, rest)| {
        rest.into_iter()
            .fold(first, |text, (operator, term)| text + operator + &term)
    })
}

fn one_number() -> impl Strategy<Value = String> {
    let prefix = prop::sample::select(vec!["n", "web", "n-", "root@n", "x.y-"]);
    let suffix = prop::sample::select(vec!["", "", "", "-ib", ".example.com"]);
    prop_oneof![
        4 => (prefix.clone(), bracket(), suffix.clone()).prop_map(|(prefix, bracket, suffix)| format!("{prefix}{bracket}{suffix}")),
        1 => (prefix.clone(), 0_u32..30).prop_map(|(prefix, number)| format!("{prefix}{number}")),
        1 => (prefix.clone(), 0_u32..12).prop_map(|(prefix, number)| format!("{prefix}{number:03}")),
        1 => (prefix.clone(), 0_u32..5, 5_u32..10).prop_map(|(prefix, low, high)| format!("{prefix}0[{low}-{high}]")),
        1 => (prefix, 1_u32..5, 5_u32..14).prop_map(|(prefix, low, high)| format!("{prefix}[{low}-{high}]4")),
    ]
}

fn several_numbers() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (bracket(), bracket()).prop_map(|(first, second)| format!("r{first}n{second}")),
        2 => (0_u32..6, 0_u32..6).prop_map(|(first, second)| format!("r{first}n{second}")),
        2 => (0_u32..4, 0_u32..4, bracket()).prop_map(|(first, second, third)| format!("a{first}b{second}c{third}")),
        1 => (bracket(), 0_u32..3).prop_map(|(first, second)| format!("n{first}.dc{second}")),
        1 => (0_u32..3, bracket()).prop_map(|(third, fourth)| format!("10.0.{third}.{fourth}")),
    ]
}

/// A bracket with ranges that may overlap, step, and be padded.
fn bracket() -> impl Strategy<Value = String> {
    prop::collection::vec(range(), 1..4).prop_map(|ranges| format!("[{}]", ranges.join(",")))
}

fn range() -> impl Strategy<Value = String> {
    let bounds = (0_u32..20, 0_u32..15);
    prop_oneof![
        2 => (0_u32..25).prop_map(|number| number.to_string()),
        4 => bounds.clone().prop_map(|(low, more)| format!("{low}-{}", low + more)),
        2 => bounds.clone().prop_map(|(low, more)| format!("{low:02}-{:02}", low + more)),
        1 => (90_u32..105, 0_u32..20).prop_map(|(low, more)| format!("{low:03}-{:03}", low + more)),
        1 => (bounds, 1_u32..5).prop_map(|((low, more), step)| format!("{low}-{}/{step}", low + more)),
    ]
}
