//! What ssh is called with.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use convoke_connect::connector::Connector as _;
use convoke_connect::error::ConnectErrorKind;
use convoke_connect::ssh::SshOptions;

use crate::stub::{Stub, all};

/// Opens, waits for the end and returns the argv.
async fn argv_of(stub: &Stub, endpoint: &str) -> Vec<String> {
    let pipes = stub.open(endpoint).await.unwrap();
    all(pipes.reader).await;
    pipes.close.close().await;
    stub.argv()
}

fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    words.push("exec /bin/sh -c 'x y'".into());
    words
}

const FIRST: &str = "-T -o BatchMode=yes";
const LAST: &str = "-o ConnectTimeout=25 -o ControlMaster=no -o LogLevel=DEBUG1 --";

#[tokio::test]
async fn the_parts_of_an_endpoint_are_words_of_their_own() {
    for (endpoint, parts) in [
        ("web1", "web1"),
        ("root@web1", "-l root|web1"),
        ("web1:2222", "-p 2222|web1"),
        ("root@[::1]:22", "-l root -p 22|::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("ssh://a%40corp@web1:22/", "-l a@corp -p 22|web1"),
        ("openssh:web1", "web1"),
    ] {
        let stub = Stub::new("");
        let (before, host) = parts.split_once('|').unwrap_or(("", parts));
        let before = if before.is_empty() {
            String::new()
        } else {
            format!("{before} ")
        };
        let expected = words(&format!("{FIRST} {before}{LAST} {host}"));
        assert_eq!(argv_of(&stub, endpoint).await, expected, "{endpoint}");
    }
}

#[tokio::test]
async fn options_stand_between_what_is_enforced_and_what_may_be_overruled() {
    let options = SshOptions {
        login: Some("ann".into()),
        port: Some(2200),
        identities: vec!["/k/one".into(), "/k/two".into()],
        config: Some("/c/config".into()),
        options: vec!["ControlMaster=auto".into(), "ForwardAgent yes".into()],
        ..SshOptions::default()
    };
    let stub = Stub::with("", options);
    let argv = argv_of(&stub, "web1").await.join(" ");
    let expected = format!(
        "{FIRST} -F /c/config -i /k/one -i /k/two -l ann -p 2200 -o ControlMaster=auto -o ForwardAgent yes \
         {LAST} web1 exec /bin/sh -c 'x y'"
    );
    assert_eq!(argv, expected);
    // What a host is written with wins.
    let argv = argv_of(&stub, "bob@web1:22").await.join(" ");
    assert!(
        argv.contains(" -l bob -p 22 ") && !argv.contains("ann"),
        "{argv}"
    );
}

#[tokio::test]
async fn a_log_level_of_the_user_is_kept_and_so_is_its_output() {
    let options = SshOptions {
        options: vec!["loglevel DEBUG3".into()],
        ..SshOptions::default()
    };
    let stub = Stub::with("echo 'debug1: hello' >&2", options);
    let pipes = stub.open("web1").await.unwrap();
    assert_eq!(all(pipes.stderr).await, "debug1: hello\n");
    assert!(!stub.argv().contains(&"LogLevel=DEBUG1".to_owned()));
}

#[tokio::test]
async fn what_would_keep_our_pipes_from_the_command_is_overruled_where_it_is_in_force() {
    let stub = Stub::new("");
    stub.write(
        "answers",
        "[ $name = web1 ] && printf 'remotecommand tmux\\nstdinnull yes\\nsessiontype default\\n' \
         >> \"$STUB/settings.$$\"\n",
    );
    let first = format!("{FIRST} -o RemoteCommand=none -o StdinNull=no");
    assert_eq!(
        argv_of(&stub, "web1").await,
        words(&format!("{first} {LAST} web1"))
    );
    assert_eq!(
        argv_of(&stub, "web2").await,
        words(&format!("{FIRST} {LAST} web2"))
    );
}

#[tokio::test]
async fn a_configured_time_to_connect_is_the_one_in_force() {
    for (answers, is_told) in [("", true), ("connecttimeout 60", false)] {
        let stub = Stub::new("");
        let answers = format!("echo {answers} >> \"$STUB/settings.$$\"\n");
        stub.write("answers", &answers);
        let argv = argv_of(&stub, "web1").await.join(" ");
        let found = argv.contains("ConnectTimeout=25");
        assert_eq!(found, is_told, "{answers}");
    }
}

#[tokio::test]
async fn a_real_ssh_that_is_to_go_into_the_background_is_kept_here() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config");
    std::fs::write(&config, "Host web1\n ForkAfterAuthentication yes\n").unwrap();
    let options = SshOptions {
        config: Some(config),
        ..SshOptions::default()
    };
    let stub = Stub::with("", options);
    stub.write("answers", "exec ssh \"$@\"\n");
    for (host, is_overruled) in [("web1", true), ("web2", false)] {
        let argv = argv_of(&stub, host).await.join(" ");
        let found = argv.contains("-T -o BatchMode=yes -o ForkAfterAuthentication=no ");
        assert_eq!(found, is_overruled, "{argv}");
    }
}

#[tokio::test]
async fn ssh_gets_the_environment_of_the_surroundings_and_no_other() {
    let stub = Stub::new("");
    argv_of(&stub, "web1").await;
    let environment = stub.note("environment");
    assert!(
        environment.contains("MARK=of these surroundings"),
        "{environment}"
    );
    assert!(!environment.contains("CARGO"), "{environment}");
}

#[tokio::test]
async fn a_hostile_name_starts_nothing() {
    for endpoint in [
        "ssh://-oProxyCommand=x",
        "root@-oProxyCommand=x",
        "ssh://%2doProxyCommand=x@web1",
        "web1;reboot",
        "web1$HOME",
        "web`x`",
        "web1:0",
        "ssh://web1/docker:app",
    ] {
        let stub = Stub::new("");
        for error in [
            stub.connector
                .check(&endpoint.parse().unwrap())
                .unwrap_err(),
            stub.open(endpoint).await.unwrap_err(),
            stub.route(endpoint).await.unwrap_err(),
        ] {
            assert_eq!(error.kind, ConnectErrorKind::Endpoint, "{endpoint}");
        }
        assert!(
            !stub.file("argv").exists() && !stub.file("explained").exists(),
            "{endpoint}"
        );
    }
}

#[tokio::test]
async fn a_hostile_login_starts_nothing() {
    let options = SshOptions {
        login: Some("-oProxyCommand=x".into()),
        ..SshOptions::default()
    };
    let stub = Stub::with("", options);
    let checked = stub.connector.check(&"web1".parse().unwrap());
    assert_eq!(checked.unwrap_err().kind, ConnectErrorKind::Configuration);
    let error = stub.open("web1").await.unwrap_err();
    assert_eq!(error.kind, ConnectErrorKind::Configuration);
    assert!(!stub.file("argv").exists());
}

#[tokio::test]
async fn a_missing_ssh_is_said_to_be_missing() {
    let options = SshOptions {
        program: "ssh-that-is-not-there".into(),
        ..SshOptions::default()
    };
    let error = Stub::with("", options).open("web1").await.unwrap_err();
    assert_eq!(error.kind, ConnectErrorKind::Spawn);
    assert_eq!(error.text, "ssh-that-is-not-there is not there");
    assert!(error.hint.is_some());
}
