//! Places that only another mount shows: the shared directories, and disks that cannot hold an agent.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use convoke::error::BootstrapError;
use convoke::event::AgentOrigin;
use convoke::outcome::UnreachableKind;

use crate::host::{
    Host, PARROT, SHELLS, agents, can_mount, file_name, files_below, make_dir, program, words,
};

/// Empty directories where only this test looks, in place of the ones that all accounts share.
const OWN_SHARED: &str =
    "mount -t tmpfs -o mode=1777 none /var/tmp; mount -t tmpfs -o mode=1777 none /dev/shm";

/// Shared directories in which nothing can be made.
const NO_SHARED: &str =
    "mount -t tmpfs -o ro,mode=1777 none /var/tmp; mount -t tmpfs -o ro,mode=1777 none /dev/shm";

/// Brings the agent to a host whose mounts nobody else sees; the agent says where it runs.
async fn runs_from(host: &Host, place: &str) {
    let agents = agents("#!/bin/sh\necho \"$0\"\nexec cat\n");
    let mut talk = host.open(&agents);
    let greeting = talk.exchange(&agents).await.unwrap();
    let ended = talk.finish().await;
    let said = [&greeting.rest[..], ended.said.as_bytes()].concat();
    let file = format!("{place}/{}\n", file_name(&agents));
    assert_eq!(String::from_utf8_lossy(&said), file, "{ended:?}");
}

async fn finds_no_place(host: &Host) -> BootstrapError {
    let error = host.greet(&agents(&PARROT)).await.unwrap_err();
    assert_eq!(error.kind, UnreachableKind::NoPlace, "{error}");
    error
}

#[tokio::test]
async fn without_a_home_the_shared_directory_is_used() {
    if !can_mount() {
        return;
    }
    let mut host = Host::new();
    host.environment.remove("HOME");
    host.with_mounts(OWN_SHARED);
    runs_from(&host, "/var/tmp/convoke-0").await;
}

#[tokio::test]
async fn shared_memory_is_the_last_place() {
    if !can_mount() {
        return;
    }
    let mut host = Host::new();
    host.environment.remove("HOME");
    host.with_mounts(&format!("{OWN_SHARED}; mount -o remount,noexec /var/tmp"));
    runs_from(&host, "/dev/shm/convoke-0").await;
}

#[tokio::test]
async fn a_shared_directory_where_others_may_rename_is_not_used() {
    if !can_mount() {
        return;
    }
    let mut host = Host::new();
    host.environment.remove("HOME");
    host.with_mounts(&format!("{OWN_SHARED}; chmod 0777 /var/tmp"));
    runs_from(&host, "/dev/shm/convoke-0").await;
}

#[tokio::test]
async fn a_name_taken_in_a_shared_directory_is_left_alone() {
    if !can_mount() {
        return;
    }
    for taken in [
        "mkdir -m 700 /var/tmp/convoke-0; chown 65534 /var/tmp/convoke-0",
        "mkdir -m 700 /var/tmp/x; ln -s x /var/tmp/convoke-0",
        "ln -s nowhere /var/tmp/convoke-0",
        "echo >/var/tmp/convoke-0",
        "mkdir -m 770 /var/tmp/convoke-0",
    ] {
        let mut host = Host::new();
        host.environment.remove("HOME");
        host.with_mounts(&format!("{OWN_SHARED}; {taken}"));
        runs_from(&host, "/dev/shm/convoke-0").await;
    }
}

