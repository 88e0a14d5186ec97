//! The way to a server up to its greeting: through a hop, through a program, or over the network with
//! its addresses, and who of them answers first.

mod failed;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::task::JoinSet;

use super::contact::{Beginning, Caller};
use super::fault::{self, Peer};
use super::greeting::{SENT, greet};
use super::hop::Hop;
use super::line::Line;
use super::process::Process;
use super::wire::Wire;
use crate::error::ConnectError;
use crate::ssh::proxy::Proxy;
use crate::ssh::terms::{Family, Terms};
use crate::trail::Trail;

use failed::{Failed, Moment, why};

/// After this an address that has not answered is given company (RFC 8305 has 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// What is waited for once a connection stands.
const GREETED: &str = "while waiting for its greeting";

/// A server that has greeted.
pub(super) struct Dialed {
    pub(super) line: Line<Wire>,
    pub(super) peer: Peer,
    /// Where it is, if we have connected to it ourselves.
    pub(super) address: Option<IpAddr>,
}

/// Connects to the host of `terms`, by the way that these say. The line ends with the `cut` of
/// `beginning`.
pub(super) async fn dial(
    terms: &Terms,
    beginning: Beginning<'_>,
    caller: Caller<'_>,
) -> Result<Dialed, ConnectError> {
    let (wire, ahead, address) = match (beginning.from, &terms.proxy) {
        (Some(hop), _) => over(hop, terms, caller.trail).await?,
        (None, Proxy::Command(line)) => {
            let process = Process::start(line, beginning.noise.clone(), caller)?;
            caller.trail.wait(GREETED);
            by(process).await?
        }
        (None, Proxy::None) => directly(terms, caller.trail).await?,
        // Never around it.
        (None, Proxy::Jump(jump)) => return Err(fault::without_hop(&jump.hop.host)),
    };
    Ok(Dialed {
        line: Line::new(wire, ahead, SENT, beginning.cut.clone())
            .telling(beginning.backlog.clone()),
        peer: address.map_or_else(Peer::unknown, Peer::new),
        address: address.map(|address| address.ip()),
    })
}

/// What carries a connection that was greeted on, what was read, from the greeting on, and where it
/// leads if that is known.
type Reached = (Wire, Vec<u8>, Option<SocketAddr>);

/// Through a hop.
async fn over(hop: &Arc<Hop>, terms: &Terms, trail: &Trail) -> Result<Reached, ConnectError> {
    let mut lane = hop.lane(&terms.host, terms.port).await?;
    trail.wait(GREETED);
    match greet(&mut lane).await {
        Ok(ahead) => Ok((Wire::Lane(Box::new(lane)), ahead, None)),
        Err(ungreeted) => Err(fault::ungreeted(&Peer::unknown(), ungreeted)),
    }
}

/// Through a program.
async fn by(mut process: Process) -> Result<Reached, ConnectError> {
    match greet(&mut process).await {
        Ok(ahead) => Ok((Wire::Process(Box::new(process)), ahead, None)),
        Err(ungreeted) => {
            process.hear_out().await;
            Err(fault::ungreeted(&Peer::unknown(), ungreeted))
        }
    }
}

/// Over the network: the addresses in order, each with a head start, and the first that greets wins.
async fn directly(terms: &Terms, trail: &Trail) -> Result<Reached, ConnectError> {
    let addresses = addresses(terms).await?;
    let attempts: Vec<_> = addresses
        .iter()
        .map(|one| Attempt::new(terms, *one, trail))
        .collect();
    let greeted = match attempts.as_slice() {
        [only] => knock(only.clone()).await.map_err(|failed| vec![failed]),
        several => race(several).await,
    };
    let greeted = greeted.map_err(|failed| why(failed, &terms.host, terms.port));
    let (stream, ahead, address) = greeted?;
    Ok((Wire::Socket(stream), ahead, Some(address)))
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
    let Some(from) = terms.bind else {
        return Ok(wanted);
    };
    let reached = wanted.into_iter();
    let reached: Vec<_> = reached
        .filter(|address| address.is_ipv4() == from.is_ipv4())
        .collect();
    match reached.is_empty() {
        true => Err(fault::unbound(from, &terms.host)),
        false => Ok(reached),
    }
}

/// A connection that was greeted on, with what was read, from the greeting on.
type Greeted = (TcpStream, Vec<u8>, SocketAddr);

/// The first that greets. Another is begun whenever one has failed, or has used up its head start.
///
/// # Errors
/// All that failed, in the order in which they did.
async fn race(attempts: &[Attempt]) -> Result<Greeted, Vec<Failed>> {
    let mut running = JoinSet::new();
    let mut waiting = attempts.iter();
    let mut failed = Vec::new();
    loop {
        if let Some(next) = waiting.next() {
            running.spawn(knock(next.clone()));
        }
        let more = waiting.len() > 0;
        tokio::select! {
            Some(ended) = running.join_next() => match ended {
                Ok(Ok(greeted)) => return Ok(greeted),
                Ok(Err(error)) => failed.push(error),
                // Only a panic ends one without a result, and the others may still arrive.
                Err(_) => {}
            },
            () = tokio::time::sleep(HEAD_START), if more => {}
            else => return Err(failed),
        }
    }
}

/// What one attempt needs to know.
#[derive(Debug, Clone)]
struct Attempt {
    trail: Trail,
    address: SocketAddr,
    bind: Option<IpAddr>,
    keep_alive: bool,
}

impl Attempt {
    fn new(terms: &Terms, address: SocketAddr, trail: &Trail) -> Self {
        Attempt {
            trail: trail.clone(),
            address,
            bind: terms.bind,
            keep_alive: terms.keep_alive,
        }
    }
}

/// Connects, and exchanges greetings.
async fn knock(attempt: Attempt) -> Result<Greeted, Failed> {
    let address = attempt.address;
    let failed = |moment| Failed { address, moment };
    let socket = socket(&attempt).map_err(failed)?;
    let connected = connect(socket, address).await;
    let mut stream = connected.map_err(|error| failed(Moment::Connecting(error)))?;
    attempt.trail.wait(GREETED);
    match greet(&mut stream).await {
        Ok(ahead) => Ok((stream, ahead, address)),
        Err(ungreeted) => Err(failed(Moment::Greeting(ungreeted))),
    }
}

/// A socket that may be connected.
fn socket(attempt: &Attempt) -> Result<TcpSocket, Moment> {
    let socket = match attempt.address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let socket = socket.map_err(Moment::Connecting)?;
    if let Some(ip) = attempt.bind {
        let bound = socket.bind((ip, 0).into());
        bound.map_err(|error| Moment::Binding(ip, error))?;
    }
    let kept = socket.set_keepalive(attempt.keep_alive);
    kept.map_err(Moment::Connecting)?;
    Ok(socket)
}

async fn connect(socket: TcpSocket, address: SocketAddr) -> io::Result<TcpStream> {
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
