//! Changing what stands at a path.

use std::time::{Duration, SystemTime};

use convoke::verb::{Chown, FileKind, FileStat, Follow, Mkdir, Stat, Tempdir, Touch, Verbs as _};

use super::{Ground, checks, fails};

checks! {
    Anybody a_directory_is_made_for_us_alone
    Anybody parents_are_made_when_they_are_wanted
    Anybody what_is_removed_is_gone_and_nothing_else
    Anybody a_new_name_takes_the_place_of_what_had_it
    Anybody permissions_are_set_as_they_are_given
    Anybody a_touched_file_exists_and_was_just_modified
    Anybody temporary_directories_are_one_for_each
    Root an_owner_alone_brings_his_group_and_a_group_leaves_the_owner
    Anybody an_owner_who_does_not_exist_is_named
    Ordinary what_belongs_to_others_stays_theirs
}

const EEXIST: i32 = 17;
const EISDIR: i32 = 21;
const ENOTEMPTY: i32 = 39;

async fn stat(ground: &Ground, path: &str) -> FileStat {
    let stat = Stat::of(path).follow(Follow::No);
    ground.remote.ask(stat).await.unwrap().unwrap()
}

async fn a_directory_is_made_for_us_alone(ground: &Ground) {
    let remote = &ground.remote;
    remote.mkdir("one").await.unwrap();
    let one = stat(ground, "one").await;
    assert_eq!((one.kind, one.mode), (FileKind::Directory, 0o700));
    fails!(remote.mkdir("one").await, Errno { errno: EEXIST, .. });
    fails!(remote.mkdir("missing/two").await, NotFound { .. });
    let beyond = Mkdir::at("three").mode(0o10000);
    fails!(remote.ask(beyond).await, Usage { field: "mode", value, .. } if value == "0o10000");
    assert!(!remote.exists("three").await.unwrap());
}

async fn parents_are_made_when_they_are_wanted(ground: &Ground) {
    let remote = &ground.remote;
    let deep = || Mkdir::at("a/b/c").parents().mode(0o755);
    remote.ask(deep()).await.unwrap();
    for path in ["a", "a/b", "a/b/c"] {
        assert_eq!(stat(ground, path).await.mode, 0o755, "{path}");
    }
    remote.chmod("a/b/c", 0o711).await.unwrap();
    remote.ask(deep()).await.unwrap();
    assert_eq!(stat(ground, "a/b/c").await.mode, 0o711, "it was there");
    remote.touch("a/file").await.unwrap();
    let through = Mkdir::at("a/file/x").parents();
    assert!(remote.ask(through).await.is_err());
}

async fn what_is_removed_is_gone_and_nothing_else(ground: &Ground) {
    let remote = &ground.remote;
    ground
        .said("mkdir -p tree/sub keep; : > keep/x; : > tree/sub/y; ln -s ../keep tree/link")
        .await;
    fails!(
        remote.remove("tree").await,
        Errno {
            errno: ENOTEMPTY,
            ..
        }
    );
    fails!(remote.remove("missing").await, NotFound { .. });
    remote.remove_tree("tree").await.unwrap();
    assert!(!remote.exists("tree").await.unwrap());
    assert!(
        remote.exists("keep/x").await.unwrap(),
        "links are not followed"
    );
    remote.symlink("keep", "link").await.unwrap();
    remote.remove_tree("link").await.unwrap();
    assert!(
        remote.exists("keep/x").await.unwrap(),
        "not at the end either"
    );
    remote.remove("keep/x").await.unwrap();
    remote.remove("keep").await.unwrap();
    assert_eq!(remote.list(".").await.unwrap(), []);
}

async fn a_new_name_takes_the_place_of_what_had_it(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("old", "old").await.unwrap();
    remote.upload("new", "new").await.unwrap();
    remote.rename("new", "old").await.unwrap();
    assert_eq!(remote.read("old").await.unwrap(), "new");
    assert!(!remote.exists("new").await.unwrap());
    fails!(remote.rename("missing", "x").await, NotFound { .. });
    remote.mkdir("directory").await.unwrap();
    fails!(
        remote.rename("old", "directory").await,
        Errno { errno: EISDIR, .. }
    );
}

