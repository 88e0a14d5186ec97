//! The ssh servers: who may log in, and what a connection may ask for.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::keys::PublicKey;
use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelWriteHalf, MethodKind, MethodSet, SshId};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::Shared;
use super::command::Command;
use super::fate::Fate;
use super::inflow::{Inflow, Source};
use super::slow::Slow;

/// How long to wait for a descriptor when there is none.
const PAUSE: Duration = Duration::from_millis(10);

/// What a login without a command is told.
const NO_SHELL: &[u8] = b"this host is emulated: it has no shell, give it a command\n";

/// Serves until it is told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    tokio::select! {
        // The sender was dropped.
        _ = stopped => {}
        () = accept(&listener, &shared) => {}
    }
}

async fn accept(listener: &tokio::net::TcpListener, shared: &Arc<Shared>) {
    let config = Arc::new(config(shared));
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) if is_loopback(peer.ip()) => {
                let config = Arc::clone(&config);
                connections.spawn(connection(stream, Arc::clone(shared), config));
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.is_loopback()
}

fn config(shared: &Shared) -> Config {
    Config {
        server_id: SshId::Standard("SSH-2.0-Emulated".into()),
        keys: vec![shared.host_key.clone()],
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: Duration::ZERO,
        inactivity_timeout: None,
        nodelay: true,
        ..Config::default()
    }
}

/// One connection to its end.
async fn connection(stream: TcpStream, shared: Arc<Shared>, config: Arc<Config>) -> io::Result<()> {
    let _counted = Counted::new(&shared);
    let (name, fate) = host(&stream, &shared)?;
    stream.set_nodelay(true)?;
    match fate {
        Fate::Refused => return stream.set_zero_linger(),
        Fate::Hangs => return hang(stream).await,
        Fate::Works | Fate::Dropped => {}
    }
    let delay = shared.conduct.delay;
    let reception = Reception {
        name,
        fate,
        shared,
        channels: HashMap::new(),
    };
    let served = async {
        match delay {
            Duration::ZERO => {
                russh::server::run_stream(config, stream, reception)
                    .await?
                    .await
            }
            _ => {
                let slow = Slow::new(stream, delay);
                russh::server::run_stream(config, slow, reception)
                    .await?
                    .await
            }
        }
    };
    served.await.map_err(io::Error::other)
}

/// The name and fate of the host that was connected to.
fn host(stream: &TcpStream, shared: &Shared) -> io::Result<(Arc<str>, Fate)> {
    let IpAddr::V4(address) = stream.local_addr()?.ip() else {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    };
    Ok(match shared.site.range.number(address) {
        Some(n) => (format!("h{n}").into(), shared.conduct.faults.of(n)),
        None => (address.to_string().into(), Fate::Works),
    })
}

/// Says nothing, until the client has gone.
async fn hang(mut stream: TcpStream) -> io::Result<()> {
    let mut nobody_reads = [0; 512];
    while stream.read(&mut nobody_reads).await? > 0 {}
    Ok(())
}

/// Counts a connection as open as long as it lives.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.count(|counts| {
            counts.connections += 1;
            counts.open += 1;
            counts.peak = counts.peak.max(counts.open);
        });
        Counted(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.count(|counts| counts.open -= 1);
    }
}

/// One channel of a connection.
struct Open {
    /// Until the end of its input.
    source: Option<Source>,
    /// Until its command runs.
    waiting: Option<(Inflow, ChannelWriteHalf<Msg>)>,
}

/// One host, to one connection.
struct Reception {
    name: Arc<str>,
    fate: Fate,
    shared: Arc<Shared>,
    channels: HashMap<ChannelId, Open>,
}

impl Reception {
    fn judge(&self, key: &PublicKey) -> Auth {
        match key.key_data() == self.shared.identity.key_data() {
            true => Auth::Accept,
            false => Auth::reject(),
        }
    }
}

impl Handler for Reception {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, russh::Error> {
        match self.shared.conduct.is_open {
            true => Ok(Auth::Accept),
            false => Ok(Auth::reject()),
        }
    }

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judge(offer.public_key))
    }

    async fn auth_publickey(
        &mut self,
        _: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judge(key.public_key))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        let (source, inflow) = Inflow::new();
        let id = channel.id();
        // Who would read there could keep the whole connection waiting.
        let (_, writing) = channel.split();
        let open = Open {
            source: Some(source),
            waiting: Some((inflow, writing)),
        };
        self.channels.insert(id, open);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        line: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let waiting = self
            .channels
            .get_mut(&id)
            .and_then(|open| open.waiting.take());
        let Some((inflow, writing)) = waiting else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        self.shared.count(|counts| counts.commands += 1);
        let command = Command {
            name: Arc::clone(&self.name),
            line: line.to_vec(),
            drops: (self.fate == Fate::Dropped).then(|| session.handle()),
        };
        // It ends with its channel, which ends with the session.
        tokio::spawn(command.run(inflow, writing));
        Ok(())
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(id)?;
        session.extended_data(id, 1, NO_SHELL)?;
        session.exit_status_request(id, 1)?;
        session.eof(id)?;
        session.close(id)
    }

    async fn data(
        &mut self,
        id: ChannelId,
        data: &[u8],
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        let open = self.channels.get(&id);
        if let Some(source) = open.and_then(|open| open.source.as_ref()) {
            // A command that has ended reads no more.
            let _ = source.send(Bytes::copy_from_slice(data));
        }
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        if let Some(open) = self.channels.get_mut(&id) {
            open.source = None;
        }
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        self.channels.remove(&id);
        Ok(())
    }
}
