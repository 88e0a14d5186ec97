//! The verbs that ask hosts: what they show, in which form, and what they come to.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use crate::scene::{Ran, Scene};

/// A name that would drive a terminal, end its line, look like another host's, and is no text.
const HOSTILE: &[u8] = b"x\x1b[31m\nlocal:b: forged \xe2\x80\xae\xff";

/// How that is shown.
const SHOWN: &str = r"$'x\x1b[31m\nlocal:b: forged \xe2\x80\xae\xff'";

impl Scene {
    /// `convoke` with some words, from its start to its end.
    fn ask<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Ran {
        self.start(self.convoke(words)).finish()
    }
}

/// What was answered, from the lines of `--json`.
fn answers(ran: &Ran) -> Vec<Value> {
    let events = ran
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let answers = events.filter(|event: &Value| event["kind"] == "answer");
    answers.map(|event| event["data"].clone()).collect()
}

/// The columns of a line; no name in it holds two blanks.
fn columns(line: &str) -> Vec<&str> {
    line.split("  ")
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect()
}

fn mode(path: &str, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn stat_shows_what_stands_at_paths_and_that_something_is_not_there() {
    let scene = Scene::new();
    let file = scene.file("a file", "hello\n");
    mode(&file, 0o640);
    symlink("a file", scene.path("link")).unwrap();
    let words = [
        "stat", "--digest", "sha256", "-P", "local:a", "a file", "link", "no",
    ];
    let ran = scene.ask(words);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let lines: Vec<&str> = ran.text().lines().collect();
    let [of_file, of_link, missing] = lines[..] else {
        panic!("{lines:?}");
    };
    let of_file = columns(of_file);
    assert_eq!((of_file[0], of_file[1], of_file[4]), ("file", "0640", "6"));
    let sum = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    assert_eq!(of_file[6..], [sum, "'a file'"]);
    assert!(of_link.starts_with("link  0777  ") && of_link.ends_with("  link -> 'a file'"));
    assert_eq!(missing, "no: does not exist");
    assert!(
        ran.stderr.contains(&format!(
            "failed: {:?}: no such file or directory",
            scene.path("no")
        )),
        "{}",
        ran.stderr
    );

    let ran = scene.ask(["stat", "--json", "local:a", "link", "no"]);
    assert_eq!(ran.code, Some(1));
    let [link, missing] = &answers(&ran)[..] else {
        panic!("{}", ran.text());
    };
    // Followed, unless told otherwise.
    assert_eq!(
        (&link["kind"], &link["mode"]),
        (&"file".into(), &"0640".into())
    );
    assert_eq!(
        (&link["subject"], &link["size"]),
        (&"link".into(), &6.into())
    );
    assert_eq!(
        (&missing["exists"], &missing["subject"]),
        (&false.into(), &"no".into())
    );
    scene.end();
}

#[test]
fn a_home_is_the_one_that_a_shell_of_the_host_means() {
    let scene = Scene::new();
    fs::create_dir(scene.path("d")).unwrap();
    scene.file("d/file", "text\n");
    for (words, shown) in [
        (&["ls", "local:a", "~/d"][..], "file\n"),
        (&["cat", "local:a", "~/d/file"], "text\n"),
        (&["ls", "local:a", "d", "~/d"], "d:\nfile\n\n'~/d':\nfile\n"),
    ] {
        let ran = scene.ask(words);
        let told = (ran.code, ran.text(), ran.stderr.as_str());
        assert_eq!(told, (Some(0), shown, ""), "{words:?}");
    }
    let ran = scene.ask(["stat", "local:a", "~/d", "~/no", "~nosuchuser/x"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.text().starts_with("dir  "), "{}", ran.text());
    assert!(
        ran.text().ends_with("'~/no': does not exist\n"),
        "{}",
        ran.text()
    );
    let expected = format!(
        "local:a: failed: {:?}: no such file or directory\n  there is no user \"nosuchuser\"\n",
        scene.path("no")
    );
    assert_eq!(ran.stderr, expected);
    for verb in ["stat", "cat"] {
        let ran = scene.ask([verb, "local:a", "~nosuchuser/x", "~nosuchuser/y"]);
        assert_eq!(ran.code, Some(1));
        let expected = "local:a: failed: there is no user \"nosuchuser\"\n";
        assert_eq!(ran.stderr, expected, "{verb}");
    }
    let ran = scene.ask(["cat", "local:a", "~nosuchuser/x"]);
    let expected = "local:a: failed: there is no user \"nosuchuser\"\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), expected));
    scene.end();
}

#[test]
fn what_cannot_be_looked_at_is_told_once_for_all_hosts() {
    let scene = Scene::new();
    scene.file("file", "");
    let ran = scene.ask(["stat", "local:[a-c]", "file/x"]);
    // Letters are no range.
    assert_eq!(ran.code, Some(2));
    let ran = scene.ask(["stat", "local:a[1-3]", "file/x", "file/y", "file"]);
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.text().lines().count(), 3, "{}", ran.text());
    let home = scene.path("").display().to_string();
    let expected = format!(
        "3 hosts: 3 failed\n  local:a[1-3] (3): failed: \"{home}file/x\": not a directory\n    \
         \"{home}file/y\": not a directory\n"
    );
    assert_eq!(ran.stderr, expected);
    scene.end();
}

#[test]
fn names_can_neither_end_a_line_nor_drive_a_terminal() {
    let scene = Scene::new();
    fs::create_dir(scene.path("d")).unwrap();
    fs::write(scene.path("d").join(OsStr::from_bytes(HOSTILE)), "").unwrap();
    fs::write(scene.path("d/plain"), "").unwrap();
    let ran = scene.ask(["ls", "local:a", "d"]);
    assert_eq!(ran.text(), format!("plain\n{SHOWN}\n"));
    let ran = scene.ask(["ls", "local:a[1-2]", "d"]);
    let mut lines: Vec<&str> = ran.text().lines().collect();
    lines.sort_unstable();
    let of = |host: &str| [format!("{host}: {SHOWN}"), format!("{host}: plain")];
    assert_eq!(lines, [of("local:a1"), of("local:a2")].concat());
    let ran = scene.ask(["ls", "-b", "--long", "local:a[1-2]", "d"]);
    let lines: Vec<&str> = ran.text().lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "local:a[1-2] (2)"));
    assert!(lines[2].ends_with(SHOWN), "{lines:?}");
    // A path that was typed is no better than one of a host.
    let typed = OsString::from_vec(HOSTILE.to_vec());
    let words = ["stat", "local:a"].map(OsString::from);
    let ran = scene.ask(words.into_iter().chain([typed]));
    assert_eq!(ran.text(), format!("{SHOWN}: does not exist\n"));
    assert!(
        !ran.stderr.contains('\x1b') && ran.stderr.lines().count() == 1,
        "{}",
        ran.stderr
    );
    let ran = scene.ask(["ls", "--json", "local:a", "d"]);
    let entries = &answers(&ran)[0]["entries"];
    assert_eq!(entries[0]["name"], "plain");
    assert_eq!(
        entries[1]["name_base64"],
        "eBtbMzFtCmxvY2FsOmI6IGZvcmdlZCDigK7/"
    );
    scene.end();
}

