//! What arguments mean, as tables.

use std::collections::BTreeSet;

use convoke::proto::command::{Leftovers, Shell};

use super::*;
use crate::args::{Args, Color, Verb};
use crate::error::Usage;

fn here() -> Environment {
    Environment {
        is_stdin_closed: false,
        is_stdout_closed: false,
        is_stdin_terminal: false,
        is_stdout_terminal: false,
        is_stderr_terminal: true,
        refuses_colour: false,
        forces_colour: false,
        is_dumb: false,
        temporary: "/tmp".into(),
        mask: 0o022,
    }
}

fn run(words: &[&str]) -> Result<Run, Usage> {
    let words = ["convoke", "run"].iter().chain(words).map(OsString::from);
    let args = Args::parse_words(words).unwrap();
    let Verb::Run(run) = args.verb else { panic!() };
    Run::new(*run, &args.talk, &here())
}

fn argv(words: &[&str]) -> Vec<BString> {
    run(words).unwrap().command.command.start.argv
}

#[test]
fn a_command_is_an_argument_vector() {
    assert_eq!(argv(&["h", "ls", "a b"]), ["ls", "a b"]);
    assert_eq!(
        argv(&["h", "--sh", "echo $1", "--", "a b"]),
        ["/bin/sh", "-c", "echo $1", "sh", "a b"]
    );
}

#[test]
fn the_form_of_output_is_what_was_asked_for() {
    for (words, form) in [
        (&["h", "x"][..], OutputForm::Plain),
        (&["--prefix", "h", "x"], OutputForm::Prefixed),
        (&["-b", "h", "x"], OutputForm::Gathered),
        (&["--diff", "h", "x"], OutputForm::Differences),
        (&["--json", "h", "x"], OutputForm::Json),
    ] {
        assert_eq!(run(words).unwrap().output.form, form);
    }
}

#[test]
fn no_command_is_an_error() {
    assert_eq!(run(&["h"]).unwrap_err().what, "no command given");
}

#[test]
fn a_variable_is_set_once_and_an_option_wins_over_every_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, b"A=file\nTOKEN=old\nTOKEN=hush\n").unwrap();
    let path = file.path().to_str().unwrap();
    let words = ["h", "--env", "A=option", "--env", "B=1", "--env", "B=2"];
    let config = run(&[&words[..], &["--env-file", path, "x"]].concat()).unwrap();
    let pairs = &config.command.command.start.env;
    let expected = [("A", "option"), ("TOKEN", "hush"), ("B", "2")];
    let expected = expected.map(|(name, value)| (BString::from(name), BString::from(value)));
    assert_eq!(pairs, &expected);
    assert_eq!(config.command.secret, BTreeSet::from(["TOKEN".into()]));
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn a_program_and_a_directory_have_names() {
    for (words, what) in [
        (&["h", "--", ""][..], "the program has no name"),
        (&["h", "", "x"], "the program has no name"),
        (&["h", "--cwd", "", "x"], "--cwd names no directory"),
        (&["h", "--outdir", "", "x"], "--outdir names no directory"),
        (&["h", "--cwd=", "--sh", "x"], "--cwd names no directory"),
    ] {
        let usage = run(words).unwrap_err();
        assert_eq!(usage.what, what, "{words:?}");
        assert!(usage.hint.is_some(), "{words:?}");
    }
    assert!(run(&["h", "x", ""]).is_ok());
    assert!(run(&["h", "--sh", ""]).is_ok());
}

#[test]
fn a_wrong_variable_is_an_error_that_keeps_its_secret() {
    for text in ["hush", "=hush", "A B=hush"] {
        let usage = run(&["h", "--env", text, "x"]).unwrap_err();
        assert!(usage.what.starts_with("--env: "), "{}", usage.what);
        assert!(!usage.text().contains("hush"), "{}", usage.text());
    }
}

#[test]
fn options_become_a_start_request() {
    let words = [
        "h",
        "--cwd",
        "/x",
        "--timeout",
        "2",
        "--idle-timeout",
        "1s",
        "--grace",
        "3s",
        "--login",
        "--kill-leftovers",
        "x",
    ];
    let start = run(&words).unwrap().command.command.start;
    assert_eq!(start.cwd, Some("/x".into()));
    assert_eq!(
        (start.limits.total_ms, start.limits.idle_ms),
        (Some(2000), Some(1000))
    );
    assert_eq!(start.limits.grace_ms, 3000);
    assert_eq!(
        (start.shell, start.leftovers),
        (Shell::Login, Leftovers::Kill)
    );
}

#[test]
fn colour_is_for_terminals_unless_somebody_says_otherwise() {
    use Color::{Always, Auto, Never};
    for (color, refuses, forces, dumb, terminal, expected) in [
        (Auto, false, false, false, true, true),
        (Auto, false, false, false, false, false),
        (Auto, false, false, true, true, false),
        (Auto, true, false, false, true, false),
        (Auto, false, true, false, false, true),
        (Auto, true, true, false, true, false),
        (Always, true, false, true, false, true),
        (Never, false, true, false, true, false),
    ] {
        let here = Environment {
            is_stdin_terminal: terminal,
            is_stdout_terminal: terminal,
            refuses_colour: refuses,
            forces_colour: forces,
            is_dumb: dumb,
            ..here()
        };
        let case = (color, refuses, forces, dumb, terminal);
        assert_eq!(here.stdout(color).is_coloured, expected, "{case:?}");
    }
}
