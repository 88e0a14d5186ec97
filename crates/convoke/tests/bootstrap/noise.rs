//! What a login shell says before the script does.

use std::fs;

use convoke::error::BootstrapError;
use convoke::event::AgentOrigin;
use convoke::outcome::UnreachableKind;

use crate::host::{Host, PARROT, agents, program};

async fn comes_through(host: &Host) {
    let agents = agents(&PARROT);
    let first = host.greet(&agents).await.unwrap();
    assert_eq!(first.origin, AgentOrigin::Sent);
    let second = host.greet(&agents).await.unwrap();
    assert_eq!(second.origin, AgentOrigin::Cached);
}

async fn fails(host: &Host) -> BootstrapError {
    host.greet(&agents(&PARROT)).await.unwrap_err()
}

fn files(host: &Host) -> Vec<String> {
    let entries = fs::read_dir(host.home()).unwrap().flatten();
    entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn a_message_without_line_end_is_passed_over() {
    let mut host = Host::new();
    host.behind("printf 'Welcome to the machine'; exec \"$@\"");
    comes_through(&host).await;
}

#[tokio::test]
async fn sixty_thousand_bytes_are_passed_over() {
    let mut host = Host::new();
    host.behind("head -c 60000 /dev/zero; exec \"$@\"");
    comes_through(&host).await;
}

#[tokio::test]
async fn more_than_64_kib_are_no_shell() {
    let mut host = Host::new();
    host.behind("head -c 70000 /dev/zero | tr '\\000' x; echo the end; exec \"$@\"");
    let error = fails(&host).await;
    assert_eq!(error.kind, UnreachableKind::NoShell);
    assert!(error.hint.is_some());
}

#[tokio::test]
async fn a_shell_that_ends_is_quoted_without_its_escapes() {
    let mut host = Host::new();
    host.behind("printf '\\033[31mThis account is disabled.\\n'; exit 1");
    let error = fails(&host).await;
    assert_eq!(error.kind, UnreachableKind::NoShell);
    assert!(
        error.text.ends_with("\\x1b[31mThis account is disabled."),
        "{error}"
    );
}

#[tokio::test]
async fn a_shell_that_says_nothing_is_no_shell() {
    let mut host = Host::new();
    host.behind("exit 0");
    let error = fails(&host).await;
    assert_eq!(error.kind, UnreachableKind::NoShell);
    assert!(error.text.ends_with("it said nothing"), "{error}");
}

#[tokio::test]
async fn only_the_last_200_bytes_are_quoted() {
    let mut host = Host::new();
    host.behind("printf first; head -c 1000 /dev/zero | tr '\\000' x; printf last; exit 1");
    let error = fails(&host).await;
    assert!(error.text.ends_with("xxlast"), "{error}");
    assert!(!error.text.contains("first"), "{error}");
}

#[tokio::test]
async fn an_echo_of_the_line_is_not_the_answer() {
    let mut host = Host::new();
    host.behind(
        "for word; do :; done; printf '%s\\r\\n' \"$word\"; printf '%s' \"$word\"; exec \"$@\"",
    );
    comes_through(&host).await;
}

#[tokio::test]
async fn a_bash_that_traces_to_stdout_is_passed_over() {
    let mut host = Host::new();
    host.login = vec![program("bash", "bash").into(), "-xvc".into()];
    host.behind("exec \"$@\" 2>&1");
    comes_through(&host).await;
}

#[tokio::test]
async fn a_verbose_tcsh_is_passed_over() {
    let mut host = Host::new();
    fs::write(
        host.home().join(".tcshrc"),
        "set verbose\nset echo\necho rc of tcsh\n",
    )
    .unwrap();
    host.login = vec![program("tcsh", "tcsh").into(), "-c".into()];
    host.behind("exec \"$@\" 2>&1");
    let agents = agents(&PARROT);
    let first = host.greet(&agents).await.unwrap();
    assert_eq!(first.origin, AgentOrigin::Sent);
}

#[tokio::test]
async fn a_bash_start_file_that_prints_is_passed_over() {
    let mut host = Host::new();
    let rc = host.root.path().join("rc");
    fs::write(&rc, "echo rc of bash; printf 'no line end'").unwrap();
    host.set("BASH_ENV", rc);
    host.login = vec![program("bash", "bash").into(), "-c".into()];
    comes_through(&host).await;
}

#[tokio::test]
async fn a_zsh_start_file_that_prints_is_passed_over() {
    let mut host = Host::new();
    fs::write(
        host.home().join(".zshenv"),
        "echo rc of zsh; printf 'no line end'",
    )
    .unwrap();
    host.login = vec![program("zsh", "zsh").into(), "-c".into()];
    comes_through(&host).await;
}

#[tokio::test]
async fn a_fish_start_file_that_prints_is_passed_over() {
    let mut host = Host::new();
    let config = host.root.path().join("config/fish");
    fs::create_dir_all(&config).unwrap();
    fs::write(
        config.join("config.fish"),
        "echo rc of fish; printf 'no line end'",
    )
    .unwrap();
    host.set("XDG_CONFIG_HOME", host.root.path().join("config"));
    host.login = vec![program("fish", "fish").into(), "-c".into()];
    comes_through(&host).await;
}

#[tokio::test]
async fn a_shell_that_never_answers_is_ended_and_leaves_nothing() {
    let mut host = Host::new();
    host.behind("echo waiting; exec cat");
    let agents = agents(&PARROT);
    let mut talk = host.open(&agents);
    talk.wait_for("waiting").await;
    let exchange = talk.exchange(&agents);
    let limit = std::time::Duration::from_millis(50);
    assert!(tokio::time::timeout(limit, exchange).await.is_err());
    talk.finish().await;
    assert_eq!(files(&host), Vec::<String>::new());
}
