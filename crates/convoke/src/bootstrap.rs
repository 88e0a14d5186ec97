//! From a host's login shell to a running agent: one command line, one conversation.
//!
//! [`command`] is what the shell is given. Its script says whether the host has the agent already;
//! when not, the agent is sent over the same connection. From then on the connection is the agent's
//! wire. Nothing is sent before the script has said its nonce, so that nothing is lost in the input
//! of some other program, and nothing beyond the agent before the script has said it is ready, so
//! that no tool of the host that reads ahead can take bytes of the wire.

mod failure;
mod scan;
mod script;

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::agents::{Agent, Agents};
use crate::error::BootstrapError;
use crate::event::AgentOrigin;
use crate::hex::hex;
use crate::random;

pub use script::command;

use scan::{Form, Reply, Scan};

/// How much is read at once while the script talks, in bytes. The link goes on with the same buffer, and
/// there may be ten thousand.
const READ_SIZE: usize = 2048;

/// What the script begins its answers with: 32 random hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce(String);

/// What a host's script said first. To be given to [`deliver`].
#[derive(Debug)]
pub struct Answer {
    scan: Scan,
    platform: String,
    need: Option<Form>,
}

/// An agent runs at the other end.
#[derive(Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Whether it had to be sent.
    pub origin: AgentOrigin,
    /// The host's platform, such as `x86_64-linux`.
    pub platform: String,
    /// Bytes of the agent that were read already.
    pub rest: BytesMut,
}

impl Nonce {
    /// A nonce from 16 random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Nonce(hex(&random))
    }

    /// A nonce from the kernel's random bytes.
    pub fn random() -> Self {
        Nonce::new(random::bytes())
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Waits for the script's first answer, past what the login shell and its start-up files say.
///
/// Sets no time limit.
///
/// # Errors
/// Kind `NoShell` when the connection ends or says more than 64 KiB without an answer, with the last
/// 200 bytes; `NoAgent` when the host's platform is none of `agents`; `NoPlace` when no directory of
/// the host may hold the agent, with each and the reason.
pub async fn answer<R>(
    reader: &mut R,
    agents: &Agents,
    nonce: &Nonce,
) -> Result<Answer, BootstrapError>
where
    R: AsyncRead + Unpin,
{
    let mut scan = Scan::new(nonce);
    let (platform, need) = loop {
        match reply(reader, &mut scan).await {
            Ok(Reply::Have { platform }) => break (platform, None),
            Ok(Reply::Need { platform, .. }) if agents.find(&platform).is_none() => {
                return Err(failure::no_agent(&platform, agents));
            }
            Ok(Reply::Need { platform, form }) => break (platform, Some(form)),
            Ok(Reply::Unknown { uname }) => return Err(failure::no_agent(&uname, agents)),
            Ok(Reply::Nowhere { reasons }) => return Err(failure::no_place(&reasons)),
            // Not what a script says first, so not ours: noise.
            Ok(Reply::Ready | Reply::Bad { .. }) => {}
            Err(silence) => return Err(failure::no_shell(&scan, silence)),
        }
    };
    Ok(Answer {
        scan,
        platform,
        need,
    })
}

/// Sends the agent if the host asked for it, and waits until it is ready.
///
/// Sets no time limit.
///
/// # Errors
/// Kind `Upload` when the agent did not arrive whole or could not be stored; `NoAgent` when the host
/// asks for one that is not among `agents`.
pub async fn deliver<R, W>(
    answer: Answer,
    reader: &mut R,
    writer: &mut W,
    agents: &Agents,
) -> Result<Greeting, BootstrapError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let Answer {
        mut scan,
        platform,
        need,
    } = answer;
    let origin = match need {
        None => AgentOrigin::Cached,
        Some(form) => {
            let agent = agents.find(&platform);
            let agent = agent.ok_or_else(|| failure::no_agent(&platform, agents))?;
            upload(agent, form, reader, writer, &mut scan).await?;
            AgentOrigin::Sent
        }
    };
    Ok(Greeting {
        origin,
        platform,
        rest: scan.rest(),
    })
}

impl Answer {
    /// Whether the host has to be sent the agent.
    pub fn wants_agent(&self) -> bool {
        self.need.is_some()
    }
}

/// Sends exactly the bytes of the agent. The script is listened to all the while: a full disk is
/// reported at once, and a script that gave up no longer reads.
async fn upload<R, W>(
    agent: &Agent,
    form: Form,
    reader: &mut R,
    writer: &mut W,
    scan: &mut Scan,
) -> Result<(), BootstrapError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let inflated;
    let bytes = match form {
        Form::Gzip => agent.gzip(),
        Form::Raw => {
            inflated = agent.executable().map_err(failure::embedded)?;
            &inflated
        }
    };
    let sent = async {
        writer.write_all(bytes).await?;
        writer.flush().await
    };
    let arrived = async {
        match reply(reader, scan).await {
            Ok(Reply::Ready) => Ok(()),
            Ok(Reply::Bad { stored }) => Err(failure::damaged(agent, &stored)),
            Ok(other) => Err(failure::astray(&other)),
            Err(silence) => Err(failure::cut(silence)),
        }
    };
    tokio::pin!(sent, arrived);
    tokio::select! {
        biased;
        arrived = &mut arrived => {
            arrived?;
            // All bytes are there already; only our own flush may still be under way.
            let _ = sent.await;
            Ok(())
        }
        sent = &mut sent => {
            // A script that ended says why before its end.
            let arrived = arrived.await;
            match sent {
                Err(error) if arrived.is_err() => arrived.map_err(|why| why.source(error)),
                _ => arrived,
            }
        }
    }
}

/// Why no reply came.
#[derive(Debug)]
enum Silence {
    /// The connection ended.
    End,
    /// It failed.
    Failed(io::Error),
    /// It says too much else.
    Noise,
}

/// Reads until the next reply. Nothing is lost when the future is dropped.
async fn reply<R>(reader: &mut R, scan: &mut Scan) -> Result<Reply, Silence>
where
    R: AsyncRead + Unpin,
{
    loop {
        if let Some(reply) = scan.next() {
            return Ok(reply);
        }
        if scan.is_exhausted() {
            return Err(Silence::Noise);
        }
        scan.unread().reserve(READ_SIZE);
        match reader.read_buf(scan.unread()).await {
            Ok(0) => return Err(Silence::End),
            Ok(_) => {}
            Err(error) => return Err(Silence::Failed(error)),
        }
    }
}

#[cfg(test)]
mod tests;
