//! Files whose names are odd or hostile: they move and are shown as others are, and do nothing else.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::scene::{Ran, Scene};

/// Names that words, shells, options, terminals or this program's own notation may take for something else.
const NAMES: &[&[u8]] = &[
    b" ",
    b" a  b ",
    b"it's \"so\"",
    b"a\nlocal:h: failed: b",
    b"\r\x08\x7f",
    b"\\",
    b"$HOME`id`$(id);&|<>",
    b"*?[a-z]!#",
    b"-",
    b"-rf",
    b"--dry-run",
    b"~root",
    b"a:b",
    b"local:h:",
    b"h[1-2]",
    b"{a,b}",
    b"%2F%00",
    b"\xff\xfe",
    b"\xe2\x80\xae\xe2\x80\x8b",
    b"\x1b[31m\x1b]0;title\x07",
    b"\xc2\x9b31m",
    &[b'n'; 255],
];

/// What the files hold: no text.
const CONTENT: &[u8] = b"\0content\xff\n";

impl Scene {
    /// A path with a name that need be no text.
    fn odd(&self, directory: &str, name: &[u8]) -> PathBuf {
        self.path(directory).join(OsStr::from_bytes(name))
    }

    /// Makes directories in the test's own.
    fn directories(&self, names: &[&str]) {
        for name in names {
            fs::create_dir(self.path(name)).unwrap();
        }
    }

    /// `convoke` with words that need be no text, from its start to its end.
    fn say(&self, words: &[&[u8]]) -> Ran {
        let words = words.iter().map(|word| OsString::from_vec(word.to_vec()));
        self.start(self.convoke(words)).finish()
    }

    /// The same without a complaint.
    fn done(&self, words: &[&[u8]]) -> Ran {
        let ran = self.say(words);
        let name = String::from_utf8_lossy(words[words.len() - 1]).into_owned();
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{name:?}");
        ran
    }

    /// The one file in a directory is this one, with the content; it is taken away.
    fn takes_only(&self, directory: &str, name: &[u8]) {
        let entries = fs::read_dir(self.path(directory)).unwrap();
        let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [OsStr::from_bytes(name)]);
        let path = self.odd(directory, name);
        assert_eq!(fs::read(&path).unwrap(), CONTENT, "{path:?}");
        fs::remove_file(path).unwrap();
    }
}

/// Whether nothing but the ends of lines drives a terminal, and nothing hides.
fn is_harmless(text: &str) -> bool {
    let hides = |char| ('\u{200b}'..='\u{202e}').contains(&char);
    text.chars()
        .all(|char| char == '\n' || !(char.is_control() || hides(char)))
}

