use std::io::{Read, Write};
use std::os::unix::fs::symlink;

use convoke_proto::file::{Access, Creation, FileKind, Get, Open, Ownership};
use convoke_proto::operation::MAX_CONTENT;

use super::*;

fn open(path: &str, access: Access, creation: Creation) -> Open {
    Open {
        path: path.into(),
        access,
        creation,
        mode: None,
        ownership: Ownership::default(),
    }
}

fn read(path: impl AsRef<[u8]>, limit: u32) -> Operation {
    Operation::Read {
        path: path.as_ref().into(),
        limit,
    }
}

fn content(bytes: impl Into<BString>) -> Result<Answer, Failure> {
    Ok(Answer::Content(bytes.into()))
}

#[test]
fn a_short_file_is_read_as_a_whole() {
    let host = Host::new();
    host.write("file", "content");
    host.write("empty", "");
    symlink("file", host.at("link")).unwrap();
    assert_eq!(host.one(read("file", 7)), content("content"));
    assert_eq!(host.one(read("link", 100)), content("content"));
    assert_eq!(host.one(read("empty", 0)), content(""));
    assert_eq!(host.wrong(read("file", 6)), (Field::Path, Reason::TooLong));
    host.write("long", vec![7; MAX_CONTENT + 1]);
    assert_eq!(
        host.wrong(read("long", u32::MAX)),
        (Field::Path, Reason::TooLong)
    );
    host.write("full", vec![7; MAX_CONTENT]);
    assert_eq!(
        host.one(read("full", u32::MAX)),
        content(vec![7; MAX_CONTENT])
    );
    for name in NAMES {
        host.write(name, name);
        assert_eq!(host.one(read(name, 100)), content(name));
    }
}

#[test]
fn a_file_whose_size_is_not_told_is_read_to_its_end() {
    let host = Host::new();
    let version = fs::read("/proc/version").unwrap();
    assert_eq!(host.one(read("/proc/version", 4096)), content(version));
    let short = host.wrong(read("/proc/version", 3));
    assert_eq!(short, (Field::Path, Reason::TooLong));
}

#[test]
fn what_is_no_file_is_neither_read_nor_opened() {
    let host = Host::new();
    rustix::fs::mkfifoat(rustix::fs::CWD, host.at("fifo"), rustix::fs::Mode::RWXU).unwrap();
    for (path, expected) in [
        ("fifo", (Field::Path, Reason::Kind(FileKind::Fifo))),
        (
            "/dev/zero",
            (Field::Path, Reason::Kind(FileKind::CharacterDevice)),
        ),
        (".", errno(libc::EISDIR)),
        ("nothing", errno(libc::ENOENT)),
        ("/dev/null/x", errno(libc::ENOTDIR)),
    ] {
        assert_eq!(host.wrong(read(path, 10)), expected, "{path}");
        let get = Get {
            path: path.into(),
            offset: 0,
            limit: None,
        };
        let failure = host.verbs.read(&get).unwrap_err();
        assert_eq!((failure.field, failure.reason), expected, "{path}");
        for access in [Access::Read, Access::Write, Access::Append] {
            let failure = host.verbs.open(&open(path, access, Creation::Never));
            let failure = failure.unwrap_err();
            assert_eq!((failure.field, failure.reason), expected, "{path}");
        }
    }
}

#[test]
fn a_file_is_got_from_its_offset() {
    let host = Host::new();
    host.write("file", "content");
    for (offset, expected) in [(0, "content"), (3, "tent"), (7, ""), (1 << 40, "")] {
        let get = Get {
            path: "file".into(),
            offset,
            limit: None,
        };
        let (mut file, stat) = host.verbs.read(&get).unwrap();
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        assert_eq!((content.as_str(), stat.size), (expected, 7));
    }
    let beyond = Get {
        path: "file".into(),
        offset: u64::MAX,
        limit: None,
    };
    let failure = host.verbs.read(&beyond).unwrap_err();
    assert_eq!(failure.reason, Reason::Errno(libc::EINVAL));
}

#[test]
fn creation_does_what_it_says() {
    let host = Host::new();
    let state = |creation, exists: bool| {
        let _ = fs::remove_file(host.at("file"));
        if exists {
            host.write("file", "old");
            set_mode(host.at("file"), 0o640);
        }
        let opened = host.verbs.open(&open("file", Access::Write, creation));
        opened
            .map(|(_, stat)| (stat.size, stat.mode))
            .map_err(|failure| failure.reason)
    };
    let failed = |number| Err(Reason::Errno(number));
    for (creation, missing, existing) in [
        (Creation::Never, failed(libc::ENOENT), Ok((3, 0o640))),
        (Creation::IfMissing, Ok((0, 0o600)), Ok((3, 0o640))),
        (Creation::Empty, Ok((0, 0o600)), Ok((0, 0o640))),
        (Creation::New, Ok((0, 0o600)), failed(libc::EEXIST)),
    ] {
        assert_eq!(state(creation, false), missing, "{creation:?}");
        assert_eq!(state(creation, true), existing, "{creation:?}");
    }
}

