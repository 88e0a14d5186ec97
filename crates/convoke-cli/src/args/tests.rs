//! What is read from a command line, as a table.

use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

use super::*;
use crate::error::Usage;

fn parse(words: &[&str]) -> Result<Args, Refused> {
    let words = std::iter::once("convoke").chain(words.iter().copied());
    Args::parse_words(words.map(OsString::from))
}

fn run(words: &[&str]) -> Run {
    match parse(words).unwrap().verb {
        Verb::Run(run) => *run,
        other => panic!("{other:?}"),
    }
}

fn refused(words: &[&str]) -> Usage {
    match parse(words) {
        Err(Refused::Wrong(usage)) => usage,
        other => panic!("{words:?}: {other:?}"),
    }
}

#[test]
fn the_hint_names_the_verb_that_was_typed() {
    for (words, hint) in [
        (
            &["put", "--mode", "rw", "a", "h:/x"][..],
            "`convoke put --help` shows how",
        ),
        (
            &["stat", "--fanout", "x", "h", "/x"],
            "`convoke stat --help` shows how",
        ),
        (
            &["run", "--timeout", "x", "h", "ls"],
            "`convoke run --help` shows how",
        ),
        (
            &["put", "a", "-:/x"],
            "behind `--` a word may begin with a hyphen: `convoke put -- LOCAL -:PATH`",
        ),
    ] {
        assert_eq!(refused(words).hint.as_deref(), Some(hint), "{words:?}");
    }
}

#[test]
fn letters_of_ls_are_nobody_to_log_in_as() {
    let hint = "the long form is --long, and -a shows all names; a login is written as `-l USER`";
    for letters in [
        "-la", "-lh", "-lt", "-ltr", "-lah", "-al", "-lrt", "-l1", "-Sl",
    ] {
        for words in [
            &["ls", letters, "h", "dir"][..],
            &["ls", "h", letters, "dir"],
            &["-q", "ls", "h", letters],
        ] {
            let usage = refused(words);
            let what =
                format!("-l is whom to log in as, and {letters:?} reads like letters of ls(1)");
            assert_eq!(usage.what, what, "{words:?}");
            assert_eq!(usage.hint.as_deref(), Some(hint), "{words:?}");
        }
    }
}

#[test]
fn an_l_that_takes_nothing_gets_the_hint_of_ls() {
    for words in [
        &["ls", "-l", "-a", "h"][..],
        &["ls", "h", "dir", "-l"],
        &["ls", "h", "-l", "--", "dir"],
    ] {
        let hint = refused(words).hint.unwrap();
        assert!(hint.starts_with("the long form is --long"), "{words:?}");
    }
}

#[test]
fn a_login_is_one_wherever_it_cannot_be_letters_of_ls() {
    for words in [
        &["ls", "-l", "la", "h"][..],
        &["ls", "-l", "root", "h", "-a"],
        &["ls", "-lroot", "h"],
        &["ls", "--user=la", "h"],
        &["ls", "-a", "-l", "root", "h", "--", "-la"],
        &["ls", "--long", "h"],
        &["stat", "-la", "h", "ls"],
        &["run", "-la", "h", "ls", "-la"],
        &["run", "h", "ls", "-la"],
    ] {
        assert!(parse(words).is_ok(), "{words:?}");
    }
}

#[test]
fn the_first_word_after_the_hosts_begins_the_command() {
    for (words, command) in [
        (&["run", "h", "ls", "-l"][..], &["ls", "-l"][..]),
        (&["run", "h", "ls", "--json", "-b"], &["ls", "--json", "-b"]),
        (&["run", "h", "ls", "--help"], &["ls", "--help"]),
        (&["run", "h", "--", "ls", "-l"], &["ls", "-l"]),
        (&["run", "--", "h", "ls", "-l"], &["ls", "-l"]),
        (&["run", "h", "--", "-x"], &["-x"]),
        (&["run", "h", "ls", "--", "-l"], &["ls", "--", "-l"]),
        (&["run", "h", "--", "ls", "--", "-l"], &["ls", "--", "-l"]),
        (&["run", "h", "--", "--", "x"], &["--", "x"]),
        (&["run", "h", "-q", "ls"], &["ls"]),
        (
            &["run", "h", "--timeout", "3", "ls", "--timeout", "4"],
            &["ls", "--timeout", "4"],
        ),
        (&["run", "h", ""], &[""]),
        (&["run", "h", "-"], &["-"]),
    ] {
        assert_eq!(run(words).words, command, "{words:?}");
        assert_eq!(run(words).hosts, "h");
    }
}

