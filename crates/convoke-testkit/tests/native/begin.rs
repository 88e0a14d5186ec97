//! With which method a login begins: with a key at once only where that can spoil nothing.

use std::fs;
use std::sync::Arc;

use convoke_connect::connector::Ending;
use convoke_connect::error::ConnectErrorKind as Kind;
use convoke_testkit::fleet::Fleet;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, run_stream};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use tokio::net::TcpListener;

use crate::login::{key, only, option};
use crate::{Answers, Client, end};

/// An sshd that takes passwords only, and a single one.
fn takes_no_keys() -> Fleet {
    let builder = Fleet::builder().max_auth_tries(1);
    let builder = builder.option("PubkeyAuthentication no");
    let builder = builder.option("PasswordAuthentication yes");
    builder.option("LogLevel DEBUG2").start()
}

#[tokio::test]
async fn a_server_that_takes_no_keys_is_offered_none_before_the_password() {
    let fleet = takes_no_keys();
    let file = key(
        &fleet,
        "locked",
        &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "open sesame"],
    );
    fs::remove_file(file.with_extension("pub")).unwrap();
    let who = format!("{}@{}", fleet.account(), fleet.address(1));
    for client in [
        Client::new(&fleet),
        only(
            &fleet,
            &[&option("IdentityFile", &file), "IdentityAgent=none"],
        ),
    ] {
        let ask = Answers::default();
        let error = client.asking("h1", "true", &ask).await.unwrap_err();
        assert_eq!(error.kind, Kind::Authentication);
        assert_eq!(ask.asked(), [format!("{who}'s password")], "{error}");
    }
    let log = fleet.log();
    assert!(!log.contains("method publickey"), "{log}");
}

#[tokio::test]
async fn what_the_server_has_enough_of_is_named_without_an_agent() {
    let fleet = takes_no_keys();
    let error = Client::new(&fleet).refused("h1").await;
    assert_eq!(error.kind, Kind::Authentication);
    let hint = error.hint.unwrap();
    assert!(
        hint.contains("MaxAuthTries") && !hint.contains("agent"),
        "{hint}"
    );
}

/// Lets in whoever asks for it, and takes no key.
struct Open;

impl Handler for Open {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        session.exit_status_request(channel, 3)?;
        session.close(channel)
    }
}

#[tokio::test]
async fn a_server_that_lets_everybody_in_does_so_whatever_keys_there_are() {
    let fleet = Fleet::start();
    let host_key = fs::read_to_string(fleet.directory().join("host_ed25519")).unwrap();
    let config = Arc::new(Config {
        keys: vec![russh::keys::decode_secret_key(&host_key, None).unwrap()],
        auth_rejection_time: std::time::Duration::ZERO,
        methods: MethodSet::from(&[MethodKind::PublicKey, MethodKind::Password][..]),
        ..Config::default()
    });
    let listener = TcpListener::bind((fleet.address(9), 0)).await.unwrap();
    fleet.alias("open", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let session = run_stream(config, stream, Open).await.unwrap();
        let _ = session.await;
    });
    let pipes = Client::new(&fleet).open("open", "true").await.unwrap();
    assert_eq!(end(pipes).await, Ending::Exited { code: 3 });
    server.await.unwrap();
}
