//! What becomes of what a server sends: its key is judged, output goes into the pipes and what comes
//! through a hop to those behind it, everything that was not asked for is refused.

use std::time::Duration;

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelId, ChannelOpenFailure, Names, Sig};
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::backlog::Backlog;
use super::fault;
use super::lane::Lanes;
use super::noise::Noise;
use super::notes::{Ended, Notes};
use super::sight::Sight;
use super::signals;
use super::verify::{Judge, Shown, Trust};
use crate::connector::Ending;
use crate::error::ConnectErrorKind;
use crate::trail::Trail;

/// How much of what a server says before the login is kept, in bytes: nobody reads it meanwhile.
const BANNER: usize = 8 * 1024;

/// How long it is waited for somebody who asked for a channel to hear why it was refused.
pub(super) const HEARING: Duration = Duration::from_secs(1);

/// What one connection does with what it hears.
pub(super) struct Handler {
    pub(super) judge: Judge,
    /// The host key, until it is known what was agreed on.
    pub(super) shown: Option<Shown>,
    pub(super) notes: Notes,
    /// The server, as it is called in words.
    pub(super) host: String,
    pub(super) streams: Streams,
    pub(super) cut: CancellationToken,
    pub(super) backlog: Backlog,
    pub(super) trail: Trail,
    pub(super) banner: usize,
}

/// What a connection is for.
pub(super) enum Streams {
    /// One command; the near ends of its pipes.
    Command(Command),
    /// Ways to other servers, over the hop of that name.
    Lanes {
        hop: String,
        lanes: Lanes,
        noise: Noise,
        refuse: mpsc::Sender<Refusal>,
    },
    /// To look at the host key, and to end.
    Look,
}

impl Handler {
    /// Adds to what is said before the login.
    async fn say(&mut self, words: &str) {
        let fits = words.len().min(BANNER - self.banner);
        self.banner += fits;
        let kept = words.as_bytes().get(..fits).unwrap_or_default();
        match &mut self.streams {
            Streams::Command(command) => pass_on(&mut command.stderr, kept, &self.cut).await,
            Streams::Lanes { noise, .. } => noise.add(kept),
            Streams::Look => {}
        }
    }
}

/// The near ends of the pipes of a command.
pub(super) struct Command {
    pub(super) stdout: Option<DuplexStream>,
    pub(super) stderr: Option<DuplexStream>,
    pub(super) ending: Option<oneshot::Sender<Ending>>,
}

/// Why a hop opened no channel, for the one who asked for it.
#[derive(Debug)]
pub(super) struct Refusal {
    why: String,
    taken: oneshot::Sender<()>,
}

impl Refusal {
    /// The words of the hop, which may go on now.
    pub(super) fn take(self) -> String {
        // Nobody waits any more when it took too long.
        let _ = self.taken.send(());
        self.why
    }
}

impl Command {
    fn end(&mut self, ending: Ending) {
        if let Some(waiting) = self.ending.take() {
            // Nobody may wait for it.
            let _ = waiting.send(ending);
        }
    }

    /// The end of all output.
    fn end_output(&mut self) {
        self.stdout = None;
        self.stderr = None;
    }

    /// It ended, and if nothing is known of how, this is all that can be said.
    fn break_off(&mut self, remark: &str) {
        self.end(Ending::Unknown {
            remark: remark.to_owned(),
        });
        self.end_output();
    }
}

/// Passes output on, and waits while the pipe is full: that is what slows the server down. Who does
/// not listen any more misses nothing.
async fn pass_on(pipe: &mut Option<DuplexStream>, data: &[u8], cut: &CancellationToken) {
    let Some(open) = pipe else { return };
    let passed = tokio::select! {
        passed = open.write_all(data) => passed.is_ok(),
        () = cut.cancelled() => false,
    };
    if !passed {
        *pipe = None;
    }
}