#[test]
fn ls_lists_the_login_home_and_leaves_out_what_is_hidden() {
    let scene = Scene::new();
    scene.file(".hidden", "");
    scene.file("b", "");
    scene.file("a", "");
    let ran = scene.ask(["ls", "local:x"]);
    assert_eq!((ran.code, ran.text()), (Some(0), "a\nb\nstderr\n"));
    let ran = scene.ask(["ls", "-a", "local:x"]);
    assert_eq!(ran.text(), ".hidden\na\nb\nstderr\n");
    fs::create_dir(scene.path("empty")).unwrap();
    let ran = scene.ask(["ls", "-b", "local:x[1-2]", "empty"]);
    assert_eq!(ran.text(), "local:x[1-2] (2): no output\n");
    fs::create_dir(scene.path("full")).unwrap();
    scene.file("full/c", "");
    let ran = scene.ask(["ls", "local:x", "empty", "full", "gone"]);
    assert_eq!((ran.code, ran.text()), (Some(1), "empty:\n\nfull:\nc\n"));
    assert!(
        ran.stderr.contains("gone\": no such file or directory"),
        "{}",
        ran.stderr
    );
    let ran = scene.ask(["ls", "local:x[1-2]", "gone", "a"]);
    let hint = "hint: it, or what stands above it, is no directory; `convoke stat HOSTS FILE` shows what a file is\n";
    assert!(ran.stderr.ends_with(hint), "{}", ran.stderr);
    scene.end();
}

