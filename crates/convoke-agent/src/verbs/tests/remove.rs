use std::os::unix::fs::symlink;
use std::sync::atomic::Ordering;

use convoke_proto::operation::Depth;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

use super::*;

fn remove(path: &str, depth: Depth) -> Operation {
    Operation::Remove {
        path: path.into(),
        depth,
    }
}

#[test]
fn one_thing_is_removed() {
    let host = Host::new();
    host.write("file", "");
    symlink("/", host.at("link")).unwrap();
    fs::create_dir_all(host.at("full/empty")).unwrap();
    for path in ["file", "link", "full/empty/"] {
        host.one(remove(path, Depth::One)).unwrap();
    }
    assert_eq!(host.names("."), ["full"]);
    host.write("full/x", "");
    for (path, number) in [
        ("full", libc::ENOTEMPTY),
        ("nothing", libc::ENOENT),
        ("nothing/x", libc::ENOENT),
        ("full/x/", libc::ENOTDIR),
        ("full/x/y", libc::ENOTDIR),
    ] {
        assert_eq!(
            host.wrong(remove(path, Depth::One)),
            errno(number),
            "{path}"
        );
    }
}

#[test]
fn what_is_no_name_is_not_removed() {
    let host = Host::new();
    fs::create_dir_all(host.at("a/b")).unwrap();
    for path in ["a/b/..", "a/.", "a/b/../", ".", "/", "//"] {
        assert_eq!(
            host.wrong(remove(path, Depth::Tree)),
            errno(libc::EINVAL),
            "{path}"
        );
    }
    assert!(host.at("a/b").is_dir());
}

#[test]
fn a_tree_goes_and_what_its_links_point_to_stays() {
    let host = Host::new();
    fs::create_dir_all(host.at("kept")).unwrap();
    host.write("kept/file", "");
    fs::create_dir_all(host.at("tree/a/b")).unwrap();
    symlink(host.at("kept"), host.at("tree/a/link")).unwrap();
    for name in NAMES {
        host.write([b"tree/a/".as_slice(), name].concat(), "");
        fs::create_dir(host.at([b"tree/a/b/".as_slice(), name].concat())).unwrap();
    }
    symlink("tree", host.at("link")).unwrap();
    host.one(remove("link", Depth::Tree)).unwrap();
    assert_eq!(host.names("."), ["kept", "tree"]);
    symlink("tree", host.at("link")).unwrap();
    assert_eq!(
        host.wrong(remove("link/", Depth::Tree)),
        errno(libc::ENOTDIR)
    );
    host.one(remove("tree/", Depth::Tree)).unwrap();
    assert_eq!(host.names("."), ["kept", "link"]);
    assert_eq!(host.names("kept"), ["file"]);
    assert_eq!(host.wrong(remove("tree", Depth::Tree)), errno(libc::ENOENT));
}

#[test]
fn a_deep_tree_takes_few_descriptors() {
    let name = "verbs::tests::remove::a_deep_tree_takes_few_descriptors";
    inside(
        name,
        |_| {},
        "ulimit -n 64; ulimit -s 1024; exec \"$@\"",
        || {
            const DEPTH: usize = 5000;
            let host = Host::new();
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let mut above = openat(CWD, host.at(""), flags, Mode::empty()).unwrap();
            for _ in 0..DEPTH {
                mkdirat(&above, c"d", Mode::RWXU).unwrap();
                above = openat(&above, c"d", flags, Mode::empty()).unwrap();
                drop(openat(&above, c"file", OFlags::CREATE, Mode::RWXU).unwrap());
            }
            drop(above);
            host.one(remove("d", Depth::Tree)).unwrap();
            assert_eq!(host.names("."), [""; 0]);
        },
    );
}

#[test]
fn a_wide_tree_is_removed_as_a_whole() {
    let host = Host::new();
    for number in 0..3000 {
        fs::create_dir_all(host.at(format!("tree/{number}"))).unwrap();
        host.write(format!("tree/{number}/file"), "");
        host.write(format!("tree/file{number}"), "");
    }
    host.one(remove("tree", Depth::Tree)).unwrap();
    assert_eq!(host.names("."), [""; 0]);
}

