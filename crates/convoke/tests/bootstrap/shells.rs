//! Every shell that may read the line, and every shell that may be `/bin/sh`.

use convoke::event::AgentOrigin;

use crate::host::{Host, PARROT, agents, program};

/// The first connection sends the agent, the second finds it.
async fn brings_the_agent_then_finds_it(host: &Host) {
    let agents = agents(&PARROT);
    let first = host.greet(&agents).await.unwrap();
    assert_eq!(first.origin, AgentOrigin::Sent);
    let second = host.greet(&agents).await.unwrap();
    assert_eq!(second.origin, AgentOrigin::Cached);
}

async fn as_login_shell(name: &str, package: &str) {
    let mut host = Host::new();
    host.login = vec![program(name, package).into(), "-c".into()];
    brings_the_agent_then_finds_it(&host).await;
}

async fn as_sh(name: &str, package: &str) {
    let mut host = Host::new();
    host.use_sh(&program(name, package));
    brings_the_agent_then_finds_it(&host).await;
}

#[tokio::test]
async fn dash_reads_the_line() {
    as_login_shell("dash", "dash").await;
}

#[tokio::test]
async fn bash_reads_the_line() {
    as_login_shell("bash", "bash").await;
}

#[tokio::test]
async fn zsh_reads_the_line() {
    as_login_shell("zsh", "zsh").await;
}

#[tokio::test]
async fn tcsh_reads_the_line() {
    as_login_shell("tcsh", "tcsh").await;
}

#[tokio::test]
async fn fish_reads_the_line() {
    as_login_shell("fish", "fish").await;
}

#[tokio::test]
async fn mksh_reads_the_line() {
    as_login_shell("mksh", "mksh").await;
}

#[tokio::test]
async fn busybox_reads_the_line() {
    let mut host = Host::new();
    let busybox = program("busybox", "busybox");
    host.login = vec![busybox.into(), "sh".into(), "-c".into()];
    brings_the_agent_then_finds_it(&host).await;
}

#[tokio::test]
async fn dash_is_sh() {
    as_sh("dash", "dash").await;
}

#[tokio::test]
async fn bash_is_sh() {
    as_sh("bash", "bash").await;
}

#[tokio::test]
async fn busybox_is_sh() {
    as_sh("busybox", "busybox").await;
}

#[tokio::test]
async fn mksh_is_sh() {
    as_sh("mksh", "mksh").await;
}

#[tokio::test]
async fn zsh_is_sh() {
    as_sh("zsh", "zsh").await;
}

#[tokio::test]
async fn options_from_the_environment_do_not_stop_the_script() {
    let mut host = Host::new();
    host.use_sh(&program("bash", "bash"));
    host.set("SHELLOPTS", "errexit:nounset:noclobber:noglob:xtrace");
    brings_the_agent_then_finds_it(&host).await;
}

#[tokio::test]
async fn a_trace_of_sh_on_stdout_is_not_the_answer() {
    let mut host = Host::new();
    host.use_sh(&program("bash", "bash"));
    host.set("SHELLOPTS", "xtrace:verbose");
    host.behind("exec \"$@\" 2>&1");
    brings_the_agent_then_finds_it(&host).await;
}
