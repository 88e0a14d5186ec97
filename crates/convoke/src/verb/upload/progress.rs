//! How far an upload is, told to whoever listens.

use std::sync::Arc;

use tokio::sync::mpsc::{OwnedPermit, Sender};

/// How far an upload is on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The host's name.
    pub host: Arc<str>,
    /// How many bytes have left so far; of the last, how many the file holds.
    pub sent: u64,
}

/// Tells of one upload on one host.
pub(super) struct Teller {
    host: Arc<str>,
    told: Option<Sender<Progress>>,
    /// Room for the last word, so that those before it cannot take it.
    last: Option<OwnedPermit<Progress>>,
}

impl Teller {
    pub(super) fn begin(told: Option<&Sender<Progress>>, host: &Arc<str>) -> Self {
        Teller {
            host: Arc::clone(host),
            told: told.cloned(),
            last: told.and_then(|told| told.clone().try_reserve_owned().ok()),
        }
    }

    /// So many bytes have left. Nobody waits for whoever listens: what comes next says more.
    pub(super) fn sent(&self, sent: u64) {
        if let Some(told) = &self.told {
            let _ = told.try_send(self.progress(sent));
        }
    }

    /// The file stands, and holds so many bytes. Nobody waits for room: a verb ends whoever listens.
    pub(super) fn stands(self, size: u64) {
        let progress = self.progress(size);
        match (self.last, self.told) {
            (Some(room), _) => drop(room.send(progress)),
            (None, Some(told)) => drop(told.try_send(progress)),
            (None, None) => {}
        }
    }

    fn progress(&self, sent: u64) -> Progress {
        Progress {
            host: Arc::clone(&self.host),
            sent,
        }
    }
}
