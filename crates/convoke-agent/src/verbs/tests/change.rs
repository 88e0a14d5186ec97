use std::os::unix::fs::{MetadataExt, symlink};

use convoke_proto::file::{Follow, Ownership, Time};
use convoke_proto::operation::Parents;

use super::*;

fn make(path: &str, mode: Option<u16>, parents: Parents) -> Operation {
    Operation::MakeDirectory {
        path: path.into(),
        mode,
        ownership: Ownership::default(),
        parents,
    }
}

fn touch(path: impl Into<BString>, time: Option<Time>) -> Operation {
    Operation::Touch {
        path: path.into(),
        time,
        mode: None,
        ownership: Ownership::default(),
    }
}

fn owner(owner: &str) -> Ownership {
    Ownership {
        owner: Some(owner.into()),
        group: None,
    }
}

fn group(group: &str) -> Ownership {
    Ownership {
        owner: None,
        group: Some(group.into()),
    }
}

#[test]
fn a_directory_has_the_mode_that_was_asked_for() {
    let host = Host::new();
    for (name, mode_asked, expected) in [
        ("plain", None, 0o700),
        ("open", Some(0o777), 0o777),
        ("set", Some(0o2775), 0o2775),
        ("none", Some(0), 0),
    ] {
        host.one(make(name, mode_asked, Parents::Exist)).unwrap();
        assert_eq!(mode(host.at(name)), expected, "{name}");
    }
    assert_eq!(
        host.wrong(make("plain", None, Parents::Exist)),
        errno(libc::EEXIST)
    );
    assert_eq!(
        host.wrong(make("no/dir", None, Parents::Exist)),
        errno(libc::ENOENT)
    );
    let beyond = (Field::Mode, Reason::Invalid);
    assert_eq!(host.wrong(make("x", Some(0o10000), Parents::Exist)), beyond);
}

#[test]
fn modes_do_not_depend_on_the_mask() {
    let name = "verbs::tests::change::modes_do_not_depend_on_the_mask";
    inside(
        name,
        |_| {},
        "umask 0777; exec \"$@\"",
        || {
            // The mask is this process's own: whatever is needed to set up the host is done by hand.
            let old = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
            let host = Host::new();
            rustix::process::umask(old);
            host.one(make("a/b", Some(0o750), Parents::Made)).unwrap();
            host.one(make("c", None, Parents::Exist)).unwrap();
            host.one(touch("file", None)).unwrap();
            assert_eq!([mode(host.at("a")), mode(host.at("a/b"))], [0o750; 2]);
            assert_eq!((mode(host.at("c")), mode(host.at("file"))), (0o700, 0o600));
        },
    );
}

#[test]
fn missing_directories_above_are_made() {
    let host = Host::new();
    host.one(make("a//b/./c/", Some(0o750), Parents::Made))
        .unwrap();
    for path in ["a", "a/b", "a/b/c"] {
        assert_eq!(mode(host.at(path)), 0o750, "{path}");
    }
    // What is there stays as it is.
    host.one(make("a/b", Some(0o700), Parents::Made)).unwrap();
    assert_eq!(mode(host.at("a/b")), 0o750);
    symlink("a", host.at("link")).unwrap();
    host.one(make("link/d", None, Parents::Made)).unwrap();
    assert!(host.at("a/d").is_dir());
    host.one(make("new/../other", None, Parents::Made)).unwrap();
    assert!(host.at("new").is_dir() && host.at("other").is_dir());
    let deep = ["x"; 1000].join("/");
    host.one(make(&deep, None, Parents::Made)).unwrap();
}

#[test]
fn a_file_in_the_way_of_directories_is_an_error() {
    let host = Host::new();
    host.write("file", "");
    symlink("nowhere", host.at("dangling")).unwrap();
    for (path, number) in [
        ("file", libc::EEXIST),
        ("file/below", libc::ENOTDIR),
        ("dangling", libc::ENOENT),
        ("dangling/below", libc::ENOENT),
    ] {
        assert_eq!(
            host.wrong(make(path, None, Parents::Made)),
            errno(number),
            "{path}"
        );
    }
    assert!(!host.at("nowhere").exists());
}

