//! How many hosts are connected at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many hosts are connected at once unless somebody knows better: connecting is work for this
/// machine, for the network and for whoever checks accounts.
const EVERYWHERE: usize = 64;

/// How many connections are made at once to one server. An OpenSSH server begins to turn connections
/// away when ten are not authenticated yet (`MaxStartups` in sshd_config(5)).
const PER_SERVER: usize = 8;

/// The places of hosts that are being connected, all in all and for each server. Clones share them.
#[derive(Debug, Clone)]
pub struct Places {
    all: Arc<Semaphore>,
    servers: Arc<Servers>,
}

/// The servers that somebody has or waits for a place at; the others take no memory.
#[derive(Debug, Default)]
struct Servers(Mutex<HashMap<String, Server>>);

#[derive(Debug)]
struct Server {
    places: Arc<Semaphore>,
    guests: usize,
}

/// One place; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    _here: Option<OwnedSemaphorePermit>,
    _there: Option<(OwnedSemaphorePermit, Guest)>,
}

/// Somebody who has or waits for a place at a server.
#[derive(Debug)]
struct Guest {
    servers: Arc<Servers>,
    server: String,
}

impl Places {
    /// So many at once, at least 1, and 8 for each server.
    pub fn new(hosts: usize) -> Self {
        Places {
            all: Arc::new(Semaphore::new(hosts.clamp(1, Semaphore::MAX_PERMITS))),
            servers: Arc::default(),
        }
    }

    /// Waits for a place, in the order of asking. At the server first: whoever waits for one that is
    /// busy keeps nobody else from connecting. May be dropped at any moment.
    pub(super) async fn take(&self, server: Option<&str>) -> Place {
        let there = match server {
            Some(server) => {
                let (guest, places) = self.servers.enter(server);
                // Only a closed semaphore gives none, and these are never closed.
                let place = places.acquire_owned().await.ok();
                place.map(|place| (place, guest))
            }
            None => None,
        };
        Place {
            _here: Arc::clone(&self.all).acquire_owned().await.ok(),
            _there: there,
        }
    }
}

/// 64 at once.
impl Default for Places {
    fn default() -> Self {
        Places::new(EVERYWHERE)
    }
}

impl Servers {
    fn enter(self: &Arc<Self>, server: &str) -> (Guest, Arc<Semaphore>) {
        let mut servers = self.lock();
        let known = servers.entry(server.to_owned());
        let known = known.or_insert_with(|| Server {
            places: Arc::new(Semaphore::new(PER_SERVER)),
            guests: 0,
        });
        known.guests += 1;
        let guest = Guest {
            servers: Arc::clone(self),
            server: server.to_owned(),
        };
        (guest, Arc::clone(&known.places))
    }

    /// Nothing panics while the lock is held, so a poisoned one still holds whole values.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Server>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut servers = self.servers.lock();
        if let Some(server) = servers.get_mut(&self.server) {
            server.guests -= 1;
            if server.guests == 0 {
                servers.remove(&self.server);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_is_forgotten_with_its_last_guest() {
        let places = Places::new(1);
        let place = places.take(Some("a")).await;
        let waits = places.take(Some("a"));
        tokio::pin!(waits);
        tokio::select! {
            biased;
            _ = &mut waits => panic!("it did not wait"),
            () = tokio::task::yield_now() => {}
        }
        drop(place);
        let place = waits.await;
        assert_eq!(places.servers.lock().len(), 1);
        drop(place);
        assert_eq!(places.servers.lock().len(), 0);
    }

    #[tokio::test]
    async fn whoever_stops_waiting_leaves_nothing() {
        let places = Places::new(1);
        let _place = places.take(None).await;
        tokio::select! {
            biased;
            _ = places.take(Some("a")) => panic!("it did not wait"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(places.servers.lock().len(), 0);
    }
}
