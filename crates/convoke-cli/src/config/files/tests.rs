//! What the words of `put` and `get` mean, as tables.

use std::os::unix::ffi::OsStringExt as _;

use super::*;
use crate::args::Verb;

fn here() -> Environment {
    Environment {
        mask: 0o027,
        ..Environment::of_this_process()
    }
}

/// A directory with the files `a` and `b`, a directory `d` and a pipe `p`.
fn scene() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("a"), "a").unwrap();
    fs::write(path("b"), "b").unwrap();
    fs::create_dir_all(path("d")).unwrap();
    fs::write(path("d/a"), "another").unwrap();
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR);
    rustix::fs::mknodat(rustix::fs::CWD, path("p"), kind, mode, 0).unwrap();
    directory
}

/// The words with `@` for the directory.
fn words(verb: &str, scene: &tempfile::TempDir, words: &[&str]) -> Vec<OsString> {
    let directory = scene.path().to_str().unwrap();
    let words = words.iter().map(|word| word.replace('@', directory));
    let verb = ["convoke".to_owned(), verb.to_owned()];
    verb.into_iter().chain(words).map(OsString::from).collect()
}

fn put(scene: &tempfile::TempDir, given: &[&str]) -> Result<Put, Usage> {
    let args = args::Args::parse_words(words("put", scene, given)).unwrap();
    match args.verb {
        Verb::Put(put) => Put::new(*put, &args.talk, &here()),
        other => panic!("{other:?}"),
    }
}