async fn permissions_are_set_as_they_are_given(ground: &Ground) {
    let remote = &ground.remote;
    remote.touch("file").await.unwrap();
    for mode in [0, 0o600, 0o4755, 0o7777] {
        remote.chmod("file", mode).await.unwrap();
        assert_eq!(stat(ground, "file").await.mode, mode);
    }
    fails!(
        remote.chmod("file", 0o10000).await,
        Usage { field: "mode", .. }
    );
    fails!(remote.chmod("missing", 0).await, NotFound { .. });
}

async fn a_touched_file_exists_and_was_just_modified(ground: &Ground) {
    let remote = &ground.remote;
    remote.touch("file").await.unwrap();
    let file = stat(ground, "file").await;
    assert_eq!((file.mode, file.size), (0o600, 0));
    remote.upload("file", "content").await.unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 5);
    remote.ask(Touch::at("file").time(long_ago)).await.unwrap();
    let modified = stat(ground, "file").await.modified;
    assert_eq!(modified.system_time(), Some(long_ago));
    remote.touch("file").await.unwrap();
    assert!(stat(ground, "file").await.modified > modified);
    assert_eq!(remote.read("file").await.unwrap(), "content");
    fails!(remote.touch("missing/x").await, NotFound { .. });
}

async fn temporary_directories_are_one_for_each(ground: &Ground) {
    let remote = &ground.remote;
    let inside = || {
        Tempdir::new()
            .inside(ground.directory.clone())
            .prefix("a b-")
    };
    let one = remote.ask(inside()).await.unwrap();
    let other = remote.ask(inside()).await.unwrap();
    assert_ne!(one, other);
    for path in [one, other] {
        assert!(path.starts_with(&ground.at("a b-")), "{path}");
        let stat = remote.stat(path).await.unwrap().unwrap();
        assert_eq!((stat.kind, stat.mode), (FileKind::Directory, 0o700));
    }
    fails!(
        remote.ask(Tempdir::new().prefix("a/b")).await,
        Usage {
            field: "prefix",
            ..
        }
    );
    fails!(
        remote.ask(Tempdir::new().inside("missing")).await,
        NotFound { .. }
    );
}

async fn an_owner_alone_brings_his_group_and_a_group_leaves_the_owner(ground: &Ground) {
    let remote = &ground.remote;
    remote.touch("file").await.unwrap();
    let nobody = remote.query_user("nobody").await.unwrap();
    remote.chown("file", "nobody").await.unwrap();
    let file = stat(ground, "file").await;
    assert_eq!((file.uid, file.gid), (nobody.uid, nobody.gid));
    remote.ask(Chown::of("file").group("0")).await.unwrap();
    let file = stat(ground, "file").await;
    assert_eq!((file.uid, file.gid), (nobody.uid, 0));
    remote
        .ask(Chown::of("file").owner("4321").group("4322"))
        .await
        .unwrap();
    let file = stat(ground, "file").await;
    assert_eq!((file.owner, file.group), ("4321".into(), "4322".into()));
    remote.symlink("file", "link").await.unwrap();
    let link = Chown::of("link").owner("nobody").follow(Follow::No);
    remote.ask(link).await.unwrap();
    assert_eq!(stat(ground, "link").await.uid, nobody.uid);
    assert_eq!(stat(ground, "file").await.uid, 4321);
}

async fn an_owner_who_does_not_exist_is_named(ground: &Ground) {
    let remote = &ground.remote;
    remote.touch("file").await.unwrap();
    let answer = remote.chown("file", "no-such-user").await;
    fails!(answer, UnknownUser { name } if name == "no-such-user");
    let answer = remote.ask(Chown::of("file").group("no-such-group")).await;
    fails!(answer, UnknownGroup { name } if name == "no-such-group");
    fails!(
        remote.ask(Chown::of("file")).await,
        Usage { field: "owner", .. }
    );
    let answer = remote.ask(Mkdir::at("x").owner("no-such-user")).await;
    fails!(answer, UnknownUser { .. });
    assert!(!remote.exists("x").await.unwrap());
}

async fn what_belongs_to_others_stays_theirs(ground: &Ground) {
    let remote = &ground.remote;
    remote.touch("file").await.unwrap();
    fails!(remote.chown("file", "root").await, Permission { .. });
    fails!(remote.chmod("/etc/passwd", 0o666).await, Permission { .. });
    fails!(remote.remove("/etc/passwd").await, Permission { .. });
    fails!(remote.mkdir("/convoke-x").await, Permission { .. });
}