#[test]
fn no_link_is_opened_to_be_written() {
    let host = Host::new();
    host.write("file", "old");
    symlink("file", host.at("link")).unwrap();
    symlink("nowhere", host.at("dangling")).unwrap();
    let reason = |path, access, creation| {
        let opened = host.verbs.open(&open(path, access, creation));
        opened
            .map(|(_, stat)| stat.size)
            .map_err(|failure| failure.reason)
    };
    let refused = Err(Reason::Errno(libc::ELOOP));
    for access in [Access::Write, Access::ReadWrite, Access::Append] {
        assert_eq!(reason("link", access, Creation::Never), refused);
        assert_eq!(reason("link", access, Creation::Empty), refused);
        assert_eq!(reason("dangling", access, Creation::IfMissing), refused);
    }
    assert_eq!(reason("link", Access::Read, Creation::Never), Ok(3));
    let missing = reason("dangling", Access::Read, Creation::IfMissing);
    assert_eq!(missing, Err(Reason::Errno(libc::ENOENT)));
    assert_eq!(fs::read(host.at("file")).unwrap(), b"old");
    assert!(!host.at("nowhere").exists());
}

#[test]
fn an_open_file_is_read_and_written_at_any_place() {
    let host = Host::new();
    let opened = host
        .verbs
        .open(&open("file", Access::ReadWrite, Creation::New));
    host.files
        .borrow_mut()
        .insert(5, Arc::new(opened.unwrap().0));
    let write = |offset, text: &str| {
        let content = text.into();
        host.one(Operation::WriteAt {
            file: 5,
            offset,
            content,
        })
    };
    let read = |offset, limit| {
        host.one(Operation::ReadAt {
            file: 5,
            offset,
            limit,
        })
    };
    assert_eq!(write(None, "abc"), Ok(Answer::Position(3)));
    assert_eq!(write(Some(1), "B"), Ok(Answer::Position(2)));
    assert_eq!(write(None, "d"), Ok(Answer::Position(4)));
    assert_eq!(write(Some(6), "g"), Ok(Answer::Position(7)));
    assert_eq!(read(0, 100), content("aBcd\0\0g"));
    assert_eq!(read(2, 2), content("cd"));
    assert_eq!(read(7, 2), content(""));
    let length = Operation::SetLength { file: 5, length: 2 };
    assert_eq!(host.one(length), Ok(Answer::Done));
    assert_eq!(host.one(Operation::Sync { file: 5 }), Ok(Answer::Done));
    let stat = stat_of(host.one(Operation::StatOpen { file: 5 }).unwrap()).unwrap();
    assert_eq!((stat.size, stat.kind), (2, FileKind::File));
    assert_eq!(fs::read(host.at("file")).unwrap(), b"aB");
    let beyond = Operation::ReadAt {
        file: 5,
        offset: u64::MAX,
        limit: 1,
    };
    assert_eq!(
        host.wrong(beyond),
        (Field::File, Reason::Errno(libc::EINVAL))
    );
}

#[test]
fn what_is_appended_is_behind_what_others_wrote() {
    let host = Host::new();
    host.write("file", "old ");
    let (mut file, _) = host
        .verbs
        .open(&open("file", Access::Append, Creation::IfMissing))
        .unwrap();
    host.files
        .borrow_mut()
        .insert(5, Arc::new(file.try_clone().unwrap()));
    file.write_all(b"other ").unwrap();
    for (offset, end) in [(None, 13), (Some(0), 16)] {
        let content = "new".into();
        let position = host.one(Operation::WriteAt {
            file: 5,
            offset,
            content,
        });
        assert_eq!(position, Ok(Answer::Position(end)));
    }
    assert_eq!(fs::read(host.at("file")).unwrap(), b"old other newnew");
}

#[test]
fn what_was_not_opened_for_it_is_refused() {
    let host = Host::new();
    host.write("file", "x");
    let bad = |field| (field, Reason::Errno(libc::EBADF));
    let (reader, _) = host
        .verbs
        .open(&open("file", Access::Read, Creation::Never))
        .unwrap();
    let (writer, _) = host
        .verbs
        .open(&open("file", Access::Write, Creation::Never))
        .unwrap();
    host.files.borrow_mut().insert(1, Arc::new(reader));
    host.files.borrow_mut().insert(2, Arc::new(writer));
    let write = |file| Operation::WriteAt {
        file,
        offset: None,
        content: "x".into(),
    };
    let read = |file| Operation::ReadAt {
        file,
        offset: 0,
        limit: 1,
    };
    assert_eq!(host.wrong(write(1)), bad(Field::Content));
    assert_eq!(host.wrong(read(2)), bad(Field::File));
    for operation in [write(3), read(3), Operation::Sync { file: 3 }] {
        assert_eq!(host.wrong(operation), (Field::File, Reason::Unknown));
    }
}
