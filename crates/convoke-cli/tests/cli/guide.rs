//! `docs/guide` against what is printed.
//!
//! A block of the language `console` is a session in a directory of its own, on hosts of this machine: lines after `$ ` are
//! typed, the others are what is printed, stderr among stdout. `…` stands for any text within a line. What is typed in
//! other blocks is for hosts that are not there, and only planned.

use crate::scene::Scene;

macro_rules! page {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/guide/",
            $name
        ))
    };
}

const COMMANDS: &str = page!("1-running-commands.md");
const HOSTS: &str = page!("2-reaching-hosts.md");
const OUTCOMES: &str = page!("3-outcomes-and-exit-codes.md");
const ASKING: &str = page!("4-asking-hosts.md");
const MOVING: &str = page!("5-moving-files.md");

/// The language of the blocks that are sessions.
const SESSION: &str = "console";

/// What our shell prints before each command of a session.
const NEXT: &str = "-- next --";

/// What stands for any text.
const ANY: &str = "…";

/// A block of code.
struct Block {
    language: &'static str,
    text: &'static str,
}

fn blocks(page: &'static str) -> Vec<Block> {
    let between = page.split("\n```").skip(1).step_by(2);
    between
        .map(|block| {
            let (language, text) = block.split_once('\n').unwrap();
            Block { language, text }
        })
        .collect()
}

/// Plays the sessions of a page, and returns how many commands they have.
fn play(page: &'static str) -> usize {
    let sessions = blocks(page).into_iter();
    let sessions = sessions.filter(|block| block.language == SESSION);
    sessions.map(|session| replay(session.text)).sum()
}

/// Types the commands of a session, and compares what is printed. Returns their number.
fn replay(session: &str) -> usize {
    let scene = Scene::new();
    let session = format!("\n{session}");
    let exchanges = session.split("\n$ ").skip(1);
    let exchanges: Vec<(&str, &str)> = exchanges
        .map(|exchange| exchange.split_once('\n').unwrap_or((exchange, "")))
        .collect();
    // What a command ended with is still there for the next one.
    let mut script = format!("exec 2>&1; next() {{ code=$?; echo '{NEXT}'; return $code; }}\n");
    for (command, _) in &exchanges {
        script += &format!("next\n{command}\n");
    }
    let mut shell = scene.command("sh");
    let (directory, _) = env!("CARGO_BIN_EXE_convoke").rsplit_once('/').unwrap();
    let path = format!("{directory}:/usr/local/bin:/usr/bin:/bin");
    shell.env("PATH", path).args(["-c", &script]);
    let ran = scene.start(shell).finish();

    let next = format!("{NEXT}\n");
    let answers: Vec<&str> = ran.text().split(&next).skip(1).collect();
    assert_eq!(answers.len(), exchanges.len(), "{}", ran.text());
    for ((command, written), printed) in exchanges.iter().zip(answers) {
        let (printed, written) = (in_host_order(printed), in_host_order(written));
        let mut pairs = printed.iter().zip(&written);
        let is_alike = printed.len() == written.len()
            && pairs.all(|(printed, written)| fits(written, printed));
        assert!(
            is_alike,
            "{command}\nprinted: {printed:#?}\nwritten: {written:#?}"
        );
    }
    scene.end();
    exchanges.len()
}

/// The lines of a text. Where lines of several hosts follow each other, which come as they arrive, they are in the
/// order of hosts.
fn in_host_order(text: &str) -> Vec<&str> {
    let prefix = |line: &str| {
        let (first, _) = line.split_once(' ')?;
        let is_host = first.starts_with("local:") && first.ends_with([':', '!']);
        is_host.then(|| first.to_owned())
    };
    let mut lines: Vec<&str> = text.lines().collect();
    for block in lines.chunk_by_mut(|one, other| prefix(one).is_some() && prefix(other).is_some()) {
        block.sort_by_key(|line| prefix(line));
    }
    lines
}

/// Whether a line is what is written of it.
fn fits(written: &str, line: &str) -> bool {
    let Some((before, after)) = written.split_once(ANY) else {
        return written == line;
    };
    line.strip_prefix(before).is_some_and(|rest| {
        let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
        ends.into_iter().any(|at| fits(after, &rest[at..]))
    })
}

#[test]
fn the_guide_to_commands_is_what_is_printed() {
    assert!(play(COMMANDS) >= 20);
}

#[test]
fn the_guide_to_hosts_is_what_is_printed() {
    assert!(play(HOSTS) >= 8);
}

#[test]
fn the_guide_to_outcomes_is_what_is_printed() {
    assert!(play(OUTCOMES) >= 15);
}

#[test]
fn the_guide_to_questions_is_what_is_printed() {
    assert!(play(ASKING) >= 12);
}

#[test]
fn the_guide_to_files_is_what_is_printed() {
    assert!(play(MOVING) >= 15);
}

#[test]
fn what_the_guide_runs_on_other_hosts_can_be_planned() {
    let scene = Scene::new();
    scene.file("again.txt", "web1\n");
    let others = [COMMANDS, HOSTS, OUTCOMES].into_iter().flat_map(blocks);
    let others = others.filter(|block| block.language != SESSION);
    let lines = others.flat_map(|block| block.text.lines());
    let commands: Vec<&str> = lines
        .filter_map(|line| line.split_once("convoke run "))
        .map(|(_, words)| words)
        .collect();
    assert!(commands.len() >= 8, "{commands:?}");
    for words in commands {
        let words = words.split(" | jq").next().unwrap();
        let words = words.replacen("--dry-run ", "", 1);
        let script = format!("\"$0\" run --dry-run {words}");
        let mut shell = scene.command("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_convoke")]);
        let ran = scene.start(shell).finish();
        assert_eq!(ran.code, Some(0), "{words}: {}", ran.stderr);
    }
    scene.end();
}