#[test]
fn a_directory_of_many_names_is_listed_whole() {
    let scene = Scene::new();
    fs::create_dir(scene.path("d")).unwrap();
    for n in 0..2_500 {
        fs::write(scene.path(&format!("d/{n:0100}")), "").unwrap();
    }
    let ran = scene.ask(["ls", "local:a", "d"]);
    let names = (0..2_500).map(|n| format!("{n:0100}\n"));
    assert!(
        ran.text() == names.collect::<String>(),
        "{}",
        ran.stdout.len()
    );
    scene.end();
}

#[test]
fn cat_gives_the_bytes_of_files_and_names_the_one_that_is_missing() {
    let scene = Scene::new();
    let all: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    scene.file("bytes", &all);
    scene.file("text", "one\ntwo");
    let ran = scene.ask(["cat", "local:a", "text", "gone", "bytes"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout == [b"one\ntwo", &all[..]].concat(),
        "{}",
        ran.stdout.len()
    );
    assert!(
        ran.stderr.ends_with("gone\": no such file or directory\n"),
        "{}",
        ran.stderr
    );
    let ran = scene.ask(["cat", "local:a[1-2]", "text"]);
    let lines: BTreeSet<&str> = ran.text().lines().collect();
    let expected = [
        "local:a1: one",
        "local:a1: two",
        "local:a2: one",
        "local:a2: two",
    ];
    assert_eq!((ran.code, lines), (Some(0), expected.into()));
    let ran = scene.ask(["cat", "-b", "local:a[1-2]", "text"]);
    assert_eq!(ran.text(), "local:a[1-2] (2)\n  one\n  two\n");
    let ran = scene.ask(["cat", "local:a", "."]);
    assert_eq!((ran.code, ran.text()), (Some(1), ""));
    assert!(ran.stderr.contains("is a directory"), "{}", ran.stderr);
    scene.end();
}

#[test]
fn facts_are_those_of_this_machine() {
    let scene = Scene::new();
    let uname = |option| {
        let output = scene.command("uname").arg(option).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let ran = scene.ask(["facts", "local:a"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let value = |name: &str| {
        let line = ran
            .text()
            .lines()
            .find(|line| line.split(' ').next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("{name}: {}", ran.text()));
        line[name.len()..].trim().to_owned()
    };
    assert_eq!(value("kernel.release"), uname("-r"));
    assert_eq!(value("architecture"), uname("-m"));
    assert!(value("interfaces.lo").contains("127.0.0.1/8"));
    assert!(value("memory.total").parse::<u64>().unwrap() > 1 << 20);
    assert!(!ran.text().contains("mounts."));
    let ran = scene.ask(["facts", "local:a", "mounts", "kernel.name"]);
    assert!(ran.text().starts_with("kernel.name"), "{}", ran.text());
    let proc = ran
        .text()
        .lines()
        .find(|line| line.starts_with("mounts./proc "));
    assert!(
        proc.is_some_and(|line| line.contains("proc ")),
        "{}",
        ran.text()
    );
    let ran = scene.ask(["facts", "--json", "local:a", "cpus"]);
    let facts = &answers(&ran)[0]["facts"];
    assert!(facts["cpus"]["online"].as_u64() > Some(0), "{facts}");
    assert!(facts["hostname"].is_null());
    scene.end();
}

#[test]
fn a_fact_that_a_host_has_no_such_thing_for_is_told() {
    let scene = Scene::new();
    let names = ["interfaces.lo", "interfaces.eth99", "mounts.nope"];
    let told =
        |hosts: &str| format!("{hosts}: has no interfaces.eth99\n{hosts}: has no mounts.nope\n");
    for (words, hosts, lines) in [
        (&["local:a"][..], "local:a", 1),
        (&["local:a[1-2]"], "local:a[1-2]", 2),
        (&["-b", "local:a[1-2]"], "local:a[1-2]", 2),
    ] {
        let ran = scene.ask([&["facts"], words, &names[..]].concat());
        assert_eq!(
            (ran.code, ran.text().lines().count()),
            (Some(0), lines),
            "{}",
            ran.text()
        );
        assert_eq!(ran.stderr, told(hosts));
    }
    let ran = scene.ask([&["facts", "--json", "local:a"], &names[..]].concat());
    assert_eq!(ran.stderr, told("local:a"));
    let ran = scene.ask(["facts", "local:a", "interfaces", "mounts", "more"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    scene.end();
}

#[test]
fn a_device_has_no_size() {
    let scene = Scene::new();
    let ran = scene.ask(["stat", "local:a", "/dev/null"]);
    assert_eq!(columns(ran.text().trim_end())[4], "-", "{}", ran.text());
    let ran = scene.ask(["ls", "--long", "local:a", "/dev"]);
    let null = ran.text().lines().find(|line| line.ends_with("  null"));
    assert_eq!(columns(null.unwrap())[4], "-", "{}", ran.text());
    scene.end();
}

#[test]
fn nobody_logs_in_on_this_machine() {
    let scene = Scene::new();
    let word = "error: -l \"root\": local:a is this machine, where nobody logs in\n";
    for words in [
        &["run", "-l", "root", "local:a", "id"][..],
        &["stat", "--user", "root", "web1,local:a", "/"],
        &["put", "-l", "root", "/etc/passwd", "local:a:x"],
        &["get", "-l", "root", "local:a:x", "y"],
        &["hosts", "--check", "-l", "root", "local:a"],
    ] {
        let ran = scene.ask(words);
        assert_eq!((ran.code, ran.text()), (Some(2), ""), "{words:?}");
        assert!(ran.stderr.starts_with(word), "{}", ran.stderr);
    }
    scene.end();
}

#[test]
fn users_and_groups_are_found_by_name_and_number() {
    let scene = Scene::new();
    let ran = scene.ask(["user", "local:a", "root", "0"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    for line in ran.text().lines() {
        assert_eq!(columns(line)[..3], ["root", "0", "0"], "{line}");
    }
    assert_eq!(ran.text().lines().count(), 2);
    let ran = scene.ask(["group", "-b", "local:a[1-2]", "0"]);
    assert!(
        ran.text().starts_with("local:a[1-2] (2)\n  root  0"),
        "{}",
        ran.text()
    );
    for (verb, what) in [("user", "user"), ("group", "group")] {
        let ran = scene.ask([verb, "local:a[1-2]", "no such"]);
        assert_eq!((ran.code, ran.text()), (Some(1), ""));
        let expected = format!(
            "2 hosts: 2 failed\n  local:a[1-2] (2): failed: there is no {what} \"no such\"\n"
        );
        assert_eq!(ran.stderr, expected);
        let ran = scene.ask([verb, "local:a"]);
        assert_eq!((ran.code, ran.text().lines().count()), (Some(0), 1));
    }
    let ran = scene.ask(["user", "--json", "local:a", "root"]);
    let user = &answers(&ran)[0];
    assert_eq!(
        (&user["name"], &user["groups"][0]),
        (&"root".into(), &"root".into())
    );
    assert!(user["password_hash"].is_null());
    scene.end();
}

#[test]
fn the_environment_is_the_one_that_a_command_gets() {
    let scene = Scene::new();
    let with = |words: &[&str]| {
        let mut command = scene.convoke(words);
        command.env("ODD", "two words\nSHELL=forged");
        scene.start(command).finish()
    };
    let ran = with(&["env", "local:a", "ODD", "SHELL", "NONE"]);
    let told = "local:a: has no NONE\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), told));
    let lines: BTreeSet<&str> = ran.text().lines().collect();
    let expected = [r"ODD=$'two words\nSHELL=forged'", "SHELL=/bin/sh"];
    assert_eq!(lines, expected.into());
    let ran = with(&["env", "--json", "local:a", "ODD"]);
    let variables = &answers(&ran)[0]["variables"];
    let expected = serde_json::json!([{"name": "ODD", "value": "two words\nSHELL=forged"}]);
    assert_eq!(variables, &expected);
    scene.end();
}

#[test]
fn every_fact_that_is_shown_can_be_asked_for_by_its_name() {
    let scene = Scene::new();
    let all = scene.ask(["facts", "local:a"]);
    let names = all.text().lines().map(|line| line.split(' ').next());
    let names: Vec<&str> = names.map(Option::unwrap_or_default).collect();
    assert!(names.contains(&"kernel.release"), "{names:?}");
    let named = scene.ask([&["facts", "local:a"], &names[..]].concat());
    assert_eq!((named.code, named.stderr.as_str()), (Some(0), ""));
    assert_eq!(named.text().lines().count(), names.len());
    scene.end();
}

#[test]
fn a_mistake_is_told_before_anything_starts() {
    let scene = Scene::new();
    for (words, what) in [
        (&["stat", "local:a"][..], "error: no path given\n"),
        (&["cat", "local:a"], "error: no path given\n"),
        (&["stat", "local:a", ""], "error: a path is empty\n"),
        (&["ls", "local:a", "x", ""], "error: a path is empty\n"),
        (
            &["user", "local:a", ""],
            "error: the name of a user is empty\n",
        ),
        (
            &["env", "local:a", ""],
            "error: the name of a variable is empty\n",
        ),
        (
            &["env", "local:a", "A=B"],
            "error: no variable is called \"A=B\"\n",
        ),
        (
            &["facts", "local:a", "os", "weather"],
            "error: there is no fact \"weather\"\n",
        ),
        (
            &["facts", "local:a", "memory.totl"],
            "error: there is no fact \"memory.totl\"\n",
        ),
        (
            &["stat", "--digest", "md5", "local:a", "x"],
            "hint: possible values are sha256, sha512, blake3",
        ),
        (
            &["ls", "local:a", "-l", "/etc"],
            "hint: the long form is --long\n",
        ),
        (
            &["ls", "-l", "web1", "/etc"],
            "hint: the long form is --long\n",
        ),
        (
            &["ls", "-l", "local:a", "x"],
            "hint: the long form is --long\n",
        ),
        (
            &["ls", "web1:/etc"],
            "hint: a path is a word of its own: write `web1 /etc`\n",
        ),
        (
            &["ls", "web1:app"],
            "; a path is a word of its own: write `web1 app`\n",
        ),
        (&["stat"], "hint: `convoke stat --help` shows how"),
        (&["ls", "local:a!local:a"], "error: no host selected"),
        (&["ls", "docker:a"], "no connector for docker endpoints"),
    ] {
        let ran = scene.ask(words);
        assert_eq!((ran.code, ran.text()), (Some(2), ""), "{words:?}");
        assert!(ran.stderr.contains(what), "{words:?}: {}", ran.stderr);
    }
    let ran = scene.ask(["ls", "--allow-empty", "local:a!local:a"]);
    assert_eq!((ran.code, ran.text()), (Some(0), ""));
    scene.end();
}

#[test]
fn a_dry_run_shows_what_would_be_asked() {
    let scene = Scene::new();
    let words = [
        "--dry-run",
        "local:a[1-2]",
        "a b",
        "-P",
        "--digest",
        "blake3",
    ];
    let ran = scene.ask(["stat"].iter().chain(&words));
    let expected = "hosts     local:a[1-2] (2)\nstat      'a b'\nlinks     not followed\n\
                    digest    blake3\nat once   2 hosts\noutput    prefixed\n";
    assert_eq!((ran.code, ran.text()), (Some(0), expected));
    let ran = scene.ask(["user", "--dry-run", "--json", "local:a", "op"]);
    let plan: Value = serde_json::from_str(ran.text()).unwrap();
    assert_eq!(
        (&plan["kind"], &plan["verb"]),
        (&"plan".into(), &"user".into())
    );
    assert_eq!(plan["subjects"], serde_json::json!([{"text": "op"}]));
    scene.end();
}

#[test]
fn nobody_who_reads_and_an_interrupt_end_it() {
    let scene = Scene::new();
    let mut command = scene.command("sh");
    let line = "exec \"$0\" ls local:a >&-";
    command.args(["-c", line, env!("CARGO_BIN_EXE_convoke")]);
    assert_eq!(scene.start(command).finish().code, Some(141));

    // A file that is longer than anybody waits for, and a reader that goes away.
    let endless = fs::File::create(scene.path("endless")).unwrap();
    endless.set_len(1 << 40).unwrap();
    let mut live = scene.start(scene.convoke(["cat", "local:a", "endless"]));
    live.read(100_000);
    live.close_stdout();
    let ran = live.finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(141), ""));

    let mut live = scene.start(scene.convoke(["cat", "local:a", "endless"]));
    live.read(100_000);
    live.send(Signal::INT);
    let ran = live.finish();
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    scene.end();
}

#[test]
fn what_came_of_a_file_that_is_cut_meanwhile_is_not_taken_for_the_whole() {
    let scene = Scene::new();
    // Far more than is on its way while nobody reads.
    const LONG: u64 = 1 << 28;
    for (words, is_cut) in [
        (&["cat", "local:a", "file"][..], true),
        (&["get", "local:a:file", "-"], true),
        (&["cat", "--raw", "local:a[1-2]", "file"], true),
        (&["cat", "local:a", "file"], false),
    ] {
        let file = fs::File::create(scene.path("file")).unwrap();
        file.set_len(LONG).unwrap();
        let mut live = scene.start(scene.convoke(words));
        live.read(100_000);
        // One that grows, as a log does, comes as it was.
        file.set_len(if is_cut { 1000 } else { 2 * LONG }).unwrap();
        let mut bytes = 100_000;
        live.drain(|piece| bytes += piece.len() as u64);
        let ran = live.finish();
        let told = ran.stderr.contains("failed: it is not whole: ");
        let seen = (ran.code, told, bytes == LONG);
        let expected = (Some(u8::from(is_cut).into()), is_cut, !is_cut);
        assert_eq!(seen, expected, "{words:?}: {}", ran.stderr);
    }
    scene.end();
}

#[test]
fn what_may_not_be_read_fails_for_those_who_are_not_root() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped 1: another user can only be become by root");
        return;
    }
    let scene = Scene::new();
    let secret = scene.file("secret", "");
    mode(&secret, 0o600);
    let closed = scene.path("closed");
    fs::create_dir(&closed).unwrap();
    mode(closed.to_str().unwrap(), 0o700);
    mode(scene.path("").to_str().unwrap(), 0o755);
    let cache = scene.path("cache");
    fs::create_dir(&cache).unwrap();
    rustix::fs::chown(&cache, Some(rustix::fs::Uid::from_raw(65534)), None).unwrap();
    mode(cache.to_str().unwrap(), 0o700);
    for (words, path) in [
        (["cat", "local:a", "secret"], "secret"),
        (["ls", "local:a", "closed"], "closed"),
        (["stat", "local:a", "closed/x"], "closed/x"),
    ] {
        let mut command = scene.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.arg(env!("CARGO_BIN_EXE_convoke")).args(words);
        command.env("XDG_CACHE_HOME", &cache).stdin(Stdio::null());
        let ran = scene.start(command).finish();
        let expected = format!("{path}\": permission denied\n");
        assert!(ran.stderr.ends_with(&expected), "{words:?}: {}", ran.stderr);
        assert_eq!((ran.code, ran.text()), (Some(1), ""), "{words:?}");
    }
    scene.end();
}
