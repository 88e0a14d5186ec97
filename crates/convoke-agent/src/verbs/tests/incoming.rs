use std::os::unix::fs::{MetadataExt, symlink};

use convoke_proto::file::{
    Access, Creation, Durability, FileKind, NewFile, Open, Ownership, Stored,
};

use super::*;

fn new(path: impl AsRef<[u8]>) -> NewFile {
    NewFile {
        path: path.as_ref().into(),
        inside: None,
        mode: None,
        ownership: Ownership::default(),
        durability: Durability::Unsynced,
    }
}

fn put(file: NewFile, content: &[u8]) -> Operation {
    Operation::Put {
        file,
        content: content.into(),
    }
}

/// The shell's part of a test on a file system of its own at `$TMPDIR`.
fn mounted(options: &str) -> String {
    format!(
        "exec unshare --mount sh -c 'mount -t tmpfs -o {options} tmpfs \"$TMPDIR\" && exec \"$@\"' sh \"$@\""
    )
}

#[test]
fn files_of_all_sizes_arrive() {
    let host = Host::new();
    for size in [0, 1, 32 * 1024, 64 * 1024 * 1024] {
        for durability in [Durability::Synced, Durability::Unsynced] {
            let content: Vec<u8> = (0..size).map(|byte: usize| (byte % 251) as u8).collect();
            let file = NewFile {
                durability,
                ..new("file")
            };
            let mut incoming = host.verbs.begin(&file).unwrap();
            for piece in content.chunks(60_000) {
                incoming.write(piece).unwrap();
            }
            let before = host.at("file").exists();
            let stored = Stored {
                path: text(host.at("file")),
                size: size as u64,
                replaced: before,
            };
            assert_eq!(incoming.finish().unwrap(), stored);
            assert!(fs::read(host.at("file")).unwrap() == content, "{size}");
        }
    }
    assert_eq!(host.names("."), ["file"]);
}

#[test]
fn any_name_will_do_up_to_the_longest() {
    let host = Host::new();
    let long = [b'x'; 255];
    for name in NAMES.into_iter().chain([long.as_slice()]) {
        for _ in 0..2 {
            host.one(put(new(name), name)).unwrap();
        }
        assert_eq!(fs::read(host.at(name)).unwrap(), name);
    }
    assert_eq!(host.names(".").len(), NAMES.len() + 1);
    let longer = put(new([b'x'; 256]), b"");
    assert_eq!(host.wrong(longer), errno(libc::ENAMETOOLONG));
}

