//! Looking at paths.

use convoke::BString;
use convoke::scope::Scope;
use convoke::verb::{
    Chmod, Digest, FileKind, FileStat, Follow, Mkdir, Stat, Upload, Verbs as _, Who,
};

use super::{Ground, checks, fails};

checks! {
    Anybody stat_says_what_stands_at_a_path
    Anybody nothing_is_what_stands_where_nothing_does
    Anybody a_file_in_the_middle_of_a_path_is_an_error
    Anybody a_link_is_followed_or_not_as_it_is_asked
    Anybody digests_are_of_what_a_regular_file_holds
    Anybody a_directory_is_listed_in_order
    Anybody a_long_directory_is_listed_whole
    Anybody what_cannot_be_listed_says_why
    Anybody programs_are_found_where_a_command_would_find_them
    Anybody paths_are_expanded_and_made_absolute
    Ordinary what_may_not_be_seen_is_a_matter_of_permission
}

const ENOTDIR: i32 = 20;
const EINVAL: i32 = 22;
const EACCES: i32 = 13;

async fn stat(ground: &Ground, path: &str) -> FileStat {
    ground.remote.stat(path).await.unwrap().unwrap()
}

async fn stat_says_what_stands_at_a_path(ground: &Ground) {
    let remote = &ground.remote;
    let upload = Upload::new("file", "twelve bytes").mode(0o640);
    remote.ask(upload).await.unwrap();
    let me = remote.query_user(Who::Login).await.unwrap();
    let file = stat(ground, "file").await;
    assert_eq!(file.kind, FileKind::File);
    assert_eq!((file.mode, file.size, file.links), (0o640, 12, 1));
    assert_eq!((file.uid, file.owner), (me.uid, me.name));
    assert_eq!((file.gid, file.group), (me.gid, me.group));
    assert!(file.modified.seconds > 1_500_000_000 && file.modified.nanoseconds < 1_000_000_000);
    assert_eq!((file.target, file.digests), (None, Vec::new()));

    remote
        .ask(Mkdir::at("directory").mode(0o1711))
        .await
        .unwrap();
    let directory = stat(ground, "directory").await;
    assert_eq!(
        (directory.kind, directory.mode),
        (FileKind::Directory, 0o1711)
    );
    remote.run(["mkfifo", "fifo"]).await.unwrap();
    assert_eq!(stat(ground, "fifo").await.kind, FileKind::Fifo);
    ground
        .said("perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un(\"socket\")) or die'")
        .await;
    assert_eq!(stat(ground, "socket").await.kind, FileKind::Socket);
    let null = stat(ground, "/dev/null").await;
    assert_eq!(null.kind, FileKind::CharacterDevice);
}

async fn nothing_is_what_stands_where_nothing_does(ground: &Ground) {
    for path in ["missing", "missing/below", "/nonexistent/at/all"] {
        assert_eq!(ground.remote.stat(path).await.unwrap(), None, "{path}");
        assert!(!ground.remote.exists(path).await.unwrap(), "{path}");
    }
}

async fn a_file_in_the_middle_of_a_path_is_an_error(ground: &Ground) {
    ground.remote.touch("file").await.unwrap();
    let path = ground.at("file/x");
    let answer = ground.remote.stat("file/x").await;
    fails!(answer, Errno { path: said, errno: ENOTDIR, .. } if said == path);
    let answer = ground.remote.exists("file/x").await;
    fails!(answer, Errno { errno: ENOTDIR, .. });
}

async fn a_link_is_followed_or_not_as_it_is_asked(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "x").await.unwrap();
    remote.symlink("file", "link").await.unwrap();
    remote.symlink("nowhere", "dangling").await.unwrap();
    assert_eq!(stat(ground, "link").await.kind, FileKind::File);
    let link = remote.ask(Stat::of("link").follow(Follow::No)).await;
    let link = link.unwrap().unwrap();
    assert_eq!(
        (link.kind, link.target),
        (FileKind::Link, Some("file".into()))
    );
    assert_eq!(remote.stat("dangling").await.unwrap(), None);
    assert!(remote.exists("dangling").await.unwrap(), "the link does");
    assert_eq!(remote.readlink("dangling").await.unwrap(), "nowhere");
    fails!(remote.readlink("file").await, Errno { errno: EINVAL, .. });
    fails!(remote.readlink("missing").await, NotFound { .. });
}

async fn digests_are_of_what_a_regular_file_holds(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "abc").await.unwrap();
    let asked = Stat::of("file").digests(Digest::ALL);
    let file = remote.ask(asked).await.unwrap().unwrap();
    // RFC 6234, and the test vectors of BLAKE3.
    for (digest, begin, length) in [
        (Digest::Sha256, "ba7816bf", 32),
        (Digest::Sha512, "ddaf35a1", 64),
        (Digest::Blake3, "6437b3ac", 32),
    ] {
        let found = file.hex_digest(digest).unwrap();
        assert_eq!((&found[..8], found.len()), (begin, 2 * length));
    }
    for path in [".", "/dev/null"] {
        let other = remote.ask(Stat::of(path).digests(Digest::ALL)).await;
        assert_eq!(other.unwrap().unwrap().digests, [], "{path}");
    }
}