fn get(scene: &tempfile::TempDir, given: &[&str]) -> Result<Get, Usage> {
    let args = args::Args::parse_words(words("get", scene, given)).unwrap();
    match args.verb {
        Verb::Get(get) => Get::new(*get, &args.talk, &here()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn where_files_go_follows_from_the_path_and_their_number() {
    let scene = scene();
    for (given, files) in [
        (&["@/a", "h:/x"][..], &[("/x", Some("a"))][..]),
        (&["@/a", "h:x"], &[("x", Some("a"))]),
        (&["@/a", "h:/x/"], &[("/x/a", None)]),
        (&["@/a", "h:/"], &[("/a", None)]),
        (&["@/a", "h:~"], &[("~", Some("a"))]),
        (&["@/p", "h:/x/"], &[("/x/p", None)]),
        (&["@/a", "@/b", "h:/x"], &[("/x/a", None), ("/x/b", None)]),
        (&["@/a", "@/b", "h:~"], &[("~/a", None), ("~/b", None)]),
        (&["@/d/../a", "h:/x/"], &[("/x/a", None)]),
        (&["-", "h:/x"], &[("/x", None)]),
    ] {
        let put = put(&scene, given).unwrap();
        let became = put.files.iter().map(|(_, file)| {
            let inside = file.inside.as_ref().map(|name| name.to_str().unwrap());
            (file.path.to_str().unwrap(), inside)
        });
        assert_eq!(became.collect::<Vec<_>>(), files, "{given:?}");
    }
}

#[test]
fn how_files_are_made_is_as_typed() {
    let scene = scene();
    let given = ["--mode", "4755", "--owner", "o", "--group=g", "--no-sync"];
    let given = [&given[..], &["@/a", "h:/x"]].concat();
    let put = put(&scene, &given).unwrap();
    let (source, file) = &put.files[0];
    assert_eq!(*source, Source::File(scene.path().join("a")));
    assert_eq!(file.mode, Some(0o4755));
    assert_eq!(file.ownership.owner, Some("o".into()));
    assert_eq!(file.ownership.group, Some("g".into()));
    assert_eq!(file.durability, Durability::Unsynced);
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let scene = scene();
    for (given, what) in [
        (
            &["@/d", "h:/x"][..],
            "is a directory, and only files can be sent",
        ),
        (&["@", "h:/x"], "is a directory"),
        (&["@/none", "h:/x"], "no such file or directory"),
        (&["h:/y", "g:/x"], "failed to read \"h:/y\""),
        (&["", "h:/x"], "one of the files has no name"),
        (&["@/a", "@/b"], "names no host"),
        (&["@/a", "h:"], "names no path"),
        (
            &["@/a", "@/d/a", "h:/x"],
            "two of the files are called \"a\"",
        ),
        (&["-", "-", "h:/x"], "stdin has no name"),
        (&["-", "h:/x/"], "stdin has no name"),
        (&["-", "@/a", "h:/x"], "stdin has no name"),
        (&["--owner", "", "@/a", "h:/x"], "--owner names nobody"),
        (&["--group=", "@/a", "h:/x"], "--group names nobody"),
        (&["@/a"], "where the files go is not given"),
        (&["-F", "/none", "@/a", "h:/x"], "-F: failed to read"),
    ] {
        let error = put(&scene, given).unwrap_err();
        assert!(error.what.contains(what), "{given:?}: {}", error.what);
    }
    let swapped = put(&scene, &["h:/y", "g:/x"]).unwrap_err();
    assert!(swapped.hint.unwrap().contains("convoke get"));
}

#[test]
fn words_in_another_order_are_refused_with_what_was_meant() {
    let scene = scene();
    for (given, hint) in [
        (
            &["@/a", "local:h", "/tmp/x"][..],
            "write \"local:h:/tmp/x\"",
        ),
        (&["@/a", "local:h", "x"], "write \"local:h:x\""),
        (&["@/a", "h[1-3]", "~/x"], "write \"h[1-3]:~/x\""),
        (
            &["@/a", "@/b", "/tmp/x"],
            "write HOSTS:PATH, such as \"web1:/tmp/x\"",
        ),
        (
            &["@/a", "@/none", "h"],
            "write HOSTS:PATH, such as \"h:/PATH\"",
        ),
    ] {
        let error = put(&scene, given).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some(hint), "{given:?}");
    }
    let swapped = "files go to hosts by `convoke put LOCAL HOSTS:PATH`";
    for (given, hint) in [
        (&["@/a", "local:h:a"][..], swapped),
        (&[".", "local:h:a"], swapped),
        (&["@/a", "@/b", "h:/x/"], swapped),
        (&["h", "@/a"], "write HOSTS:PATH, such as \"h:/PATH\""),
    ] {
        let error = get(&scene, given).unwrap_err();
        assert_eq!(error.hint.as_deref(), Some(hint), "{given:?}");
    }
}

#[test]
fn a_mode_is_octal() {
    let scene = scene();
    for mode in ["8", "-1", "+7", "10000", "rw", "", "0o644", "77777777777"] {
        let option = format!("--mode={mode}");
        let given = words("put", &scene, &[&option, "@/a", "h:/x"]);
        assert!(args::Args::parse_words(given).is_err(), "{mode:?}");
    }
}

#[test]
fn what_is_fetched_has_a_name() {
    let scene = scene();
    for (place, name) in [
        ("h:/etc/motd", "motd"),
        ("h:motd", "motd"),
        ("h:~/motd", "motd"),
        ("h:./a:b", "a:b"),
        ("h:/a b", "a b"),
        ("h:/...", "..."),
    ] {
        let get = get(&scene, &[place, "@/d"]).unwrap();
        assert_eq!(get.wanted[0].name, name);
    }
    for place in [
        "h:/", "h:/etc/", "h:..", "h:/a/..", "h:.", "h:~", "h:~www", "h:~/",
    ] {
        let error = get(&scene, &[place, "@/d"]).unwrap_err();
        assert!(error.what.contains("names a directory"), "{}", error.what);
    }
    let bytes = OsString::from_vec(b"h:/\xff".to_vec());
    let wanted = Wanted::new(&bytes, &args::Pace::default()).unwrap();
    assert_eq!(wanted.name.as_bytes(), b"\xff");
}

#[test]
fn where_files_land_follows_from_what_is_there() {
    let scene = scene();
    let path = |name: &str| scene.path().join(name);
    for (to, target) in [
        ("-", Target::Stdout),
        ("@/d", Target::Directory(path("d"))),
        ("@/new/", Target::Directory(path("new/"))),
        ("@/new", Target::Path(path("new"))),
        ("@/a", Target::Path(path("a"))),
    ] {
        let got = get(&scene, &["h:/x", to]).unwrap();
        assert_eq!((got.to, got.mask), (target, 0o027));
    }
    let given = ["--per-host", "--no-sync", "-b", "h:/x", "@/new"];
    let got = get(&scene, &given).unwrap();
    assert!(got.is_per_host);
    assert_eq!(got.durability, Durability::Unsynced);
    let error = get(&scene, &["--per-host", "h:/x", "-"]).unwrap_err();
    assert!(error.what.contains("--per-host"), "{}", error.what);
    let error = get(&scene, &["h:/x"]).unwrap_err();
    assert_eq!(error.what, "where the files go is not given");
    for (to, what) in [("@/a/", "not a directory"), ("", "names no file here")] {
        let error = get(&scene, &["h:/x", to]).unwrap_err();
        assert!(error.what.contains(what), "{}", error.what);
    }
}