#[test]
fn a_rename_replaces_and_tells_which_name_is_wrong() {
    let host = Host::new();
    let rename = |from: &str, to: &str| Operation::Rename {
        from: from.into(),
        to: to.into(),
    };
    host.write("a", "a");
    host.write("b", "b");
    fs::create_dir_all(host.at("full/x")).unwrap();
    fs::create_dir(host.at("dir")).unwrap();
    let to = |number| (Field::To, Reason::Errno(number));
    for (from, target, expected) in [
        ("no", "b", errno(libc::ENOENT)),
        ("a/x", "b", errno(libc::ENOTDIR)),
        ("a", "no/b", to(libc::ENOENT)),
        ("a", "dir", to(libc::EISDIR)),
        ("dir", "a", to(libc::ENOTDIR)),
        ("dir", "full", to(libc::ENOTEMPTY)),
        ("full", "full/x/y", errno(libc::EINVAL)),
        ("a", "", (Field::To, Reason::Invalid)),
    ] {
        assert_eq!(
            host.wrong(rename(from, target)),
            expected,
            "{from} {target}"
        );
    }
    host.one(rename("a", "b")).unwrap();
    assert_eq!(fs::read(host.at("b")).unwrap(), b"a");
    assert!(!host.at("a").exists());
}

#[test]
fn modes_and_owners_are_set() {
    let host = Host::new();
    let path = host.write("file", "");
    let set_mode = |path: &str, mode| Operation::SetMode {
        path: path.into(),
        mode,
    };
    host.one(set_mode("file", 0o4711)).unwrap();
    assert_eq!(mode(&path), 0o4711);
    assert_eq!(host.wrong(set_mode("no", 0o600)), errno(libc::ENOENT));
    assert_eq!(
        host.wrong(set_mode("file", 0o10000)),
        (Field::Mode, Reason::Invalid)
    );
    let set_owner = |ownership: Ownership| Operation::SetOwner {
        path: "file".into(),
        ownership,
        follow: Follow::Yes,
    };
    let nothing = host.wrong(set_owner(Ownership::default()));
    assert_eq!(nothing, (Field::Owner, Reason::Invalid));
    let unknown = |field| (field, Reason::Unknown);
    assert_eq!(
        host.wrong(set_owner(owner("nobody-here"))),
        unknown(Field::Owner)
    );
    assert_eq!(
        host.wrong(set_owner(group("nobody-here"))),
        unknown(Field::Group)
    );
    // The highest number would mean that nothing changes.
    assert_eq!(
        host.wrong(set_owner(group("4294967295"))),
        unknown(Field::Group)
    );
    // A user whose group nobody knows.
    assert_eq!(host.wrong(set_owner(owner("12345"))), unknown(Field::Owner));
    if !is_root() {
        return eprintln!("the rest is skipped: only root gives files away");
    }
    host.etc("passwd", "ann:x:1001:1002:::\n");
    host.etc("group", "staff:x:50:\n");
    let ids = || {
        let stat = fs::metadata(&path).unwrap();
        (stat.uid(), stat.gid())
    };
    for (ownership, expected) in [
        (owner("ann"), (1001, 1002)),
        (group("staff"), (1001, 50)),
        (group("77"), (1001, 77)),
        (owner("1001"), (1001, 1002)),
        (
            Ownership {
                group: Some("staff".into()),
                ..owner("12345")
            },
            (12345, 50),
        ),
    ] {
        host.one(set_owner(ownership)).unwrap();
        assert_eq!(ids(), expected);
    }
}

