//! Which way a host is reached, and how rarely ssh is asked for it.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use convoke_connect::error::ConnectErrorKind;

use crate::stub::Stub;

async fn server(stub: &Stub, endpoint: &str) -> String {
    stub.route(endpoint).await.unwrap().server.unwrap()
}

#[tokio::test]
async fn an_ssh_whose_words_are_not_known_is_asked_once_a_host() {
    let stub = Stub::new("");
    for _ in 0..3 {
        for endpoint in ["web1", "web2", "web3"] {
            server(&stub, endpoint).await;
            stub.open(endpoint).await.unwrap();
        }
    }
    assert_eq!(stub.explained(), 3);
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
async fn many_hosts_at_once_are_asked_for_once_each() {
    let stub = Stub::new("");
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
