//! An ssh-agent that is asked by many hosts at once, and takes its time.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use convoke_connect::error::ConnectErrorKind as Kind;
use convoke_testkit::fleet::Fleet;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

use crate::login::{KeyAgent, authorize, key, only};
use crate::{Client, end};

/// The request for a signature (draft-miller-ssh-agent, 5.1).
const SIGN: u8 = 13;

/// How an agent answers that stands before another.
#[derive(Clone, Copy)]
struct Manner {
    /// What a signature takes.
    pace: Duration,
    /// How many may wait to be accepted.
    backlog: i32,
    /// Whether it hears one to the end before it accepts the next.
    one_by_one: bool,
    /// How many connections it closes before it answers.
    moody: usize,
}

/// An agent at a socket of its own, in front of a real one; it does one thing after another.
fn slow(agent: &KeyAgent, manner: Manner) -> PathBuf {
    let socket = agent.socket.with_extension("slow");
    let listener = listener(&socket, manner.backlog);
    let real = agent.socket.clone();
    let busy = Arc::new(Mutex::new(()));
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            if number < manner.moody {
                continue;
            }
            let (real, busy) = (real.clone(), Arc::clone(&busy));
            let serving = std::thread::spawn(move || {
                // It ends with the connection.
                let _ = serve(stream, &real, manner, &busy);
            });
            if manner.one_by_one {
                let _ = serving.join();
            }
        }
    });
    socket
}

fn listener(socket: &Path, backlog: i32) -> UnixListener {
    let listening = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&listening, &SocketAddrUnix::new(socket).unwrap()).unwrap();
    rustix::net::listen(&listening, backlog).unwrap();
    listening.into()
}

fn serve(mut stream: UnixStream, real: &Path, manner: Manner, busy: &Mutex<()>) -> io::Result<()> {
    let mut real = UnixStream::connect(real)?;
    loop {
        let request = message(&mut stream)?;
        let _busy = busy.lock().unwrap_or_else(PoisonError::into_inner);
        if request.get(4) == Some(&SIGN) {
            std::thread::sleep(manner.pace);
        }
        real.write_all(&request)?;
        let answer = message(&mut real)?;
        stream.write_all(&answer)?;
    }
}

/// A message, with its length before it.
fn message(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut message = length.to_vec();
    message.resize(4 + u32::from_be_bytes(length) as usize, 0);
    stream.read_exact(&mut message[4..])?;
    Ok(message)
}

/// How many of so many hosts are let in at once.
async fn let_in(client: Client, hosts: usize) -> usize {
    let client = Arc::new(client);
    let mut running = tokio::task::JoinSet::new();
    for number in 0..hosts {
        let client = Arc::clone(&client);
        running.spawn(async move {
            let pipes = client.open(&format!("h{}", number % 8 + 1), "true").await;
            match pipes {
                Ok(pipes) => drop(end(pipes).await),
                Err(error) => panic!("{error} {:?}", error.hint),
            }
        });
    }
    let ended = running.join_all().await;
    ended.len()
}

#[tokio::test]
async fn a_busy_agent_is_waited_for() {
    let fleet = Fleet::builder().max_startups("100").start();
    let agent = KeyAgent::start(fleet.directory());
    let file = key(&fleet, "held", &["-t", "ed25519", "-N", ""]);
    authorize(&fleet, &file);
    agent.add(&file);
    let usual = Manner {
        pace: Duration::from_millis(20),
        backlog: 128,
        one_by_one: false,
        moody: 0,
    };
    for (what, hosts, manner) in [
        (
            "a slow one",
            20,
            Manner {
                pace: Duration::from_millis(300),
                ..usual
            },
        ),
        (
            "one that lets few wait",
            40,
            Manner {
                backlog: 4,
                one_by_one: true,
                ..usual
            },
        ),
        ("one that loses some", 8, Manner { moody: 2, ..usual }),
    ] {
        let socket = slow(&agent, manner);
        let client = only(&fleet, &["IdentityFile=none"]).agent(&socket);
        assert_eq!(let_in(client, hosts).await, hosts, "{what}");
        std::fs::remove_file(socket).unwrap();
    }
}

#[tokio::test]
async fn a_silent_agent_is_waited_for_once_a_run() {
    let fleet = Fleet::start();
    let socket = fleet.directory().join("hung");
    let _hung = UnixListener::bind(&socket).unwrap();
    let client = Arc::new(only(&fleet, &["IdentityFile=none"]).agent(&socket));
    let began = std::time::Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let client = Arc::clone(&client);
        running.spawn(async move { client.refused("h1").await });
    }
    for error in running.join_all().await {
        assert_eq!(error.kind, Kind::Authentication);
        assert!(error.hint.unwrap().contains("does not answer"));
    }
    assert!(began.elapsed() < Duration::from_secs(15));
}