#[test]
fn links_point_where_they_are_told() {
    let host = Host::new();
    for name in NAMES {
        let path: BString = name.into();
        let target: BString = [b"to ", name].concat().into();
        let link = Operation::Link {
            target: target.clone(),
            path: path.clone(),
        };
        host.one(link.clone()).unwrap();
        let read = host.one(Operation::ReadLink { path });
        assert_eq!(read, Ok(Answer::Path(Some(target))));
        assert_eq!(host.wrong(link), errno(libc::EEXIST));
    }
}

#[test]
fn a_touched_file_is_there_and_new() {
    let host = Host::new();
    host.one(touch("file", None)).unwrap();
    assert_eq!(mode(host.at("file")), 0o600);
    host.write("file", "content");
    set_mode(host.at("file"), 0o644);
    let time = |seconds, nanoseconds| Time {
        seconds,
        nanoseconds,
    };
    host.one(touch("file", Some(time(-5, 7)))).unwrap();
    let stat = fs::metadata(host.at("file")).unwrap();
    assert_eq!((stat.mtime(), stat.mtime_nsec()), (-5, 7));
    host.one(touch("file", None)).unwrap();
    assert!(fs::metadata(host.at("file")).unwrap().mtime() > 0);
    assert_eq!(fs::read(host.at("file")).unwrap(), b"content");
    assert_eq!(mode(host.at("file")), 0o644);
    host.one(touch("other", Some(time(5, 0)))).unwrap();
    assert_eq!(fs::metadata(host.at("other")).unwrap().mtime(), 5);
    let never = host.wrong(touch("file", Some(time(0, 1_000_000_000))));
    assert_eq!(never, (Field::Request, Reason::Invalid));
    host.one(touch(".", None)).unwrap();
}

#[test]
fn no_link_is_touched() {
    let host = Host::new();
    symlink("nowhere", host.at("link")).unwrap();
    assert_eq!(host.wrong(touch("link", None)), errno(libc::ELOOP));
    assert_eq!(host.wrong(touch("no/file", None)), errno(libc::ENOENT));
    assert_eq!(host.wrong(touch("no/", None)), errno(libc::ENOENT));
    assert_eq!(host.names("."), ["link"]);
}

#[test]
fn a_file_that_cannot_be_as_it_shall_is_not_made() {
    let name = "verbs::tests::change::a_file_that_cannot_be_as_it_shall_is_not_made";
    unprivileged(name, || {
        let host = Host::new();
        host.etc("passwd", "root:x:0:0:::\n");
        let denied = |field| (field, Reason::Errno(libc::EPERM));
        for (ownership, field) in [(owner("root"), Field::Owner), (group("0"), Field::Group)] {
            let touch = Operation::Touch {
                path: "file".into(),
                time: None,
                mode: None,
                ownership: ownership.clone(),
            };
            assert_eq!(host.wrong(touch), denied(field));
            let make = Operation::MakeDirectory {
                path: "dir".into(),
                mode: None,
                ownership,
                parents: Parents::Exist,
            };
            assert_eq!(host.wrong(make), denied(field));
        }
        assert_eq!(host.names("."), [""; 0]);
        fs::create_dir(host.at("closed")).unwrap();
        set_mode(host.at("closed"), 0o500);
        assert_eq!(host.wrong(touch("closed/file", None)), errno(libc::EACCES));
        assert_eq!(
            host.wrong(make("closed/dir", None, Parents::Made)),
            errno(libc::EACCES)
        );
    });
}

#[test]
fn temporary_directories_are_ours_alone() {
    let host = Host::new();
    let make = |parent: Option<&str>, prefix: &str| Operation::TemporaryDirectory {
        parent: parent.map(Into::into),
        prefix: prefix.into(),
    };
    let made = |operation| match host.one(operation) {
        Ok(Answer::Path(Some(path))) => PathBuf::from(OsStr::from_bytes(&path)),
        other => panic!("{other:?} is no path"),
    };
    let (one, two) = (made(make(None, "job-")), made(make(None, "job-")));
    assert_ne!(one, two);
    assert_eq!(one.parent().unwrap(), host.scratch.path().join("tmp"));
    assert!(one.file_name().unwrap().as_bytes().starts_with(b"job-"));
    assert_eq!(mode(&one), 0o700);
    assert_eq!(made(make(Some("."), "")).parent().unwrap(), host.at("."));
    assert_eq!(host.wrong(make(Some("no"), "")), errno(libc::ENOENT));
    assert_eq!(
        host.wrong(make(None, "a/b")),
        (Field::Request, Reason::Invalid)
    );
}

