//! `README.md` against what there is.

use crate::scene::Scene;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"));

/// The block of code in a language that comes first.
fn block(language: &str) -> &'static str {
    let fence = format!("\n```{language}\n");
    let (_, block) = PAGE.split_once(fence.as_str()).unwrap();
    block.split("\n```").next().unwrap()
}

#[test]
fn the_library_is_shown_with_lines_of_its_example_that_compiles() {
    let library = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../convoke/src/lib.rs"
    ));
    for line in block("rust").lines() {
        let is_line = |other: &str| other.strip_prefix("//! ") == Some(line);
        assert!(library.lines().any(is_line), "{line}");
    }
}

#[test]
fn every_command_of_the_tour_is_one() {
    let scene = Scene::new();
    scene.file("secrets", "TOKEN=x\n");
    scene.file("hosts.txt", "local:demo1\n");
    let (_, tour) = PAGE.split_once("## A short tour").unwrap();
    let verbs = ["run", "put", "get", "stat", "ls", "cat", "facts", "user"];
    let typed = |line: &'static str| {
        let (_, words) = line.split_once("convoke ")?;
        let (verb, words) = words.split_once(' ')?;
        let is_typed = !line.starts_with('*') && !line.contains('`');
        (is_typed && verbs.contains(&verb)).then_some((line, verb, words))
    };
    let commands: Vec<_> = tour.lines().filter_map(typed).collect();
    assert!(commands.len() >= 12, "{commands:?}");
    for (line, verb, words) in commands {
        let words = words.split(" | jq").next().unwrap();
        let script = format!("\"$0\" {verb} --dry-run {words}");
        let mut command = scene.command("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_convoke")]);
        let ran = scene.start(command).finish();
        assert_eq!(ran.code, Some(0), "{line}: {}", ran.stderr);
        assert!(ran.text().contains("hosts"), "{line}: {}", ran.text());
    }
    scene.end();
}