#[test]
fn mode_and_owner_of_an_old_file_are_kept_unless_given() {
    let host = Host::new();
    host.one(put(new("new"), b"")).unwrap();
    assert_eq!(mode(host.at("new")), 0o600);
    set_mode(host.at("new"), 0o4755);
    host.one(put(new("new"), b"x")).unwrap();
    assert_eq!(mode(host.at("new")), 0o4755);
    let with_mode = |mode| NewFile {
        mode: Some(mode),
        ..new("new")
    };
    host.one(put(with_mode(0o640), b"y")).unwrap();
    assert_eq!(mode(host.at("new")), 0o640);
    let beyond = put(with_mode(0o10000), b"z");
    assert_eq!(host.wrong(beyond), (Field::Mode, Reason::Invalid));
    assert_eq!(fs::read(host.at("new")).unwrap(), b"y");
    if !is_root() {
        return eprintln!("the rest is skipped: only root gives files away");
    }
    host.etc("passwd", "ann:x:1001:1002:::\n");
    let ids = || {
        let stat = fs::metadata(host.at("new")).unwrap();
        (stat.uid(), stat.gid(), stat.mode() & 0o7777)
    };
    let with = |owner: Option<&str>, group: Option<&str>| NewFile {
        mode: Some(0o6755),
        ownership: Ownership {
            owner: owner.map(Into::into),
            group: group.map(Into::into),
        },
        ..new("new")
    };
    for (file, expected) in [
        // The owner is set first: it takes the set-id bits away.
        (with(Some("ann"), None), (1001, 1002, 0o6755)),
        (with(None, Some("7")), (1001, 7, 0o6755)),
        (with(None, None), (1001, 7, 0o6755)),
        (with(Some("ann"), Some("8")), (1001, 8, 0o6755)),
    ] {
        host.one(put(file, b"x")).unwrap();
        assert_eq!(ids(), expected);
    }
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let host = Host::new();
    host.write("file", "old");
    symlink("file", host.at("link")).unwrap();
    symlink("nowhere", host.at("dangling")).unwrap();
    fs::create_dir(host.at("dir")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, host.at("fifo"), rustix::fs::Mode::RWXU).unwrap();
    let before = host.names(".");
    let kind = |kind| (Field::Path, Reason::Kind(kind));
    for (path, expected) in [
        ("link", errno(libc::ELOOP)),
        ("dangling", errno(libc::ELOOP)),
        ("dir", errno(libc::EISDIR)),
        ("dir/", errno(libc::EISDIR)),
        ("new/", errno(libc::EISDIR)),
        ("dir/..", errno(libc::EISDIR)),
        ("/", errno(libc::EISDIR)),
        ("file/", errno(libc::ENOTDIR)),
        ("file/x", errno(libc::ENOTDIR)),
        ("no/x", errno(libc::ENOENT)),
        ("fifo", kind(FileKind::Fifo)),
        ("/dev/null", kind(FileKind::CharacterDevice)),
        ("", (Field::Path, Reason::Invalid)),
    ] {
        assert_eq!(host.wrong(put(new(path), b"x")), expected, "{path}");
    }
    assert_eq!(host.names("."), before);
    assert_eq!(fs::read(host.at("file")).unwrap(), b"old");
}

#[test]
fn a_name_inside_counts_for_directories_only() {
    let host = Host::new();
    fs::create_dir(host.at("dir")).unwrap();
    symlink("dir", host.at("link")).unwrap();
    let inside = |path: &str, name: &[u8]| NewFile {
        inside: Some(name.into()),
        ..new(path)
    };
    for (path, stands) in [
        ("dir", "dir/name"),
        ("dir/", "dir/name"),
        ("link", "dir/name"),
        (".", "name"),
        ("file", "file"),
    ] {
        host.one(put(inside(path, b"name"), path.as_bytes()))
            .unwrap();
        assert_eq!(
            fs::read(host.at(stands)).unwrap(),
            path.as_bytes(),
            "{path}"
        );
    }
    for name in [b"".as_slice(), b".", b"..", b"a/b", b"../x", b"a\0"] {
        let failed = host.wrong(put(inside("dir", name), b""));
        assert_eq!(failed, (Field::Path, Reason::Invalid));
    }
    let missing = put(inside("no/", b"name"), b"");
    assert_eq!(host.wrong(missing), errno(libc::EISDIR));
}

#[test]
fn an_interrupted_file_leaves_nothing() {
    let host = Host::new();
    host.write("old", "old");
    for name in ["old", "new"] {
        let mut incoming = host.verbs.begin(&new(name)).unwrap();
        incoming.write(&[7; 100_000]).unwrap();
        assert_eq!(fs::read(host.at("old")).unwrap(), b"old");
        drop(incoming);
    }
    assert_eq!(host.names("."), ["old"]);
    assert_eq!(fs::read(host.at("old")).unwrap(), b"old");
}

#[test]
fn a_link_planted_meanwhile_is_refused() {
    let host = Host::new();
    host.write("victim", "victim");
    for name in ["old", "new"] {
        host.write("old", "old");
        let mut incoming = host.verbs.begin(&new(name)).unwrap();
        incoming.write(b"content").unwrap();
        let _ = fs::remove_file(host.at(name));
        symlink("victim", host.at(name)).unwrap();
        let failure = incoming.finish().unwrap_err();
        assert_eq!(failure.reason, Reason::Errno(libc::ELOOP), "{name}");
        assert!(host.at(name).is_symlink());
        fs::remove_file(host.at(name)).unwrap();
    }
    assert_eq!(fs::read(host.at("victim")).unwrap(), b"victim");
}

