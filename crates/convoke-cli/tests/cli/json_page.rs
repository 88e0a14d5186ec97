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
    scene.file("file", vec![0; 1 << 20]);
    let put = scene.convoke(["put", "--json", "file", "local:a:there"]);
    let put = scene.start(put).finish();
    let mut seen = BTreeSet::new();
    for event in events(&[ran.stdout, put.stdout].concat()) {
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
    // A notice needs a connection that says something; answers have a test of their own.
    let named: BTreeSet<String> = kinds.iter().map(|row| row[0][0].clone()).collect();
    assert_eq!(
        &named - &seen,
        BTreeSet::from(["answer", "notice"].map(str::to_owned))
    );
    assert_eq!(&seen - &named, BTreeSet::new());
    scene.end();
}

/// The words of the first cells below a heading.
fn fields(heading: &str) -> BTreeSet<String> {
    rows(heading)
        .into_iter()
        .flat_map(|row| row[0].clone())
        .collect()
}

#[test]
fn answers_have_the_fields_of_the_page() {
    let scene = Scene::new();
    let of_answers = rows("Answers");
    let (file, digests) = {
        let all = fields("A file");
        let digests = ["sha256", "sha512", "blake3"].map(str::to_owned);
        (&all - &digests.clone().into(), BTreeSet::from(digests))
    };
    let asked = |words: &[&str]| {
        let ran = scene.start(scene.convoke(words)).finish();
        let answers = events(&ran.stdout).into_iter();
        let answers = answers.filter(|event| event["kind"] == "answer");
        let mut answers: Vec<Value> = answers.map(|event| event["data"].clone()).collect();
        assert_eq!(answers.len(), 1, "{words:?}: {}", ran.text());
        let mut answer = answers.remove(0);
        let all = answer.as_object_mut().unwrap();
        assert!(all.remove("operation").is_some() && all.remove("subject").is_some());
        let kind = all.remove("answer").unwrap();
        let row = of_answers.iter().find(|row| kind == *row[0][0].as_str());
        let of_verb = row.unwrap()[1].first();
        assert!(
            of_verb.is_some_and(|verb| verb == words[0]) || kind == "failed",
            "{words:?}"
        );
        let written: BTreeSet<String> = row.unwrap()[2].iter().cloned().collect();
        (answer, written)
    };
    let (stat, written) = asked(&["stat", "--json", "local:a", "/"]);
    assert_eq!(keys(&stat), &file | &written);
    let words = [
        "stat",
        "--json",
        "local:a",
        "/etc/passwd",
        "--digest",
        "sha256",
    ];
    let words = [&words[..], &["--digest", "sha512", "--digest", "blake3"]].concat();
    let (stat, written) = asked(&words);
    assert_eq!(keys(&stat), &(&file | &written) | &digests);
    let (list, written) = asked(&["ls", "--json", "local:a", "/"]);
    assert!(written.is_superset(&keys(&list)), "{written:?}");
    let entry = &list["entries"][0];
    assert_eq!(keys(entry), &file | &BTreeSet::from(["name".to_owned()]));
    let (facts, _) = asked(&["facts", "--json", "local:a"]);
    assert_eq!(keys(&facts["facts"]), fields("Facts"));
    for words in [
        ["user", "--json", "local:a"],
        ["group", "--json", "local:a"],
    ] {
        let (answer, written) = asked(&words);
        assert_eq!(keys(&answer), written);
    }
    let (variables, _) = asked(&["env", "--json", "local:a"]);
    let pair = ["name", "value"].map(str::to_owned);
    assert_eq!(keys(&variables["variables"][0]), pair.into());
    let (failure, _) = asked(&["stat", "--json", "local:a", "/etc/passwd/x"]);
    assert_eq!(keys(&failure), fields("A failure"));
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
