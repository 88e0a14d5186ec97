//! What is left to ssh is asked of it.

use convoke_connect::error::ConnectErrorKind;
use convoke_connect::ssh::SshOptions;
use convoke_connect::ssh::config::{Configuration, Destination};
use convoke_connect::surroundings::Surroundings;

use crate::oracle::installed;

fn configuration(text: &str) -> (tempfile::TempDir, Configuration) {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config");
    std::fs::write(&config, text).unwrap();
    let options = SshOptions {
        config: Some(config),
        ..SshOptions::default()
    };
    (directory, Configuration::new(options))
}

fn web1() -> Destination {
    Destination {
        host: "web1".into(),
        user: Some("ann".into()),
        port: Some(2222),
    }
}

#[tokio::test]
async fn a_command_in_a_condition_is_left_to_ssh() {
    if installed().is_none() {
        return;
    }
    let (_directory, configuration) = configuration("Match exec true\n  HostName far\n");
    let surroundings = Surroundings::of_this_process();
    let told = configuration.of(&web1(), &surroundings).await.unwrap();
    let told = told.unwrap();
    assert!(told.asked.as_ref().unwrap().contains("Match exec"));
    for (name, value) in [("hostname", "far"), ("user", "ann"), ("port", "2222")] {
        assert_eq!(told.settings.get(name), Some(value));
    }
    let defaults = configuration.defaults(&surroundings).await.unwrap();
    assert_eq!(defaults.get("port"), Some("22"));
}

#[tokio::test]
async fn a_host_with_a_command_or_one_that_is_to_fork_is_told_of() {
    if installed().is_none() {
        return;
    }
    for (line, name) in [
        ("RemoteCommand uptime", "remotecommand"),
        ("ForkAfterAuthentication yes", "forkafterauthentication"),
        ("SessionType subsystem", "sessiontype"),
    ] {
        let (_directory, configuration) = configuration(&format!("Match exec true\n  {line}\n"));
        let surroundings = Surroundings::of_this_process();
        let told = configuration.of(&web1(), &surroundings).await.unwrap();
        let told = told.unwrap();
        assert!(told.settings.get(name).is_some(), "{line}");
        assert_eq!(told.settings.get("hostname"), Some("web1"), "{line}");
    }
}

#[tokio::test]
async fn a_hop_has_no_options_and_no_forwardings_unless_it_is_told_to_keep_them() {
    if installed().is_none() {
        return;
    }
    let text = "Host keeps\n  ClearAllForwardings no\nHost *\n  LocalForward 8080 web:80\n";
    for asked in ["", "Match exec true\n  Compression yes\n"] {
        let (_directory, configuration) = configuration(&format!("{text}{asked}"));
        let options = SshOptions {
            options: vec!["Port=99".into()],
            login: Some("somebody".into()),
            ..configuration.options().clone()
        };
        let configuration = Configuration::new(options);
        for (host, forwards) in [("keeps", 1), ("other", 0)] {
            let surroundings = Surroundings::of_this_process();
            let host = Destination {
                host: host.into(),
                ..web1()
            };
            let told = configuration.of_hop(&host, Some("gate"), &surroundings);
            let told = told.await.unwrap().unwrap();
            assert_eq!(told.asked.is_none(), asked.is_empty());
            assert_eq!(told.settings.all("localforward").len(), forwards);
            assert_eq!(told.settings.get("proxyjump"), Some("gate"));
            assert_eq!(told.settings.get("port"), Some("2222"));
            assert_eq!(told.settings.get("user"), Some("ann"));
        }
    }
}

#[tokio::test]
async fn the_rest_is_told_without_asking() {
    if installed().is_none() {
        return;
    }
    let (_directory, configuration) = configuration("HostName far\n");
    let surroundings = Surroundings::of_this_process();
    let told = configuration.of(&web1(), &surroundings).await.unwrap();
    let told = told.unwrap();
    assert_eq!(told.asked, None);
    assert_eq!(told.settings.get("hostname"), Some("far"));
}