async fn a_directory_is_listed_in_order(ground: &Ground) {
    let remote = &ground.remote;
    assert_eq!(remote.list(".").await.unwrap(), []);
    for name in ["b", "a", ".hidden", "c d"] {
        remote.touch(name).await.unwrap();
    }
    remote.symlink("a", "link").await.unwrap();
    remote.mkdir("sub").await.unwrap();
    let entries = remote.list(".").await.unwrap();
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (entry.name.to_string(), entry.stat.kind))
        .collect();
    let file = |name: &str| (name.to_owned(), FileKind::File);
    let link = ("link".to_owned(), FileKind::Link);
    let sub = ("sub".to_owned(), FileKind::Directory);
    let files = [file(".hidden"), file("a"), file("b"), file("c d")];
    assert_eq!(seen, [&files[..], &[link, sub]].concat());
}

async fn a_long_directory_is_listed_whole(ground: &Ground) {
    let name = |number: usize| format!("{number:04}{}", "x".repeat(200));
    let uploads = (0..1000).map(|number| Upload::new(name(number), "").unsynced());
    for stored in ground.remote.batch(uploads).await.unwrap() {
        stored.unwrap();
    }
    let entries = ground.remote.list(".").await.unwrap();
    let names = entries.iter().map(|entry| entry.name.to_string());
    assert!(names.eq((0..1000).map(name)), "{} entries", entries.len());
}

async fn what_cannot_be_listed_says_why(ground: &Ground) {
    let remote = &ground.remote;
    remote.touch("file").await.unwrap();
    fails!(remote.list("file").await, Errno { errno: ENOTDIR, .. });
    fails!(remote.list("missing").await, NotFound { path } if path == ground.at("missing"));
}

async fn programs_are_found_where_a_command_would_find_them(ground: &Ground) {
    let remote = &ground.remote;
    let shell = remote.which("sh").await.unwrap().unwrap();
    assert_eq!(shell, ground.said("command -v sh").await);
    assert_eq!(remote.which("no-such-program").await.unwrap(), None);
    remote.upload("own", "#!/bin/sh\n").await.unwrap();
    let here = remote.within(&Scope::new().env("PATH", ground.directory.clone()));
    assert_eq!(
        here.which("own").await.unwrap(),
        None,
        "it cannot be executed"
    );
    remote.ask(Chmod::new("own", 0o700)).await.unwrap();
    assert_eq!(here.which("own").await.unwrap(), Some(ground.at("own")));
    assert_eq!(here.which("sh").await.unwrap(), None);
}

async fn paths_are_expanded_and_made_absolute(ground: &Ground) {
    let remote = &ground.remote;
    assert_eq!(remote.cwd().await.unwrap(), ground.directory);
    let sub = remote.within(&Scope::new().cwd("not there"));
    assert_eq!(sub.cwd().await.unwrap(), ground.at("not there"));
    let home = remote.home(Who::Login).await.unwrap();
    assert!(home.starts_with(b"/"), "{home}");
    let below = |rest: &str| -> BString { [home.as_slice(), rest.as_bytes()].concat().into() };
    assert_eq!(remote.expand("~").await.unwrap(), home);
    assert_eq!(remote.expand("~/a b").await.unwrap(), below("/a b"));
    assert_eq!(remote.expand("x").await.unwrap(), ground.at("x"));
    let me = remote.resolve_user(Who::Login).await.unwrap();
    let named: BString = [b"~", me.as_slice(), b"/x"].concat().into();
    let recorded = remote.query_user(Who::Login).await.unwrap().home;
    let expected = [recorded.as_slice(), b"/x"].concat();
    assert_eq!(remote.expand(named).await.unwrap(), expected);
    fails!(remote.expand("~no-such-user/x").await, UnknownUser { name } if name == "no-such-user");
    fails!(remote.home("no-such-user").await, UnknownUser { .. });
}

async fn what_may_not_be_seen_is_a_matter_of_permission(ground: &Ground) {
    let remote = &ground.remote;
    remote.mkdir("closed").await.unwrap();
    remote.touch("closed/x").await.unwrap();
    remote.chmod("closed", 0).await.unwrap();
    fails!(
        remote.stat("closed/x").await,
        Permission { errno: EACCES, .. }
    );
    fails!(
        remote.list("closed").await,
        Permission { errno: EACCES, .. }
    );
    fails!(remote.upload("closed/y", "").await, Permission { .. });
    fails!(
        remote.read("/etc/shadow").await,
        Permission { errno: EACCES, .. }
    );
    fails!(
        remote.upload("/etc/convoke-x", "").await,
        Permission { errno: EACCES, .. }
    );
    remote.chmod("closed", 0o700).await.unwrap();
}