#[test]
fn a_line_for_the_shell_takes_arguments() {
    for words in [
        &["run", "h", "--sh", "echo $1", "--", "a", "-b"][..],
        &["run", "--sh", "echo $1", "h", "--", "a", "-b"],
        &["run", "--sh=echo $1", "h", "a", "-b"],
    ] {
        let run = run(words);
        assert_eq!(run.sh, Some("echo $1".into()), "{words:?}");
        assert_eq!(run.words, ["a", "-b"], "{words:?}");
    }
    assert_eq!(run(&["run", "h", "--sh", "-x"]).sh, Some("-x".into()));
}

#[test]
fn words_of_the_command_need_not_be_text() {
    let word = OsString::from_vec(vec![0xff, b'\n', 0x1b]);
    let words = ["convoke", "run", "h", "ls"].map(OsString::from);
    let args = Args::parse_words(words.into_iter().chain([word.clone()])).unwrap();
    let Verb::Run(run) = args.verb else { panic!() };
    assert_eq!(run.words[1], word);
}

#[test]
fn times_are_seconds_or_have_units() {
    for (text, time) in [
        ("30", Duration::from_secs(30)),
        ("0.5", Duration::from_millis(500)),
        ("30s", Duration::from_secs(30)),
        ("1m30s", Duration::from_secs(90)),
        ("200ms", Duration::from_millis(200)),
    ] {
        assert_eq!(
            run(&["run", "--timeout", text, "h", "x"]).timeout,
            Some(time),
            "{text}"
        );
    }
    for text in ["0", "-1", "x", "", "nan", "inf", "0s", "1000y", "1e300"] {
        let option = format!("--timeout={text}");
        let usage = refused(&["run", &option, "h", "x"]);
        assert!(usage.what.contains("--timeout"), "{text}: {}", usage.what);
    }
}

#[test]
fn grace_is_ten_seconds_unless_told() {
    assert_eq!(run(&["run", "h", "x"]).grace, Duration::from_secs(10));
    assert_eq!(
        run(&["run", "--grace", "0", "h", "x"]).grace,
        Duration::ZERO
    );
    assert!(
        refused(&["run", "--grace", "25h", "h", "x"])
            .what
            .contains("longer than a day")
    );
}

#[test]
fn wrong_usage_says_what_and_hints() {
    for (words, what) in [
        (&["run"][..], "HOSTS"),
        (&["run", "--bogus", "h", "x"], "--bogus"),
        (&["run", "--fanout", "0", "h", "x"], "1 or more"),
        (&["run", "--fanout", "-1", "h", "x"], "1 or more"),
        (&["run", "--timeout", "-1", "h", "x"], "write seconds"),
        (&["run", "--idle-timeout", "-1", "h", "x"], "write seconds"),
        (&["run", "--grace", "-1", "h", "x"], "write seconds"),
        (&["run", "--max-fail", "-1", "h", "x"], "--max-fail"),
        (&["run", "--max-fail", "0", "h", "x"], "--max-fail"),
        (&["run", "--max-fail", "101%", "h", "x"], "--max-fail"),
        (
            &["run", "--max-fail", "1", "--fail-fast", "h", "x"],
            "cannot be used with",
        ),
        (&["run", "--json", "-b", "h", "x"], "cannot be used with"),
        (&["run", "--json", "--raw", "h", "x"], "cannot be used with"),
        (&["run", "-q", "-v", "h", "x"], "cannot be used with"),
        (&["run", "--color", "pink", "h", "x"], "--color"),
        (&["run", "--exit-code", "min", "h", "x"], "--exit-code"),
        (&["hosts"], "EXPR"),
        (&["hosts", "a", "b"], "'b'"),
        (&["frob"], "frob"),
    ] {
        let usage = refused(words);
        assert!(usage.what.contains(what), "{words:?}: {}", usage.what);
        assert!(!usage.what.contains('\n'), "{words:?}: {}", usage.what);
        assert!(usage.hint.is_some(), "{words:?}");
    }
}