#[tokio::test]
async fn ssh_says_what_is_wrong() {
    if installed().is_none() {
        return;
    }
    let (_directory, configuration) = configuration("Port x\n");
    let failed = configuration
        .of(&web1(), &Surroundings::of_this_process())
        .await;
    let error = failed.unwrap_err();
    assert_eq!(error.kind, ConnectErrorKind::Configuration);
    assert!(error.text.contains("line 1: Bad port 'x'"), "{error}");
}

/// A configuration for a machine without an ssh.
fn without_ssh(text: &str) -> (tempfile::TempDir, Configuration) {
    let (directory, configuration) = configuration(text);
    let options = SshOptions {
        program: "/nonexistent/ssh".into(),
        ..configuration.options().clone()
    };
    (directory, Configuration::new(options))
}

#[tokio::test]
async fn without_an_ssh_its_defaults_are_known() {
    let text = "Host web*\n  HostName %h.far\n  IdentityFile ~/.ssh/fleet\n";
    let surroundings = Surroundings::of_this_process();
    let (_directory, absent) = without_ssh(text);
    let told = absent.of(&web1(), &surroundings).await.unwrap().unwrap();
    assert_eq!(told.settings.get("hostname"), Some("web1.far"));
    assert_eq!(told.settings.get("stricthostkeychecking"), Some("ask"));
    if installed().is_none() {
        return;
    }
    // What belongs to the account is the same as an ssh says.
    let (_directory, present) = configuration(text);
    let theirs = present.of(&web1(), &surroundings).await.unwrap().unwrap();
    for name in [
        "hostname",
        "user",
        "port",
        "userknownhostsfile",
        "identityfile",
    ] {
        assert_eq!(told.settings.all(name), theirs.settings.all(name), "{name}");
    }
    let (ours, theirs) = tokio::join!(
        absent.defaults(&surroundings),
        present.defaults(&surroundings)
    );
    for name in ["user", "userknownhostsfile", "globalknownhostsfile"] {
        let (ours, theirs) = (ours.as_ref().unwrap(), theirs.as_ref().unwrap());
        assert_eq!(ours.all(name), theirs.all(name), "{name}");
    }
}

#[tokio::test]
async fn without_an_ssh_all_algorithms_are_known() {
    let text = "Host web*\n  HostKeyAlgorithms +ssh-rsa\n  Ciphers +aes128-cbc\n  MACs hmac-md5\n  \
                KexAlgorithms +diffie-hellman-group1-sha1\n  CASignatureAlgorithms +ssh-rsa\n";
    let surroundings = Surroundings::of_this_process();
    let (_directory, absent) = without_ssh(text);
    let told = absent.of(&web1(), &surroundings).await.unwrap().unwrap();
    assert_eq!(told.asked, None);
    if !version().is_some_and(|version| version.starts_with("OpenSSH_9.2")) {
        eprintln!("skipped: 1 (no ssh is installed that has the same algorithms)");
        return;
    }
    let (_directory, present) = configuration(text);
    let theirs = present.of(&web1(), &surroundings).await.unwrap().unwrap();
    for name in [
        "hostkeyalgorithms",
        "ciphers",
        "macs",
        "kexalgorithms",
        "casignaturealgorithms",
    ] {
        assert_eq!(told.settings.all(name), theirs.settings.all(name), "{name}");
    }
}

/// What the installed ssh calls itself.
fn version() -> Option<String> {
    let output = std::process::Command::new("ssh").arg("-V").output().ok()?;
    String::from_utf8(output.stderr).ok()
}

#[tokio::test]
async fn without_an_ssh_what_only_that_can_tell_fails() {
    let (_directory, absent) = without_ssh("Match exec true\n  HostName far\n");
    let failed = absent.of(&web1(), &Surroundings::of_this_process()).await;
    assert_eq!(failed.unwrap_err().kind, ConnectErrorKind::Spawn);
}

