//! `docs/json.md` against what is printed.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::scene::Scene;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/json.md"));

/// The rows of the table below a heading: the code words of each cell.
fn rows(heading: &str) -> Vec<Vec<Vec<String>>> {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let words = |cell: &str| -> Vec<String> {
        let outside = without_parentheses(cell);
        let words = outside.split('`').skip(1).step_by(2);
        words.map(str::to_owned).collect()
    };
    rows.map(|row| row.trim_matches('|').split('|').map(words).collect())
        .collect()
}

/// A text without its remarks.
fn without_parentheses(text: &str) -> String {
    let mut depth = 0;
    let outside = text.chars().filter(|c| {
        depth += i32::from(*c == '(');
        let is_outside = depth == 0;
        depth -= i32::from(*c == ')');
        is_outside
    });
    outside.collect()
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

fn events(stdout: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("\n```{language}\n");
    let starts = PAGE.split(fence.as_str()).skip(1);
    starts
        .map(|rest| rest.split("\n```").next().unwrap())
        .collect()
}

/// Whether two values are alike, apart from what differs from run to run.
fn alike(one: &Value, other: &Value) -> bool {
    const OWN: [&str; 6] = ["run", "at", "pid", "agent", "platform", "took_ms"];
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let is_alike = |(key, one): (&String, &Value)| {
                other
                    .get(key)
                    .is_some_and(|other| match OWN.contains(&key.as_str()) {
                        true => {
                            one.is_string() == other.is_string()
                                && one.is_number() == other.is_number()
                        }
                        false => alike(one, other),
                    })
            };
            one.len() == other.len() && one.iter().all(is_alike)
        }
        _ => one == other,
    }
}

#[test]
fn the_example_of_the_page_is_what_is_printed() {
    let scene = Scene::new();
    let line = blocks("sh")[0].replacen("convoke", "\"$0\"", 1);
    let mut command = scene.command("sh");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_convoke")]);
    let ran = scene.start(command).finish();
    let (printed, written) = (events(&ran.stdout), events(blocks("json")[0].as_bytes()));
    assert_eq!(printed.len(), written.len(), "{}", ran.text());
    for (printed, written) in printed.iter().zip(&written) {
        assert!(alike(printed, written), "{printed} is not {written}");
    }
    let ran = scene.run(["--json", "local:demo", "printf", "\\377"]);
    let printed = events(&ran.stdout);
    let output = printed.iter().find(|event| event["kind"] == "stdout");
    let written = events(blocks("json")[1].as_bytes());
    assert_eq!(output.unwrap()["data"], written[0]);
    scene.end();
}

#[test]
fn events_have_the_fields_and_kinds_of_the_page() {
    let scene = Scene::new();
    let fields: BTreeSet<String> = rows("An event")
        .into_iter()
        .map(|row| row[0][0].clone())
        .collect();
    let kinds = rows("Kinds");
    let ran = scene.run(["--json", "local:a", "--sh", "echo out; echo err >&2"]);
    let mut seen = BTreeSet::new();
    for event in events(&ran.stdout) {
        assert_eq!(keys(&event), fields);
        let kind = event["kind"].as_str().unwrap().to_owned();
        let row = kinds.iter().find(|row| row[0][0] == kind).unwrap();
        let data = keys(&event["data"]);
        match row[2].is_empty() {
            // Bytes and outcomes have rules of their own.
            true => assert!(data.contains("text") || data.contains("outcome"), "{event}"),
            false => assert_eq!(data, row[2].iter().cloned().collect(), "{event}"),
        }
        seen.insert(kind);
    }
    // A notice needs a connection that says something.
    let named: BTreeSet<String> = kinds.iter().map(|row| row[0][0].clone()).collect();
    assert_eq!(&named - &seen, BTreeSet::from(["notice".to_owned()]));
    assert_eq!(&seen - &named, BTreeSet::new());
    scene.end();
}

#[test]
fn the_plan_has_the_fields_of_the_page() {
    let scene = Scene::new();
    let ran = scene.run(["--dry-run", "--json", "--env", "A=b", "local:a", "true"]);
    let plan = &events(&ran.stdout)[0];
    let mut fields: BTreeSet<String> = rows("The plan")
        .into_iter()
        .flat_map(|row| row[0].clone())
        .collect();
    fields.extend(["schema".to_owned(), "kind".to_owned()]);
    assert_eq!(keys(plan), fields);
    assert_eq!(plan["argv"][0], serde_json::json!({"text": "true"}));
    scene.end();
}
