//! Passwords and questions of a server, by a server that is played: an sshd would need accounts.

use std::borrow::Cow;
use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};

use convoke_connect::ask::{Ask, Asker, Nobody, Question, Topic, Unanswered};
use convoke_connect::connector::Ending;
use convoke_connect::error::ConnectErrorKind as Kind;
use convoke_connect::future::BoxFuture;
use convoke_connect::trail::Remark;
use convoke_testkit::fleet::{Fleet, Known};

use russh::server::{
    Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Response, Session, run_stream,
};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use tokio::io::{AsyncReadExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use zeroize::Zeroizing;

use crate::{Answers, Client, end};

/// A server that takes these methods, a password and the code `42`, and keeps what it was told.
#[derive(Clone)]
struct Played {
    methods: Vec<MethodKind>,
    password: &'static str,
    /// Both are needed, the password first.
    both: bool,
    /// The code is not to be seen.
    is_secret: bool,
    told: Arc<Mutex<Vec<String>>>,
    /// How many dialogues were begun.
    dialogues: Arc<Mutex<u32>>,
}

impl Default for Played {
    fn default() -> Self {
        Played {
            methods: PASSWORD.to_vec(),
            password: "pw",
            both: false,
            is_secret: false,
            told: Arc::default(),
            dialogues: Arc::default(),
        }
    }
}

impl Played {
    fn reject(&self) -> Auth {
        Auth::Reject {
            proceed_with_methods: Some(MethodSet::from(self.methods.as_slice())),
            partial_success: false,
        }
    }

    fn hear(&self, answer: &str) {
        self.told.lock().unwrap().push(answer.to_owned());
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
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
        self.hear(password);
        if password != self.password {
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
            *self.dialogues.lock().unwrap() += 1;
            let prompt = (Cow::Borrowed("Code: "), !self.is_secret);
            return Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![prompt].into(),
            });
        };
        let answer = answers.next().unwrap_or_default();
        self.hear(str::from_utf8(&answer).unwrap());
        match &*answer {
            b"42" => Ok(Auth::Accept),
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

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        let mut further = TcpStream::connect((host, port as u16)).await.unwrap();
        reply.accept().await;
        tokio::spawn(async move {
            let _ = copy_bidirectional(&mut channel.into_stream(), &mut further).await;
        });
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
async fn play(fleet: &Fleet, played: &Played) -> SocketAddr {
    let key = fs::read_to_string(fleet.directory().join("host_ed25519")).unwrap();
    let config = Arc::new(Config {
        keys: vec![russh::keys::decode_secret_key(&key, None).unwrap()],
        auth_rejection_time: std::time::Duration::ZERO,
        ..Config::default()
    });
    let listener = TcpListener::bind((fleet.address(9), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let played = played.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let played = played.clone();
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
        let played = Played {
            methods: methods.to_vec(),
            both,
            ..Played::default()
        };
        let address = play(&fleet, &played).await;
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
    let wrong = Answers::of(&[(&password, "wrong")]);
    let nothing = Answers::default();
    for (methods, ask, hint) in [
        (PASSWORD, &Nobody as &dyn Ask, "wants a password"),
        (DIALOGUE, &Nobody, "wants a password"),
        (ALL, &Nobody, "no ssh-agent is running"),
        (PASSWORD, &wrong, "the password was not taken"),
        (PASSWORD, &nothing, "nothing was typed"),
        (DIALOGUE, &nothing, "nothing was typed"),
    ] {
        let played = Played {
            methods: methods.to_vec(),
            ..Played::default()
        };
        let address = play(&fleet, &played).await;
        fleet.alias("played", address);
        let client = Client::new(&fleet);
        let error = client.asking("played", "x", ask).await.unwrap_err();
        assert_eq!(error.kind, Kind::Authentication, "{error}");
        let given = error.hint.unwrap();
        assert!(given.contains(hint), "{methods:?}: {given}");
    }
}

#[tokio::test]
async fn every_answer_is_sent_once() {
    let fleet = Fleet::start();
    let who = format!("{}@{}", fleet.account(), fleet.address(9));
    let (password, code) = (format!("{who}'s password"), format!("({who}) Code"));
    for (methods, question) in [(PASSWORD, &password), (DIALOGUE, &code)] {
        let played = Played {
            methods: methods.to_vec(),
            ..Played::default()
        };
        fleet.alias("played", play(&fleet, &played).await);
        let typed = ["one", "two", "three", "four"];
        let ask = Answers::of(&typed.map(|answer| (question.as_str(), answer)));
        let client = Client::new(&fleet);
        let error = client.asking("played", "x", &ask).await.unwrap_err();
        assert_eq!(played.told(), typed[..3]);
        let wrong: Vec<_> = ask.questions().iter().map(|one| one.wrong).collect();
        assert_eq!(wrong, [0, 1, 2]);
        let hint = error.hint.unwrap();
        assert!(hint.contains("was not taken"), "{hint}");
    }
}

/// They differ in nothing but their ports.
#[tokio::test]
async fn a_jump_host_and_the_host_behind_it_are_asked_for_apart() {
    let fleet = Fleet::start();
    let who = format!("{}@{}", fleet.account(), fleet.address(9));
    let (gate, host) = (
        Played {
            password: "of the gate",
            ..Played::default()
        },
        Played::default(),
    );
    fleet.alias("gate", play(&fleet, &gate).await);
    fleet.alias("played", play(&fleet, &host).await);
    let client = Client::with(&fleet, &["ProxyJump=gate"]);
    let before = format!("{who}'s password (jump host gate)");
    let behind = format!("{who}'s password");
    let ask = Answers::of(&[(&before, "of the gate"), (&behind, "pw")]);
    let pipes = client.asking("played", "x", &ask).await.unwrap();
    assert_eq!(end(pipes).await, Ending::Exited { code: 3 });
    let questions = ask.questions();
    let askers: Vec<_> = questions.iter().map(|one| one.asker.clone()).collect();
    assert_eq!(askers, [Asker::Hop("gate".to_owned()), Asker::Host]);
    assert_eq!(gate.told(), ["of the gate"]);
    assert_eq!(host.told(), ["pw"]);
}

/// Answers passwords, each host once, as `--ask-pass` does.
struct Once(Answers);

impl Ask for Once {
    fn answers(&self, topic: Topic, _: &Asker, wrong: u32) -> bool {
        topic == Topic::Password && wrong == 0
    }

    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, Unanswered>> {
        self.0.ask(question)
    }
}

#[tokio::test]
async fn a_dialogue_that_nobody_would_answer_is_not_begun_again() {
    let fleet = Fleet::start();
    let who = format!("{}@{}", fleet.account(), fleet.address(9));
    let played = Played {
        methods: DIALOGUE.to_vec(),
        is_secret: true,
        ..Played::default()
    };
    fleet.alias("played", play(&fleet, &played).await);
    let ask = Once(Answers::of(&[(&format!("({who}) Code"), "wrong")]));
    let client = Client::new(&fleet);
    let error = client.asking("played", "x", &ask).await.unwrap_err();
    assert_eq!(error.kind, Kind::Authentication, "{error}");
    assert_eq!(played.told(), ["wrong"]);
    assert_eq!(*played.dialogues.lock().unwrap(), 1);
}

#[tokio::test]
async fn nobody_is_asked_in_batch_mode() {
    let fleet = Fleet::start();
    fleet.alias("played", play(&fleet, &Played::default()).await);
    lock(&fleet);
    let client = Client::with(&fleet, &["BatchMode=yes"]);
    for (host, hint) in [
        ("played", "with BatchMode nobody is asked for a password"),
        ("h1", "with BatchMode nobody is asked for its passphrase"),
    ] {
        let ask = Answers::default();
        let error = client.asking(host, "x", &ask).await.unwrap_err();
        assert_eq!(error.kind, Kind::Authentication);
        assert_eq!(ask.asked(), [""; 0]);
        let given = error.hint.unwrap();
        assert!(given.contains(hint), "{given}");
    }
}

#[tokio::test]
async fn why_a_key_stayed_locked_is_told() {
    let fleet = Fleet::start();
    lock(&fleet);
    let question = format!("Enter passphrase for key '{}'", fleet.identity().display());
    let wrong = ["a", "b", "c"].map(|answer| (question.as_str(), answer));
    for (answers, hint) in [
        (&wrong[..], "what was typed as its passphrase was wrong"),
        (&[], "its passphrase was not typed"),
    ] {
        let ask = Answers::of(answers);
        let client = Client::new(&fleet);
        let error = client.asking("h1", "x", &ask).await.unwrap_err();
        let given = error.hint.unwrap();
        let file = fleet.identity();
        assert!(given.contains(hint), "{given}");
        assert!(given.contains(file.to_str().unwrap()), "{given}");
    }
}

/// Gives the key of a fleet a passphrase.
fn lock(fleet: &Fleet) {
    let mut keygen = Command::new("ssh-keygen");
    keygen
        .args(["-q", "-p", "-P", "", "-N", "secret", "-f"])
        .arg(fleet.identity());
    assert!(keygen.output().unwrap().status.success());
}

/// What cannot be written down is no reason to keep somebody out who was accepted.
#[tokio::test]
async fn an_unknown_host_that_is_accepted_is_reached() {
    let fleet = Fleet::builder()
        .known(Known::Unknown)
        .option("LogLevel VERBOSE")
        .start();
    let ask_about_it = "StrictHostKeyChecking=ask";
    let known_hosts = format!("UserKnownHostsFile={}", fleet.known_hosts().display());
    // It is none that could be written.
    let directory = format!("UserKnownHostsFile={}", fleet.directory().display());
    for (option, answer, warnings) in [
        (&directory, "yes", 1),
        (&directory, "no", 0),
        (&known_hosts, "yes", 0),
    ] {
        let client = Client::with(&fleet, &[option, ask_about_it]);
        let visits = || fleet.log().matches("Connection from ").count();
        let before = visits();
        let ask = Always(answer);
        match client.asking("h1", "true", &ask).await {
            Ok(pipes) => assert_eq!(end(pipes).await, Ending::Exited { code: 0 }),
            Err(error) => {
                assert_eq!(answer, "no", "{error}");
                assert_eq!(error.kind, Kind::HostKeyUnknown);
            }
        }
        let expected = if answer == "yes" { 2 } else { 1 };
        assert_eq!(visits() - before, expected, "{option}");
        let remarks = client.trail.take_remarks();
        let warned = remarks
            .iter()
            .filter(|one| matches!(one, Remark::Warning(_)));
        assert_eq!(warned.count(), warnings, "{remarks:?}");
    }
    let known = fs::read_to_string(fleet.known_hosts()).unwrap();
    assert_eq!(known.lines().count(), 1);
}

/// Answers whatever is asked.
struct Always(&'static str);

impl Ask for Always {
    fn ask<'a>(&'a self, _: &'a Question) -> BoxFuture<'a, Result<Zeroizing<String>, Unanswered>> {
        let answer = Zeroizing::new(self.0.to_owned());
        Box::pin(std::future::ready(Ok(answer)))
    }
}
