//! The verbs, as the same program over every connector, and on many hosts at once.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

mod everywhere;
mod hostile;
mod session;

use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use convoke::agents::Agents;
use convoke::connect::registry::Registry;
use convoke::connect::ssh::SshOptions;
use convoke::connect::surroundings::Surroundings;
use convoke::host::{Host, Reach};
use convoke_testkit::conformance::{self, Ghost, Site, Skipped};
use convoke_testkit::fleet::{Builder, Fleet};
use convoke_testkit::leak::Leaks;
use tempfile::TempDir;

/// How long ended connections may take to be gone from a host on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

const GHOST: Ghost = Ghost {
    name: "ghost",
    number: 70_123,
    home: "/far/ghost",
    members: &["ghost", "nobody"],
};

/// Asks the real one about all others.
const GETENT: &str = "#!/bin/sh
case \"$1 $2\" in
    'passwd ghost' | 'passwd 70123') echo 'ghost:x:70123:70123:Known to few:/far/ghost:/bin/sh' ;;
    'group ghost' | 'group 70123') echo 'ghost:x:70123:ghost,nobody' ;;
    'initgroups ghost') echo 'ghost 70123' ;;
    *) exec /usr/bin/getent \"$@\" ;;
esac
";

/// A directory with a `getent` that knows the ghost, readable by everybody.
fn getent() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let everybody = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.path(), everybody.clone()).unwrap();
    let program = directory.path().join("getent");
    fs::write(&program, GETENT).unwrap();
    fs::set_permissions(&program, everybody).unwrap();
    directory
}

/// A `PATH` in which that directory stands first.
fn path_with(directory: &Path) -> String {
    format!("{}:/usr/local/bin:/usr/bin:/bin", directory.display())
}

/// How this machine is reached as a host, with a home and a `PATH` of its own.
fn local_reach(leaks: &Leaks, home: &Path, path: &str) -> Reach {
    let environment = vec![
        leaks.mark(),
        ("PATH".into(), path.into()),
        ("HOME".into(), home.into()),
        ("SHELL".into(), "/bin/sh".into()),
    ];
    let surroundings = Surroundings {
        environment,
        home: Some(home.to_owned()),
        ..Surroundings::of_this_process()
    };
    Reach::new(surroundings, Agents::embedded())
}

/// How the hosts of a fleet are reached.
fn fleet_reach(fleet: &Fleet) -> Reach {
    let options = SshOptions {
        config: Some(fleet.ssh_config()),
        ..SshOptions::default()
    };
    Reach {
        registry: Registry::with_ssh(options),
        ..Reach::new(Surroundings::of_this_process(), Agents::embedded())
    }
}

/// Waits until the far side of every connection has ended.
async fn listener_alone(fleet: &Fleet) {
    let listener_alone = async {
        while fleet.processes().len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, listener_alone).await;
    waited.unwrap_or_else(|_| panic!("still run: {:?}", fleet.processes()));
}

fn names(skipped: &[Skipped]) -> Vec<&'static str> {
    skipped.iter().map(|one| one.name).collect()
}

/// What takes a login that is not root.
const ORDINARY: [&str; 7] = [
    "what_may_not_be_seen_is_a_matter_of_permission",
    "what_belongs_to_others_stays_theirs",
    "what_may_not_be_given_away_is_told_with_its_path",
    "what_is_closed_is_closed_to_every_verb",
    "only_root_runs_commands_as_others",
    "the_hash_of_a_password_takes_privileges",
    "nobody_else_has_an_environment_here",
];

/// What takes root.
const ROOT: [&str; 8] = [
    "an_owner_alone_brings_his_group_and_a_group_leaves_the_owner",
    "what_somebody_else_may_have_planted_is_told_with_its_owner",
    "an_upload_gives_the_file_to_whom_it_shall_belong",
    "a_command_runs_as_another_user",
    "the_hash_of_a_password_takes_asking",
    "the_environment_of_somebody_else_is_what_their_command_gets",
    "an_owner_of_new_files_is_a_default",
    "a_relative_directory_begins_at_the_login_home_whoever_runs_there",
];

/// What takes a disk that is soon full.
const SMALL_DISK: [&str; 2] = [
    "an_upload_to_a_full_disk_leaves_the_old_file_and_nothing_else",
    "an_open_file_on_a_full_disk_is_called_by_its_path",
];

/// These, and what takes a small disk unless there is one.
fn and_small_disk(others: &[&'static str], has_small_disk: bool) -> Vec<&'static str> {
    let full = SMALL_DISK.iter().filter(|_| !has_small_disk);
    others.iter().chain(full).copied().collect()
}

/// What our own account does not do.
fn not_ours() -> &'static [&'static str] {
    match rustix::process::getuid().is_root() {
        true => &ORDINARY,
        false => &ROOT,
    }
}

#[tokio::test]
async fn the_verbs_hold_on_this_machine() {
    let leaks = Leaks::begin();
    let (home, getent) = (tempfile::tempdir().unwrap(), getent());
    let site = Site {
        host: Host::new("local:verbs").unwrap(),
        reach: local_reach(&leaks, home.path(), &path_with(getent.path())),
        ghost: Some(GHOST),
        small_disk: None,
    };
    let skipped = conformance::verbs(&site).await;
    assert_eq!(names(&skipped), and_small_disk(not_ours(), false));
    drop(site);
    leaks.end().await;
}

/// Makes every check on a host of a fleet that is reached by this scheme, but for those that the login does not allow.
async fn over_ssh(scheme: &str, builder: Builder, not: &[&'static str]) {
    let getent = getent();
    let path = path_with(getent.path());
    let fleet = match builder.environment("PATH", &path).small_disk().try_start() {
        Ok(fleet) => fleet,
        Err(why) => return println!("skipped 1: {why}"),
    };
    let small_disk = fleet.small_disk();
    let site = Site {
        host: Host::new(&format!("{scheme}://{}", fleet.address(1))).unwrap(),
        reach: fleet_reach(&fleet),
        ghost: Some(GHOST),
        small_disk: small_disk.map(|path| path.into_os_string().into_vec().into()),
    };
    let skipped = conformance::verbs(&site).await;
    assert_eq!(names(&skipped), and_small_disk(not, fleet.is_isolated()));
    drop(site);
    listener_alone(&fleet).await;
}

#[tokio::test]
async fn the_verbs_hold_over_the_systems_ssh() {
    over_ssh("openssh", Fleet::builder(), not_ours()).await;
}

#[tokio::test]
async fn the_verbs_hold_over_the_native_client() {
    over_ssh("ssh+native", Fleet::builder(), not_ours()).await;
}

#[tokio::test]
async fn the_verbs_hold_for_a_login_that_is_not_root() {
    over_ssh("ssh+native", Fleet::builder().account("someone"), &ROOT).await;
}

#[tokio::test]
async fn the_verbs_hold_for_a_login_that_is_not_root_over_the_systems_ssh() {
    over_ssh("openssh", Fleet::builder().account("someone"), &ROOT).await;
}
