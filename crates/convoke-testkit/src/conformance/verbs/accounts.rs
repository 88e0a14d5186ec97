//! Users, groups, the environment and the facts of a host.

use convoke::BString;
use convoke::remote::Remote;
use convoke::scope::Scope;
use convoke::verb::{QueryUser, Run, Upload, Verbs as _, Who};

use super::{Ground, checks, fails};

checks! {
    Anybody we_are_who_the_host_says_we_are
    Anybody names_and_numbers_are_the_same_users_and_groups
    Anybody who_does_not_exist_is_named
    Ghost whom_only_getent_knows_is_a_user_like_any_other
    Root the_hash_of_a_password_takes_asking
    Ordinary the_hash_of_a_password_takes_privileges
    Anybody the_environment_is_what_a_command_gets
    Root the_environment_of_somebody_else_is_what_their_command_gets
    Ordinary nobody_else_has_an_environment_here
    Anybody facts_are_what_the_host_says_of_itself
}

async fn we_are_who_the_host_says_we_are(ground: &Ground) {
    let remote = &ground.remote;
    assert_eq!(
        remote.resolve_user(Who::Login).await.unwrap(),
        ground.said("id -un").await
    );
    let group = ground.said("id -gn 2>/dev/null || true").await;
    assert_eq!(remote.resolve_group(Who::Login).await.unwrap(), group);
    // Nobody is the same as whom the login is.
    let none = None::<&str>;
    assert_eq!(remote.resolve_group(none).await.unwrap(), group);
    let name = remote.resolve_user(none).await.unwrap();
    assert_eq!(name, remote.resolve_user(Who::Login).await.unwrap());
    let me = remote.query_user(Who::Login).await.unwrap();
    assert_eq!(me.uid.to_string(), ground.said("id -u").await);
    assert_eq!(me.gid.to_string(), ground.said("id -g").await);
    assert_eq!(me.groups.first(), Some(&me.group));
    assert_eq!(me.password_hash, None);
}

async fn names_and_numbers_are_the_same_users_and_groups(ground: &Ground) {
    let remote = &ground.remote;
    for who in [Who::from("root"), Who::from(0), Who::from("0")] {
        let root = remote.query_user(who.clone()).await.unwrap();
        assert_eq!((root.name, root.uid, root.gid), ("root".into(), 0, 0));
        assert_eq!(remote.resolve_user(who.clone()).await.unwrap(), "root");
        let group = remote.query_group(who.clone()).await.unwrap();
        assert_eq!((group.name, group.gid), ("root".into(), 0));
        assert_eq!(remote.resolve_group(who).await.unwrap(), "root");
    }
    let nobody = remote.query_user("nobody").await.unwrap();
    assert_eq!(nobody.uid.to_string(), ground.said("id -u nobody").await);
}

async fn who_does_not_exist_is_named(ground: &Ground) {
    let remote = &ground.remote;
    for (who, said) in [
        (Who::from("no-such-one"), "no-such-one"),
        (Who::from(123_456_789), "123456789"),
    ] {
        fails!(remote.query_user(who.clone()).await, UnknownUser { name } if name == said);
        fails!(remote.resolve_user(who.clone()).await, UnknownUser { name } if name == said);
        fails!(remote.query_group(who.clone()).await, UnknownGroup { name } if name == said);
        fails!(remote.resolve_group(who).await, UnknownGroup { name } if name == said);
    }
}

async fn whom_only_getent_knows_is_a_user_like_any_other(ground: &Ground) {
    let remote = &ground.remote;
    let ghost = ground.ghost.unwrap();
    for who in [Who::from(ghost.name), Who::from(ghost.number)] {
        let user = remote.query_user(who.clone()).await.unwrap();
        assert_eq!((user.name, user.uid), (ghost.name.into(), ghost.number));
        assert_eq!(user.gid, ghost.number);
        let group = remote.query_group(who.clone()).await.unwrap();
        assert_eq!((group.name, group.gid), (ghost.name.into(), ghost.number));
        assert_eq!(group.members, ghost.members);
        assert_eq!(remote.home(who.clone()).await.unwrap(), ghost.home);
        assert_eq!(remote.resolve_user(who).await.unwrap(), ghost.name);
    }
    let expanded = remote.expand(format!("~{}/a b", ghost.name)).await.unwrap();
    assert_eq!(expanded, format!("{}/a b", ghost.home));
    let is_root = remote.query_user(Who::Login).await.unwrap().uid == 0;
    if is_root {
        remote
            .ask(Upload::new("file", "").owner(ghost.name))
            .await
            .unwrap();
        let stat = remote.stat("file").await.unwrap().unwrap();
        assert_eq!((stat.uid, stat.owner), (ghost.number, ghost.name.into()));
        remote.touch("touched").await.unwrap();
        remote.chown("touched", ghost.name).await.unwrap();
        let stat = remote.stat("touched").await.unwrap().unwrap();
        assert_eq!((stat.uid, stat.gid), (ghost.number, ghost.number));
        assert_eq!(stat.group, ghost.name);
        let id = Run::new(["id", "-u"]).user(ghost.name).cwd("/");
        let said = remote.ask(id).await.unwrap().stdout;
        assert_eq!(said, format!("{}\n", ghost.number));
    }
}

