//! Answers as they are shown, as tables.

use convoke::outcome::{Done, Failure, Field, Outcome, Reason};
use convoke::proto::account::{Group, User};
use convoke::proto::file::{Digest, Entry, FileKind, Follow, Stat, Time};

use super::super::view_tests::{FILE, TERMINAL, event, hosts, output, shown};
use super::super::{json, view_of_output};
use super::*;
use crate::config::{Hidden, ListForm};
use crate::render::recap::Facts;

fn a_file(size: u64) -> Stat {
    let time = Time {
        seconds: 1_795_289_400,
        nanoseconds: 7,
    };
    Stat {
        mode: 0o644,
        owner: "root".into(),
        group: "root".into(),
        size,
        modified: time,
        links: 1,
        ..Stat::unknown(FileKind::File)
    }
}

fn entry(name: &[u8], stat: Stat) -> Entry {
    Entry {
        name: name.into(),
        stat,
    }
}

fn answer(host: &str, subject: Option<&[u8]>, answer: Answer) -> Event {
    let kind = Kind::Answer {
        operation: 0,
        subject: subject.map(Into::into),
        reply: Ok(answer),
    };
    event(host, kind)
}

fn done(host: &str) -> Event {
    event(host, Kind::Ended(Outcome::Done(Done::default())))
}

/// What is shown of the answers of one host that are its only ones.
fn text(asked: Asked, answers: Vec<(Option<&[u8]>, Answer)>) -> String {
    let answers = answers.into_iter();
    let events = answers.map(|(subject, one)| answer("h", subject, one));
    let facts = Facts::of_inquiry(1, asked.clone());
    let inner = view_of_output(Mode::Raw, &output(FILE), &hosts(&["h"]), &facts);
    let view = Answers::new(asked, Mode::Raw, inner);
    let (out, err) = shown(view, events.chain([done("h")]));
    assert_eq!(err, b"");
    String::from_utf8(out).unwrap()
}

fn stat_of(paths: &[&str]) -> Asked {
    Asked::Stat {
        paths: paths.iter().map(|path| (*path).into()).collect(),
        follow: Follow::Yes,
        digests: Vec::new(),
    }
}

fn list(paths: &[&str], hidden: Hidden, form: ListForm) -> Asked {
    Asked::List {
        paths: paths.iter().map(|path| (*path).into()).collect(),
        hidden,
        form,
    }
}

#[test]
fn what_stands_at_paths_is_one_table_of_a_host() {
    let link = Stat {
        kind: FileKind::Link,
        mode: 0o777,
        owner: "o p".into(),
        target: Some("a b".into()),
        ..a_file(3)
    };
    let digested = Stat {
        digests: vec![(Digest::Sha256, b"\x01\xff".into())],
        ..a_file(12_345)
    };
    let answers: Vec<(Option<&[u8]>, Answer)> = vec![
        (Some(b"/etc/hosts"), Answer::Stat(Some(Box::new(digested)))),
        (Some(b"/no\nsuch"), Answer::Stat(None)),
        (Some(b"l"), Answer::Stat(Some(Box::new(link)))),
    ];
    let expected = "\
file  0644  root   root  12345  2026-11-21 19:30:00Z  sha256:01ff  /etc/hosts
$'/no\\nsuch': does not exist
link  0777  'o p'  root      3  2026-11-21 19:30:00Z  l -> 'a b'
";
    assert_eq!(text(stat_of(&[]), answers), expected);
}

#[test]
fn a_directory_is_its_names_without_the_hidden_ones() {
    let entries = || {
        let names: [&[u8]; 5] = [
            b".x",
            b"a",
            b"it's",
            b"two words",
            b"\xff\x1b[31m\nh2: forged",
        ];
        let entries = names.map(|name| entry(name, a_file(1)));
        Answer::Entries(entries.into())
    };
    let one: Vec<(Option<&[u8]>, Answer)> = vec![(Some(b"/d"), entries())];
    let names = "a\n'it'\\''s'\n'two words'\n$'\\xff\\x1b[31m\\nh2: forged'\n";
    let asked = |hidden| list(&["/d"], hidden, ListForm::Names);
    assert_eq!(text(asked(Hidden::LeftOut), one.clone()), names);
    assert_eq!(text(asked(Hidden::Shown), one), format!(".x\n{names}"));
    let several = list(&["/d", "/e"], Hidden::LeftOut, ListForm::Names);
    let two = vec![
        (Some(&b"/d"[..]), Answer::Entries(vec![])),
        (Some(b"/e e"), Answer::Entries(vec![entry(b"a", a_file(1))])),
    ];
    assert_eq!(text(several, two), "/d:\n\n'/e e':\na\n");
}