#[test]
fn a_directory_that_is_exchanged_meanwhile_redirects_nothing() {
    let host = Host::new();
    fs::create_dir(host.at("dir")).unwrap();
    fs::create_dir(host.at("other")).unwrap();
    let mut incoming = host.verbs.begin(&new("dir/file")).unwrap();
    incoming.write(b"content").unwrap();
    fs::rename(host.at("dir"), host.at("moved")).unwrap();
    symlink("other", host.at("dir")).unwrap();
    incoming.finish().unwrap();
    assert_eq!(host.names("moved"), ["file"]);
    assert_eq!(host.names("other"), [""; 0]);
}

#[test]
fn a_file_that_appears_meanwhile_is_replaced() {
    let host = Host::new();
    let mut incoming = host.verbs.begin(&new("file")).unwrap();
    incoming.write(b"new").unwrap();
    host.write("file", "other");
    assert!(incoming.finish().unwrap().replaced);
    assert_eq!(fs::read(host.at("file")).unwrap(), b"new");
    assert_eq!(host.names("."), ["file"]);
}

/// Everything above, where no file is without a name.
#[test]
fn a_file_with_a_name_does_the_same() {
    let host = Host::new();
    host.verbs.has_proc.set(false).unwrap();
    let long = [b'x'; 255];
    for name in NAMES.into_iter().chain([long.as_slice()]) {
        let mut incoming = host.verbs.begin(&new(name)).unwrap();
        incoming.write(b"content").unwrap();
        let beside = host
            .names(".")
            .into_iter()
            .find(|name| name.contains_str(".convoke-"));
        let beside = host.at(beside.expect("it has a name"));
        assert_eq!(mode(&beside), 0o600);
        assert!(!incoming.finish().unwrap().replaced);
        assert_eq!(fs::read(host.at(name)).unwrap(), b"content");
        let mut incoming = host.verbs.begin(&new(name)).unwrap();
        incoming.write(b"other").unwrap();
        drop(incoming);
        assert_eq!(fs::read(host.at(name)).unwrap(), b"content");
    }
    assert_eq!(host.names(".").len(), NAMES.len() + 1);
    assert!(
        host.names(".")
            .iter()
            .all(|name| !name.contains_str(".convoke-"))
    );
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    if !is_root() {
        return eprintln!("skipped: only root mounts");
    }
    let name = "verbs::tests::incoming::a_full_disk_leaves_the_old_file";
    let scratch = tempfile::tempdir().unwrap();
    let prepare = |command: &mut Command| {
        command.env("TMPDIR", scratch.path());
    };
    inside(name, prepare, &mounted("size=256k"), || {
        let host = Host::new();
        host.write("old", "old");
        let before = host.names(".");
        for has_proc in [true, false] {
            let host = Host {
                verbs: Host::new().verbs,
                ..Host::new()
            };
            host.verbs.has_proc.set(has_proc).unwrap();
            for target in ["old", "new"] {
                let path = text(host.at("")).to_vec();
                fs::write(host.at("old"), "old").unwrap();
                let file = new([path, target.into()].concat());
                let failure = host.all(put(file.clone(), &[7; 1024 * 1024])).unwrap_err();
                assert_eq!(failure.field, Field::Content);
                assert_eq!(failure.value, file.path);
                assert_eq!(failure.reason, Reason::Errno(libc::ENOSPC));
                assert_eq!(host.names("."), ["old"]);
                assert_eq!(fs::read(host.at("old")).unwrap(), b"old");
            }
        }
        assert_eq!(host.names("."), before);
    });
}