#[test]
fn programs_and_homes_are_found() {
    let host = Host::new();
    host.etc("passwd", "ann:x:1001:1002::/home/ann:/bin/zsh\n");
    host.program("tool", "true");
    host.write("data", "");
    host.program("data", "");
    let which = |name: &str, search: Option<&str>| {
        let (name, search) = (name.into(), search.map(Into::into));
        host.one(Operation::Which { name, search }).unwrap()
    };
    let found = |path: PathBuf| Answer::Path(Some(text(path)));
    let bin = host.scratch.path().join("bin");
    assert_eq!(which("tool", None), found(bin.join("tool")));
    assert_eq!(which("nothing", None), Answer::Path(None));
    assert_eq!(which("", None), Answer::Path(None));
    // Neither a directory nor what may not be executed is a program.
    assert_eq!(
        which(
            "data",
            Some(&format!("{}:{}", host.at("").display(), bin.display()))
        ),
        found(bin.join("data"))
    );
    assert_eq!(
        which("bin", Some(host.scratch.path().to_str().unwrap())),
        Answer::Path(None)
    );
    let relative = "../bin/tool";
    assert_eq!(which(relative, None), found(host.at(relative)));

    let expand = |path: &str| host.one(Operation::Expand { path: path.into() });
    assert_eq!(
        expand("~ann/x"),
        Ok(Answer::Path(Some("/home/ann/x".into())))
    );
    assert_eq!(expand("~1001"), Ok(Answer::Path(Some("/home/ann".into()))));
    assert_eq!(expand("~/x y"), Ok(found(host.at("x y"))));
    assert_eq!(expand("x"), Ok(found(host.at("x"))));
    let unknown = Operation::Expand {
        path: "~bob/x".into(),
    };
    assert_eq!(host.wrong(unknown), (Field::User, Reason::Unknown));
    let absolute = Operation::Absolute {
        path: "~/../x".into(),
    };
    assert_eq!(host.one(absolute), Ok(found(host.at("~/../x"))));
    let home = Operation::Home {
        user: Some("ann".into()),
    };
    assert_eq!(host.one(home), Ok(Answer::Path(Some("/home/ann".into()))));
}

/// A thread that makes files as somebody else, as on a file system that chooses their owner.
#[test]
fn a_directory_may_belong_to_whom_the_file_system_says() {
    let name = "verbs::tests::change::a_directory_may_belong_to_whom_the_file_system_says";
    if !is_root() {
        return eprintln!("skipped: only root makes files of others");
    }
    inside(
        name,
        |_| {},
        "exec \"$@\"",
        || {
            let host = Host::new();
            set_mode(host.scratch.path(), 0o755);
            set_mode(host.at(""), 0o777);
            set_mode(host.scratch.path().join("tmp"), 0o777);
            let make = |path: &str, mode| Operation::MakeDirectory {
                path: path.into(),
                mode,
                ownership: Default::default(),
                parents: convoke_proto::operation::Parents::Exist,
            };
            // SAFETY: it takes a number, and changes this thread only.
            #[allow(unsafe_code)]
            unsafe {
                libc::setfsuid(65534)
            };
            host.one(make("a", None)).unwrap();
            host.one(make("b", Some(0o700))).unwrap();
            host.one(Operation::TemporaryDirectory {
                parent: None,
                prefix: "x".into(),
            })
            .unwrap();
            assert_eq!(host.wrong(make("c", Some(0o750))), errno(libc::EEXIST));
            assert_eq!(host.names("."), ["a", "b"]);
        },
    );
}