#[test]
fn the_long_form_is_that_of_ls() {
    let kinds = [
        (FileKind::Directory, 0o1777, "drwxrwxrwt"),
        (FileKind::CharacterDevice, 0o600, "crw-------"),
        (FileKind::BlockDevice, 0o660, "brw-rw----"),
        (FileKind::File, 0o4755, "-rwsr-xr-x"),
        (FileKind::File, 0o6644, "-rwSr-Sr--"),
        (FileKind::Fifo, 0o010, "p-----x---"),
        (FileKind::Link, 0o777, "lrwxrwxrwx"),
        (FileKind::Socket, 0o1000, "s--------T"),
        (FileKind::Other, 0, "?---------"),
    ];
    for (kind, mode, shown) in kinds {
        let stat = Stat {
            kind,
            mode,
            ..a_file(0)
        };
        assert_eq!(stat::permissions(&stat), shown);
    }
    let mut link = a_file(1_000);
    (link.kind, link.target) = (FileKind::Link, Some("/x".into()));
    let entries = vec![entry(b"a", a_file(1)), entry(b"b c", link)];
    let entries = entries
        .into_iter()
        .chain([entry(b"far", Stat::unknown(FileKind::Directory))])
        .collect();
    let expected = "\
-rw-r--r--  1  root  root     1  2026-11-21 19:30:00Z  a
lrw-r--r--  1  root  root  1000  2026-11-21 19:30:00Z  'b c' -> /x
d?????????  ?  ?     ?        ?  ?                     far
";
    let asked = list(&["."], Hidden::LeftOut, ListForm::Long);
    assert_eq!(
        text(asked, vec![(Some(b"."), Answer::Entries(entries))]),
        expected
    );
}

#[test]
fn users_and_groups_are_one_table_of_a_host() {
    let user = |name: &str, uid, gecos: &str| {
        Answer::User(Box::new(User {
            name: name.into(),
            uid,
            group: "ops".into(),
            gid: 100,
            groups: vec!["ops".into(), "a,b".into(), "two words".into()],
            gecos: gecos.into(),
            home: "/home".into(),
            shell: "".into(),
            password_hash: None,
        }))
    };
    let answers = vec![
        (None, user("op", 1000, "Op, Room 1")),
        (None, user("x", 7, "")),
    ];
    let expected = "\
op  1000  100  ops,'a,b','two words'  /home  ''  'Op, Room 1'
x      7  100  ops,'a,b','two words'  /home  ''  ''
";
    assert_eq!(text(Asked::Users { who: vec![] }, answers), expected);
    let group = |name: &str, members: &[&str]| {
        Answer::Group(Group {
            name: name.into(),
            gid: 27,
            members: members.iter().map(|member| (*member).into()).collect(),
        })
    };
    let answers = vec![(None, group("sudo", &["op", "x"])), (None, group("g", &[]))];
    let asked = Asked::Groups { who: vec![] };
    assert_eq!(text(asked, answers), "sudo  27  op,x\ng     27\n");
}

#[test]
fn variables_are_sorted_lines_that_a_shell_could_read() {
    let variables = || {
        let pairs = [
            ("PATH", "/bin:/usr/bin"),
            ("E", ""),
            ("A", "1"),
            ("B", "a b\nC=forged"),
        ];
        let pairs = pairs.map(|(name, value)| (name.into(), value.into()));
        Answer::Environment(pairs.into())
    };
    let all = "A=1\nB=$'a b\\nC=forged'\nE=\nPATH=/bin:/usr/bin\n";
    let asked = |names: &[&str]| Asked::Environment {
        names: names.iter().map(|name| (*name).into()).collect(),
    };
    assert_eq!(text(asked(&[]), vec![(None, variables())]), all);
    let some = text(asked(&["PATH", "A"]), vec![(None, variables())]);
    assert_eq!(some, "A=1\nPATH=/bin:/usr/bin\n");
}

fn raw_facts() -> Vec<(String, BString)> {
    let raw = [
        ("os-release", "ID=debian\nPRETTY_NAME='Debian \x1b[31m12'\n"),
        ("kernel.release", "6.1.0"),
        ("meminfo", "MemTotal: 4 kB\n"),
        (
            "mountinfo",
            "22 1 0:21 / /a\\040b rw - ext4 /dev/sda1 rw,x=y\n",
        ),
        (
            "interfaces",
            "link eth0 2 1043 1500 52:54:00:12:34:56\naddr eth0 192.0.2.7/24\n",
        ),
        ("uptime", "90061.5 1\n"),
        ("user", "op"),
        ("time", "1795289400.000000001"),
        ("weather", "fine"),
    ];
    raw.map(|(name, text)| (name.to_owned(), text.into()))
        .into()
}