#[test]
fn a_file_that_grows_too_large_is_an_error_and_no_signal() {
    let name = "verbs::tests::incoming::a_file_that_grows_too_large_is_an_error_and_no_signal";
    // As the agent has it, which blocks every signal.
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$@\"";
    inside(
        name,
        |_| {},
        limited,
        || {
            let host = Host::new();
            host.write("old", "old");
            let wrong = host.wrong(put(new("old"), &[7; 100_000]));
            assert_eq!(wrong, (Field::Content, Reason::Errno(libc::EFBIG)));
            assert_eq!(fs::read(host.at("old")).unwrap(), b"old");
            assert_eq!(host.names("."), ["old"]);
        },
    );
}

#[test]
fn what_others_own_is_not_replaced_by_us() {
    let name = "verbs::tests::incoming::what_others_own_is_not_replaced_by_us";
    if is_inside(name) {
        return replace_what_others_own();
    }
    if !is_root() {
        return eprintln!("skipped: only root makes files of others");
    }
    let scratch = tempfile::tempdir().unwrap();
    set_mode(scratch.path(), 0o777);
    for (file, uid, gid) in [("theirs", 1, 65534), ("group", 65534, 1)] {
        fs::write(scratch.path().join(file), "old").unwrap();
        std::os::unix::fs::chown(scratch.path().join(file), Some(uid), Some(gid)).unwrap();
    }
    let prepare = |command: &mut Command| {
        command.env("SCRATCH", scratch.path()).uid(65534).gid(65534);
    };
    inside(name, prepare, "exec \"$@\"", || {});
    for file in ["theirs", "group"] {
        assert_eq!(fs::read(scratch.path().join(file)).unwrap(), b"old");
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 3);
}

fn replace_what_others_own() {
    let host = Host::new();
    let scratch = PathBuf::from(std::env::var_os("SCRATCH").unwrap());
    let put_at = |name: &str| put(new(text(scratch.join(name))), b"new");
    let denied = Reason::Errno(libc::EPERM);
    for (name, field) in [("theirs", Field::Owner), ("group", Field::Group)] {
        let refusal = host.refusal(put_at(name));
        assert_eq!((refusal.field, refusal.reason), (field, denied));
        assert_eq!(refusal.path, Some(text(scratch.join(name))));
    }
    host.one(put_at("mine")).unwrap();
    host.one(put_at("mine")).unwrap();
    fs::create_dir(host.at("closed")).unwrap();
    set_mode(host.at("closed"), 0o300);
    // Not even to be read: it is synced nevertheless.
    let synced = NewFile {
        durability: Durability::Synced,
        ..new("closed/file")
    };
    host.one(put(synced.clone(), b"x")).unwrap();
    set_mode(host.at("closed"), 0o500);
    let before = host.wrong(put(synced, b"x"));
    assert_eq!(before, errno(libc::EACCES));
    set_mode(host.at("closed"), 0o700);
    assert_eq!(host.names("closed"), ["file"]);
}

#[test]
fn unknown_owners_are_told_before_anything_is_touched() {
    let host = Host::new();
    let with = |owner: Option<&str>, group: Option<&str>| NewFile {
        ownership: Ownership {
            owner: owner.map(Into::into),
            group: group.map(Into::into),
        },
        ..new("file")
    };
    let owner = host.wrong(put(with(Some("no one"), None), b""));
    assert_eq!(owner, (Field::Owner, Reason::Unknown));
    let group = host.wrong(put(with(None, Some("-x")), b""));
    assert_eq!(group, (Field::Group, Reason::Unknown));
    assert_eq!(host.names("."), [""; 0]);
}

/// A directory of the login home where everybody may put files, and nobody takes those of others.
fn shared(host: &Host) {
    fs::create_dir(host.at("shared")).unwrap();
    set_mode(host.at("shared"), 0o1777);
}

