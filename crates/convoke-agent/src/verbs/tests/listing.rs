use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use convoke_proto::file::{Entry, FileKind};
use convoke_proto::operation::MAX_RECORD;

use super::*;

fn list(path: &str) -> Operation {
    Operation::List { path: path.into() }
}

fn entries(answers: Vec<Answer>) -> Vec<Entry> {
    let entries = answers.into_iter().flat_map(|answer| match answer {
        Answer::Entries(entries) => entries,
        other => panic!("{other:?} is no listing"),
    });
    entries.collect()
}

#[test]
fn entries_are_sorted_and_told_as_they_are() {
    let host = Host::new();
    NAMES.iter().for_each(|name| drop(host.write(name, "x")));
    symlink("/nowhere", host.at("link")).unwrap();
    let entries = entries(host.all(list(".")).unwrap());
    let names: Vec<_> = entries.iter().map(|entry| entry.name.clone()).collect();
    assert_eq!(names, host.names("."));
    let link = entries.iter().find(|entry| entry.name == "link").unwrap();
    assert_eq!(link.stat.kind, FileKind::Link);
    assert_eq!(link.stat.target, Some("/nowhere".into()));
}

#[test]
fn an_empty_directory_has_no_entries() {
    let host = Host::new();
    assert_eq!(host.one(list(".")), Ok(Answer::Entries(Vec::new())));
}

#[test]
fn what_is_no_directory_is_not_listed() {
    let host = Host::new();
    host.write("file", "");
    assert_eq!(host.wrong(list("file")), errno(libc::ENOTDIR));
    assert_eq!(host.wrong(list("nothing")), errno(libc::ENOENT));
}

#[test]
fn an_entry_that_cannot_be_looked_at_hides_no_other() {
    let name = "verbs::tests::listing::an_entry_that_cannot_be_looked_at_hides_no_other";
    unprivileged(name, || {
        let host = Host::new();
        fs::create_dir_all(host.at("dir/sub")).unwrap();
        host.write("dir/file", "x");
        set_mode(host.at("dir"), 0o400);
        let entries = entries(host.all(list("dir")).unwrap());
        set_mode(host.at("dir"), 0o700);
        let kinds: Vec<_> = entries.iter().map(|entry| entry.stat.kind).collect();
        assert_eq!(kinds, [FileKind::File, FileKind::Directory]);
        assert!(entries.iter().all(|entry| !entry.stat.is_known()));
        set_mode(host.at("dir"), 0o300);
        assert_eq!(host.wrong(list("dir")), errno(libc::EACCES));
        set_mode(host.at("dir"), 0o700);
    });
}

#[test]
fn listings_share_their_memory() {
    let host = Host::new();
    host.write("file", "");
    let held = || host.verbs.held.load(Ordering::Relaxed);
    let first = host.verbs.listing(b".").unwrap();
    let own = held();
    assert!(own > 0);
    host.verbs
        .held
        .fetch_add(192 * 1024 * 1024 - own, Ordering::Relaxed);
    assert_eq!(host.wrong(list(".")), errno(libc::ENOMEM));
    drop(first);
    host.one(list(".")).unwrap();
    assert_eq!(held(), 192 * 1024 * 1024 - own);
}

#[test]
fn a_huge_directory_comes_in_parts() {
    const COUNT: usize = 100_000;
    let host = Host::new();
    let path = host.write("0", "");
    (1..COUNT).for_each(|number| {
        fs::hard_link(&path, host.at(number.to_string()))
            .or_else(|_| {
                // Some file systems allow fewer names of one file.
                fs::write(host.at(number.to_string()), "")
            })
            .unwrap()
    });
    let answers = host.all(list(".")).unwrap();
    assert!(answers.len() > 10);
    for answer in &answers {
        let mut bytes = Vec::new();
        Record::Part(answer.clone()).encode(&mut bytes);
        assert!(bytes.len() < MAX_RECORD / 2, "{}", bytes.len());
    }
    let entries = entries(answers);
    assert_eq!(entries.len(), COUNT);
    assert!(entries.is_sorted_by(|a, b| a.name < b.name));
}

#[test]
fn nobody_who_listens_ends_a_listing() {
    let host = Host::new();
    (0..5000).for_each(|number| drop(host.write(number.to_string(), "")));
    let mut heard = 0;
    let go_on = AtomicBool::new(false);
    host.verbs.perform(list("."), &host, &go_on, &mut |record| {
        heard += usize::from(matches!(record, Record::Part(_)));
        false
    });
    assert_eq!(heard, 1);
}

