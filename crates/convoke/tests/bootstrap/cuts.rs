//! The connection ends at any moment: nothing stays behind.

use std::fs;
use std::time::{Duration, SystemTime};

use convoke::agents::Agents;
use rustix::process::Signal;

use crate::host::{
    Host, PARROT, SHELLS, Talk, agents, file_name, files_below, is_temporary, platform, program,
};

/// Hides gzip, so that the agent is asked for as it is.
const WITHOUT_GZIP: &str = "mkdir \"$HOME/bin\"; printf '#!/bin/sh\\nexit 1\\n' >\"$HOME/bin/gzip\"; \
    chmod 755 \"$HOME/bin/gzip\"; PATH=$HOME/bin:$PATH; exec \"$@\"";

fn gzip(agents: &Agents) -> Vec<u8> {
    agents.find(&platform()).unwrap().gzip().to_vec()
}

/// Opens a connection and reads until the agent is asked for.
async fn asked(host: &Host, agents: &Agents, form: &str) -> Talk {
    let mut talk = host.open(agents);
    let need = format!("{} need {} {form}\n", talk.nonce.as_str(), platform());
    talk.wait_for(&need).await;
    talk
}

/// Ends the input after every number of bytes of the agent.
async fn every_cut(host: &Host, agents: &Agents, bytes: &[u8], form: &str) {
    for cut in 0..bytes.len() {
        let mut talk = asked(host, agents, form).await;
        talk.send(&bytes[..cut]).await;
        let ended = talk.finish().await;
        assert!(!ended.status.success(), "cut at {cut}: {ended:?}");
        let left = files_below(&host.cache());
        assert!(left.is_empty(), "cut at {cut}: {left:?}");
    }
    let mut talk = asked(host, agents, form).await;
    talk.send(bytes).await;
    talk.wait_for(" ready\n").await;
    talk.send(b"not cut").await;
    assert_eq!(talk.finish().await.said, "agent\nnot cut");
    let left = files_below(&host.cache());
    assert_eq!(left, [host.cached(agents)]);
}

async fn every_cut_through(name: &str, package: &str) {
    let mut host = Host::new();
    host.use_sh(&program(name, package));
    let agents = agents(&PARROT);
    every_cut(&host, &agents, &gzip(&agents), "gz").await;
}

#[tokio::test]
async fn a_cut_at_any_byte_leaves_nothing_through_dash() {
    every_cut_through("dash", "dash").await;
}

#[tokio::test]
async fn a_cut_at_any_byte_leaves_nothing_through_bash() {
    every_cut_through("bash", "bash").await;
}

#[tokio::test]
async fn a_cut_at_any_byte_leaves_nothing_through_busybox() {
    every_cut_through("busybox", "busybox").await;
}

#[tokio::test]
async fn a_cut_at_any_byte_leaves_nothing_through_mksh() {
    every_cut_through("mksh", "mksh").await;
}

#[tokio::test]
async fn a_cut_at_any_byte_leaves_nothing_through_zsh() {
    every_cut_through("zsh", "zsh").await;
}

#[tokio::test]
async fn a_cut_at_any_byte_leaves_nothing_without_gzip() {
    let mut host = Host::new();
    host.behind(&format!("rm -rf \"$HOME/bin\"; {WITHOUT_GZIP}"));
    let agents = agents(&PARROT);
    every_cut(&host, &agents, PARROT.as_bytes(), "raw").await;
}

#[tokio::test]
async fn input_that_ends_before_the_script_begins_leaves_nothing() {
    let host = Host::new();
    let agents = agents(&PARROT);
    let ended = host.open(&agents).finish().await;
    assert!(!ended.status.success(), "{ended:?}");
    assert_eq!(files_below(&host.cache()), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_reader_that_is_gone_leaves_nothing() {
    let host = Host::new();
    let agents = agents(&PARROT);
    let talk = host.open(&agents);
    let Talk {
        mut child,
        reader,
        writer,
        ..
    } = talk;
    drop(reader);
    child.wait().await.unwrap();
    drop(writer);
    assert_eq!(files_below(&host.cache()), Vec::<std::path::PathBuf>::new());
}

/// Sends a signal while the agent is half there.
async fn signal(host: &Host, signal: Signal, whole_group: bool) {
    let agents = agents(&PARROT);
    let mut talk = asked(host, &agents, "gz").await;
    talk.send(&gzip(&agents)[..20]).await;
    assert!(
        files_below(&host.cache())
            .iter()
            .any(|path| is_temporary(path))
    );
    talk.signal(signal, whole_group);
    talk.finish().await;
    assert_eq!(
        files_below(&host.cache()),
        Vec::<std::path::PathBuf>::new(),
        "{signal:?}"
    );
}

#[tokio::test]
async fn a_signal_to_everything_leaves_nothing() {
    for (name, package) in SHELLS {
        let mut host = Host::new();
        host.use_sh(&program(name, package));
        for number in [Signal::HUP, Signal::INT, Signal::PIPE, Signal::TERM] {
            eprintln!("{name}, {number:?}");
            signal(&host, number, true).await;
        }
    }
}

#[tokio::test]
async fn a_signal_to_the_shell_alone_leaves_nothing() {
    for number in [
        Signal::HUP,
        Signal::INT,
        Signal::PIPE,
        Signal::TERM,
        Signal::KILL,
    ] {
        signal(&Host::new(), number, false).await;
    }
}

#[tokio::test]
async fn bytes_that_are_not_the_agent_leave_nothing() {
    let host = Host::new();
    let agents = agents(&PARROT);
    let garbage = vec![b'x'; gzip(&agents).len()];
    let mut talk = asked(&host, &agents, "gz").await;
    talk.send(&garbage).await;
    let bad = format!("{} bad 0", talk.nonce.as_str());
    talk.wait_for(&bad).await;
    assert!(!talk.finish().await.status.success());
    assert_eq!(files_below(&host.cache()), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn another_agent_of_the_same_size_is_refused() {
    let mut host = Host::new();
    host.behind(WITHOUT_GZIP);
    let agents = agents(&PARROT);
    let mut talk = asked(&host, &agents, "raw").await;
    talk.send(PARROT.replace("agent", "enemy").as_bytes()).await;
    let bad = format!("{} bad {}", talk.nonce.as_str(), PARROT.len());
    talk.wait_for(&bad).await;
    assert!(!talk.finish().await.status.success());
    assert!(!host.cached(&agents).exists());
    host.assert_no_temporary();
}

#[tokio::test]
async fn a_temporary_older_than_a_day_is_removed_and_a_younger_one_stays() {
    let host = Host::new();
    let agents = agents(&PARROT);
    host.greet(&agents).await.unwrap();
    fs::remove_file(host.cached(&agents)).unwrap();
    let hours = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3600);
    for (name, when) in [("upload-old", hours(25)), ("upload-young", hours(23))] {
        let file = fs::File::create(host.cache().join(name)).unwrap();
        file.set_modified(when).unwrap();
    }
    let mut talk = host.open(&agents);
    talk.exchange(&agents).await.unwrap();
    talk.finish().await;
    let mut left = files_below(&host.cache());
    left.sort();
    assert_eq!(
        left,
        [
            host.cache().join(file_name(&agents)),
            host.cache().join("upload-young")
        ]
    );
}
