//! Passwords and questions of a server, by a server that is played: an sshd would need accounts.

use std::borrow::Cow;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use convoke_connect::connector::Ending;
use convoke_connect::error::ConnectErrorKind as Kind;
use convoke_testkit::fleet::Fleet;

use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Response, Session, run_stream,
};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::{Answers, Client, end};

/// A server that takes these methods, the password `pw` and the code `42`.
struct Played {
    methods: Vec<MethodKind>,
    /// Both are needed, the password first.
    both: bool,
}

impl Played {
    fn reject(&self) -> Auth {
        Auth::Reject {
            proceed_with_methods: Some(MethodSet::from(self.methods.as_slice())),
            partial_success: false,
        }
    }
}

impl Handler for Played {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, russh::Error> {
        Ok(self.reject())
    }

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        _: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.reject())
    }

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, russh::Error> {
        if password != "pw" {
            return Ok(self.reject());
        }
        if !self.both {
            return Ok(Auth::Accept);
        }
        self.methods = vec![MethodKind::KeyboardInteractive];
        Ok(Auth::Reject {
            proceed_with_methods: Some(MethodSet::from(self.methods.as_slice())),
            partial_success: true,
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(mut answers) = response else {
            let prompt = (Cow::Borrowed("Code: "), false);
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![prompt].into(),
            });
        };
        match answers.next().as_deref() {
            Some(b"42") => Ok(Auth::Accept),
            _ => Ok(self.reject()),
        }
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
        session.data(channel, &b"in\n"[..])?;
        session.exit_status_request(channel, 3)?;
        session.eof(channel)?;
        session.close(channel)
    }
}

/// Plays on, for any number of connections, with the host key of the fleet.
async fn play(fleet: &Fleet, methods: &'static [MethodKind], both: bool) -> SocketAddr {
    let key = fs::read_to_string(fleet.directory().join("host_ed25519")).unwrap();
    let config = Arc::new(Config {
        keys: vec![russh::keys::decode_secret_key(&key, None).unwrap()],
        auth_rejection_time: std::time::Duration::ZERO,
        ..Config::default()
    });
    let listener = TcpListener::bind((fleet.address(9), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let methods = methods.to_vec();
            let played = Played { methods, both };
            let config = Arc::clone(&config);
            tokio::spawn(async move {
                if let Ok(session) = run_stream(config, stream, played).await {
                    let _ = session.await;
                }
            });
        }
    });
    address
}

const PASSWORD: &[MethodKind] = &[MethodKind::Password];
const DIALOGUE: &[MethodKind] = &[MethodKind::KeyboardInteractive];
const ALL: &[MethodKind] = &[
    MethodKind::PublicKey,
    MethodKind::Password,
    MethodKind::KeyboardInteractive,
];

#[tokio::test]
async fn what_is_asked_is_answered_by_who_is_there() {
    let fleet = Fleet::start();
    let who = format!("{}@{}", fleet.account(), fleet.address(9));
    let (password, code) = (format!("{who}'s password"), format!("({who}) Code"));
    for (methods, both, asked) in [
        (PASSWORD, false, &[&password][..]),
        (DIALOGUE, false, &[&code]),
        (PASSWORD, true, &[&password, &code]),
    ] {
        let address = play(&fleet, methods, both).await;
        fleet.alias("played", address);
        let client = Client::new(&fleet);
        let ask = Answers::of(&[(&password, "pw"), (&code, "42")]);
        let mut pipes = client.asking("played", "x", &ask).await.unwrap();
        let mut said = String::new();
        pipes.reader.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "in\n");
        assert_eq!(end(pipes).await, Ending::Exited { code: 3 });
        assert_eq!(ask.asked().iter().collect::<Vec<_>>(), asked);
    }
}

#[tokio::test]
async fn a_question_without_an_answer_denies() {
    let fleet = Fleet::start();
    let who = format!("{}@{}", fleet.account(), fleet.address(9));
    let password = format!("{who}'s password");
    for (methods, answers, hint) in [
        (PASSWORD, &[][..], "wants a password"),
        (
            PASSWORD,
            &[(password.as_str(), "wrong")],
            "the password was not taken",
        ),
        (DIALOGUE, &[], "wants a password"),
        (ALL, &[], "`ssh -v HOST` shows"),
    ] {
        let address = play(&fleet, methods, false).await;
        fleet.alias("played", address);
        let ask = Answers::of(answers);
        let client = Client::new(&fleet);
        let error = client.asking("played", "x", &ask).await.unwrap_err();
        assert_eq!(error.kind, Kind::Authentication, "{error}");
        let given = error.hint.unwrap();
        assert!(given.contains(hint), "{methods:?}: {given}");
    }
}

#[tokio::test]
async fn nobody_is_asked_in_batch_mode() {
    let fleet = Fleet::start();
    fleet.alias("played", play(&fleet, ALL, false).await);
    let client = Client::with(&fleet, &["BatchMode=yes"]);
    let ask = Answers::default();
    let error = client.asking("played", "x", &ask).await.unwrap_err();
    assert_eq!(error.kind, Kind::Authentication);
    assert_eq!(ask.asked(), [""; 0]);
}
