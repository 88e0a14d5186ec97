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

#[tokio::test]
async fn without_an_ssh_nothing_is_told() {
    let configuration = Configuration::new(SshOptions {
        program: "/nonexistent/ssh".into(),
        ..SshOptions::default()
    });
    let failed = configuration
        .of(&web1(), &Surroundings::of_this_process())
        .await;
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
