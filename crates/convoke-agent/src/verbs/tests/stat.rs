use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;

use convoke_proto::file::{Digest, FileKind, Follow};

use super::*;

fn stat(path: impl AsRef<Path>, follow: Follow, digests: &[Digest]) -> Operation {
    Operation::Stat {
        path: text(path),
        follow,
        digests: digests.into(),
    }
}

fn plain(path: impl AsRef<Path>) -> Operation {
    stat(path, Follow::Yes, &[])
}

#[test]
fn every_kind_of_file_is_told() {
    let host = Host::new();
    host.write("file", "x");
    symlink("file", host.at("link")).unwrap();
    let _socket = UnixListener::bind(host.at("socket")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, host.at("fifo"), rustix::fs::Mode::RWXU).unwrap();
    for (path, kind) in [
        ("file", FileKind::File),
        ("link", FileKind::Link),
        ("socket", FileKind::Socket),
        ("fifo", FileKind::Fifo),
        (".", FileKind::Directory),
        ("/dev/null", FileKind::CharacterDevice),
    ] {
        let answer = host.one(stat(path, Follow::No, &Digest::ALL)).unwrap();
        let stat = stat_of(answer).unwrap();
        assert_eq!(stat.kind, kind, "{path}");
        let digests = if kind == FileKind::File { 3 } else { 0 };
        assert_eq!(stat.digests.len(), digests, "{path}");
    }
}

#[test]
fn a_block_device_is_told() {
    let host = Host::new();
    let device = rustix::fs::makedev(7, 250);
    let kind = rustix::fs::FileType::BlockDevice;
    let mode = rustix::fs::Mode::RUSR;
    match rustix::fs::mknodat(rustix::fs::CWD, host.at("disk"), kind, mode, device) {
        Err(rustix::io::Errno::PERM) => return eprintln!("skipped: no devices are made here"),
        made => made.unwrap(),
    }
    let answer = host.one(stat("disk", Follow::No, &Digest::ALL)).unwrap();
    let stat = stat_of(answer).unwrap();
    assert_eq!((stat.kind, stat.mode), (FileKind::BlockDevice, 0o400));
    assert_eq!(stat.digests, []);
}

#[test]
fn all_that_the_kernel_says_is_told() {
    let host = Host::new();
    host.etc("passwd", "root:x:0:0::/root:/bin/sh\n");
    let path = host.write("file", "content");
    set_mode(&path, 0o4751);
    let stat = stat_of(host.one(plain("file")).unwrap()).unwrap();
    let real = fs::metadata(&path).unwrap();
    assert_eq!((stat.mode, stat.size, stat.links), (0o4751, 7, 1));
    assert_eq!((stat.uid, stat.gid), (real.uid(), real.gid()));
    assert_eq!((stat.inode, stat.device), (real.ino(), real.dev()));
    let modified = (stat.modified.seconds, stat.modified.nanoseconds.into());
    assert_eq!(modified, (real.mtime(), real.mtime_nsec()));
    let changed = (stat.changed.seconds, stat.changed.nanoseconds.into());
    assert_eq!(changed, (real.ctime(), real.ctime_nsec()));
    if is_root() {
        assert_eq!(stat.owner, "root");
    }
    // Nobody has this number here.
    assert_eq!(stat.group, stat.gid.to_string());
}

#[test]
fn only_what_does_not_exist_is_none() {
    let host = Host::new();
    host.write("file", "");
    symlink("nowhere", host.at("dangling")).unwrap();
    symlink("loop", host.at("loop")).unwrap();
    for path in ["nothing", "nothing/below", "dangling"] {
        assert_eq!(host.one(plain(path)).unwrap(), Answer::Stat(None), "{path}");
    }
    for (path, expected) in [
        ("file/below", errno(libc::ENOTDIR)),
        ("file/", errno(libc::ENOTDIR)),
        ("loop", errno(libc::ELOOP)),
        ("", (Field::Path, Reason::Invalid)),
        ("a\0b", (Field::Path, Reason::Invalid)),
    ] {
        assert_eq!(host.wrong(plain(path)), expected, "{path:?}");
    }
    let long = "x".repeat(256);
    assert_eq!(host.wrong(plain(long)), errno(libc::ENAMETOOLONG));
    let longer = Operation::Absolute {
        path: "x".repeat(1_000_000).into(),
    };
    let failure = host.all(longer).unwrap_err();
    assert_eq!(failure.reason, Reason::Errno(libc::ENAMETOOLONG));
    assert!(failure.value.len() <= 4096);
}

