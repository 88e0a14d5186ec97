//! What the session has heard of its end, for those who open a connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fault::{self, Peer, Stage};
use crate::error::ConnectError;

/// What is known of the end of a connection; shared with those who wait for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    /// The verdict on the host key, if it was bad.
    refused: Option<ConnectError>,
    /// How the connection ended.
    ended: Option<Ended>,
    /// How the server greeted.
    greeting: String,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The server took its leave.
    Said {
        code: u32,
        reason: String,
    },
    Broke(russh::Error),
}

impl Ended {
    /// The same for those behind the hop whose connection it was; `remark` tells of it.
    pub(super) fn through(&self, hop: &str, remark: &str) -> String {
        // What broke may be further away, and is named then.
        let further = match self {
            Ended::Broke(russh::Error::IO(error)) => fault::broken(error),
            Ended::Broke(_) | Ended::Said { .. } => None,
        };
        further.map_or_else(|| format!("through {hop}: {remark}"), |error| error.text)
    }
}

impl Notes {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how the server greeted.
    pub(super) fn greet(&self, greeting: &[u8]) {
        self.noted().greeting = String::from_utf8_lossy(greeting).into_owned();
    }

    /// How the server greeted: `SSH-2.0-` and its program.
    pub(super) fn greeting(&self) -> String {
        self.noted().greeting.clone()
    }

    /// Notes the verdict on a host key that is not taken.
    pub(super) fn refuse(&self, refused: ConnectError) {
        self.noted().refused = Some(refused);
    }

    /// Notes the end.
    pub(super) fn end(&self, ended: Ended) {
        self.noted().ended = Some(ended);
    }

    /// Why a connection came to its end at `stage`; `error` is all that the client itself says.
    pub(super) fn why(&self, peer: &Peer, stage: Stage, error: russh::Error) -> ConnectError {
        let mut noted = self.noted();
        if let Some(refused) = noted.refused.take() {
            return refused;
        }
        match noted.ended.take() {
            Some(Ended::Said { code, reason }) => fault::disconnected(peer, code, &reason),
            Some(Ended::Broke(error)) => fault::protocol(peer, stage, error),
            None => fault::protocol(peer, stage, error),
        }
    }
}
