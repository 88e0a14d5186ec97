use super::*;
use crate::error::{Again, ConnectErrorKind};

fn attempt(address: SocketAddr) -> Attempt {
    Attempt {
        trail: Trail::new(),
        address,
        bind: None,
        keep_alive: true,
    }
}

/// A server that greets, and says nothing more.
fn greeting() -> (SocketAddr, std::thread::JoinHandle<std::net::TcpStream>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"hello\nSSH-2.0-x\r\n").unwrap();
        stream
    });
    (address, server)
}

#[tokio::test]
async fn an_address_that_says_nothing_does_not_hold_up_the_next() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, server) = greeting();
    let attempts = [silent.local_addr().unwrap(), address].map(attempt);
    let began = std::time::Instant::now();
    let greeted = race(&attempts).await.map_err(|failed| why(failed, "x", 22));
    let (_, ahead, winner) = greeted.unwrap();
    assert_eq!((winner, &ahead[..]), (address, &b"SSH-2.0-x\r\n"[..]));
    assert!(began.elapsed() >= HEAD_START);
    server.join().unwrap();
}

/// What is said when all of these fail, at a port where nobody listens; without what is said before.
async fn failure(addresses: &[&str]) -> ConnectError {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let addresses = addresses.iter().map(|one| one.parse::<IpAddr>().unwrap());
    let attempts: Vec<_> = addresses.map(|ip| attempt((ip, port).into())).collect();
    let error = why(race(&attempts).await.err().unwrap(), "x", port);
    let before = format!("ssh: connect to host x port {port}: ");
    let text = error.text.strip_prefix(&before).unwrap().to_owned();
    ConnectError { text, ..error }
}

#[tokio::test]
async fn what_may_pass_counts_whichever_failed_last() {
    // Nothing is reached at a broadcast address.
    for addresses in [
        ["127.0.0.1", "127.255.255.255"],
        ["127.255.255.255", "127.0.0.1"],
    ] {
        let error = failure(&addresses).await;
        assert_eq!(
            (error.kind, error.again),
            (ConnectErrorKind::Refused, Again::MayHelp),
            "{error}"
        );
        let words = "Connection refused (127.0.0.1); Network is unreachable (127.255.255.255)";
        assert_eq!(error.text, words);
    }
}

#[tokio::test]
async fn what_addresses_have_in_common_is_said_once() {
    let error = failure(&["127.0.0.1", "127.0.0.2"]).await;
    assert_eq!(error.text, "Connection refused (127.0.0.1, 127.0.0.2)");
    assert_eq!(failure(&["127.0.0.1"]).await.text, "Connection refused");
}

#[tokio::test]
async fn a_connection_is_kept_alive_by_the_kernel_unless_told_otherwise() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for keep_alive in [true, false] {
        let attempt = Attempt {
            keep_alive,
            ..attempt(listener.local_addr().unwrap())
        };
        let stream = connect(socket(&attempt).ok().unwrap(), attempt.address)
            .await
            .unwrap();
        let is_kept = rustix::net::sockopt::socket_keepalive(&stream).unwrap();
        assert_eq!(is_kept, keep_alive);
    }
}
