//! Where the agent is put: the first directory that is ours alone.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use convoke::event::AgentOrigin;

use crate::host::{Host, PARROT, agents, file_name, files_below, give_away, make_dir};

/// Brings the agent to a host, which must put it into `place`, and finds it there again.
async fn lands_in(host: &Host, place: &Path) {
    let agents = agents(&PARROT);
    let first = host.greet(&agents).await.unwrap();
    assert_eq!(first.origin, AgentOrigin::Sent);
    let file = place.join(file_name(&agents));
    assert!(file.is_file(), "{} is missing", file.display());
    let second = host.greet(&agents).await.unwrap();
    assert_eq!(second.origin, AgentOrigin::Cached);
}

#[tokio::test]
async fn the_cache_directory_of_the_environment_comes_first() {
    let mut host = Host::new();
    let cache = make_dir(host.root.path().join("xdg"), 0o755);
    host.set("XDG_CACHE_HOME", &cache);
    lands_in(&host, &cache.join("convoke")).await;
    assert!(!host.cache().exists());
}

#[tokio::test]
async fn without_a_home_the_runtime_directory_is_used() {
    let mut host = Host::new();
    host.environment.remove("HOME");
    let runtime = make_dir(host.root.path().join("run"), 0o700);
    host.set("XDG_RUNTIME_DIR", &runtime);
    lands_in(&host, &runtime.join("convoke")).await;
}

#[tokio::test]
async fn empty_and_relative_directories_of_the_environment_are_ignored() {
    for value in ["", ".", "cache", "~/cache"] {
        let mut host = Host::new();
        make_dir(host.root.path().join("cache"), 0o755);
        host.set("XDG_CACHE_HOME", value);
        host.directory = host.root.path().to_owned();
        lands_in(&host, &host.cache()).await;
        assert_eq!(
            files_below(&host.root.path().join("cache")),
            Vec::<PathBuf>::new()
        );
    }
}

#[tokio::test]
async fn odd_characters_in_the_home_directory_are_fine() {
    for name in [
        "with blank",
        "new\nline",
        "quote'\"",
        "back\\slash\\n",
        "*",
        "$HOME",
        "-n",
        "[a]",
        "tab\t",
        "%s",
        ";id",
    ] {
        let mut host = Host::new();
        let home = make_dir(host.root.path().join(name), 0o755);
        host.set("HOME", &home);
        lands_in(&host, &home.join(".cache/convoke")).await;
    }
}

#[tokio::test]
async fn a_home_directory_that_is_not_utf_8_is_fine() {
    let mut host = Host::new();
    let home = host.root.path().join(OsStr::from_bytes(b"caf\xe9 \xff"));
    let home = make_dir(home, 0o755);
    host.set("HOME", &home);
    lands_in(&host, &home.join(".cache/convoke")).await;
}

#[tokio::test]
async fn a_cache_directory_that_inherits_its_group_is_fine() {
    let host = Host::new();
    make_dir(host.home().join(".cache"), 0o2755);
    lands_in(&host, &host.cache()).await;
    let mode = fs::metadata(host.cache()).unwrap().mode();
    assert_eq!(mode & 0o2777, 0o2700);
}

#[tokio::test]
async fn a_cache_directory_behind_a_link_of_ours_is_fine() {
    let host = Host::new();
    let scratch = make_dir(host.root.path().join("scratch"), 0o755);
    symlink(&scratch, host.home().join(".cache")).unwrap();
    lands_in(&host, &scratch.join("convoke")).await;
}

#[tokio::test]
async fn nothing_is_made_in_a_home_of_somebody_else() {
    let mut host = Host::new();
    give_away(host.home());
    let runtime = make_dir(host.root.path().join("run"), 0o700);
    host.set("XDG_RUNTIME_DIR", &runtime);
    lands_in(&host, &runtime.join("convoke")).await;
    assert_eq!(files_below(&host.home()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn nothing_is_made_in_a_cache_directory_of_somebody_else() {
    let mut host = Host::new();
    let foreign = make_dir(host.root.path().join("foreign"), 0o777);
    give_away(&foreign);
    host.set("XDG_CACHE_HOME", &foreign);
    lands_in(&host, &host.cache()).await;
    assert_eq!(files_below(&foreign), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn an_agent_of_ours_in_a_home_of_somebody_else_is_not_run() {
    let mut host = Host::new();
    let agents = agents(&PARROT);
    host.greet(&agents).await.unwrap();
    give_away(host.home());
    let runtime = make_dir(host.root.path().join("run"), 0o700);
    host.set("XDG_RUNTIME_DIR", &runtime);
    lands_in(&host, &runtime.join("convoke")).await;
}

#[tokio::test]
async fn a_directory_that_is_not_ours_alone_is_passed_over() {
    let spoil: [fn(&Host); 6] = [
        |host| drop(make_dir(host.cache(), 0o770)),
        |host| drop(make_dir(host.cache(), 0o705)),
        |host| give_away(make_dir(host.cache(), 0o700)),
        |host| {
            let elsewhere = make_dir(host.root.path().join("elsewhere"), 0o700);
            make_dir(host.home().join(".cache"), 0o755);
            symlink(elsewhere, host.cache()).unwrap();
        },
        |host| {
            make_dir(host.home().join(".cache"), 0o755);
            fs::write(host.cache(), "a file").unwrap();
        },
        |host| {
            let foreign = make_dir(host.home().join(".cache"), 0o755);
            give_away(foreign);
        },
    ];
    for (number, spoil) in spoil.iter().enumerate() {
        eprintln!("case {number}");
        let mut host = Host::new();
        spoil(&host);
        let before = files_below(&host.home()).len();
        let runtime = make_dir(host.root.path().join("run"), 0o700);
        host.set("XDG_RUNTIME_DIR", &runtime);
        lands_in(&host, &runtime.join("convoke")).await;
        let elsewhere = files_below(&host.root.path().join("elsewhere"));
        assert_eq!(elsewhere, Vec::<PathBuf>::new());
        // A directory in a foreign one may be made by root; nothing may be put there.
        assert!(files_below(&host.home()).len() <= before + 1);
    }
}

#[tokio::test]
async fn an_agent_in_a_directory_that_others_may_write_is_not_run() {
    let mut host = Host::new();
    let agents = agents(&PARROT);
    host.greet(&agents).await.unwrap();
    make_dir(host.cache(), 0o770);
    let runtime = make_dir(host.root.path().join("run"), 0o700);
    host.set("XDG_RUNTIME_DIR", &runtime);
    lands_in(&host, &runtime.join("convoke")).await;
}

#[tokio::test]
async fn a_directory_in_place_of_the_agent_makes_it_no_place() {
    let mut host = Host::new();
    let taken = make_dir(host.cache(), 0o700).join(file_name(&agents(&PARROT)));
    make_dir(taken, 0o700);
    let runtime = make_dir(host.root.path().join("run"), 0o700);
    host.set("XDG_RUNTIME_DIR", &runtime);
    lands_in(&host, &runtime.join("convoke")).await;
}
