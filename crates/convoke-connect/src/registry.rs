//! Which connector opens which scheme.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crate::connector::Connector;
use crate::endpoint::Endpoint;
use crate::error::{ConnectError, ConnectErrorKind, SchemeError};
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

    /// A registry of these connectors and no others, each under its scheme.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use convoke_connect::local::Local;
    /// use convoke_connect::registry::Registry;
    ///
    /// let registry = Registry::of([("local", Arc::new(Local) as _)]).unwrap();
    /// assert!(registry.schemes().eq(["local"]));
    /// let twice = [("local", Arc::new(Local) as _), ("local", Arc::new(Local) as _)];
    /// assert!(Registry::of(twice).is_err());
    /// ```
    ///
    /// # Errors
    /// Those of [`Registry::add`].
    pub fn of(
        connectors: impl IntoIterator<Item = (&'static str, Arc<dyn Connector>)>,
    ) -> Result<Self, SchemeError> {
        let mut registry = Self::empty();
        for (scheme, connector) in connectors {
            registry.add(scheme, connector)?;
        }
        Ok(registry)
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
        let connectors: [(&'static str, Arc<dyn Connector>); 4] = [
            ("local", Arc::new(Local)),
            ("openssh", system),
            ("ssh", Arc::new(ssh)),
            ("ssh+native", native),
        ];
        Registry {
            connectors: connectors.into(),
        }
    }

    /// Lets `connector` open endpoints of `scheme`, which nobody else may do already.
    ///
    /// # Errors
    /// [`SchemeError::Taken`] when another connector does, [`SchemeError::Invalid`] when no endpoint can
    /// have that scheme.
    pub fn add(
        &mut self,
        scheme: &'static str,
        connector: Arc<dyn Connector>,
    ) -> Result<(), SchemeError> {
        if !Endpoint::is_scheme(scheme) {
            return Err(SchemeError::Invalid { scheme });
        }
        match self.connectors.entry(scheme) {
            Entry::Occupied(_) => Err(SchemeError::Taken { scheme }),
            Entry::Vacant(place) => {
                place.insert(connector);
                Ok(())
            }
        }
    }

    /// The connector for an endpoint.
    ///
    /// # Errors
    /// [`ConnectErrorKind::UnknownScheme`] when none is registered for the scheme that it writes;
    /// [`ConnectErrorKind::NoScheme`] when it writes none, and there is no connector for `ssh`, which
    /// is meant then.
    pub fn find(&self, endpoint: &Endpoint) -> Result<Arc<dyn Connector>, ConnectError> {
        let scheme = endpoint.scheme();
        self.connectors.get(scheme).cloned().ok_or_else(|| {
            let (kind, text) = match endpoint.has_scheme() {
                true => (
                    ConnectErrorKind::UnknownScheme,
                    format!("no connector for {scheme:?} endpoints ({endpoint})"),
                ),
                false => (
                    ConnectErrorKind::NoScheme,
                    format!("{endpoint} names no scheme, and there is no connector for ssh"),
                ),
            };
            let known: Vec<_> = self.schemes().collect();
            let hint = format!("the schemes are {}", known.join(", "));
            ConnectError {
                hint: (!known.is_empty()).then_some(hint),
                ..ConnectError::new(kind, text)
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> Arc<dyn Connector> {
        Arc::new(Local)
    }

    #[test]
    fn a_scheme_has_one_connector() {
        let mut registry = Registry::with_defaults();
        assert!(registry.add("docker", local()).is_ok());
        let taken = |scheme| SchemeError::Taken { scheme };
        assert_eq!(registry.add("docker", local()), Err(taken("docker")));
        assert_eq!(registry.add("ssh", local()), Err(taken("ssh")));
    }

    #[test]
    fn a_scheme_is_one_that_an_endpoint_can_have() {
        for scheme in ["", "Docker", "1x", "a b", "a:", "-x"] {
            let refused = Registry::empty().add(scheme, local());
            assert_eq!(refused, Err(SchemeError::Invalid { scheme }));
        }
        for scheme in ["x", "ssh+native", "k8s", "my-cloud.1"] {
            assert_eq!(Registry::empty().add(scheme, local()), Ok(()));
        }
    }

    #[test]
    fn an_unknown_scheme_and_a_missing_one_are_different_errors() {
        let registry = Registry::of([("local", local())]).unwrap();
        for (text, kind) in [
            ("docker:web", ConnectErrorKind::UnknownScheme),
            ("ssh://web", ConnectErrorKind::UnknownScheme),
            ("web", ConnectErrorKind::NoScheme),
            ("web:22", ConnectErrorKind::NoScheme),
        ] {
            let error = registry.find(&text.parse().unwrap()).unwrap_err();
            assert_eq!(error.kind, kind, "{text}");
            assert_eq!(error.hint.as_deref(), Some("the schemes are local"));
        }
    }
}