#[test]
fn a_planted_link_to_a_directory_is_not_followed() {
    if !is_root() {
        return eprintln!("skipped: only root gives links away");
    }
    let host = Host::new();
    shared(&host);
    fs::create_dir(host.at("victim")).unwrap();
    symlink("../victim", host.at("shared/link")).unwrap();
    let inside = |path: &str, durability| NewFile {
        inside: Some("name".into()),
        durability,
        ..new(path)
    };
    for durability in [Durability::Synced, Durability::Unsynced] {
        std::os::unix::fs::lchown(host.at("shared/link"), Some(1), Some(1)).unwrap();
        let refused = host.wrong(put(inside("shared/link", durability), b"x"));
        assert_eq!(refused, errno(libc::ELOOP));
        assert_eq!(host.names("victim"), [""; 0]);
        // It is asked for by name as a directory.
        host.one(put(inside("shared/link/", durability), b"x"))
            .unwrap();
        assert_eq!(host.names("victim"), ["name"]);
        std::os::unix::fs::lchown(host.at("shared/link"), Some(0), Some(1)).unwrap();
        host.one(put(inside("shared/link", durability), b"y"))
            .unwrap();
        assert_eq!(fs::read(host.at("victim/name")).unwrap(), b"y");
        fs::remove_file(host.at("victim/name")).unwrap();
    }
}

#[test]
fn a_planted_file_does_not_get_what_is_written() {
    if !is_root() {
        return eprintln!("skipped: only root gives files away");
    }
    let host = Host::new();
    host.etc("passwd", "ann:x:1001:1002:::\n");
    shared(&host);
    let path = host.write("shared/file", "old");
    set_mode(&path, 0o666);
    let chown = |uid: u32| std::os::unix::fs::chown(&path, Some(uid), Some(uid)).unwrap();
    chown(1);
    let refused = (Field::Owner, Reason::Errno(libc::EACCES));
    assert_eq!(host.wrong(put(new("shared/file"), b"secret")), refused);
    let open = |owner: Option<&str>| Open {
        path: "shared/file".into(),
        access: Access::Write,
        creation: Creation::Empty,
        mode: None,
        ownership: Ownership {
            owner: owner.map(Into::into),
            group: None,
        },
    };
    for owner in [None, Some("ann")] {
        let failure = host.verbs.open(&open(owner)).unwrap_err();
        assert_eq!((failure.field, failure.reason), refused);
    }
    assert_eq!(fs::read(&path).unwrap(), b"old");
    // Whoever is named shall have it.
    let given = NewFile {
        ownership: open(Some("ann")).ownership,
        ..new("shared/file")
    };
    host.one(put(given, b"for ann")).unwrap();
    assert_eq!(mode(&path), 0o600);
    host.verbs.open(&open(Some("ann"))).unwrap();
    // As is what nobody else can have put there.
    chown(0);
    host.one(put(new("shared/file"), b"x")).unwrap();
    chown(1);
    std::os::unix::fs::chown(host.at("shared"), Some(1), None).unwrap();
    host.one(put(new("shared/file"), b"y")).unwrap();
    std::os::unix::fs::chown(host.at("shared"), Some(0), None).unwrap();
    set_mode(host.at("shared"), 0o755);
    host.one(put(new("shared/file"), b"z")).unwrap();
}

#[test]
fn a_file_that_cannot_be_named_later_has_a_name_at_once() {
    if !is_root() {
        return eprintln!("skipped: only root mounts");
    }
    let name = "verbs::tests::incoming::a_file_that_cannot_be_named_later_has_a_name_at_once";
    let bare = "exec unshare --mount sh -c \
        'mount -t tmpfs tmpfs /proc && mkdir -p /proc/self/fd && exec \"$@\"' sh \"$@\"";
    inside(
        name,
        |_| {},
        bare,
        || {
            let host = Host::new();
            for content in ["new", "other"] {
                host.one(put(new("file"), content.as_bytes())).unwrap();
                assert_eq!(fs::read(host.at("file")).unwrap(), content.as_bytes());
                assert_eq!(host.names("."), ["file"]);
            }
        },
    );
}
