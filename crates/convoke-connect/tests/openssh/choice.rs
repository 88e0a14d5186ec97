//! Who reaches an `ssh:` host.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use convoke_connect::ssh::SshOptions;

use crate::stub::Stub;

/// The name of who does.
async fn by(stub: &Stub, endpoint: &str) -> &'static str {
    let route = stub.choose(endpoint).await.unwrap();
    route.instead.unwrap().name()
}

#[tokio::test]
async fn the_machine_itself_is_reached_without_ssh() {
    let stub = Stub::new("");
    for name in ["localhost", "127.0.0.1", "::1", "ctl", "CTL.lan.test"] {
        let route = stub.choose(name).await.unwrap();
        assert_eq!(route.instead.unwrap().name(), "local", "{name}");
        let forced = match name {
            "::1" => "ssh://[::1] forces ssh".to_owned(),
            name => format!("ssh://{name} forces ssh"),
        };
        assert!(route.remark.unwrap().contains(&forced), "{name}");
        assert_eq!(route.server, None);
    }
    for name in [
        "ssh://localhost",
        "root@localhost",
        "localhost:22",
        "ctl.lan",
        "openssh:ctl",
    ] {
        assert_ne!(by(&stub, name).await, "local", "{name}");
    }
}

#[tokio::test]
async fn a_configuration_or_an_option_can_send_our_own_name_elsewhere() {
    for settings in [
        "hostname 10.0.0.7",
        "user bob",
        "port 2222",
        "proxyjump gate",
    ] {
        let stub = Stub::new("");
        stub.write(
            "answers",
            &format!("echo '{settings}' >> \"$STUB/settings.$$\"\n"),
        );
        assert_ne!(by(&stub, "ctl").await, "local", "{settings}");
    }
    let options = SshOptions {
        identities: vec!["/k".into()],
        ..SshOptions::default()
    };
    let stub = Stub::with("", options);
    assert_ne!(by(&stub, "localhost").await, "local");
}

#[tokio::test]
async fn without_an_ssh_the_native_client_serves() {
    let options = SshOptions {
        program: "ssh-that-is-not-there".into(),
        ..SshOptions::default()
    };
    let stub = Stub::with("", options);
    assert_eq!(by(&stub, "localhost").await, "local");
    assert_eq!(by(&stub, "web1").await, "ssh+native");
}
