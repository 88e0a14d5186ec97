//! Addresses where nobody answers as an sshd would.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with};

/// Within this a connection to loopback stands, or its listener is full.
const AT_ONCE: Duration = Duration::from_millis(50);

/// More connections than a listener without a queue takes.
const MANY: usize = 16;

/// An address that leads nowhere, as long as this lives.
#[derive(Debug)]
pub struct DeadEnd {
    address: SocketAddr,
    _sockets: Vec<OwnedFd>,
}

impl DeadEnd {
    /// A connection to it is refused, and nobody else can begin to listen there.
    pub(super) fn refusing(ip: Ipv4Addr) -> Self {
        let (socket, address) = bound(ip);
        DeadEnd {
            address,
            _sockets: vec![socket],
        }
    }

    /// A connection to it stands, and then nothing is ever said.
    pub(super) fn hanging(ip: Ipv4Addr) -> Self {
        // The kernel shakes hands for those who listen and never look.
        let listener = TcpListener::bind((ip, 0)).unwrap();
        DeadEnd {
            address: listener.local_addr().unwrap(),
            _sockets: vec![listener.into()],
        }
    }

    /// A connection to it is never made, and never refused.
    pub(super) fn silent(ip: Ipv4Addr) -> Self {
        let (socket, address) = bound(ip);
        listen(&socket, 0).unwrap();
        let mut sockets = vec![socket];
        // Once its queue is full, the kernel drops what comes.
        while let Ok(queued) = TcpStream::connect_timeout(&address, AT_ONCE) {
            sockets.push(queued.into());
            assert!(sockets.len() < MANY, "a queue of none is never full");
        }
        DeadEnd {
            address,
            _sockets: sockets,
        }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn bound(ip: Ipv4Addr) -> (OwnedFd, SocketAddr) {
    let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
    bind(&socket, &SocketAddr::from((ip, 0))).unwrap();
    let address = getsockname(&socket).unwrap();
    (socket, address.try_into().expect("it is an address of IP"))
}
