//! The barest client: the ssh library, and nothing of ours.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use convoke_testkit::fleet::Fleet;
use russh::client::{AuthResult, Config, Handle, Handler, Msg};
use russh::keys::{
    Algorithm, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key,
};
use russh::{Channel, ChannelMsg, Disconnect, Preferred, cipher, kex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::link::rate;

/// The word that makes this program one.
pub(crate) const WORD: &str = "bare-client";

/// How many hosts are being connected at once, as by us.
const CONNECTING: usize = 64;

/// An empty request is as long.
const ECHO: usize = 9;

/// Takes every key of a host.
struct Trusting;

impl Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// How a fleet is reached.
struct Way {
    config: Arc<Config>,
    key: Arc<PrivateKey>,
    account: String,
    port: u16,
}

impl Way {
    fn new(identity: &Path, account: &str, port: u16) -> io::Result<Self> {
        let preferred = Preferred {
            kex: vec![kex::CURVE25519].into(),
            key: vec![Algorithm::Ed25519].into(),
            cipher: vec![cipher::AES_128_GCM].into(),
            ..Preferred::default()
        };
        Ok(Way {
            config: Arc::new(Config {
                nodelay: true,
                preferred,
                ..Config::default()
            }),
            key: Arc::new(load_secret_key(identity, None).map_err(io::Error::other)?),
            account: account.to_owned(),
            port,
        })
    }

    async fn connect(&self, ip: IpAddr) -> io::Result<Handle<Trusting>> {
        let address = SocketAddr::new(ip, self.port);
        let config = Arc::clone(&self.config);
        let mut session = russh::client::connect(config, address, Trusting)
            .await
            .map_err(io::Error::other)?;
        let key = PrivateKeyWithHashAlg::new(Arc::clone(&self.key), None);
        let login = session.authenticate_publickey(&self.account, key).await;
        match login.map_err(io::Error::other)? {
            AuthResult::Success => Ok(session),
            AuthResult::Failure { .. } => Err(io::Error::other("the login failed")),
        }
    }
}

async fn command(session: &Handle<Trusting>, line: &str) -> io::Result<Channel<Msg>> {
    let channel = session.channel_open_session().await;
    let channel = channel.map_err(io::Error::other)?;
    channel.exec(true, line).await.map_err(io::Error::other)?;
    Ok(channel)
}

/// This program as a client that says a line on every host of `list`.
pub(super) fn process(fleet: &Fleet, list: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(WORD).arg(fleet.identity()).arg(fleet.account());
    command.arg(fleet.port().to_string()).arg(list);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    Ok(command)
}

/// What [`process`] starts.
pub(crate) fn client(words: &[&str]) -> io::Result<()> {
    let [identity, account, port, list] = words else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let port = port.parse().map_err(io::Error::other)?;
    let way = Arc::new(Way::new(&PathBuf::from(identity), account, port)?);
    let hosts = std::fs::read_to_string(list)?;
    let hosts: Result<Vec<IpAddr>, _> = hosts.lines().map(str::parse).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(everywhere(way, hosts.map_err(io::Error::other)?))
}

async fn everywhere(way: Arc<Way>, hosts: Vec<IpAddr>) -> io::Result<()> {
    let turns = Arc::new(Semaphore::new(CONNECTING));
    let mut running = JoinSet::new();
    for host in hosts {
        let (way, turns) = (Arc::clone(&way), Arc::clone(&turns));
        running.spawn(async move {
            let _turn = turns.acquire().await.map_err(io::Error::other)?;
            one(&way, host).await
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

async fn one(way: &Way, host: IpAddr) -> io::Result<()> {
    let session = way.connect(host).await?;
    let mut channel = command(&session, "echo ok").await?;
    while let Some(message) = channel.wait().await {
        if let ChannelMsg::Close = message {
            break;
        }
    }
    let why = Disconnect::ByApplication;
    let left = session.disconnect(why, "", "").await;
    left.map_err(io::Error::other)
}

/// An open channel to a `cat`.
pub(crate) struct Echo {
    _session: Handle<Trusting>,
    stream: russh::ChannelStream<Msg>,
}

impl Echo {
    pub(crate) async fn open(fleet: &Fleet) -> io::Result<Self> {
        let way = Way::new(&fleet.identity(), fleet.account(), fleet.port())?;
        let session = way.connect(fleet.address(1).into()).await?;
        let channel = command(&session, "exec cat").await?;
        Ok(Echo {
            _session: session,
            stream: channel.into_stream(),
        })
    }

    /// Echoes a second, one after the other.
    pub(crate) async fn echoes(&mut self, count: usize) -> io::Result<f64> {
        let began = Instant::now();
        let mut piece = [b'?'; ECHO];
        for _ in 0..count {
            self.stream.write_all(&piece).await?;
            self.stream.read_exact(&mut piece).await?;
        }
        Ok(rate(count, began.elapsed()))
    }
}
