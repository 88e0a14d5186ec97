//! Hosts that lack tools.

use convoke::agents::{Agent, Agents};
use convoke::event::AgentOrigin;
use convoke::outcome::UnreachableKind;

use crate::host::{Host, PARROT, agents, can_mount, program};

/// The tools that the script needs wherever it runs, and that the fake agent needs (`cat`).
const NEEDED: &str = "sh uname ls mkdir chmod rm mv wc id cat";

/// A host that has the needed tools and these, and no others.
fn with_tools(tools: &str) -> Host {
    for tool in tools.split(' ') {
        program(tool, package(tool));
    }
    let mut host = Host::new();
    let root = host.root.path().display().to_string();
    host.with_mounts(&format!(
        "mkdir {root}/all; mount --bind /usr/bin {root}/all; \
         mkdir {root}/few; mount -t tmpfs none {root}/few; \
         for tool in {NEEDED} {tools}; do {root}/all/ln -s {root}/all/$tool {root}/few/$tool; done; \
         mount --bind {root}/few /usr/bin"
    ));
    host
}

/// The Debian package of a tool.
fn package(tool: &str) -> &str {
    match tool {
        "shasum" | "perl" => "perl",
        "openssl" | "gzip" => tool,
        _ => "coreutils",
    }
}

/// How the agent came at the first and at the second connection.
async fn twice(host: &Host, agents: &Agents) -> [AgentOrigin; 2] {
    let mut origins = Vec::new();
    for _ in 0..2 {
        for dir in ["all", "few"] {
            // The mount points of the connection before; its mounts are gone with it.
            let _ = std::fs::remove_dir(host.root.path().join(dir));
        }
        origins.push(host.greet(agents).await.unwrap().origin);
    }
    [origins[0], origins[1]]
}

const FOUND: [AgentOrigin; 2] = [AgentOrigin::Sent, AgentOrigin::Cached];
const SENT_TWICE: [AgentOrigin; 2] = [AgentOrigin::Sent, AgentOrigin::Sent];

#[tokio::test]
async fn few_tools_suffice() {
    if can_mount() {
        let host = with_tools("head sha256sum");
        assert_eq!(twice(&host, &agents(&PARROT)).await, FOUND);
    }
}

#[tokio::test]
async fn shasum_verifies_where_there_is_no_sha256sum() {
    if can_mount() {
        let host = with_tools("head shasum perl");
        assert_eq!(twice(&host, &agents(&PARROT)).await, FOUND);
    }
}

#[tokio::test]
async fn openssl_verifies_where_there_is_nothing_else() {
    if can_mount() {
        let host = with_tools("head openssl");
        assert_eq!(twice(&host, &agents(&PARROT)).await, FOUND);
    }
}

#[tokio::test]
async fn a_broken_hash_tool_is_passed_over() {
    if can_mount() {
        // shasum is there, but not the perl that runs it.
        let host = with_tools("head shasum openssl");
        assert_eq!(twice(&host, &agents(&PARROT)).await, FOUND);
    }
}

#[tokio::test]
async fn without_a_hash_tool_the_cached_agent_is_not_used() {
    if can_mount() {
        let host = with_tools("head gzip");
        assert_eq!(twice(&host, &agents(&PARROT)).await, SENT_TWICE);
    }
}

#[tokio::test]
async fn without_a_hash_tool_a_short_upload_is_not_run() {
    if !can_mount() {
        return;
    }
    let host = with_tools("head");
    let agents = agents(&PARROT);
    let mut talk = host.open(&agents);
    talk.wait_for(" raw\n").await;
    talk.send(&PARROT.as_bytes()[..20]).await;
    let ended = talk.finish().await;
    assert!(ended.said.ends_with(" bad 20\n"), "{ended:?}");
    host.assert_no_temporary();
}

#[tokio::test]
async fn without_head_the_bytes_are_counted_by_dd() {
    if can_mount() {
        let host = with_tools("dd gzip sha256sum");
        assert_eq!(twice(&host, &agents(&PARROT)).await, FOUND);
    }
}

#[tokio::test]
async fn without_find_nothing_is_pruned_and_all_is_well() {
    if can_mount() {
        let host = with_tools("head gzip sha256sum");
        assert_eq!(twice(&host, &agents(&PARROT)).await, FOUND);
    }
}

#[tokio::test]
async fn a_path_without_tools_is_completed() {
    for path in ["", "/nowhere", "relative"] {
        let mut host = Host::new();
        host.set("PATH", path);
        let agents = agents("#!/bin/sh\necho agent\nexec /bin/cat\n");
        for origin in FOUND {
            assert_eq!(host.greet(&agents).await.unwrap().origin, origin);
        }
    }
}

#[tokio::test]
async fn an_unknown_machine_is_named() {
    let agent = Agent::from_bytes("vax-linux", PARROT.as_bytes()).unwrap();
    let host = Host::new();
    let error = host.greet(&Agents::new(vec![agent])).await.unwrap_err();
    assert_eq!(error.kind, UnreachableKind::NoAgent);
    let uname = format!("Linux {}", std::env::consts::ARCH);
    assert!(
        error.text.contains(&uname) && error.text.contains("vax-linux"),
        "{error}"
    );
    assert!(!host.cache().exists());
}

#[tokio::test]
async fn a_build_without_agents_says_what_to_do() {
    let host = Host::new();
    let error = host.greet(&Agents::new(Vec::new())).await.unwrap_err();
    assert_eq!(error.kind, UnreachableKind::NoAgent);
    assert!(error.hint.unwrap().contains("CONVOKE_AGENT_DIR"));
}
