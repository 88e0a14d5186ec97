use super::*;

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
    let greeted = race(&attempts).await.map_err(|failed| failed.error("x"));
    let (_, ahead, winner) = greeted.unwrap();
    assert_eq!((winner, &ahead[..]), (address, &b"SSH-2.0-x\r\n"[..]));
    assert!(began.elapsed() >= HEAD_START);
    server.join().unwrap();
}

#[tokio::test]
async fn when_all_have_failed_the_last_says_why() {
    let closed = || {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let attempts = [closed(), closed()].map(attempt);
    let failed = race(&attempts).await.err().unwrap();
    assert_eq!(failed.address, attempts[1].address);
    let error = failed.error("x");
    assert_eq!(error.kind, crate::error::ConnectErrorKind::Refused);
}

#[tokio::test]
async fn a_connection_is_kept_alive_by_the_kernel_unless_told_otherwise() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for keep_alive in [true, false] {
        let attempt = Attempt {
            keep_alive,
            ..attempt(listener.local_addr().unwrap())
        };
        let stream = connect(&attempt).await.unwrap();
        let is_kept = rustix::net::sockopt::socket_keepalive(&stream).unwrap();
        assert_eq!(is_kept, keep_alive);
    }
}