#[tokio::test]
async fn another_account_with_the_home_of_root_uses_the_shared_directory() {
    if !can_mount() {
        return;
    }
    let mut host = Host::new();
    let setpriv = program("setpriv", "util-linux");
    let mut login = vec![setpriv.into()];
    login.append(&mut words([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ]));
    login.append(&mut host.login);
    host.login = login;
    fs::set_permissions(host.root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    host.with_mounts(OWN_SHARED);
    runs_from(&host, "/var/tmp/convoke-65534").await;
    assert_eq!(files_below(&host.home()), Vec::<PathBuf>::new());
}

/// Mounts a file system on the cache directory; the agent must go elsewhere, in every shell.
async fn is_no_place_when_mounted(options: &str) {
    if !can_mount() {
        return;
    }
    for (name, package) in SHELLS {
        eprintln!("{name}");
        let mut host = Host::new();
        host.use_sh(&program(name, package));
        make_dir(host.cache(), 0o700);
        let cache = host.cache();
        host.with_mounts(&format!(
            "mount -t tmpfs -o mode=0700,{options} none {}; {OWN_SHARED}",
            cache.display()
        ));
        runs_from(&host, "/var/tmp/convoke-0").await;
    }
}

#[tokio::test]
async fn a_read_only_mount_is_no_place() {
    is_no_place_when_mounted("ro").await;
}

#[tokio::test]
async fn a_mount_without_programs_is_no_place() {
    is_no_place_when_mounted("noexec").await;
}

#[tokio::test]
async fn a_full_disk_is_no_place() {
    // A page for the directory entry, and none for an agent of more than a page.
    if !can_mount() {
        return;
    }
    let padding = "#".repeat(20_000);
    let agents = agents(&format!("#!/bin/sh\necho \"$0\"\nexec cat\n{padding}"));
    let mut host = Host::new();
    make_dir(host.cache(), 0o700);
    host.with_mounts(&format!(
        "mount -t tmpfs -o mode=0700,size=8k none {}; {OWN_SHARED}",
        host.cache().display()
    ));
    let mut talk = host.open(&agents);
    let greeting = talk.exchange(&agents).await.unwrap();
    let ended = talk.finish().await;
    let said = [&greeting.rest[..], ended.said.as_bytes()].concat();
    assert!(said.starts_with(b"/var/tmp/convoke-0/"), "{ended:?}");
}

#[tokio::test]
async fn a_cached_agent_on_a_mount_without_programs_is_not_run() {
    if !can_mount() {
        return;
    }
    let agents = agents(&PARROT);
    let mut host = Host::new();
    host.greet(&agents).await.unwrap();
    let cache = host.cache();
    let cache = cache.display();
    host.with_mounts(&format!(
        "mount --bind {cache} {cache}; mount -o remount,bind,noexec {cache}; {OWN_SHARED}"
    ));
    let mut talk = host.open(&agents);
    let greeting = talk.exchange(&agents).await.unwrap();
    assert_eq!(greeting.origin, AgentOrigin::Sent);
    talk.finish().await;
}

#[tokio::test]
async fn where_there_is_no_place_each_is_named_with_its_reason() {
    if !can_mount() {
        return;
    }
    let mut host = Host::new();
    make_dir(host.cache(), 0o770);
    host.set("XDG_RUNTIME_DIR", host.root.path().join("nowhere"));
    host.with_mounts(&format!("{NO_SHARED}; umount /dev/shm; mount -t tmpfs -o mode=755 none /dev/shm; mkdir -m 777 /dev/shm/x; mount --bind /dev/shm/x /dev/shm"));
    let error = finds_no_place(&host).await;
    assert_eq!(
        error.text,
        "no directory of the host may hold the agent\
         ; $XDG_CACHE_HOME/convoke: the variable is not set to an absolute path\
         ; $HOME/.cache/convoke: it is not ours alone (our uid, mode 700)\
         ; $XDG_RUNTIME_DIR/convoke: the directory above it is missing or belongs to others\
         ; /var/tmp/convoke-UID: it cannot be created\
         ; /dev/shm/convoke-UID: the directory above it is missing or belongs to others"
    );
    assert!(error.hint.is_some());
}

#[tokio::test]
async fn every_shell_finds_no_place_where_there_is_none() {
    if !can_mount() {
        return;
    }
    for (name, package) in SHELLS {
        let mut host = Host::new();
        host.use_sh(&program(name, package));
        make_dir(host.cache(), 0o700);
        let cache = host.cache();
        host.with_mounts(&format!(
            "mount -t tmpfs -o mode=0700,noexec none {}; {NO_SHARED}",
            cache.display()
        ));
        let error = finds_no_place(&host).await;
        let reason = "$HOME/.cache/convoke: programs cannot be run from it";
        assert!(error.text.contains(reason), "{name}: {error}");
    }
}