#[tokio::test]
async fn old_algorithms_are_known_without_asking_for_each_host() {
    if installed().is_none() {
        return;
    }
    let text = "Host old\n  KexAlgorithms +diffie-hellman-group1-sha1\n  Ciphers aes128-cbc\n";
    let (_directory, configuration) = configuration(text);
    let surroundings = Surroundings::of_this_process();
    let told = configuration.of(&web1(), &surroundings).await.unwrap();
    let told = told.unwrap();
    assert_eq!(told.asked, None);
}

#[tokio::test]
async fn an_ssh_that_reads_other_files_is_asked_for_every_host() {
    use std::os::unix::fs::PermissionsExt as _;
    if installed().is_none() {
        return;
    }
    let (directory, configuration) = configuration("HostName corp\nUser corp\n");
    let program = directory.path().join("ssh");
    let config = configuration.options().config.clone().unwrap();
    for (given, name, is_asked) in [
        (format!("-F {}", config.display()), "corp", true),
        (String::new(), "web1", false),
    ] {
        std::fs::write(&program, format!("#!/bin/sh\nexec ssh {given} \"$@\"\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let wrapped = Configuration::new(SshOptions {
            program: program.clone(),
            ..SshOptions::default()
        });
        let surroundings = Surroundings::of_this_process();
        let told = wrapped.of(&web1(), &surroundings).await.unwrap().unwrap();
        assert_eq!(told.settings.get("hostname"), Some(name));
        assert_eq!(told.asked.is_some(), is_asked, "{:?}", told.asked);
    }
}

fn host(name: &str) -> Destination {
    Destination {
        host: name.into(),
        ..web1()
    }
}

#[tokio::test]
async fn a_line_that_is_not_understood_counts_where_it_is_in_force() {
    if installed().is_none() {
        return;
    }
    let text = "Host odd\n  LocalForward 8080 /run/x.sock\n  IPQoS 0x10\n  User a%u\n\
                Host *\n  HostName %h.far\n";
    let (_directory, configuration) = configuration(text);
    let surroundings = Surroundings::of_this_process();
    for (name, is_asked) in [("one", false), ("odd", true), ("two", false)] {
        let told = configuration.of(&host(name), &surroundings).await;
        let told = told.unwrap().unwrap();
        assert_eq!(told.asked.is_some(), is_asked, "{name}: {:?}", told.asked);
        let expected = format!("{name}.far");
        assert_eq!(told.settings.get("hostname"), Some(expected.as_str()));
    }
}

#[tokio::test]
async fn a_line_that_ssh_refuses_is_an_error_for_every_host() {
    if installed().is_none() {
        return;
    }
    let (_directory, configuration) = configuration("Host odd\n  IPQoS nonsense\n");
    let surroundings = Surroundings::of_this_process();
    for name in ["one", "odd", "two"] {
        let failed = configuration.of(&host(name), &surroundings).await;
        assert_eq!(failed.unwrap_err().kind, ConnectErrorKind::Configuration);
    }
}

#[tokio::test]
async fn without_an_ssh_nobody_refuses_a_line() {
    let (_directory, absent) = without_ssh("Host odd\n  Tag x\n  IPQoS 0x10\n");
    let surroundings = Surroundings::of_this_process();
    let told = absent.of(&host("one"), &surroundings).await;
    assert_eq!(told.unwrap().unwrap().asked, None);
    let failed = absent.of(&host("odd"), &surroundings).await;
    assert_eq!(failed.unwrap_err().kind, ConnectErrorKind::Spawn);
}

#[tokio::test]
async fn a_condition_on_the_command_is_left_to_who_gives_it() {
    let text = "Match host odd command uptime\n  User root\n";
    let (_directory, absent) = without_ssh(text);
    let surroundings = Surroundings::of_this_process();
    let told = absent.of(&host("one"), &surroundings).await;
    assert_eq!(told.unwrap().unwrap().asked, None);
    assert!(
        absent
            .of(&host("odd"), &surroundings)
            .await
            .unwrap()
            .is_none()
    );
}