impl client::Handler for Handler {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        let shown = Shown::new(shown);
        if matches!(self.streams, Streams::Look) {
            let sight = Sight::of(shown, self.judge.clone()).await;
            self.notes.look_at(sight);
            return Ok(false);
        }
        match self.judge.judge(&shown).await {
            Ok(taken) => {
                if taken.trust == Trust::None {
                    self.notes.distrust();
                }
                for remark in taken.remarks {
                    self.trail.remark(remark);
                }
                self.shown = Some(shown);
                Ok(true)
            }
            Err(refused) => {
                if refused.kind == ConnectErrorKind::HostKeyUnknown {
                    // Somebody may be asked about it.
                    let sight = Sight::of(shown, self.judge.clone()).await;
                    self.notes.look_at(sight);
                }
                self.notes.refuse(refused);
                Ok(false)
            }
        }
    }

    async fn kex_done(
        &mut self,
        _: Option<&[u8]>,
        names: &Names,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.notes.greet(session.remote_sshid());
        // Keys are exchanged again later on, but the host key is not shown again.
        let Some(shown) = self.shown.take() else {
            return Ok(());
        };
        if !shown.is_of(&names.key) {
            let found = shown.key.algorithm();
            self.notes.refuse(fault::wrong_kind(&names.key, &found));
            return Err(russh::Error::UnknownKey);
        }
        self.notes.agree(names.key.clone());
        Ok(())
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), russh::Error> {
        self.say(banner).await;
        Ok(())
    }

    async fn channel_open_confirmation(
        &mut self,
        id: ChannelId,
        _: u32,
        _: u32,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        if let Streams::Lanes { lanes, .. } = &self.streams {
            lanes.begin(id);
        }
        Ok(())
    }

    async fn channel_open_failure(
        &mut self,
        _: ChannelId,
        _: ChannelOpenFailure,
        why: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        let Streams::Lanes { refuse, .. } = &self.streams else {
            return Ok(());
        };
        let (taken, hearing) = oneshot::channel();
        let refusal = Refusal {
            why: why.to_owned(),
            taken,
        };
        // One at a time, since the answer does not say to whom it is given.
        if refuse.try_send(refusal).is_ok() {
            let _ = tokio::time::timeout(HEARING, hearing).await;
        }
        Ok(())
    }

    async fn data(
        &mut self,
        id: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match &mut self.streams {
            Streams::Command(command) => pass_on(&mut command.stdout, data, &self.cut).await,
            Streams::Lanes { lanes, .. } => {
                if !lanes.add(id, data) {
                    session.close(id)?;
                }
            }
            Streams::Look => {}
        }
        Ok(())
    }

    async fn extended_data(
        &mut self,
        _: ChannelId,
        kind: u32,
        data: &[u8],
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        // RFC 4254, 5.2: stderr is the only kind.
        if let (1, Streams::Command(command)) = (kind, &mut self.streams) {
            pass_on(&mut command.stderr, data, &self.cut).await;
        }
        Ok(())
    }

    async fn exit_status(
        &mut self,
        _: ChannelId,
        status: u32,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        if let Streams::Command(command) = &mut self.streams {
            command.end(Ending::Exited {
                code: status as i32,
            });
        }
        Ok(())
    }

    async fn exit_signal(
        &mut self,
        _: ChannelId,
        signal: Sig,
        _: bool,
        _: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        if let Streams::Command(command) = &mut self.streams {
            command.end(match signals::number(&signal) {
                Some(signal) => Ending::Killed { signal },
                None => Ending::Unknown {
                    remark: format!("the command was ended by signal {signal:?}"),
                },
            });
        }
        Ok(())
    }

    async fn channel_failure(&mut self, _: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        // Only the command asks for an answer.
        if let Streams::Command(command) = &mut self.streams {
            command.break_off("the server refused to run the command");
        }
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        match &mut self.streams {
            Streams::Command(command) => command.end_output(),
            Streams::Lanes { lanes, .. } => lanes.end(id),
            Streams::Look => {}
        }
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        match &mut self.streams {
            Streams::Command(command) => {
                command.break_off("the server did not say how the command ended");
                // What is still given is thrown away unwritten.
                self.backlog.end();
            }
            Streams::Lanes { lanes, .. } => lanes.close(id),
            Streams::Look => {}
        }
        Ok(())
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<russh::Error>,
    ) -> Result<(), russh::Error> {
        let (ended, remark) = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                let remark = format!("the server disconnected: {}", info.message);
                let (code, reason) = (info.reason_code as u32, info.message);
                (Ended::Said { code, reason }, remark)
            }
            DisconnectReason::Error(error) => {
                let words = fault::words_of(&error, &self.host);
                let remark = format!("the connection broke: {words}");
                (Ended::Broke(error), remark)
            }
        };
        match &mut self.streams {
            Streams::Command(command) => command.break_off(&remark),
            Streams::Lanes { hop, lanes, .. } => lanes.break_all(&ended.through(hop, &remark)),
            Streams::Look => {}
        }
        self.notes.end(ended);
        self.backlog.end();
        Ok(())
    }

    // What a server opens by itself was never asked for: an answer that is dropped refuses it.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }
}
