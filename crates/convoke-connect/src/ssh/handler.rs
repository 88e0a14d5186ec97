//! What becomes of what a server sends: its key is judged, output goes into the pipes, everything that
//! was not asked for is refused.

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelId, Names, Sig};
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::notes::{Ended, Notes};
use super::signals;
use super::verify::Expected;
use crate::connector::Ending;

/// How much of what a server says before the login is kept, in bytes: nobody reads it meanwhile.
const BANNER: usize = 8 * 1024;

/// The near ends of the pipes.
pub(super) struct Handler {
    pub(super) expected: Expected,
    pub(super) notes: Notes,
    pub(super) stdout: Option<DuplexStream>,
    pub(super) stderr: Option<DuplexStream>,
    pub(super) ending: Option<oneshot::Sender<Ending>>,
    pub(super) cut: CancellationToken,
    pub(super) banner: usize,
}

impl Handler {
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
        let verdict = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.expected.judge(key),
            // None was asked for.
            PublicKeyOrCertificate::Certificate(_) => return Ok(false),
        };
        match verdict {
            Ok(()) => Ok(true),
            Err(refused) => {
                self.notes.refuse(refused);
                Ok(false)
            }
        }
    }

    async fn kex_done(
        &mut self,
        _: Option<&[u8]>,
        _: &Names,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.notes.greet(session.remote_sshid());
        Ok(())
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), russh::Error> {
        let fits = banner.len().min(BANNER - self.banner);
        self.banner += fits;
        let kept = banner.as_bytes().get(..fits).unwrap_or_default();
        pass_on(&mut self.stderr, kept, &self.cut).await;
        Ok(())
    }

    async fn data(
        &mut self,
        _: ChannelId,
        data: &[u8],
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        pass_on(&mut self.stdout, data, &self.cut).await;
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
        if kind == 1 {
            pass_on(&mut self.stderr, data, &self.cut).await;
        }
        Ok(())
    }

    async fn exit_status(
        &mut self,
        _: ChannelId,
        status: u32,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.end(Ending::Exited {
            code: status as i32,
        });
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
        self.end(match signals::number(&signal) {
            Some(signal) => Ending::Killed { signal },
            None => Ending::Unknown {
                remark: format!("the command was ended by signal {signal:?}"),
            },
        });
        Ok(())
    }

    async fn channel_failure(&mut self, _: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        // Only the command asks for an answer.
        self.end(Ending::Unknown {
            remark: "the server refused to run the command".into(),
        });
        self.end_output();
        Ok(())
    }

    async fn channel_eof(&mut self, _: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        self.end_output();
        Ok(())
    }

    async fn channel_close(&mut self, _: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        self.end(Ending::Unknown {
            remark: "the server did not say how the command ended".into(),
        });
        self.end_output();
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
                let remark = format!("the connection broke: {error}");
                (Ended::Broke(error), remark)
            }
        };
        self.notes.end(ended);
        self.end(Ending::Unknown { remark });
        self.end_output();
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
