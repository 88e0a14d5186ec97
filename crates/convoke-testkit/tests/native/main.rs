//! The native ssh client against a real sshd, and beside the system's ssh.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

mod agents;
mod begin;
mod certificates;
mod forms;
mod host_keys;
mod jumps;
mod login;
mod proxy_commands;
mod questions;
mod streams;
mod strictness;
mod upkeep;
mod verdicts;
mod ways;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use convoke_connect::ask::{Ask, Nobody, Question, Topic, Unanswered};
use convoke_connect::connector::{Connector as _, Ending, Pipes, Request};
use convoke_connect::error::ConnectError;
use convoke_connect::future::BoxFuture;
use convoke_connect::ssh::Native;
use convoke_connect::ssh::SshOptions;
use convoke_connect::surroundings::Surroundings;
use convoke_connect::trail::Trail;
use convoke_testkit::fleet::Fleet;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zeroize::Zeroizing;

/// How long a busy machine may take for what takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of a fleet.
struct Client {
    native: Native,
    options: SshOptions,
    surroundings: Surroundings,
    /// Of all that it has opened.
    trail: Trail,
}

impl Client {
    fn new(fleet: &Fleet) -> Self {
        Self::with(fleet, &[])
    }

    /// One with options as after `-o`.
    fn with(fleet: &Fleet, options: &[&str]) -> Self {
        Self::by(fleet.ssh_config(), options)
    }

    /// One that reads `config`, with options as after `-o`.
    fn by(config: PathBuf, options: &[&str]) -> Self {
        let options = SshOptions {
            config: Some(config),
            options: options.iter().map(|option| option.to_string()).collect(),
            ..SshOptions::default()
        };
        let mut surroundings = Surroundings::of_this_process();
        surroundings
            .environment
            .retain(|(name, _)| name != "SSH_AUTH_SOCK");
        Client {
            native: Native::new(options.clone()),
            options,
            surroundings,
            trail: Trail::new(),
        }
    }

    /// With the ssh-agent at `socket`.
    fn agent(mut self, socket: impl Into<OsString>) -> Self {
        let variable = ("SSH_AUTH_SOCK".into(), socket.into());
        self.surroundings.environment.push(variable);
        self
    }

    async fn open(&self, host: &str, command: &str) -> Result<Pipes, ConnectError> {
        self.asking(host, command, &Nobody).await
    }

    async fn asking(
        &self,
        host: &str,
        command: &str,
        ask: &dyn Ask,
    ) -> Result<Pipes, ConnectError> {
        let request = Request {
            limit: std::time::Duration::from_secs(10),
            endpoint: &format!("ssh+native://{host}").parse().unwrap(),
            command,
            surroundings: &self.surroundings,
            ask,
            terminal: None,
            trail: &self.trail,
        };
        let opening = tokio::time::timeout(PATIENCE, self.native.open(request));
        opening.await.expect("it hangs")
    }

    /// What a command says, and how it ends.
    async fn said(&self, host: &str, command: &str) -> Result<(String, Ending), ConnectError> {
        let mut pipes = self.open(host, command).await?;
        let mut text = String::new();
        pipes.reader.read_to_string(&mut text).await.unwrap();
        Ok((text, end(pipes).await))
    }

    async fn refused(&self, host: &str) -> ConnectError {
        self.open(host, "true").await.expect_err("it was let in")
    }

    /// The same by the system's ssh.
    fn ssh(&self, host: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(self.options.config.as_ref().unwrap());
        for option in &self.options.options {
            ssh.args(["-o", option]);
        }
        let environment = self.surroundings.environment.iter();
        ssh.env_clear()
            .envs(environment.map(|(name, value)| (name, value)));
        ssh.args(["-o", "BatchMode=yes", host]);
        ssh
    }
}

/// What is said on stderr until a command has ended.
async fn noise(mut pipes: Pipes) -> String {
    let (mut text, mut output) = (String::new(), Vec::new());
    let said = pipes.stderr.read_to_string(&mut text);
    let (said, _) = tokio::join!(said, pipes.reader.read_to_end(&mut output));
    said.unwrap();
    end(pipes).await;
    text
}

/// What the sshd of a fleet has said once it says this.
async fn log_until(fleet: &Fleet, words: &str) -> String {
    let mut log = fleet.log();
    while !log.contains(words) {
        tokio::task::yield_now().await;
        log = fleet.log();
    }
    log
}

/// Whether the log of a talkative sshd tells that somebody began to log in.
fn asks_to_log_in(log: &str) -> bool {
    log.contains("userauth-request") || log.contains("service_request")
}

/// Sends so many bytes to a `cat` behind `host`, and sees that they come back, and that it ends.
async fn there_and_back(client: &Client, host: &str, length: usize) {
    let sent: Vec<u8> = (0..length).map(|n| (n * n % 251) as u8).collect();
    let mut pipes = client.open(host, "cat").await.unwrap();
    let mut came = Vec::with_capacity(length);
    let writing = async {
        pipes.writer.write_all(&sent).await.unwrap();
        pipes.writer.shutdown().await.unwrap();
    };
    let both = async { tokio::join!(pipes.reader.read_to_end(&mut came), writing) };
    let both = tokio::time::timeout(PATIENCE, both).await;
    let (read, ()) = both.expect("it hangs");
    read.unwrap();
    assert!(came == sent, "{} of {length} bytes came", came.len());
    assert_eq!(end(pipes).await, Ending::Exited { code: 0 });
}

async fn end(pipes: Pipes) -> Ending {
    let Pipes {
        reader,
        writer,
        stderr,
        close,
        ..
    } = pipes;
    drop((reader, writer));
    let ending = tokio::time::timeout(PATIENCE, close.close()).await;
    drop(stderr);
    ending.expect("it does not end")
}

/// Answers from a list, as an operator does: whatever is no passphrase is answered anew each time, with
/// the next answer to these words that is on the list.
#[derive(Default)]
struct Answers {
    known: HashMap<String, Vec<String>>,
    asked: Mutex<Vec<Question>>,
}

impl Answers {
    fn of(pairs: &[(&str, &str)]) -> Self {
        let mut known: HashMap<_, Vec<_>> = HashMap::new();
        for (question, answer) in pairs {
            let answers = known.entry(question.to_string()).or_default();
            answers.push(answer.to_string());
        }
        Answers {
            known,
            asked: Mutex::default(),
        }
    }

    /// The words of all questions.
    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|question| question.what.clone()).collect()
    }

    fn questions(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }

    fn answer(&self, question: &Question) -> Option<String> {
        let mut asked = self.asked.lock().unwrap();
        let number = match question.topic {
            Topic::Passphrase => question.wrong as usize,
            _ => asked.iter().filter(|one| one.what == question.what).count(),
        };
        asked.push(question.clone());
        self.known.get(&question.what)?.get(number).cloned()
    }
}

impl Ask for Answers {
    fn ask<'a>(
        &'a self,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Zeroizing<String>, Unanswered>> {
        let answer = self.answer(question).map(Zeroizing::new);
        Box::pin(std::future::ready(
            answer.ok_or_else(|| question.unanswered()),
        ))
    }
}
