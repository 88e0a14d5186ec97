//! One connection over a proxy.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::{Asked, Direction, Shared};

/// How much is read at once, in bytes.
const PIECE: usize = 64 * 1024;

/// How many pieces are on the way at most, in each direction.
const ON_THE_WAY: usize = 1024;

/// The connection is to be reset.
struct Broken;

/// Bytes on the way, and their place in the chain of trips.
struct Piece {
    bytes: Vec<u8>,
    due: Instant,
    trips: u64,
}

/// How many trips led to what each end has heard.
#[derive(Default)]
struct Chain {
    client: u64,
    host: u64,
}

impl Chain {
    /// What the sender in a direction has heard.
    fn sender(&mut self, direction: Direction) -> &mut u64 {
        match direction {
            Direction::Up => &mut self.client,
            Direction::Down => &mut self.host,
        }
    }

    /// What the receiver in a direction has heard.
    fn receiver(&mut self, direction: Direction) -> &mut u64 {
        match direction {
            Direction::Up => &mut self.host,
            Direction::Down => &mut self.client,
        }
    }
}

/// Counts a connection as open as long as it lives.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.count(|counts| counts.open -= 1);
    }
}

/// Carries a connection to its end. Whatever the end is, both sides are closed by then; when it was
/// not theirs, by a reset.
pub(super) async fn connection(client: TcpStream, shared: Arc<Shared>) {
    // Also when this is dropped, it is by a reset.
    client.set_zero_linger().unwrap();
    shared.count(|counts| {
        counts.connections += 1;
        counts.open += 1;
    });
    let _open = Open(Arc::clone(&shared));
    let asked = shared.asked.subscribe();
    let cut = until_cut(asked.clone());
    let Ok(host) = TcpStream::connect(shared.host).await else {
        return;
    };
    host.set_zero_linger().unwrap();
    for stream in [&client, &host] {
        stream.set_nodelay(true).unwrap();
    }
    let (mut client, mut host) = (client, host);
    let chain = Mutex::default();
    let (from_client, to_client) = client.split();
    let (from_host, to_host) = host.split();
    let up = Lane {
        direction: Direction::Up,
        shared: &shared,
        chain: &chain,
    };
    let down = Lane {
        direction: Direction::Down,
        ..up
    };
    let both = async {
        tokio::try_join!(
            up.carry(from_client, to_host, asked.clone()),
            down.carry(from_host, to_client, asked.clone()),
        )
    };
    let ended = tokio::select! {
        ended = both => ended.is_ok(),
        () = cut => false,
    };
    if ended {
        // Both said all they had to say: the last of it is to arrive.
        for stream in [&client, &host] {
            let _ = rustix::net::sockopt::set_socket_linger(stream, None);
        }
    }
}

async fn until_cut(mut asked: watch::Receiver<Asked>) {
    let before = asked.borrow().cuts;
    if asked.wait_for(|asked| asked.cuts > before).await.is_err() {
        pending().await
    }
}

/// One direction of one connection.
#[derive(Clone, Copy)]
struct Lane<'a> {
    direction: Direction,
    shared: &'a Shared,
    chain: &'a Mutex<Chain>,
}

impl Lane<'_> {
    /// Carries until the sender's end has arrived.
    async fn carry(
        &self,
        from: impl AsyncRead + Unpin,
        to: impl AsyncWrite + Unpin,
        asked: watch::Receiver<Asked>,
    ) -> Result<(), Broken> {
        let (sender, receiver) = mpsc::channel(ON_THE_WAY);
        let read = async {
            self.read(from, sender).await;
            pending().await
        };
        // What was read before an error still arrives; an end that no longer reads ends all.
        tokio::select! {
            written = self.write(to, receiver, asked) => written,
            never = read => never,
        }
    }

    /// Reads until the end, which is an empty piece, or until an error.
    async fn read(&self, mut from: impl AsyncRead + Unpin, sender: mpsc::Sender<Piece>) {
        let mut buffer = vec![0; PIECE];
        while let Ok(count) = from.read(&mut buffer).await {
            let piece = Piece {
                bytes: buffer[..count].to_vec(),
                due: Instant::now() + self.shared.conduct.delay,
                trips: self.with_chain(|chain| *chain.sender(self.direction)) + 1,
            };
            if sender.send(piece).await.is_err() || count == 0 {
                return;
            }
        }
    }

    async fn write(
        &self,
        mut to: impl AsyncWrite + Unpin,
        mut receiver: mpsc::Receiver<Piece>,
        mut asked: watch::Receiver<Asked>,
    ) -> Result<(), Broken> {
        let mut room = match self.shared.conduct.cut_after {
            Some((direction, bytes)) if direction == self.direction => Some(bytes),
            _ => None,
        };
        while let Some(piece) = receiver.recv().await {
            sleep_until(piece.due).await;
            asked
                .wait_for(|asked| !asked.stalled)
                .await
                .map_err(|_| Broken)?;
            let mut bytes = &piece.bytes[..];
            if bytes.is_empty() {
                return to.shutdown().await.map_err(|_| Broken);
            }
            if let Some(room) = &mut room {
                let fits = bytes.len().min(usize::try_from(*room).unwrap());
                bytes = &bytes[..fits];
                *room -= fits as u64;
            }
            self.note(bytes.len() as u64, piece.trips);
            to.write_all(bytes).await.map_err(|_| Broken)?;
            if room == Some(0) {
                return Err(Broken);
            }
        }
        Err(Broken)
    }

    fn note(&self, bytes: u64, trips: u64) {
        let longest = self.with_chain(|chain| {
            let heard = chain.receiver(self.direction);
            *heard = trips.max(*heard);
            *heard
        });
        self.shared.count(|counts| {
            match self.direction {
                Direction::Up => counts.up += bytes,
                Direction::Down => counts.down += bytes,
            }
            counts.trips = counts.trips.max(longest);
        });
    }

    fn with_chain<T>(&self, look: impl FnOnce(&mut Chain) -> T) -> T {
        look(&mut self.chain.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
