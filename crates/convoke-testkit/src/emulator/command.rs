//! The command of one channel: Convoke's bootstrap and the agent after it, or a program by itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use convoke_proto::command::Start;
use russh::server::{Handle, Msg};
use russh::{ChannelWriteHalf, Disconnect};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;

use super::inflow::Inflow;
use super::programs::{doing, split};
use crate::emulated::bootstrap::Facts;
use crate::emulated::{self, Doing, Emulated, PLATFORM, Witness};

/// What an agent sets aside for what waits to be sent, in bytes. It grows where much is said.
const ROOM: usize = 1024;

/// What a process of a host that is to fail waits for.
const FOREVER: Duration = Duration::from_secs(3600);

/// What a shell says with, of a program that is not there.
const NOT_FOUND: u32 = 127;

/// What runs a command.
pub(super) struct Command {
    /// Of its host.
    pub(super) name: Arc<str>,
    pub(super) line: Vec<u8>,
    /// Where the connection is to be dropped when the first process is to be started.
    pub(super) drops: Option<Handle>,
}

/// Drops the connection of a host that is to fail.
struct Fuse(Notify);

impl Witness for Fuse {
    fn start(&self, _: &Start) {
        self.0.notify_one();
    }
}

impl Command {
    /// Runs it to its end, and says how it ended.
    pub(super) async fn run(self, reader: Inflow, writing: ChannelWriteHalf<Msg>) {
        // A connection that is gone hears nothing.
        let Ok(code) = self.converse(reader, &writing).await else {
            return;
        };
        let _ = writing.exit_status(code).await;
        let _ = writing.eof().await;
        let _ = writing.close().await;
    }

    async fn converse(self, reader: Inflow, writing: &ChannelWriteHalf<Msg>) -> io::Result<u32> {
        let line = String::from_utf8_lossy(&self.line);
        match Facts::of(&line) {
            Some(facts) => self.agent(&facts, reader, writing).await,
            None => self.program(reader, writing).await,
        }
    }

    /// Says that the agent is there, and is it.
    async fn agent(
        &self,
        facts: &Facts,
        mut reader: Inflow,
        writing: &ChannelWriteHalf<Msg>,
    ) -> io::Result<u32> {
        let mut writer = Box::pin(writing.make_writer());
        let answer = format!("{} have {PLATFORM}\n", facts.nonce);
        writer.write_all(answer.as_bytes()).await?;
        let Some(handle) = &self.drops else {
            let name = Arc::clone(&self.name);
            let host = Emulated::with(move |request| doing(&name, &request.argv));
            emulated::serve(&mut reader, &mut writer, &host, &(), ROOM).await?;
            return Ok(0);
        };
        let host = Emulated::with(|_| Doing::Sleeps(FOREVER));
        let fuse = Fuse(Notify::new());
        tokio::select! {
            served = emulated::serve(&mut reader, &mut writer, &host, &fuse, ROOM) => served?,
            () = fuse.0.notified() => {
                let why = Disconnect::ByApplication;
                let _ = handle.disconnect(why, "going down".into(), String::new()).await;
            }
        }
        Ok(0)
    }

    /// One of the programs, for the system's `ssh`.
    async fn program(
        &self,
        mut reader: Inflow,
        writing: &ChannelWriteHalf<Msg>,
    ) -> io::Result<u32> {
        let words = split(&self.line);
        let mut writer = Box::pin(writing.make_writer());
        match doing(&self.name, &words) {
            Doing::Says(said) => {
                writer.write_all(&said.stdout).await?;
                Ok(said.code.into())
            }
            Doing::Copies => {
                tokio::io::copy(&mut reader, &mut writer).await?;
                Ok(0)
            }
            Doing::Sleeps(time) => {
                tokio::time::sleep(time).await;
                Ok(0)
            }
            Doing::Reads(_) | Doing::IsMissing => {
                let program = words.first().map_or(&b""[..], |word| word);
                let program = String::from_utf8_lossy(program);
                let text = format!(
                    "{}: {program}: not found, this host is emulated\n",
                    self.name
                );
                let mut stderr = Box::pin(writing.make_writer_ext(Some(1)));
                stderr.write_all(text.as_bytes()).await?;
                Ok(NOT_FOUND)
            }
        }
    }
}