#[test]
fn a_link_is_followed_or_told() {
    let host = Host::new();
    host.write("file", "content");
    symlink("file", host.at("link")).unwrap();
    let followed = stat_of(host.one(plain("link")).unwrap()).unwrap();
    assert_eq!((followed.kind, followed.target), (FileKind::File, None));
    let itself = stat_of(host.one(stat("link", Follow::No, &[])).unwrap()).unwrap();
    assert_eq!(itself.target, Some("file".into()));
    assert_eq!(
        host.one(Operation::ReadLink {
            path: "link".into()
        }),
        Ok(Answer::Path(Some("file".into())))
    );
    let no_link = Operation::ReadLink {
        path: "file".into(),
    };
    assert_eq!(host.wrong(no_link), errno(libc::EINVAL));
}

#[test]
fn digests_are_those_of_the_content() {
    let host = Host::new();
    host.write("abc", "abc");
    let wanted = [
        Digest::Sha512,
        Digest::Blake3,
        Digest::Sha256,
        Digest::Sha512,
    ];
    let stat = stat_of(host.one(stat("abc", Follow::Yes, &wanted)).unwrap()).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let digests: Vec<(Digest, String)> = stat.digests.iter().map(|(d, b)| (*d, hex(b))).collect();
    // FIPS 180-2, appendices B.1 and C.1; the test vectors of BLAKE3 for these three bytes.
    let expected = [
        (
            Digest::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        (
            Digest::Blake3,
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
        ),
        (
            Digest::Sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
    ];
    assert_eq!(
        digests,
        expected.map(|(digest, hex)| (digest, hex.to_owned()))
    );
}

#[test]
fn digests_of_a_fifo_do_not_wait_for_a_writer() {
    let host = Host::new();
    rustix::fs::mkfifoat(rustix::fs::CWD, host.at("fifo"), rustix::fs::Mode::RWXU).unwrap();
    let stat = host.one(stat("fifo", Follow::Yes, &[Digest::Sha256]));
    assert_eq!(stat_of(stat.unwrap()).unwrap().digests, []);
}

#[test]
fn any_name_will_do() {
    let host = Host::new();
    for name in NAMES {
        host.write(name, name);
        let path = BString::from(name);
        let operation = Operation::Stat {
            path,
            follow: Follow::No,
            digests: Vec::new(),
        };
        let stat = stat_of(host.one(operation).unwrap()).unwrap();
        assert_eq!(stat.size, name.len() as u64);
    }
}

#[test]
fn what_may_not_be_reached_or_read_is_an_error() {
    let name = "verbs::tests::stat::what_may_not_be_reached_or_read_is_an_error";
    unprivileged(name, || {
        let host = Host::new();
        fs::create_dir(host.at("closed")).unwrap();
        host.write("closed/file", "x");
        let secret = host.write("secret", "x");
        set_mode(host.at("closed"), 0o600);
        set_mode(&secret, 0o200);
        assert_eq!(host.wrong(plain("closed/file")), errno(libc::EACCES));
        assert!(stat_of(host.one(plain("secret")).unwrap()).is_some());
        let digest = stat("secret", Follow::Yes, &[Digest::Sha256]);
        assert_eq!(host.wrong(digest), errno(libc::EACCES));
        set_mode(host.at("closed"), 0o700);
    });
}

#[test]
fn names_of_owners_follow_the_files() {
    let host = Host::new();
    host.write("file", "");
    let uid = rustix::process::geteuid().as_raw();
    let owner = || stat_of(host.one(plain("file")).unwrap()).unwrap().owner;
    assert_eq!(owner(), uid.to_string());
    host.etc("passwd", &format!("first:x:{uid}:0:::\n"));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while owner() != "first" {
        assert!(
            std::time::Instant::now() < until,
            "the change is not noticed"
        );
        std::thread::yield_now();
    }
}
