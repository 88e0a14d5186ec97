//! The cached agent: verified, replaced, shared, and removed when nobody uses it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use convoke::agents::Agents;
use convoke::event::AgentOrigin;
use tokio::task::JoinSet;

use crate::host::{Host, PARROT, agents, file_name, files_below, give_away, platform};

/// A host that has the agent.
async fn warm(agents: &Agents) -> Host {
    let host = Host::new();
    let greeting = host.greet(agents).await.unwrap();
    assert_eq!(greeting.origin, AgentOrigin::Sent);
    host
}

/// Connects to a host whose cached agent is damaged: it is sent again, and then found.
async fn is_replaced(host: &Host, agents: &Agents) {
    let again = host.greet(agents).await.unwrap();
    assert_eq!(again.origin, AgentOrigin::Sent);
    let cached = host.cached(agents);
    assert!(fs::symlink_metadata(&cached).unwrap().is_file());
    assert_eq!(fs::read_to_string(&cached).unwrap(), *PARROT);
    let after = host.greet(agents).await.unwrap();
    assert_eq!(after.origin, AgentOrigin::Cached);
}

#[tokio::test]
async fn the_file_is_named_by_platform_and_hash_and_is_ours_alone() {
    let agents = agents(&PARROT);
    let host = warm(&agents).await;
    let agent = agents.find(&platform()).unwrap();
    let name = format!("agent-{}-{}", agent.platform(), agent.sha256());
    let file = host.cache().join(name);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o700);
    for dir in [host.cache(), host.home().join(".cache")] {
        assert_eq!(fs::metadata(dir).unwrap().mode() & 0o7777, 0o700);
    }
}

#[tokio::test]
async fn the_platform_is_reported_both_times() {
    let agents = agents(&PARROT);
    let host = Host::new();
    for _ in 0..2 {
        assert_eq!(host.greet(&agents).await.unwrap().platform, platform());
    }
}

#[tokio::test]
async fn a_tampered_agent_is_replaced_before_it_runs() {
    let agents = agents(&PARROT);
    let host = warm(&agents).await;
    let enemy = PARROT.replace("echo agent", "echo enemy");
    fs::write(host.cached(&agents), enemy).unwrap();
    is_replaced(&host, &agents).await;
}

#[tokio::test]
async fn a_truncated_agent_is_replaced() {
    let agents = agents(&PARROT);
    let host = warm(&agents).await;
    fs::write(host.cached(&agents), &PARROT[..20]).unwrap();
    is_replaced(&host, &agents).await;
}

#[tokio::test]
async fn an_empty_agent_is_replaced() {
    let agents = agents(&PARROT);
    let host = warm(&agents).await;
    fs::write(host.cached(&agents), "").unwrap();
    is_replaced(&host, &agents).await;
}

#[tokio::test]
async fn an_agent_that_is_not_executable_is_replaced() {
    let agents = agents(&PARROT);
    let host = warm(&agents).await;
    fs::set_permissions(host.cached(&agents), fs::Permissions::from_mode(0o600)).unwrap();
    is_replaced(&host, &agents).await;
}

#[tokio::test]
async fn an_agent_of_another_owner_is_replaced() {
    let agents = agents(&PARROT);
    let host = warm(&agents).await;
    give_away(host.cached(&agents));
    is_replaced(&host, &agents).await;
}

#[tokio::test]
async fn a_link_in_place_of_the_agent_is_not_followed() {
    let agents = agents(&PARROT);
    let host = warm(&agents).await;
    let cached = host.cached(&agents);
    let elsewhere = host.root.path().join("elsewhere");
    fs::rename(&cached, &elsewhere).unwrap();
    let before = fs::metadata(&elsewhere).unwrap();
    symlink(&elsewhere, &cached).unwrap();
    is_replaced(&host, &agents).await;
    let after = fs::metadata(&elsewhere).unwrap();
    assert_eq!((after.ino(), after.mtime()), (before.ino(), before.mtime()));
}

#[tokio::test]
async fn a_link_to_a_directory_in_place_of_the_agent_is_not_followed() {
    let agents = agents(&PARROT);
    let host = warm(&agents).await;
    let elsewhere = host.root.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::remove_file(host.cached(&agents)).unwrap();
    symlink(&elsewhere, host.cached(&agents)).unwrap();
    is_replaced(&host, &agents).await;
    assert_eq!(files_below(&elsewhere), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn two_versions_live_beside_each_other() {
    let (one, two) = (agents(&PARROT), agents(&format!("{}\n", *PARROT)));
    let host = warm(&one).await;
    assert_eq!(host.greet(&two).await.unwrap().origin, AgentOrigin::Sent);
    for version in [&one, &two] {
        assert_eq!(
            host.greet(version).await.unwrap().origin,
            AgentOrigin::Cached
        );
    }
}

#[tokio::test]
async fn eight_first_connections_at_once_all_succeed() {
    let agents = agents(&PARROT);
    let host = std::sync::Arc::new(Host::new());
    let mut connections = JoinSet::new();
    for _ in 0..8 {
        let (host, agents) = (host.clone(), agents.clone());
        connections.spawn(async move {
            let mut talk = host.open(&agents);
            let greeting = talk.exchange(&agents).await.unwrap();
            let ended = talk.finish().await;
            assert!(ended.status.success(), "{ended:?}");
            [&greeting.rest[..], ended.said.as_bytes()].concat()
        });
    }
    for said in connections.join_all().await {
        assert_eq!(said, b"agent\n");
    }
    assert_eq!(files_below(&host.cache()), [host.cached(&agents)]);
}

#[tokio::test]
async fn an_agent_unused_for_30_days_is_removed_at_an_upload_and_no_other() {
    let old = agents(&format!("{}# old\n", *PARROT));
    let host = warm(&old).await;
    let young = agents(&format!("{}# young\n", *PARROT));
    host.greet(&young).await.unwrap();
    let days = |days: u64| SystemTime::now() - Duration::from_secs(days * 24 * 3600 + 3600);
    touch(&host.cached(&old), days(30));
    touch(&host.cached(&young), days(29));
    let stranger = host.cache().join("notes");
    fs::write(&stranger, "not ours").unwrap();
    touch(&stranger, days(400));

    let new = agents(&PARROT);
    host.greet(&new).await.unwrap();
    let mut left = files_below(&host.cache());
    left.sort();
    let mut expected = [host.cached(&young), host.cached(&new), stranger];
    expected.sort();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn nothing_is_removed_when_the_agent_is_there() {
    let old = agents(&format!("{}# old\n", *PARROT));
    let host = warm(&old).await;
    let new = agents(&PARROT);
    host.greet(&new).await.unwrap();
    touch(&host.cached(&old), SystemTime::UNIX_EPOCH);
    host.greet(&new).await.unwrap();
    assert!(host.cache().join(file_name(&old)).exists());
}

fn touch(path: &Path, when: SystemTime) {
    fs::File::open(path).unwrap().set_modified(when).unwrap();
}