#[test]
fn help_and_version_are_asked_for() {
    for words in [
        &["--help"][..],
        &["-h"],
        &["run", "--help"],
        &["hosts", "-h"],
        &["--version"],
    ] {
        assert!(matches!(parse(words), Err(Refused::Asked(_))), "{words:?}");
    }
    assert!(matches!(parse(&[]), Err(Refused::Nothing(_))));
}

#[test]
fn help_fits_a_narrow_terminal() {
    for words in [
        &["--help"][..],
        &["run", "--help"],
        &["hosts", "--help"],
        &["completions", "--help"],
        &["man", "--help"],
    ] {
        let Err(Refused::Asked(text)) = parse(words) else {
            panic!("{words:?}")
        };
        for line in help(&text, false).lines() {
            assert!(line.chars().count() <= 80, "{words:?}: {line}");
        }
    }
}

#[test]
fn no_line_behind_a_help_is_too_long_for_a_narrow_terminal() {
    for verb in <Args as clap::CommandFactory>::command().get_subcommands() {
        let more = verb.get_after_help().map(ToString::to_string);
        for line in more.unwrap_or_default().lines() {
            let name = verb.get_name();
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
    }
}

#[test]
fn every_verb_tells_its_exit_codes_and_how_many_hosts_at_once() {
    let command = <Args as clap::CommandFactory>::command();
    for verb in command.get_subcommands() {
        let name = verb.get_name();
        let has_codes = verb
            .get_after_help()
            .is_some_and(|text| text.to_string().contains("Exit codes:"));
        let prints = ["hosts", "completions", "man"].contains(&name);
        assert!(has_codes || prints, "{name}");
        let fanout = verb.get_arguments().find(|arg| arg.get_id() == "fanout");
        let Some(fanout) = fanout.and_then(clap::Arg::get_help) else {
            continue;
        };
        let default = match name {
            "put" => "[default: 192 for up to 128 KiB each, else 48]",
            "get" => "[default: 48]",
            _ => "[default: up to 512]",
        };
        assert!(fanout.to_string().ends_with(default), "{name}: {fanout}");
    }
}

#[test]
fn help_is_coloured_as_asked() {
    let of = |words: &[&str]| color_of(&words.iter().map(OsString::from).collect::<Vec<_>>());
    for (words, color) in [
        (&["convoke", "--help"][..], Color::Auto),
        (&["convoke", "--color", "always", "--help"], Color::Always),
        (&["convoke", "run", "--help", "--color=never"], Color::Never),
        (
            &["convoke", "--color=always", "--color=never"],
            Color::Never,
        ),
        (&["convoke", "run", "h", "--", "--color=never"], Color::Auto),
        (&["convoke", "--color"], Color::Auto),
        (&["convoke", "--color", "pink"], Color::Auto),
    ] {
        assert_eq!(of(words), color, "{words:?}");
    }
    let Err(Refused::Asked(text)) = parse(&["--help"]) else {
        panic!()
    };
    assert!(help(&text, true).contains('\x1b'));
    assert!(!help(&text, false).contains('\x1b'));
}

#[test]
fn every_verb_has_a_manual_page() {
    let verbs = <Args as clap::CommandFactory>::command();
    for verb in verbs.get_subcommands() {
        let parsed = parse(&["man", verb.get_name()]).unwrap();
        assert!(matches!(parsed.verb, Verb::Man(Man { verb: Some(_) })));
    }
}

#[test]
fn the_parser_is_consistent() {
    <Args as clap::CommandFactory>::command().debug_assert();
}
