//! Completions and manual pages, read by the programs they are for.

use std::process::Command;

use crate::scene::Scene;

/// Runs a tool; `None`, with a word on stderr, where there is none.
fn tool(program: &str, words: &[&str]) -> Option<std::process::Output> {
    match Command::new(program).args(words).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped 1: no {program} here: {error}");
            None
        }
    }
}

/// What a verb prints.
fn printed(scene: &Scene, words: &[&str]) -> String {
    let ran = scene.start(scene.convoke(words)).finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{words:?}");
    ran.text().to_owned()
}

#[test]
fn each_shell_reads_its_completions() {
    let scene = Scene::new();
    for (shell, check) in [
        ("bash", &["-n"][..]),
        ("zsh", &["-n"]),
        ("fish", &["--no-execute"]),
    ] {
        let text = printed(&scene, &["completions", shell]);
        for word in ["outdir", "timeout", "hosts", "completions"] {
            assert!(text.contains(word), "{shell}: {word}");
        }
        let file = scene.file(shell, text);
        let words: Vec<&str> = check.iter().copied().chain([file.as_str()]).collect();
        if let Some(output) = tool(shell, &words) {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                output.status.success() && said.is_empty(),
                "{shell}: {said}"
            );
        }
    }
    scene.end();
}

#[test]
fn bash_completes_options_and_their_values_and_leaves_the_command_alone() {
    let scene = Scene::new();
    let file = scene.file("bash", printed(&scene, &["completions", "bash"]));
    let key = scene.file("key", "");
    let identity = format!("run -i {}", &key[..key.len() - 1]);
    let with_names = format!("-o filenames {key}");
    // As bash cuts a line: at blanks and at what is in COMP_WORDBREAKS.
    let line = r#"source "$0"; compopt() { said="$* "; }; COMP_LINE="convoke $1" COMP_POINT=${#COMP_LINE}
        cut=${COMP_LINE//=/ = }; cut=${cut//:/ : }
        read -ra COMP_WORDS <<<"$cut"; [[ $COMP_LINE != *' ' ]] || COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _convoke_line convoke "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        echo "$said${COMPREPLY[*]}""#;
    for (typed, offered) in [
        ("run --idle", "--idle-timeout"),
        ("run web1 --idle", "--idle-timeout"),
        ("run -l root local:a --idle", "--idle-timeout"),
        ("run --color=a", "auto always"),
        ("run --color a", "auto always"),
        ("run web1 --color=n", "never"),
        ("run --exit-code=m", "max"),
        ("run --outdir x", "-o plusdirs"),
        (&identity, &with_names),
        // Nothing of ours: bash goes on to names of files, by `-o default`.
        ("run web1 ", ""),
        ("run web1 cat ", ""),
        ("run local:a cat --", ""),
        ("run local: cat --", ""),
        ("run -l root web1 cat --", ""),
        ("run --color=auto web1 cat --", ""),
        ("run web1 -- ", ""),
        ("run web1 --sh x -- --", ""),
    ] {
        let Some(output) = tool("bash", &["-c", line, &file, typed]) else {
            break;
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(said.trim_end(), offered, "{typed:?}");
        assert_eq!(output.stderr, b"", "{typed:?}");
    }
    if let Some(output) = tool("bash", &["-c", "source \"$0\"; complete -p convoke", &file]) {
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            said.contains("-o default") && said.contains("-F _convoke_line "),
            "{said}"
        );
    }
    scene.end();
}

#[test]
fn the_manual_pages_are_set_without_a_warning() {
    let scene = Scene::new();
    for (words, expected) in [
        (&["man"][..], &["convoke(1)", "EXIT CODES", "141"][..]),
        (
            &["man", "run"],
            &["SYNOPSIS", "--idle-timeout", "WHAT IS SHOWN", "jq -r"],
        ),
        (&["man", "hosts"], &["EXPRESSIONS", "--fold"]),
        (&["man", "stat"], &["--no-follow", "--digest", "EXIT CODES"]),
        (&["man", "facts"], &["NAME", "jq -r"]),
        (
            &["man", "completions"],
            &["<SHELL>", "Possible values: bash, zsh, fish"],
        ),
        (&["man", "man"], &["[VERB]"]),
    ] {
        let file = scene.file("page", printed(&scene, words));
        let set = [
            "-Kutf8",
            "-man",
            "-Tutf8",
            "-P-cbou",
            "-wall",
            "-rLL=100n",
            &file,
        ];
        let Some(output) = tool("groff", &set) else {
            continue;
        };
        let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success() && warnings.is_empty(),
            "{words:?}: {warnings}"
        );
        let page = String::from_utf8(output.stdout).unwrap();
        // Hyphens that may be broken at are not what was typed.
        let page = page.replace('\u{2010}', "-");
        for text in expected {
            assert!(page.contains(text), "{words:?}: {text}: {page}");
        }
    }
    scene.end();
}

#[test]
fn a_page_has_the_operands_before_the_options_in_their_order() {
    let scene = Scene::new();
    for (verb, operands) in [
        ("stat", &["<HOSTS>", "[PATH]..."][..]),
        ("ls", &["<HOSTS>", "[PATH]..."]),
        ("run", &["<HOSTS>", "[PROGRAM ARG]..."]),
        ("put", &["<LOCAL HOSTS:PATH>..."]),
        ("man", &["[VERB]"]),
    ] {
        let page = printed(&scene, &["man", verb]);
        let headings = page
            .split("\n.SH ")
            .find(|section| section.starts_with("ARGUMENTS\n"))
            .unwrap_or_else(|| panic!("{page}"))
            .split(".TP\n")
            .skip(1)
            .filter_map(|operand| operand.lines().next());
        assert_eq!(headings.collect::<Vec<_>>(), operands, "{verb}");
        let (before, _) = page.split_once(".SH OPTIONS").unwrap();
        assert!(before.contains(".SH ARGUMENTS"), "{verb}: {page}");
    }
    scene.end();
}

#[test]
fn a_page_that_is_not_there_is_a_mistake() {
    let scene = Scene::new();
    for words in [["man", "frob"], ["completions", "frob"]] {
        let ran = scene.start(scene.convoke(words)).finish();
        assert_eq!((ran.code, ran.text()), (Some(2), ""));
        assert!(
            ran.stderr.contains("hint: possible values are "),
            "{}",
            ran.stderr
        );
    }
    scene.end();
}
