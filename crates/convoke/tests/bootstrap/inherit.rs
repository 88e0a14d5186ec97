//! What the agent inherits: nothing of the bootstrap.

use std::collections::BTreeSet;
use std::fs;

use convoke::agents::Agents;
use convoke::bootstrap::Nonce;

use crate::host::{Host, SHELLS, agents, platform, program};

/// What the agent says at the first and at the second connection.
async fn twice(host: &Host, agents: &Agents) -> [String; 2] {
    let mut said = Vec::new();
    for _ in 0..2 {
        let mut talk = host.open(agents);
        let greeting = talk.exchange(agents).await.unwrap();
        let ended = talk.finish().await;
        assert_eq!(ended.stderr, "", "the bootstrap is quiet");
        said.push(String::from_utf8_lossy(&greeting.rest).into_owned() + &ended.said);
    }
    [said.remove(0), said.remove(0)]
}

/// An agent that says what is in a file of `/proc/self`, then its own text; a shell in between would
/// change some of it.
fn agent_that_shows(file: &str) -> Agents {
    agents(&format!("#!/bin/cat /proc/self/{file}\n"))
}

/// What is in a file of `/proc/self` of a command that the same shells run.
async fn plain(host: &Host, file: &str) -> String {
    let sh = host.sh.display();
    let line = format!("exec {sh} -c 'exec /bin/cat /proc/self/{file}'");
    host.open_with(&line, Nonce::random()).finish().await.said
}

#[tokio::test]
async fn the_umask_is_the_one_of_the_login() {
    for umask in ["0022", "0002", "0077"] {
        let mut host = Host::new();
        host.behind(&format!("umask {umask}; exec \"$@\""));
        let expected = format!("{umask}\n");
        let said = twice(&host, &agents("#!/bin/sh\numask\n")).await;
        assert_eq!(said, [expected.clone(), expected]);
    }
}

#[tokio::test]
async fn the_working_directory_is_the_one_of_the_login() {
    let mut host = Host::new();
    host.directory = fs::canonicalize(host.home()).unwrap();
    let expected = format!("{}\n", host.directory.display());
    let said = twice(&host, &agents("#!/bin/sh\npwd\n")).await;
    assert_eq!(said, [expected.clone(), expected]);
}

#[tokio::test]
async fn the_environment_is_the_one_of_any_command() {
    let sorted = |environment: &str| -> BTreeSet<String> {
        let entries = environment.split('\0').map(str::to_owned);
        // Shells put the name of the program they start into this one.
        entries.filter(|entry| !entry.starts_with("_=")).collect()
    };
    for (name, package) in SHELLS {
        for path in [Some("/usr/bin:/opt/with blank"), Some(""), None] {
            let mut host = Host::new();
            host.use_sh(&program(name, package));
            host.environment.remove("PATH");
            if let Some(path) = path {
                host.set("PATH", path);
            }
            host.set("n", "names of one letter are not ours");
            host.set("answer", "nor are words");
            let agents = agent_that_shows("environ");
            let expected = sorted(&plain(&host, "environ").await);
            for said in twice(&host, &agents).await {
                let (environment, _) = said.split_once("#!/bin/cat").unwrap();
                assert_eq!(sorted(environment), expected, "{name}, {path:?}");
            }
        }
    }
}

#[tokio::test]
async fn no_signal_is_ignored_or_blocked() {
    let signals = |status: &str| -> Vec<String> {
        let lines = status.lines().map(str::to_owned);
        lines
            .filter(|line| line.starts_with("SigBlk") || line.starts_with("SigIgn"))
            .collect()
    };
    for (name, package) in SHELLS {
        let mut host = Host::new();
        host.use_sh(&program(name, package));
        let expected = signals(&plain(&host, "status").await);
        assert_eq!(expected.len(), 2);
        for said in twice(&host, &agent_that_shows("status")).await {
            assert_eq!(signals(&said), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn no_descriptor_is_left_open() {
    for (name, package) in SHELLS {
        let mut host = Host::new();
        host.use_sh(&program(name, package));
        let line = format!("exec {} -c 'exec /bin/ls /proc/self/fd'", host.sh.display());
        let expected = host.open_with(&line, Nonce::random()).finish().await.said;
        for said in twice(&host, &agents("#!/bin/ls /proc/self/fd\n")).await {
            let (_, descriptors) = said.split_once("/proc/self/fd:\n").unwrap();
            assert_eq!(descriptors, expected, "{name}");
        }
    }
}

#[tokio::test]
async fn bytes_behind_the_upload_are_left_for_the_agent() {
    let agents = agents("#!/bin/sh\nexec cat\n");
    let host = Host::new();
    let mut talk = host.open(&agents);
    talk.wait_for(" gz\n").await;
    let agent = agents.find(&platform()).unwrap();
    talk.send(&[agent.gzip(), b"behind it"].concat()).await;
    talk.wait_for(" ready\n").await;
    assert_eq!(talk.finish().await.said, "behind it");
}
