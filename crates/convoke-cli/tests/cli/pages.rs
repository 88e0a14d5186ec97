//! Completions and manual pages, read by the programs they are for.

use std::process::Command;

use crate::scene::Scene;

/// Runs a tool; `None`, with a word on stderr, where there is none.
fn tool(program: &str, words: &[&str]) -> Option<std::process::Output> {
    match Command::new(program).args(words).output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped: no {program} here: {error}");
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
fn bash_completes_an_option() {
    let scene = Scene::new();
    let file = scene.file("bash", printed(&scene, &["completions", "bash"]));
    let line = "source \"$0\"; COMP_WORDS=(convoke run --idle); COMP_CWORD=2; \
                _convoke convoke --idle run; echo \"${COMPREPLY[@]}\"";
    if let Some(output) = tool("bash", &["-c", line, &file]) {
        assert_eq!(output.stdout, b"--idle-timeout\n");
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
        (&["man", "completions"], &["SHELL"]),
        (&["man", "man"], &["VERB"]),
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
