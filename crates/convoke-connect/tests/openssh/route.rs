//! Which way a host is reached, and how rarely ssh is asked for it.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use convoke_connect::error::ConnectErrorKind;
use convoke_connect::openssh::SshOptions;

use crate::stub::Stub;

async fn server(stub: &Stub, endpoint: &str) -> String {
    stub.route(endpoint).await.unwrap().server.unwrap()
}

#[tokio::test]
async fn a_configuration_that_redirects_nobody_is_read_once() {
    let stub = Stub::new("");
    stub.write(
        "config",
        "Host web*\n User ann\nMatch host x\n ForwardAgent yes\n# Port 1\n",
    );
    for (endpoint, expected) in [
        ("web1", "web1:22"),
        ("WEB2", "web2:22"),
        ("root@web3:2222", "web3:2222"),
        ("[::1]:22", "[::1]:22"),
    ] {
        assert_eq!(server(&stub, endpoint).await, expected);
        stub.open(endpoint).await.unwrap();
    }
    assert_eq!(stub.explained(), 1);
}

#[tokio::test]
async fn a_configuration_that_only_ssh_understands_is_asked_once_a_host() {
    for line in [
        "Match exec true\n HostName 10.0.0.7",
        "CanonicalizeHostname yes",
        "RemoteCommand x",
        "Include ~/.ssh/%h",
    ] {
        let stub = Stub::new("");
        stub.write("config", &format!("Host other\n{line}\n"));
        for _ in 0..3 {
            for endpoint in ["web1", "web2", "web3"] {
                server(&stub, endpoint).await;
                stub.open(endpoint).await.unwrap();
            }
        }
        assert_eq!(stub.explained(), 3, "{line}");
    }
}

#[tokio::test]
async fn plain_redirections_are_read_and_ssh_is_not_asked_again() {
    let stub = Stub::new("");
    stub.write(
        "config",
        "Host web*\n HostName 10.0.0.7\nHost db1\n ProxyJump ann@gate:2022\nHost *\n Port 2222\n",
    );
    for (endpoint, expected) in [
        ("web1", "10.0.0.7:2222"),
        ("web2", "10.0.0.7:2222"),
        ("web3:22", "10.0.0.7:22"),
        ("db1", "gate:2022"),
        ("db2", "db2:2222"),
    ] {
        assert_eq!(server(&stub, endpoint).await, expected);
        stub.open(endpoint).await.unwrap();
    }
    assert_eq!(stub.explained(), 1);
}

#[tokio::test]
async fn an_option_of_the_command_line_may_redirect_too() {
    let options = SshOptions {
        options: vec!["ProxyJump=gate".into()],
        ..SshOptions::default()
    };
    let stub = Stub::with("", options);
    assert_eq!(server(&stub, "web1").await, "gate:22");
    assert_eq!(server(&stub, "web2").await, "gate:22");
    assert_eq!(stub.explained(), 1);
}

#[tokio::test]
async fn the_server_is_who_has_the_work() {
    for (settings, expected) in [
        ("hostname 10.0.0.7\\nport 2200", "10.0.0.7:2200"),
        ("hostname fe80::1%%eth0", "[fe80::1%eth0]:22"),
        ("proxyjump ann@Gate:33,inner", "gate:33"),
        ("proxyjump gate", "gate:22"),
        ("proxyjump ann@[::1]:33", "[::1]:33"),
        ("proxyjump [10.0.0.1]", "10.0.0.1:22"),
        (
            "proxycommand /usr/bin/ssh -W %%h:%%p gate",
            "/usr/bin/ssh -W %h:%p gate",
        ),
        ("proxycommand nc %%h %%p", "web1:22"),
        ("proxycommand none", "web1:22"),
    ] {
        let stub = Stub::new("");
        stub.write("config", "RemoteCommand x\n");
        stub.write(
            "answers",
            &format!("printf '{settings}\\n' >> \"$STUB/settings.$$\"\n"),
        );
        assert_eq!(server(&stub, "web1").await, expected, "{settings}");
    }
}

#[tokio::test]
async fn a_wrong_configuration_fails_for_all_hosts_and_is_read_once() {
    let stub = Stub::new("");
    stub.write(
        "answers",
        "echo '/c: line 3: Bad configuration option: foo' >&2
         echo '/c: terminating, 1 bad configuration options' >&2
         exit 255",
    );
    for endpoint in ["web1", "web2", "localhost"] {
        let error = stub.route(endpoint).await.unwrap_err();
        assert_eq!(error.kind, ConnectErrorKind::Configuration);
        assert_eq!(error.text, "/c: line 3: Bad configuration option: foo");
    }
    assert_eq!(stub.explained(), 1);
}

#[tokio::test]
async fn an_ssh_that_cannot_explain_still_connects() {
    let stub = Stub::new("");
    stub.write("answers", "echo 'unknown option -- G' >&2; exit 255");
    assert_eq!(server(&stub, "web1").await, "web1:22");
    stub.open("web1").await.unwrap();
}

#[tokio::test]
async fn the_machine_itself_is_reached_without_ssh() {
    let stub = Stub::new("");
    for name in ["localhost", "127.0.0.1", "::1", "ctl", "CTL.lan.test"] {
        let route = stub.route(name).await.unwrap();
        assert_eq!(route.instead.map(|one| one.name()), Some("local"), "{name}");
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
        assert!(stub.route(name).await.unwrap().instead.is_none(), "{name}");
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
        assert!(
            stub.route("ctl").await.unwrap().instead.is_none(),
            "{settings}"
        );
    }
    let options = SshOptions {
        identities: vec!["/k".into()],
        ..SshOptions::default()
    };
    let stub = Stub::with("", options);
    assert!(stub.route("localhost").await.unwrap().instead.is_none());
}

#[tokio::test]
async fn without_an_ssh_the_machine_itself_is_still_reached() {
    let options = SshOptions {
        program: "ssh-that-is-not-there".into(),
        ..SshOptions::default()
    };
    let stub = Stub::with("", options);
    assert!(stub.route("localhost").await.unwrap().instead.is_some());
    let error = stub.route("web1").await.unwrap_err();
    assert_eq!(error.kind, ConnectErrorKind::Spawn);
}

#[tokio::test]
async fn many_hosts_at_once_are_asked_for_once_each() {
    let stub = Stub::new("");
    stub.write("config", "RemoteCommand x\n");
    let names: Vec<_> = (0..20).map(|n| format!("web{}", n % 10)).collect();
    let mut routes = Vec::new();
    for name in &names {
        routes.push(Box::pin(stub.route(name)));
    }
    let all = std::future::poll_fn(|context| {
        routes.retain_mut(|route| route.as_mut().poll(context).is_pending());
        match routes.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    });
    all.await;
    assert_eq!(stub.explained(), 10);
}
