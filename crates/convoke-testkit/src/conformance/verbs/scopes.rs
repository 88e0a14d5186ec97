//! Scopes.

use convoke::BString;
use convoke::scope::Scope;
use convoke::verb::{Mkdir, Open, Run, Upload, Verbs as _};

use super::{Ground, checks, fails};

checks! {
    Anybody defaults_hold_for_every_verb_of_their_scope
    Anybody two_tasks_never_see_each_others_scope
    Anybody without_a_directory_paths_begin_at_the_login_home
    Root an_owner_of_new_files_is_a_default
    Root a_relative_directory_begins_at_the_login_home_whoever_runs_there
}

async fn defaults_hold_for_every_verb_of_their_scope(ground: &Ground) {
    let scope = Scope::new().file_mode(0o640).dir_mode(0o750);
    let remote = ground.remote.within(&scope);
    remote.upload("short", "x").await.unwrap();
    remote.upload("long", vec![0; 100_000]).await.unwrap();
    remote.touch("touched").await.unwrap();
    remote.open(Open::writing("opened")).await.unwrap();
    remote.mkdir("directory").await.unwrap();
    let deep = remote.within(&Scope::new().cwd("directory"));
    deep.upload("inside", "x").await.unwrap();
    deep.ask(Upload::new("own", "x").mode(0o600)).await.unwrap();
    deep.ask(Mkdir::at("own directory").mode(0o700))
        .await
        .unwrap();
    for (path, mode) in [
        ("short", 0o640),
        ("long", 0o640),
        ("touched", 0o640),
        ("opened", 0o640),
        ("directory", 0o750),
        ("directory/inside", 0o640),
        ("directory/own", 0o600),
        ("directory/own directory", 0o700),
    ] {
        let stat = ground.remote.stat(path).await.unwrap().unwrap();
        assert_eq!(stat.mode, mode, "{path}");
    }
    let beyond = ground.remote.within(&Scope::new().file_mode(0o10000));
    fails!(beyond.upload("x", "").await, Usage { field: "mode", .. });
}

async fn two_tasks_never_see_each_others_scope(ground: &Ground) {
    let work = |name: &'static str| async move {
        let remote = ground
            .remote
            .within(&Scope::new().cwd(name).env("WHO", name));
        ground.remote.mkdir(name).await.unwrap();
        for round in 0..20 {
            remote.upload("file", name).await.unwrap();
            let said = remote
                .ask(Run::line("cat file; echo $WHO", [""; 0]))
                .await
                .unwrap();
            assert_eq!(said.stdout, format!("{name}{name}\n"), "{round}");
        }
    };
    tokio::join!(work("one"), work("two"), work("three"));
}

async fn without_a_directory_paths_begin_at_the_login_home(ground: &Ground) {
    let bare = &ground.bare;
    let home = ground.said("printf %s \"$HOME\"").await;
    assert_eq!(bare.cwd().await.unwrap(), home);
    // Nobody else has this name, as nobody else has the directory.
    let unique = ground.directory.rsplit(|byte| *byte == b'/').next();
    let name = format!("{} at home", BString::from(unique.unwrap()));
    let stored = bare.upload(name.as_str(), "at home").await.unwrap();
    assert_eq!(stored.path, format!("{home}/{name}"));
    assert_eq!(bare.stat(name.as_str()).await.unwrap().unwrap().size, 7);
    let said = bare.run(["cat", &name]).await.unwrap();
    assert_eq!(said.stdout, "at home");
    let absolute = format!("{home}/{name}");
    assert_eq!(ground.remote.read(absolute).await.unwrap(), "at home");
    bare.remove(name.as_str()).await.unwrap();
    fails!(bare.read(name.as_str()).await, NotFound { path } if path == stored.path);
}

async fn an_owner_of_new_files_is_a_default(ground: &Ground) {
    let nobody = ground.remote.query_user("nobody").await.unwrap();
    let remote = ground.remote.within(&Scope::new().owner("nobody"));
    remote.upload("file", "x").await.unwrap();
    remote.touch("touched").await.unwrap();
    remote.mkdir("directory").await.unwrap();
    for path in ["file", "touched", "directory"] {
        let stat = remote.stat(path).await.unwrap().unwrap();
        assert_eq!((stat.uid, stat.gid), (nobody.uid, nobody.gid), "{path}");
    }
}

async fn a_relative_directory_begins_at_the_login_home_whoever_runs_there(ground: &Ground) {
    let home = ground.bare.cwd().await.unwrap();
    let name = "no such directory";
    let scope = Scope::new().user("nobody").cwd(name);
    let theirs = ground.bare.within(&scope);
    let place = format!("{home}/{name}");
    assert_eq!(theirs.cwd().await.unwrap(), place);
    assert_eq!(theirs.getenv("PWD").await.unwrap().unwrap(), place);
    fails!(theirs.read("file").await, NotFound { path } if path == format!("{place}/file"));
    fails!(theirs.run(["true"]).await, Usage { field: "cwd", value, .. } if value == place);
}
