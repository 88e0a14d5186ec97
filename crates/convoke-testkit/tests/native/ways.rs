//! Ways that lead nowhere, and what is said of them: the same kinds as of the system's ssh.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use convoke_connect::error::{Again, ConnectErrorKind as Kind};
use convoke_testkit::fleet::Fleet;
use convoke_testkit::leak::Leaks;

use crate::Client;

#[tokio::test]
async fn a_dead_end_has_its_kind() {
    let fleet = Fleet::start();
    let (refusing, hanging, silent) = (fleet.refusing(), fleet.hanging(), fleet.silent());
    fleet.alias("refusing", refusing.address());
    fleet.alias("hanging", hanging.address());
    fleet.alias("silent", silent.address());
    let client = Client::with(&fleet, &["ConnectTimeout=1"]);
    for (host, kind) in [
        ("refusing", Kind::Refused),
        ("hanging", Kind::Timeout),
        ("silent", Kind::Timeout),
    ] {
        let error = client.refused(host).await;
        assert_eq!(
            (error.kind, error.again),
            (kind, Again::MayHelp),
            "{host}: {error}"
        );
    }
    let error = client.refused("no-such-host.invalid").await;
    assert_eq!(
        (error.kind, error.again),
        (Kind::Name, Again::Pointless),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_said_instead_of_a_greeting_is_passed_on() {
    let fleet = Fleet::start();
    for (said, kind, again, words) in [
        ("", Kind::Closed, Again::MayHelp, "before its banner"),
        (
            "Not allowed at this time\r\n",
            Kind::Closed,
            Again::MayHelp,
            "(Not allowed at this time)",
        ),
        (
            "SSH-1.5-old\r\n",
            Kind::Closed,
            Again::Pointless,
            "SSH-1.5-old",
        ),
        (
            "SSH-2.0-x\r\n",
            Kind::Closed,
            Again::MayHelp,
            "during the key exchange",
        ),
    ] {
        let listener = TcpListener::bind((fleet.address(3), 0)).unwrap();
        fleet.alias("odd", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Read, so that the end is an end and no reset.
            let mut greeting = [0; 8];
            stream.read_exact(&mut greeting).unwrap();
            stream.write_all(said.as_bytes()).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        });
        let error = Client::new(&fleet).refused("odd").await;
        assert_eq!(
            (error.kind, error.again),
            (kind, again),
            "{said:?}: {error}"
        );
        assert!(error.text.contains(words), "{said:?}: {error}");
        server.join().unwrap();
    }
}

#[tokio::test]
async fn no_common_algorithm_is_said_with_those_of_the_server() {
    let fleet = Fleet::builder()
        .option("Ciphers aes256-ctr")
        .option("KexAlgorithms ecdh-sha2-nistp521")
        .start();
    for (option, words, hint) in [
        (
            "Ciphers=aes128-ctr",
            "no matching cipher found. Their offer: aes256-ctr",
            "Ciphers=+",
        ),
        (
            "KexAlgorithms=curve25519-sha256",
            "no matching key exchange method found. Their offer: ecdh-sha2-nistp521",
            "KexAlgorithms=+",
        ),
        (
            "HostKeyAlgorithms=ecdsa-sha2-nistp256",
            "no matching host key type found. Their offer: ssh-ed25519",
            "HostKeyAlgorithms=+",
        ),
    ] {
        let error = Client::with(&fleet, &[option]).refused("h1").await;
        assert_eq!((error.kind, error.again), (Kind::Closed, Again::Pointless));
        assert!(error.text.contains(words), "{error}");
        let given = error.hint.unwrap();
        assert!(given.contains(hint), "{given}");
    }
    Client::new(&fleet).said("h1", "true").await.unwrap();
}

#[tokio::test]
async fn a_crowded_server_may_be_tried_again() {
    let fleet = Fleet::builder().max_startups("1:100:1").start();
    // The connection that found the fleet ready may still count.
    let hanging = loop {
        let mut stream = TcpStream::connect((fleet.address(1), fleet.port())).unwrap();
        let mut greeting = [0; 4];
        if stream.read_exact(&mut greeting).is_ok() && &greeting == b"SSH-" {
            break stream;
        }
    };
    let client = Client::new(&fleet);
    let error = client.refused("h1").await;
    assert_eq!(
        (error.kind, error.again),
        (Kind::Closed, Again::MayHelp),
        "{error}"
    );
    drop(hanging);
    while client.open("h1", "true").await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let fleet = Fleet::start();
    let client = Client::new(&fleet);
    client.said("localhost", "true").await.unwrap();
    let client = Client::with(&fleet, &["AddressFamily=inet"]);
    client.said("localhost", "true").await.unwrap();
    let client = Client::with(&fleet, &["AddressFamily=inet6"]);
    assert_eq!(client.refused("127.0.0.1").await.kind, Kind::Name);
}

#[tokio::test]
async fn an_attempt_that_is_given_up_leaves_nothing() {
    let fleet = Fleet::start();
    let hanging = fleet.hanging();
    fleet.alias("hanging", hanging.address());
    let slow = fleet.slow(1, std::time::Duration::from_millis(40));
    fleet.alias("slow", slow.address());
    let client = Client::new(&fleet);
    client.said("h1", "true").await.unwrap();
    for (host, after) in [
        ("hanging", 50),
        ("slow", 20),
        ("slow", 100),
        ("slow", 200),
        ("slow", 300),
    ] {
        let leaks = Leaks::begin();
        let limit = std::time::Duration::from_millis(after);
        let given_up = tokio::time::timeout(limit, client.open(host, "exec cat")).await;
        drop(given_up);
        leaks.end().await;
    }
}

#[tokio::test]
async fn an_address_to_come_from_that_is_not_ours_is_named() {
    let fleet = Fleet::start();
    for (address, words) in [
        ("192.0.2.1", "Cannot assign requested address"),
        ("::1", "family"),
    ] {
        let option = format!("BindAddress={address}");
        let error = Client::with(&fleet, &[&option]).refused("h1").await;
        assert_eq!(
            (error.kind, error.again),
            (Kind::Configuration, Again::Pointless),
            "{error}"
        );
        let named = format!("BindAddress {address}");
        assert!(
            error.text.contains(&named) && error.text.contains(words),
            "{error}"
        );
    }
    let client = Client::with(&fleet, &["BindAddress=127.0.0.1"]);
    client.said("localhost", "true").await.unwrap();
}

#[tokio::test]
async fn what_a_server_does_not_allow_is_named() {
    let fleet = Fleet::builder()
        .max_sessions(0)
        .option("AllowTcpForwarding no")
        .start();
    let error = Client::new(&fleet).refused("h1").await;
    assert_eq!((error.kind, error.again), (Kind::Closed, Again::Pointless));
    assert!(!error.text.contains("ConnectFailed"), "{error}");
    assert!(error.text.contains("opens no session"), "{error}");
    let hint = error.hint.unwrap();
    assert!(hint.contains("MaxSessions"), "{hint}");
    let error = Client::with(&fleet, &["ProxyJump=h2"]).refused("h1").await;
    assert_eq!(error.kind, Kind::NoRoute, "{error}");
    let hint = error.hint.unwrap();
    assert!(hint.contains("AllowTcpForwarding"), "{hint}");
}