#[test]
fn others_may_work_in_a_tree_that_goes() {
    let host = Host::new();
    fs::create_dir(host.at("kept")).unwrap();
    host.write("kept/file", "");
    let is_over = AtomicBool::new(false);
    let (place, aside, kept) = (host.at("tree/3/swapped"), host.at("aside"), host.at("kept"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Directories become links to what must stay, and the other way round.
            while !is_over.load(Ordering::Relaxed) {
                let _ = fs::create_dir_all(place.join("x"));
                let _ = fs::rename(&place, &aside);
                let _ = symlink(&kept, &place);
                let _ = fs::remove_file(&place);
                let _ = fs::remove_dir_all(&aside);
            }
        });
        for _ in 0..200 {
            for number in 0..5 {
                fs::create_dir_all(host.at(format!("tree/{number}/sub"))).unwrap();
            }
            // It may be full again at the end, or moved away; it never goes wrong.
            let _ = host.one(remove("tree", Depth::Tree));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(host.names("kept"), ["file"]);
}

#[test]
fn what_cannot_be_removed_is_named() {
    let name = "verbs::tests::remove::what_cannot_be_removed_is_named";
    unprivileged(name, || {
        let host = Host::new();
        fs::create_dir_all(host.at("tree/a/closed")).unwrap();
        host.write("tree/a/closed/file", "");
        set_mode(host.at("tree/a/closed"), 0o500);
        let failure = host.all(remove("tree", Depth::Tree)).unwrap_err();
        assert_eq!(failure.value, text(host.at("tree/a/closed/file")));
        assert_eq!(failure.reason, Reason::Errno(libc::EACCES));
        set_mode(host.at("tree/a/closed"), 0o700);
    });
}

#[test]
fn a_mount_point_is_not_entered() {
    if !is_root() {
        return eprintln!("skipped: only root mounts");
    }
    let name = "verbs::tests::remove::a_mount_point_is_not_entered";
    let scratch = tempfile::tempdir().unwrap();
    let mount = "exec unshare --mount sh -c 'mount --bind \"$TMPDIR\" \"$TMPDIR\" && exec \"$@\"' sh \"$@\"";
    let prepare = |command: &mut Command| {
        command.env("TMPDIR", scratch.path());
    };
    inside(name, prepare, mount, || {
        let host = Host::new();
        fs::create_dir_all(host.at("tree/a/mounted")).unwrap();
        fs::create_dir_all(host.at("kept")).unwrap();
        host.write("kept/file", "");
        let bind = |from: &str, to: &str| {
            let mut mount = Command::new("mount");
            let bound = mount
                .arg("--bind")
                .args([host.at(from), host.at(to)])
                .status();
            assert!(bound.unwrap().success());
        };
        bind("kept", "tree/a/mounted");
        for path in ["tree", "tree/a/mounted"] {
            let failure = host.all(remove(path, Depth::Tree)).unwrap_err();
            assert_eq!(failure.value, text(host.at("tree/a/mounted")));
            assert_eq!(failure.reason, Reason::Errno(libc::EBUSY));
        }
        assert_eq!(host.names("kept"), ["file"]);
        let unmounted = Command::new("umount")
            .arg(host.at("tree/a/mounted"))
            .status();
        assert!(unmounted.unwrap().success());
    });
}

#[test]
fn what_is_cancelled_ends_between_entries_and_blocks() {
    let host = Host::new();
    fs::create_dir(host.at("tree")).unwrap();
    host.write("tree/file", "x");
    let digest = Operation::Stat {
        path: "tree/file".into(),
        follow: Default::default(),
        digests: vec![convoke_proto::file::Digest::Sha256],
    };
    for operation in [remove("tree", Depth::Tree), digest] {
        let failure = host.until(&AtomicBool::new(true), operation).unwrap_err();
        assert_eq!(failure.reason, Reason::Cancelled);
        assert!(host.at("tree/file").exists());
    }
}