async fn the_hash_of_a_password_takes_asking(ground: &Ground) {
    let remote = &ground.remote;
    let root = remote.ask(QueryUser::of("root").with_hash()).await.unwrap();
    let said = ground.said("grep ^root: /etc/shadow | cut -d: -f2").await;
    assert_eq!(root.password_hash, Some(said.into()));
    assert_eq!(remote.query_user("root").await.unwrap().password_hash, None);
}

async fn the_hash_of_a_password_takes_privileges(ground: &Ground) {
    let hash = ground.remote.ask(QueryUser::of("root").with_hash()).await;
    fails!(
        hash,
        Permission { path, part: Some(part), .. }
            if path == "/etc/shadow" && part.field == "user" && part.value == "root"
    );
}

async fn the_environment_is_what_a_command_gets(ground: &Ground) {
    let scope = Scope::new().env("ONE", "a\nb").env("PATH", "/usr/bin:/bin");
    let remote = ground.remote.within(&scope);
    assert_environment_is_told(&remote).await;
    assert_eq!(remote.getenv("ONE").await.unwrap().unwrap(), "a\nb");
    assert_eq!(ground.remote.getenv("ONE").await.unwrap(), None);
    let home = ground.said("printf %s \"$HOME\"").await;
    assert_eq!(remote.getenv("HOME").await.unwrap().unwrap(), home);
    fails!(remote.getenv("").await, Usage { field: "name", .. });
}

/// What a host tells of the environment is what a command gets.
async fn assert_environment_is_told(remote: &Remote) {
    let mut ours = remote.environment().await.unwrap();
    let said = remote.run(["env", "-0"]).await.unwrap().stdout;
    let mut theirs: Vec<(BString, BString)> = said
        .split(|byte| *byte == 0)
        .filter_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            Some((pair[..at].into(), pair[at + 1..].into()))
        })
        .filter(|(name, _): &(BString, BString)| *name != "CONVOKE_STEP")
        .collect();
    ours.sort();
    theirs.sort();
    assert_eq!(ours, theirs);
}

async fn the_environment_of_somebody_else_is_what_their_command_gets(ground: &Ground) {
    let nobody = ground.remote.query_user("nobody").await.unwrap();
    let by_number = Scope::new().user(nobody.uid.to_string());
    for scope in [
        Scope::new().user("nobody"),
        Scope::new().user("nobody").group("0").cwd("/"),
        by_number.cwd("/").env("HOME", "/tmp").env("ONE", "1"),
    ] {
        assert_environment_is_told(&ground.bare.within(&scope)).await;
    }
    let theirs = ground.remote.within(&Scope::new().user("nobody"));
    let home = theirs.getenv("HOME").await.unwrap();
    assert_eq!(home.unwrap(), nobody.home);
    assert_eq!(theirs.getenv("USER").await.unwrap().unwrap(), "nobody");
    let unknown = ground.remote.within(&Scope::new().user("no-such-user"));
    fails!(unknown.environment().await, UnknownUser { name } if name == "no-such-user");
}

async fn nobody_else_has_an_environment_here(ground: &Ground) {
    let other = ground.remote.within(&Scope::new().user("root"));
    fails!(other.environment().await, NotRoot { field: "user", name } if name == "root");
}

async fn facts_are_what_the_host_says_of_itself(ground: &Ground) {
    let facts = ground.remote.facts().await.unwrap();
    let said = async |line: &str| Some(ground.said(line).await);
    assert_eq!(facts.kernel.name, said("uname -s").await);
    assert_eq!(facts.kernel.release, said("uname -r").await);
    assert_eq!(facts.architecture, said("uname -m").await);
    assert_eq!(facts.hostname, said("uname -n").await);
    assert_eq!(
        facts.user.uid.map(|uid| uid.to_string()),
        said("id -u").await
    );
    assert!(facts.os.is_some() && facts.memory.is_some() && facts.uptime.is_some());
    assert!(facts.cpus.online.unwrap() > 0);
    assert!(facts.mounts.iter().any(|mount| mount.path == "/"));
    assert!(facts.interface("lo").is_some());
}