#[test]
fn an_environment_is_what_a_command_gets() {
    let host = Host::new();
    let value = |name| variable(&host, None, None, name);
    assert_eq!(
        value("HOME"),
        Some(text(host.at(""))).map(|mut home| {
            home.pop();
            home
        })
    );
    assert_eq!(value("PWD"), value("HOME"));
    assert_eq!(value("SHELL"), Some("/bin/sh".into()));
    assert_eq!(value("CONVOKE_STEP"), None);
    let there = variable(&host, None, Some("there"), "PWD");
    assert_eq!(there, Some(text(host.at("there"))));
}

/// A variable of a command as `user` in `cwd`.
fn variable(host: &Host, user: Option<&str>, cwd: Option<&str>, name: &str) -> Option<BString> {
    let environment = Operation::Environment {
        user: user.map(BString::from),
        cwd: cwd.map(BString::from),
    };
    let Ok(Answer::Environment(variables)) = host.one(environment) else {
        panic!("there is an environment");
    };
    let mut named = variables.into_iter().filter(|(own, _)| own == name);
    let value = named.next().map(|(_, value)| value);
    assert_eq!(named.next(), None, "there are two");
    value
}

#[test]
fn the_environment_of_somebody_else_names_them() {
    let host = Host::new();
    host.etc("passwd", "ann:x:1001:1002::/home/ann:/bin/zsh\n");
    host.etc("nsswitch.conf", "group: files [NOTFOUND=return]\n");
    if !is_root() {
        let user = Some("ann".into());
        let wrong = host.wrong(Operation::Environment { user, cwd: None });
        return assert_eq!(wrong, (Field::User, Reason::Errno(libc::EPERM)));
    }
    let value = |cwd, name| variable(&host, Some("1001"), cwd, name);
    for (name, expected) in [
        ("HOME", Some("/home/ann")),
        ("USER", Some("ann")),
        ("LOGNAME", Some("ann")),
        ("SHELL", Some("/bin/zsh")),
        ("PWD", Some("/home/ann")),
        ("TMPDIR", None),
    ] {
        assert_eq!(value(None, name), expected.map(BString::from), "{name}");
    }
    assert_eq!(value(None, "PATH"), variable(&host, None, None, "PATH"));
    assert_eq!(value(Some("/srv"), "PWD"), Some("/srv".into()));
    // The login home, whoever runs there.
    assert_eq!(value(Some("x"), "PWD"), Some(text(host.at("x"))));
}

#[test]
fn facts_are_told_as_the_host_has_them() {
    let host = Host::new();
    let answers = host.all(Operation::Facts).unwrap();
    let facts: BTreeMap<String, BString> = answers
        .into_iter()
        .flat_map(|answer| match answer {
            Answer::Facts(facts) => facts,
            other => panic!("{other:?} are no facts"),
        })
        .collect();
    let fact = |name: &str| {
        facts
            .get(name)
            .map(|fact| fact.to_str_lossy())
            .unwrap_or_default()
    };
    assert_eq!(fact("kernel.name"), "Linux");
    assert_eq!(
        fact("hostname"),
        rustix::system::uname().nodename().to_string_lossy()
    );
    assert_eq!(fact("uid"), rustix::process::geteuid().as_raw().to_string());
    assert_eq!(
        fact("home"),
        text(host.scratch.path().join("home")).to_string()
    );
    assert!(fact("meminfo").contains("MemTotal:"));
    assert!(fact("mountinfo").contains(" / / "));
    assert_eq!(fact("boot-id").len(), 36);
    for name in [
        "kernel.release",
        "machine",
        "uptime",
        "init",
        "time",
        "os-release",
    ] {
        assert!(!fact(name).is_empty(), "{name}");
    }
    let interfaces = fact("interfaces");
    let loopback = |line: &&str| line.starts_with("link lo ");
    let words = interfaces
        .lines()
        .find(loopback)
        .unwrap()
        .split(' ')
        .count();
    assert_eq!(words, 6, "{interfaces}");
    assert!(
        interfaces.lines().any(|line| line == "addr lo 127.0.0.1/8"),
        "{interfaces}"
    );
}