#[test]
fn facts_are_lines_of_names_and_values() {
    let facts = |names: &[&str]| {
        let asked = Asked::Facts {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        text(asked, vec![(None, Answer::Facts(raw_facts()))])
    };
    let all = "\
os.pretty_name   Debian \\x1b[31m12
os.id            debian
kernel.release   6.1.0
memory.total     4096
interfaces.eth0  up 192.0.2.7/24 mtu 1500 mac 52:54:00:12:34:56
uptime           1day 1h 1m 1s
user.name        op
clock            2026-11-21T19:30:00.000000001Z
more.weather     fine
";
    assert_eq!(facts(&[]), all);
    assert_eq!(
        facts(&["os.id", "user"]),
        "os.id      debian\nuser.name  op\n"
    );
    assert_eq!(facts(&["mounts"]), "mounts.'/a b'  ext4 /dev/sda1 rw,x=y\n");
    assert_eq!(facts(&["more"]), "more.weather  fine\n");
    assert_eq!(facts(&["kernel.rel", "cpus"]), "");
}

#[test]
fn answers_of_several_hosts_are_output_like_any_other() {
    let asked = stat_of(&["/a"]);
    let stat = |host| answer(host, Some(b"/a"), Answer::Stat(Some(Box::new(a_file(1)))));
    let events = || [stat("h1"), stat("h2"), done("h1"), done("h2")];
    let names = hosts(&["h1", "h2"]);
    let view = |mode| {
        let facts = Facts::of_inquiry(1, asked.clone());
        crate::render::view(mode, &output(FILE), &names, &facts)
    };
    let row = "file  0644  root  root  1  2026-11-21 19:30:00Z  /a\n";
    let (out, _) = shown(Boxed(view(Mode::Prefixed)), events());
    assert_eq!(out, format!("h1: {row}h2: {row}").as_bytes());
    let (out, _) = shown(Boxed(view(Mode::Gathered)), events());
    assert_eq!(out, format!("h[1-2] (2)\n  {row}").as_bytes());
}

#[test]
fn json_has_the_answers_themselves_and_of_them_what_was_asked_for() {
    let asked = list(&["/d"], Hidden::LeftOut, ListForm::Names);
    let entries = vec![entry(b".x", a_file(1)), entry(b"\x1b\n", a_file(1))];
    let view = Answers::new(
        asked,
        Mode::Json,
        Box::new(json::Json::new(&output(TERMINAL))),
    );
    let (out, _) = shown(view, [answer("h", Some(b"/d"), Answer::Entries(entries))]);
    assert!(!out[..out.len() - 1].iter().any(u8::is_ascii_control));
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(json["data"]["entries"][0]["name"], "\u{1b}\n");
    assert_eq!(json["data"]["entries"].as_array().unwrap().len(), 1);

    let mut raw = raw_facts();
    facts::select(&mut raw, &["os.id".to_owned(), "more.weather".to_owned()]);
    let names: Vec<&str> = raw.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["os-release", "weather"]);
}

#[test]
fn a_failure_has_no_lines() {
    let failure = Failure {
        field: Field::Path,
        value: "/a".into(),
        reason: Reason::Errno(13),
        path: None,
    };
    let kind = Kind::Answer {
        operation: 0,
        subject: Some("/a".into()),
        reply: Err(failure),
    };
    let inner = view_of_output(
        Mode::Raw,
        &output(FILE),
        &hosts(&["h"]),
        &Facts::of_no_command("run", 1),
    );
    let view = Answers::new(stat_of(&["/a"]), Mode::Raw, inner);
    let (out, err) = shown(view, [event("h", kind), done("h")]);
    assert_eq!((out, err), (vec![], vec![]));
}

#[test]
fn a_long_directory_comes_in_pieces_and_whole() {
    let entries = (0..20_000).map(|n| entry(format!("file{n:05}").as_bytes(), a_file(n)));
    let asked = list(&["/d"], Hidden::LeftOut, ListForm::Long);
    let shown = text(
        asked,
        vec![(Some(b"/d"), Answer::Entries(entries.collect()))],
    );
    assert_eq!(shown.lines().count(), 20_000);
    assert!(
        shown
            .lines()
            .all(|line| line.len() == shown.lines().next().unwrap().len())
    );
}

/// A view behind a box.
struct Boxed(Box<dyn View>);

impl View for Boxed {
    fn event(&mut self, event: Event, screen: &mut Screen) -> Result<(), Broken> {
        self.0.event(event, screen)
    }

    fn finish(&mut self, screen: &mut Screen) -> Result<(), Broken> {
        self.0.finish(screen)
    }
}
