//! Which connector opens which scheme.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::connector::Connector;
use crate::endpoint::Endpoint;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::local::Local;
use crate::ssh::config::Configuration;
use crate::ssh::{Native, Ssh};
use crate::ssh::{Openssh, SshOptions};

/// Connectors by url scheme. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    connectors: BTreeMap<&'static str, Arc<dyn Connector>>,
}

impl Registry {
    /// A registry that knows nothing.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The connectors of this crate: `local`; `ssh`, which chooses for each host; `ssh+native`, without
    /// the system's `ssh` and as that is configured; `openssh`, by it.
    pub fn with_defaults() -> Self {
        Self::with_ssh(SshOptions::default())
    }

    /// The same, with options for every ssh.
    pub fn with_ssh(options: SshOptions) -> Self {
        let configuration = Arc::new(Configuration::new(options));
        let native = Arc::new(Native::sharing(Arc::clone(&configuration)));
        let system = Arc::new(Openssh::sharing(configuration));
        let ssh = Ssh::new(Arc::clone(&native), Arc::clone(&system));
        let mut registry = Self::empty();
        registry.insert("local", Arc::new(Local));
        registry.insert("openssh", system);
        registry.insert("ssh", Arc::new(ssh));
        registry.insert("ssh+native", native);
        registry
    }

    /// Lets `connector` open endpoints of `scheme`, instead of the one that did.
    pub fn insert(&mut self, scheme: &'static str, connector: Arc<dyn Connector>) {
        self.connectors.insert(scheme, connector);
    }

    /// The connector for an endpoint.
    ///
    /// # Errors
    /// [`ConnectErrorKind::Endpoint`] when none is registered for its scheme.
    pub fn find(&self, endpoint: &Endpoint) -> Result<Arc<dyn Connector>, ConnectError> {
        let scheme = endpoint.scheme();
        self.connectors.get(scheme).cloned().ok_or_else(|| {
            let text = format!("no connector for {scheme:?} endpoints ({endpoint})");
            ConnectError::new(ConnectErrorKind::Endpoint, text)
        })
    }

    /// Ends all that the connectors have started ([`Connector::end`]).
    pub fn end(&self) {
        self.connectors.values().for_each(|one| one.end());
    }

    /// The schemes it knows, sorted.
    pub fn schemes(&self) -> impl Iterator<Item = &'static str> {
        self.connectors.keys().copied()
    }
}
