//! What a login may not do, and how the errors call it.

use convoke::BString;
use convoke::remote::VerbError;
use convoke::verb::{
    Chown, Creation, Mkdir, Open, Stream, Tempdir, Touch, Upload, Verb, Verbs as _,
};

use super::{Ground, checks, fails};

checks! {
    Ordinary what_may_not_be_given_away_is_told_with_its_path
    Ordinary what_is_closed_is_closed_to_every_verb
    Root what_somebody_else_may_have_planted_is_told_with_its_owner
    Anybody an_open_file_is_called_by_its_path
}

const EPERM: i32 = 1;
const EBADF: i32 = 9;
const EACCES: i32 = 13;

/// The path, the part that is to blame with its value, and the number of a refusal.
async fn refusal<V: Verb>(ground: &Ground, verb: V) -> (BString, &'static str, BString, i32)
where
    V::Output: std::fmt::Debug,
{
    match ground.remote.ask(verb).await {
        Err(VerbError::Permission {
            path,
            part: Some(part),
            errno,
            ..
        }) => (path, part.field, part.value, errno),
        other => panic!("{other:?}"),
    }
}

async fn what_may_not_be_given_away_is_told_with_its_path(ground: &Ground) {
    let owner = |errno| (ground.at("file"), "owner", "root".into(), errno);
    let long = vec![b'x'; 1024 * 1024];
    for content in [b"short".to_vec(), long] {
        let upload = || Upload::new("file", content.clone());
        assert_eq!(refusal(ground, upload().owner("root")).await, owner(EPERM));
        let group = (ground.at("file"), "group", "root".into(), EPERM);
        assert_eq!(refusal(ground, upload().group("root")).await, group);
    }
    let open = Open::writing("file").owner("root");
    assert_eq!(refusal(ground, open).await, owner(EPERM));
    let touch = Touch::at("file").owner("root");
    assert_eq!(refusal(ground, touch).await, owner(EPERM));
    let mkdir = Mkdir::at("file").owner("root");
    assert_eq!(refusal(ground, mkdir).await, owner(EPERM));
    assert_eq!(ground.remote.list(".").await.unwrap(), []);
    ground.remote.touch("file").await.unwrap();
    let chown = Chown::of("file").owner("root");
    assert_eq!(refusal(ground, chown).await, owner(EPERM));
    let words = ground.remote.chown("file", "root").await.unwrap_err();
    let said = format!(
        "cannot give \"{}\" to user \"root\": operation not permitted",
        ground.at("file")
    );
    assert_eq!(words.to_string(), said);
}

/// Asserts that a verb is refused for want of a permission, and the error names this path.
macro_rules! closed {
    ($ground:expr, $path:expr, $($verb:expr),* $(,)?) => {
        $(fails!(
            $verb.await,
            Permission { path, part: None, errno: EACCES, .. } if path == $ground.at($path)
        );)*
    };
}

async fn what_is_closed_is_closed_to_every_verb(ground: &Ground) {
    let remote = &ground.remote;
    remote.mkdir("closed").await.unwrap();
    for name in ["closed/file", "mine", "unreadable"] {
        remote.upload(name, "x").await.unwrap();
    }
    remote.mkdir("closed/tree").await.unwrap();
    remote.symlink("x", "closed/link").await.unwrap();
    remote.chmod("closed", 0o600).await.unwrap();
    remote.chmod("unreadable", 0).await.unwrap();
    closed!(
        ground,
        "closed/file",
        remote.stat("closed/file"),
        remote.exists("closed/file"),
        remote.read("closed/file"),
        remote.download("closed/file"),
        remote.download_or("closed/file", "default"),
        remote.ask(Stream::of("closed/file")),
        remote.open(Open::reading("closed/file")),
        remote.open(Open::writing("closed/file")),
        remote.open(Open::editing("closed/file").creation(Creation::New)),
        remote.upload("closed/file", "short"),
        remote.upload("closed/file", vec![0; 1024 * 1024]),
        remote.touch("closed/file"),
        remote.chmod("closed/file", 0o600),
        remote.remove("closed/file"),
        remote.rename("closed/file", "elsewhere"),
        remote.rename("mine", "closed/file"),
        remote.symlink("x", "closed/file"),
    );
    closed!(ground, "closed/link", remote.readlink("closed/link"));
    closed!(ground, "closed/tree", remote.remove_tree("closed/tree"));
    closed!(ground, "closed/new", remote.mkdir("closed/new"));
    closed!(
        ground,
        "unreadable",
        remote.read("unreadable"),
        remote.download("unreadable"),
        remote.open(Open::reading("unreadable")),
        remote.open(Open::writing("unreadable")),
    );
    let inside = Tempdir::new().inside("closed");
    fails!(
        remote.ask(inside).await,
        Permission { path, errno: EACCES, .. } if path.starts_with(&ground.at("closed/"))
    );
    remote.chmod("closed", 0o300).await.unwrap();
    closed!(
        ground,
        "closed",
        remote.list("closed"),
        remote.remove_tree("closed")
    );
    remote.chmod("closed", 0o700).await.unwrap();
    assert_eq!(remote.list("closed").await.unwrap().len(), 3);
    assert_eq!(remote.read("closed/file").await.unwrap(), "x");
    assert_eq!(remote.read("mine").await.unwrap(), "x");
}

async fn what_somebody_else_may_have_planted_is_told_with_its_owner(ground: &Ground) {
    let remote = &ground.remote;
    remote.ask(Mkdir::at("all").mode(0o1777)).await.unwrap();
    remote.upload("all/file", "theirs").await.unwrap();
    remote.chown("all/file", "nobody").await.unwrap();
    let nobody = remote.query_user("nobody").await.unwrap().uid;
    let planted = || {
        let owner = nobody.to_string().into();
        (ground.at("all/file"), "owner", owner, EACCES)
    };
    let upload = Upload::new("all/file", "secret");
    assert_eq!(refusal(ground, upload).await, planted());
    let upload = Upload::new("all/file", vec![0; 1024 * 1024]);
    assert_eq!(refusal(ground, upload).await, planted());
    let open = Open::writing("all/file");
    assert_eq!(refusal(ground, open).await, planted());
    assert_eq!(remote.read("all/file").await.unwrap(), "theirs");
}

async fn an_open_file_is_called_by_its_path(ground: &Ground) {
    let remote = &ground.remote;
    remote.upload("file", "content").await.unwrap();
    let path = ground.at("file");
    let mut file = remote.open(Open::reading("file")).await.unwrap();
    fails!(file.write_all("x").await, Errno { path: said, errno: EBADF, .. } if said == path);
    fails!(file.set_len(0).await, Errno { path: said, .. } if said == path);
    let file = remote.open(Open::appending("file")).await.unwrap();
    fails!(file.read_at(0, 1).await, Errno { path: said, errno: EBADF, .. } if said == path);
    let short = remote.open(Open::reading("file").at_most(3)).await;
    let long = short.unwrap().read_to_end().await;
    fails!(long, TooLong { what } if what == path);

    // The same when its path begins at the login home, which only the host knows.
    let relative = ground.beneath_home("file").await;
    let bare = &ground.bare;
    let mut file = bare.open(Open::reading(relative.clone())).await.unwrap();
    let path = bare.expand(relative).await.unwrap();
    fails!(file.write_all("x").await, Errno { path: said, errno: EBADF, .. } if said == path);
}
