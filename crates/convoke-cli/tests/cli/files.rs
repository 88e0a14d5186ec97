//! `convoke put` and `convoke get`, as an operator sees them.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::scene::{Ran, Scene};

/// A name that would drive a terminal, end its line, look like another host's, and is no text.
const HOSTILE: &[u8] = b"x\x1b[31m\nlocal:b: \xe2\x80\xae\xff";

/// Bytes of which no piece is like another.
fn content(size: usize) -> Vec<u8> {
    let at = (0..size as u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56);
    at.map(|byte| byte as u8).collect()
}

fn finish(scene: &Scene, words: &[&str]) -> Ran {
    scene.start(scene.convoke(words)).finish()
}

fn ok(scene: &Scene, words: &[&str]) -> Ran {
    let ran = finish(scene, words);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{words:?}");
    ran
}

/// The names in a directory of the test, but for the file that its runs complain in.
fn names(scene: &Scene, directory: &str) -> Vec<String> {
    let entries = fs::read_dir(scene.path(directory)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "stderr").collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn files_of_every_size_go_and_come_back_byte_for_byte() {
    let scene = Scene::new();
    for size in [0, 1, 32 * 1024, 64 * 1024 + 1, 64 << 20] {
        let content = content(size);
        scene.file("up", &content);
        ok(&scene, &["put", "up", "local:a:there"]);
        assert!(fs::read(scene.path("there")).unwrap() == content);
        assert_eq!(mode(&scene.path("there")), 0o600);
        ok(&scene, &["get", "local:a:there", "down"]);
        assert!(fs::read(scene.path("down")).unwrap() == content);
        let shown = ok(&scene, &["get", "local:a:there", "-"]);
        assert!(shown.stdout == content);
        fs::remove_file(scene.path("there")).unwrap();
    }
    scene.end();
}

#[test]
fn a_file_goes_where_the_path_says() {
    let scene = Scene::new();
    let (a, b) = (scene.file("a", "A"), scene.file("b", "B"));
    fs::create_dir(scene.path("d")).unwrap();
    for (words, files) in [
        (&[&*a, "local:h:x"][..], &["x"][..]),
        (&[&a, "local:h:d"], &["d/a"]),
        (&[&a, "local:h:d/"], &["d/a"]),
        (&[&a, "local:h:~/d/y"], &["d/y"]),
        (&[&a, &b, "local:h:d"], &["d/a", "d/b"]),
        (&["a", "./b", "local:h:./d/../d/"], &["d/a", "d/b"]),
    ] {
        ok(&scene, &[&["put"], words].concat());
        for file in files {
            let expected = if file.ends_with('b') { "B" } else { "A" };
            assert_eq!(fs::read_to_string(scene.path(file)).unwrap(), expected);
            fs::remove_file(scene.path(file)).unwrap();
        }
    }
    assert_eq!(names(&scene, "d"), [""; 0]);
    scene.end();
}

#[test]
fn an_existing_file_keeps_its_mode_unless_one_is_given() {
    let scene = Scene::new();
    scene.file("a", "new");
    let there = scene.file("there", "old");
    fs::set_permissions(&there, fs::Permissions::from_mode(0o640)).unwrap();
    ok(&scene, &["put", "a", "local:h:there"]);
    assert_eq!(mode(Path::new(&there)), 0o640);
    ok(
        &scene,
        &["put", "--mode", "755", "--no-sync", "a", "local:h:there"],
    );
    assert_eq!(mode(Path::new(&there)), 0o755);
    assert_eq!(fs::read(&there).unwrap(), b"new");
    scene.end();
}

#[test]
fn what_cannot_be_done_is_told_with_path_and_reason() {
    let scene = Scene::new();
    scene.file("a", "new");
    scene.file("b", "new");
    scene.file("file", "old");
    symlink("file", scene.path("link")).unwrap();
    fs::create_dir_all(scene.path("d/a")).unwrap();
    let home = scene.path("").display().to_string();
    for (words, told) in [
        (
            &["put", "a", "local:h:link"][..],
            "link\": too many levels of symbolic links",
        ),
        (&["put", "a", "local:h:d"], "d/a\": is a directory"),
        (
            &["put", "a", "local:h:none/"],
            "none/a\": no such file or directory",
        ),
        (
            &["put", "a", "b", "local:h:file"],
            "file/a\": not a directory",
        ),
        (
            &["put", "--owner", "nobody9", "a", "local:h:x"],
            "there is no user \"nobody9\"",
        ),
        (
            &["put", "--group", "nobody9", "a", "local:h:x"],
            "there is no group \"nobody9\"",
        ),
        (&["put", "a", "local:h:~nobody9/x"], "nobody9"),
        (
            &["get", "local:h:none", "x"],
            "none\": no such file or directory",
        ),
        (
            &["get", "local:h:d", "x"],
            "d\": is a directory\nhint: `convoke run HOST -- tar -c",
        ),
        (
            &["get", "local:h:none", "local:h:d", "x"],
            "d\": is a directory\nhint: `convoke run HOST -- tar -c",
        ),
        (
            &["get", "local:h:file", "link"],
            "\"link\" here: it is a symbolic link",
        ),
        (&["get", "local:h:file", "d/a/"], ""),
    ] {
        let ran = finish(&scene, words);
        match told.is_empty() {
            true => assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.stderr),
            false => {
                assert_eq!(ran.code, Some(1), "{words:?}: {}", ran.stderr);
                assert!(ran.stderr.contains("local:h: failed: "), "{}", ran.stderr);
                assert!(ran.stderr.contains(told), "{words:?}: {}", ran.stderr);
            }
        }
    }
    assert_eq!(fs::read(scene.path("file")).unwrap(), b"old");
    assert_eq!(names(&scene, "d/a"), ["file"]);
    assert!(!scene.path("x").exists(), "{home}");
    scene.end();
}

