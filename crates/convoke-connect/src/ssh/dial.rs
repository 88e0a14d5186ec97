//! The way to a server up to its greeting: addresses, connections, who answers first.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::fault::{self, Peer};
use super::line::Line;
use super::terms::{Family, Terms};
use crate::error::ConnectError;

/// What we call ourselves (RFC 4253, 4.2).
pub(super) const GREETING: &str = concat!("SSH-2.0-Convoke_", env!("CARGO_PKG_VERSION"));

/// After this an address that has not answered is given company (RFC 8305 has 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// How much a server may say before its greeting, in bytes. ssh takes 1,024 lines.
const PREAMBLE: usize = 64 * 1024;

/// The longest greeting, with its end of line (RFC 4253, 4.2).
const LONGEST: usize = 255;

/// A server that has greeted.
pub(super) struct Dialed {
    pub(super) line: Line<TcpStream>,
    pub(super) peer: Peer,
}

/// Connects to the host of `terms`: its addresses in order, each with a head start, and the first that
/// greets wins. The line ends with `cut`.
pub(super) async fn dial(terms: &Terms, cut: &CancellationToken) -> Result<Dialed, ConnectError> {
    let addresses = addresses(terms).await?;
    let attempts: Vec<_> = addresses
        .iter()
        .map(|one| Attempt::new(terms, *one))
        .collect();
    let greeted = match attempts.as_slice() {
        [only] => greet(*only).await,
        several => race(several).await,
    };
    let (stream, ahead, address) = greeted.map_err(|failed| failed.error(&terms.host))?;
    let sent = GREETING.len() + 2;
    Ok(Dialed {
        line: Line::new(stream, ahead, sent, cut.clone()),
        peer: Peer::new(address),
    })
}

async fn addresses(terms: &Terms) -> Result<Vec<SocketAddr>, ConnectError> {
    let found: Vec<SocketAddr> = match terms.host.parse::<IpAddr>() {
        Ok(ip) => vec![(ip, terms.port).into()],
        Err(_) => {
            let found = lookup_host((terms.host.as_str(), terms.port)).await;
            found
                .map_err(|error| fault::name(&terms.host, &error))?
                .collect()
        }
    };
    let is_wanted = |address: &SocketAddr| match terms.family {
        Family::Any => true,
        Family::V4 => address.is_ipv4(),
        Family::V6 => address.is_ipv6(),
    };
    let wanted: Vec<_> = found.into_iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let error = io::Error::other("Address family for hostname not supported");
        return Err(fault::name(&terms.host, &error));
    }
    Ok(wanted)
}

/// A connection that was greeted on, with what was read, from the greeting on.
type Greeted = (TcpStream, Vec<u8>, SocketAddr);

/// The first that greets. Another is begun whenever one has failed, or has used up its head start.
async fn race(attempts: &[Attempt]) -> Result<Greeted, Failed> {
    let mut running = JoinSet::new();
    let mut waiting = attempts.iter();
    let mut failed = None;
    loop {
        if let Some(next) = waiting.next() {
            running.spawn(greet(*next));
        }
        let more = waiting.len() > 0;
        tokio::select! {
            Some(ended) = running.join_next() => match ended {
                Ok(Ok(greeted)) => return Ok(greeted),
                Ok(Err(error)) => failed = Some(error),
                // Only a panic ends one without a result, and the others may still arrive.
                Err(_) => {}
            },
            () = tokio::time::sleep(HEAD_START), if more => {}
            else => return Err(failed.unwrap_or_else(|| Failed::nowhere(attempts))),
        }
    }
}

/// What one attempt needs to know.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    address: SocketAddr,
    bind: Option<IpAddr>,
    keep_alive: bool,
}

impl Attempt {
    fn new(terms: &Terms, address: SocketAddr) -> Self {
        Attempt {
            address,
            bind: terms.bind,
            keep_alive: terms.keep_alive,
        }
    }
}

/// Connects, and exchanges greetings.
async fn greet(attempt: Attempt) -> Result<Greeted, Failed> {
    let address = attempt.address;
    let mut stream = connect(&attempt)
        .await
        .map_err(|error| Failed::broken(error, address))?;
    let mut said = Vec::new();
    let lost = |error: io::Error, said: &[u8]| Failed {
        address,
        moment: Moment::Greeting(said.to_vec()),
        error,
    };
    let greeting = format!("{GREETING}\r\n");
    if let Err(error) = stream.write_all(greeting.as_bytes()).await {
        return Err(lost(error, &said));
    }
    loop {
        match beginning(&said) {
            Beginning::Found(at) => return Ok((stream, said.split_off(at), address)),
            Beginning::Wrong => {
                let moment = Moment::NotSsh(said);
                let error = io::ErrorKind::InvalidData.into();
                return Err(Failed {
                    address,
                    moment,
                    error,
                });
            }
            Beginning::Missing => {}
        }
        match stream.read_buf(&mut said).await {
            Ok(0) => return Err(lost(io::ErrorKind::UnexpectedEof.into(), &said)),
            Ok(_) => {}
            Err(error) => return Err(lost(error, &said)),
        }
    }
}

async fn connect(attempt: &Attempt) -> io::Result<TcpStream> {
    let socket = match attempt.address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(ip) = attempt.bind {
        socket.bind((ip, 0).into())?;
    }
    socket.set_keepalive(attempt.keep_alive)?;
    let stream = socket.connect(attempt.address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Where the greeting stands in what a server has said.
#[derive(Debug, PartialEq, Eq)]
enum Beginning {
    /// The whole line begins here.
    Found(usize),
    /// It may still come.
    Missing,
    /// This is not a server that we can talk to.
    Wrong,
}

fn beginning(said: &[u8]) -> Beginning {
    let mut start = 0;
    while let Some(length) = said[start..].iter().position(|byte| *byte == b'\n') {
        let line = &said[start..start + length];
        if line.starts_with(b"SSH-") {
            let is_ours = line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-");
            let fits = length < LONGEST;
            return if is_ours && fits {
                Beginning::Found(start)
            } else {
                Beginning::Wrong
            };
        }
        start += length + 1;
    }
    let endless = said[start..].starts_with(b"SSH-") && said.len() - start > LONGEST;
    if said.len() > PREAMBLE || endless {
        Beginning::Wrong
    } else {
        Beginning::Missing
    }
}

/// An attempt that did not lead to a greeting.
struct Failed {
    address: SocketAddr,
    moment: Moment,
    error: io::Error,
}

enum Moment {
    Connecting,
    /// After the connection stood; what the server has said.
    Greeting(Vec<u8>),
    NotSsh(Vec<u8>),
}

impl Failed {
    fn broken(error: io::Error, address: SocketAddr) -> Self {
        Failed {
            address,
            moment: Moment::Connecting,
            error,
        }
    }

    /// Nobody even said why.
    fn nowhere(attempts: &[Attempt]) -> Self {
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        let address = attempts.first().map_or(any, |one| one.address);
        Failed::broken(io::ErrorKind::NotConnected.into(), address)
    }

    fn error(self, host: &str) -> ConnectError {
        let peer = Peer::new(self.address);
        match self.moment {
            Moment::Connecting => fault::connecting(host, &peer, self.error),
            Moment::Greeting(said) => fault::before_greeting(&peer, &said, self.error),
            Moment::NotSsh(said) => fault::not_ssh(&peer, &said),
        }
    }
}