/// Asserts that this is told of the host in one line.
fn is_told_in_one_line(ran: &Ran, name: &[u8]) {
    let (name, told) = (name.escape_ascii(), &ran.stderr);
    assert_eq!((ran.code, ran.text()), (Some(1), ""), "{name}: {told:?}");
    assert_eq!(told.lines().count(), 1, "{name}: {told:?}");
    let path = told.strip_prefix("local:h: failed: \"/");
    let path = path.and_then(|path| path.strip_suffix("\": no such file or directory\n"));
    let path = path.unwrap_or_else(|| panic!("{name}: {told:?}"));
    // No quote in it could be taken for the end of it.
    let bare = path.replace(r"\\", "").replace(r#"\""#, "");
    assert!(!bare.contains('"'), "{name}: {told:?}");
    assert!(is_harmless(told), "{name}: {told:?}");
}

/// `directory` and each name, as words.
fn beneath(directory: &[u8]) -> Vec<Vec<u8>> {
    let paths = NAMES.iter().map(|name| [directory, name].concat());
    paths.collect()
}

#[test]
fn odd_names_go_there_and_come_back() {
    let scene = Scene::new();
    scene.directories(&["here", "there", "back"]);
    for name in NAMES {
        let here = [b"here/", *name].concat();
        let path = [b"./there/", *name].concat();
        let there = [b"local:h:", &*path].concat();
        fs::write(scene.odd("here", name), CONTENT).unwrap();
        scene.done(&[b"put", b"--no-sync", &here, b"local:h:there/"]);
        scene.takes_only("there", name);
        scene.done(&[b"put", b"--no-sync", &here, &there]);
        scene.done(&[b"get", b"--no-sync", &there, b"back"]);
        scene.takes_only("back", name);
        scene.done(&[b"get", b"--no-sync", &there, &[b"back/", *name].concat()]);
        scene.takes_only("back", name);
        assert_eq!(scene.done(&[b"get", &there, b"-"]).stdout, CONTENT);
        assert_eq!(scene.done(&[b"cat", b"local:h", &path]).stdout, CONTENT);
        scene.takes_only("there", name);
    }
    scene.end();
}

#[test]
fn odd_names_move_all_at_once() {
    let scene = Scene::new();
    scene.directories(&["here", "there"]);
    for name in NAMES {
        fs::write(scene.odd("here", name), name).unwrap();
    }
    let [here, there, from] = [&b"here/"[..], b"there/", b"local:h[1-2]:./there/"].map(beneath);
    let all = |before: &[&'static [u8]], words: &[Vec<u8>], behind: &[&'static [u8]]| {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        scene.done(&[before, &words, behind].concat())
    };
    all(&[b"put"], &here, &[b"local:h:there"]);
    let ran = all(&[b"cat", b"local:h"], &there, &[]);
    assert!(ran.stdout == NAMES.concat(), "{:?}", ran.stdout);
    all(&[b"get"], &from, &[b"back"]);
    for host in ["h1", "h2"] {
        let directory = format!("back/local%3A{host}");
        for name in NAMES {
            let path = scene.odd(&directory, name);
            assert_eq!(fs::read(&path).unwrap(), *name, "{path:?}");
        }
        let count = fs::read_dir(scene.path(&directory)).unwrap().count();
        assert_eq!(count, NAMES.len());
    }
    scene.end();
}

#[test]
fn a_name_with_a_dash_is_a_file_where_a_word_cannot_be_an_option() {
    let scene = Scene::new();
    scene.directories(&["d"]);
    fs::write(scene.path("-rf"), CONTENT).unwrap();
    scene.done(&[b"put", b"--", b"-rf", b"local:h:d/"]);
    scene.takes_only("d", b"-rf");
    scene.done(&[b"get", b"local:h:-rf", b"d"]);
    scene.takes_only("d", b"-rf");
    let ran = scene.done(&[b"cat", b"--", b"local:h", b"-rf"]);
    assert_eq!(ran.stdout, CONTENT);
    let ran = scene.say(&[b"put", b"-rf", b"local:h:d/"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_eq!(fs::read_dir(scene.path("d")).unwrap().count(), 0);
    scene.end();
}

#[test]
fn errors_about_odd_names_stay_in_their_lines() {
    let scene = Scene::new();
    scene.file("a", "");
    for (path, name) in beneath(b"./none/").iter().zip(NAMES) {
        let there = [b"local:h:", &**path].concat();
        is_told_in_one_line(&scene.say(&[b"put", b"a", &there]), name);
        is_told_in_one_line(&scene.say(&[b"get", &there, b"x"]), name);
        is_told_in_one_line(&scene.say(&[b"cat", b"local:h", path]), name);
        // Before any host is asked.
        let ran = scene.say(&[b"put", path, b"local:h:x"]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        let (error, hint) = ran.stderr.split_once('\n').unwrap();
        assert!(
            error.starts_with("error: failed to read \"./none/"),
            "{error}"
        );
        assert!(error.ends_with("\": no such file or directory"), "{error}");
        assert!(
            hint.is_empty() || hint.starts_with("hint: ") && hint.lines().count() == 1,
            "{hint}"
        );
        assert!(is_harmless(&ran.stderr), "{:?}", ran.stderr);
    }
    assert!(!scene.path("x").exists());
    scene.end();
}

#[test]
fn a_plan_shows_odd_names_in_its_lines() {
    let scene = Scene::new();
    scene.directories(&["here"]);
    for (here, name) in beneath(b"here/").iter().zip(NAMES) {
        fs::write(scene.odd("here", name), CONTENT).unwrap();
        let there = [b"local:h:./", *name].concat();
        for words in [[b"put", &**here, &there], [b"get", &there, &**here]] {
            let ran = scene.done(&[&words[..1], &[b"--dry-run"], &words[1..]].concat());
            let said: Vec<_> = ran
                .text()
                .lines()
                .map(|line| line.split(' ').next())
                .collect();
            let verb = std::str::from_utf8(words[0]).unwrap();
            let lines = ["hosts", verb, "at", "output"].map(Some);
            assert_eq!(said, lines, "{}", ran.text());
            assert!(is_harmless(ran.text()), "{:?}", ran.text());
        }
    }
    scene.end();
}

#[test]
fn events_tell_odd_names_byte_for_byte() {
    let scene = Scene::new();
    scene.directories(&["d"]);
    for name in NAMES {
        fs::write(scene.odd("", name), CONTENT).unwrap();
        let here = [b"./", *name].concat();
        let ran = scene.done(&[b"put", b"--json", &here, b"local:h:d/"]);
        let events = ran
            .text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let moved: Vec<Value> = events
            .filter(|event: &Value| event["kind"] == "moved")
            .collect();
        let [Value::Object(event)] = &moved[..] else {
            panic!("{}", ran.text())
        };
        let bytes = |what: &str| match &event["data"][what] {
            Value::String(text) => text.clone().into_bytes(),
            _ => {
                let encoded = event["data"][format!("{what}_base64")].as_str();
                STANDARD.decode(encoded.unwrap()).unwrap()
            }
        };
        assert_eq!(bytes("here"), here);
        assert_eq!(
            bytes("path"),
            scene.odd("d", name).into_os_string().into_vec()
        );
    }
    scene.end();
}