#[test]
fn what_is_wrong_with_the_words_is_told_before_anything_starts() {
    let scene = Scene::new();
    scene.file("a", "new");
    fs::create_dir(scene.path("d")).unwrap();
    for (words, what, hint) in [
        (
            &["put", "a"][..],
            "where the files go is not given",
            "LOCAL... HOSTS:PATH",
        ),
        (
            &["put", "d", "local:h:x"],
            "is a directory, and only files",
            "tar -c",
        ),
        (&["put", "none", "local:h:x"], "failed to read \"none\"", ""),
        (
            &["put", "a", "root@web1:22"],
            "may be a port or a file",
            "root@web1:22:/PATH",
        ),
        (
            &["put", "a", "local:demo1"],
            "says how a host is reached",
            "local:demo1:/PATH",
        ),
        (
            &["put", "a", "nowhere:x:/y"],
            "no connector for nowhere",
            "",
        ),
        (&["put", "a", "a!a:/y"], "no host selected", "--allow-empty"),
        (
            &["get", "local:h:x"],
            "where the files go is not given",
            "HOSTS:PATH... LOCAL",
        ),
        (
            &["get", "local:h:/etc/", "."],
            "names a directory, and only files",
            "tar -c",
        ),
        (
            &["get", "local:h[1-2]:x", "-"],
            "stdout takes one file of one host",
            "",
        ),
        (&["get", "local:h[1-2]:x", "a"], "is no directory", ""),
        (
            &["get", "local:a:x", "local:a:d/x", "d"],
            "two files of",
            "",
        ),
        (
            &["get", "local:h:x", "none/y"],
            "failed to write to \"none\"",
            "",
        ),
        (&["get", "local:h:x", "a/y"], "failed to", ""),
    ] {
        let ran = finish(&scene, words);
        assert_eq!(
            (ran.code, ran.text()),
            (Some(2), ""),
            "{words:?}: {}",
            ran.stderr
        );
        assert!(ran.stderr.contains(what), "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(hint), "{words:?}: {}", ran.stderr);
    }
    assert_eq!(names(&scene, "."), ["a", "d"]);
    scene.end();
}

#[test]
fn files_of_several_hosts_get_a_directory_each() {
    let scene = Scene::new();
    scene.file("f", "content");
    fs::set_permissions(scene.path("f"), fs::Permissions::from_mode(0o755)).unwrap();
    let words = ["get", "local:h[1-2]:f", "local:h3:./f", "out/in"];
    ok(&scene, &words);
    assert_eq!(
        names(&scene, "out/in"),
        ["local%3Ah1", "local%3Ah2", "local%3Ah3"]
    );
    for host in ["h1", "h2", "h3"] {
        let file = scene.path(&format!("out/in/local%3A{host}/f"));
        assert_eq!(fs::read(&file).unwrap(), b"content");
        assert_eq!(mode(&file) & 0o700, 0o700);
    }
    assert_eq!(mode(&scene.path("out/in")), 0o700);
    scene.end();
}

#[test]
fn stdin_and_pipes_are_sent_to_every_host() {
    let scene = Scene::new();
    let content = content(3_000_000);
    scene.file("source", &content);
    for hosts in ["local:a:there", "local:h[1-2]:there"] {
        let mut command = scene.convoke(["put", "-", hosts]);
        command.stdin(fs::File::open(scene.path("source")).unwrap());
        let ran = scene.start(command).finish();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(fs::read(scene.path("there")).unwrap() == content);
        fs::remove_file(scene.path("there")).unwrap();
    }
    let pipe = scene.fifo("pipe");
    let mut writer = scene.command("cp");
    let writer = scene.start({
        writer.args(["source", &pipe]);
        writer
    });
    ok(&scene, &["put", "pipe", "local:a:there"]);
    assert_eq!(writer.finish().code, Some(0));
    assert!(fs::read(scene.path("there")).unwrap() == content);
    scene.end();
}

#[test]
fn a_stdin_that_cannot_be_read_is_why_every_host_failed() {
    let scene = Scene::new();
    scene.file("old", "old");
    let put = |hosts: &str, form: &[&str]| {
        let goal = format!("{hosts}:old");
        let mut command = scene.convoke([&["put"], form, &["-", &goal]].concat());
        command.stdin(fs::File::open("/").unwrap());
        scene.start(command).finish()
    };
    for hosts in ["local:a", "local:h[1-2]"] {
        let ran = put(hosts, &[]);
        let words = ": failed: stdin here: is a directory";
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert_eq!(fs::read(scene.path("old")).unwrap(), b"old");
        let ran = put(hosts, &["--json"]);
        let failed = r#""outcome":"failed","ok":false,"where":"here","text":"stdin here: "#;
        assert!(ran.text().contains(failed), "{}", ran.text());
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    }
    scene.end();
}

#[test]
fn events_say_what_moved() {
    let scene = Scene::new();
    scene.file("a", content(2 << 20));
    let ran = ok(&scene, &["put", "--json", "a", "local:h:there"]);
    let lines = ran.text().lines();
    let lines: Vec<serde_json::Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &'static str| lines.iter().filter(move |line| line["kind"] == kind);
    for progress in of("progress") {
        assert_eq!(progress["data"]["total"], 2 << 20);
    }
    assert!(of("progress").count() <= 20);
    let moved = &of("moved").next().unwrap()["data"];
    assert_eq!(moved["path"], scene.path("there").to_str().unwrap());
    assert_eq!(
        (&moved["here"], &moved["bytes"]),
        (&"a".into(), &(2 << 20).into())
    );
    assert_eq!(moved["replaced"], false);
    let ended = lines.last().unwrap();
    assert_eq!(ended["data"]["outcome"], "done");
    assert_eq!(ended["data"]["bytes"], 2 << 20);
    let numbers: Vec<u64> = lines
        .iter()
        .map(|line| line["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (0..lines.len() as u64).collect::<Vec<_>>());
    scene.end();
}

#[test]
fn a_directory_that_was_made_for_nothing_is_removed_and_another_stays() {
    let scene = Scene::new();
    scene.file("there", "x");
    fs::create_dir(scene.path("old")).unwrap();
    for to in ["new", "new/deep", "old", "old/deep/"] {
        let ran = finish(&scene, &["get", "local:h[1-2]:gone", to]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert_eq!(names(&scene, "."), ["old", "there"]);
        assert_eq!(names(&scene, "old"), [""; 0]);
    }
    ok(&scene, &["get", "local:h[1-2]:there", "new/deep"]);
    assert_eq!(names(&scene, "new/deep"), ["local%3Ah1", "local%3Ah2"]);
    scene.end();
}

#[test]
fn a_dry_run_moves_nothing() {
    let scene = Scene::new();
    scene.file("a b", "x");
    let words = [
        "put",
        "--dry-run",
        "--fail-fast",
        "a b",
        "local:h[1-2]:/tmp/",
    ];
    let ran = ok(&scene, &words);
    assert_eq!(
        ran.text(),
        "hosts     local:h[1-2] (2)\n\
         put       'a b' to local:h[1-2]:'/tmp/a b'\n\
         at once   2 hosts\n\
         stop at   1 failed host: everything is ended\n\
         output    files\n"
    );
    let mode = ["--mode=755", "--owner=www data", "--group=0", "--no-sync"];
    let words = [&["put", "--dry-run"], &mode[..], &["a b", "local:h:x"]].concat();
    assert_eq!(
        ok(&scene, &words).text(),
        "hosts     local:h (1)\n\
         put       'a b' to local:h:x\n\
         mode      0755\n\
         owner     'www data'\n\
         group     0\n\
         disk      not waited for\n\
         at once   1 host\n\
         output    files\n"
    );
    let ran = ok(&scene, &[&words[..], &["--json"]].concat());
    let plan: Value = serde_json::from_str(ran.text()).unwrap();
    assert_eq!(
        (&plan["mode"], &plan["sync"]),
        (&"0755".into(), &false.into())
    );
    assert_eq!(
        (&plan["owner"]["text"], &plan["group"]["text"]),
        (&"www data".into(), &"0".into())
    );
    let ran = ok(
        &scene,
        &["get", "--dry-run", "--no-sync", "local:h[1-2]:/x", "out"],
    );
    assert!(ran.text().contains("disk      not waited for\n"));
    let ran = ok(&scene, &["get", "--dry-run", "local:h[1-2]:/x", "out"]);
    assert!(
        ran.text()
            .contains("get       local:h[1-2]:/x to out/HOST/x\n")
    );
    assert_eq!(names(&scene, "."), ["a b"]);
    scene.end();
}

#[test]
fn an_interrupt_leaves_the_old_file_and_nothing_else() {
    for signal in [Signal::INT, Signal::KILL] {
        let scene = Scene::new();
        fs::create_dir(scene.path("d")).unwrap();
        let there = scene.file("d/there", "old");
        let pipe = scene.fifo("pipe");
        let words = ["put", "--json", "pipe", "local:h[1-2]:d/there"];
        let mut live = scene.start(scene.convoke(words));
        // For reading, too, so that nobody waits for anybody.
        let mut source = fs::File::options();
        let mut source = source.read(true).write(true).open(&pipe).unwrap();
        source.write_all(&content(1 << 20)).unwrap();
        live.until_said("\"progress\"", 2);
        live.send(signal);
        if signal == Signal::INT {
            assert_eq!(live.finish().code, Some(130));
        } else {
            live.ends_killed();
        }
        drop(source);
        // The agents end when they have thrown away what was not whole.
        scene.until_alone();
        assert_eq!(names(&scene, "d"), ["there"]);
        assert_eq!(fs::read(&there).unwrap(), b"old");
        scene.end();
    }
}

#[test]
fn an_interrupted_file_from_a_host_leaves_the_old_one_and_nothing_else() {
    for signal in [Signal::INT, Signal::KILL] {
        let scene = Scene::new();
        let big = fs::File::create(scene.path("big")).unwrap();
        big.set_len(1 << 40).unwrap();
        fs::create_dir(scene.path("d")).unwrap();
        let here = scene.file("d/here", "old");
        let words = ["get", "--json", "local:a:big", "d/here"];
        let mut live = scene.start(scene.convoke(words));
        live.until_said("\"progress\"", 1);
        live.send(signal);
        if signal == Signal::INT {
            assert_eq!(live.finish().code, Some(130));
        } else {
            live.ends_killed();
        }
        scene.until_alone();
        assert_eq!(names(&scene, "d"), ["here"]);
        assert_eq!(fs::read(&here).unwrap(), b"old");
        scene.end();
    }
}

#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped 1: only root may mount");
        return;
    }
    let scene = Scene::new();
    fs::create_dir(scene.path("d")).unwrap();
    scene.file("big", content(3 << 20));
    let script = "set -e; mount -t tmpfs -o size=1m none d; echo old >d/f; set +e; \
         \"$0\" \"$@\"; code=$?; ls -A d; cat d/f; exit $code";
    for (words, told) in [
        (
            ["put", "big", "local:a:d/f"],
            "d/f\": no space left on device",
        ),
        (
            ["get", "local:a:big", "d/f"],
            "\"d/f\" here: no space left on device",
        ),
    ] {
        let mut command: Command = scene.command("unshare");
        command.args([
            "--mount",
            "/bin/sh",
            "-c",
            script,
            env!("CARGO_BIN_EXE_convoke"),
        ]);
        command.args(words);
        let ran = scene.start(command).finish();
        assert_eq!(
            (ran.code, ran.text()),
            (Some(1), "f\nold\n"),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains(told), "{}", ran.stderr);
    }
    scene.end();
}

#[test]
fn a_name_in_an_error_drives_no_terminal_and_looks_like_no_other() {
    let scene = Scene::new();
    let home = scene.path("").display().to_string();
    for (name, shown) in [
        (HOSTILE, r#"x\x1b[31m\nlocal:b: \u{202e}\xff"#),
        (b"a\nb", r"a\nb"),
        (b"x\r", r"x\r"),
        (b"a\\nb", r"a\\nb"),
        (b"x\": is fine, \"y", r#"x\": is fine, \"y"#),
    ] {
        let wanted = [b"local:h:./", name].concat();
        let words = ["get".into(), OsString::from_vec(wanted), "x".into()];
        let ran = scene.start(scene.convoke(words)).finish();
        let expected = format!("local:h: failed: \"{home}{shown}\": no such file or directory\n");
        assert_eq!((ran.code, ran.stderr), (Some(1), expected));
    }
    scene.end();
}
