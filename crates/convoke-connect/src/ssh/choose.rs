//! The connector of `ssh:` endpoints: this machine itself, the native client, or the system's ssh.

use std::sync::Arc;

use super::native::Native;
use super::resolve::Resolved;
use crate::connector::{Connector, Ending, Pipes, Request, Route};
use crate::endpoint::Endpoint;
use crate::error::ConnectError;
use crate::future::BoxFuture;
use crate::local::Local;
use crate::ssh::Openssh;
use crate::ssh::target::Target;
use crate::surroundings::Surroundings;

/// Reaches hosts as ssh would, each by the cheapest way that is exactly that.
///
/// A bare name of this machine needs no ssh. Every other host is served by the native client, unless
/// an option is in force for it that only the system's ssh has. An instance serves one run.
#[derive(Debug)]
pub struct Ssh {
    native: Arc<Native>,
    system: Arc<Openssh>,
}

impl Ssh {
    /// Chooses between two connectors, which must have the same configuration.
    pub fn new(native: Arc<Native>, system: Arc<Openssh>) -> Self {
        Ssh { native, system }
    }

    async fn decide(
        &self,
        endpoint: &Endpoint,
        surroundings: &Surroundings,
    ) -> Result<Route, ConnectError> {
        let resolved = self.native.resolved(endpoint, surroundings).await?;
        if resolved.is_here {
            return Ok(local(&Target::parse(endpoint)?));
        }
        let (connector, remark): (Arc<dyn Connector>, _) = match resolved.lacks() {
            None => (Arc::clone(&self.native) as _, native(&resolved)),
            Some(option) => (
                Arc::clone(&self.system) as _,
                Some(format!("left to the system's ssh, which serves {option}")),
            ),
        };
        let route = connector.route(endpoint, surroundings).await?;
        Ok(Route {
            instead: Some(connector),
            remark,
            ..route
        })
    }
}

fn native(resolved: &Resolved) -> Option<String> {
    let why = resolved.asked.as_ref()?;
    Some(format!("ssh -G told its configuration, because of {why}"))
}

fn local(target: &Target) -> Route {
    Route {
        instead: Some(Arc::new(Local)),
        remark: Some(format!(
            "{0} is this machine, so it is reached without ssh; ssh://{1} forces ssh",
            target.host,
            target.host_in_url()
        )),
        server: None,
    }
}

impl Connector for Ssh {
    fn name(&self) -> &'static str {
        "ssh"
    }

    fn check(&self, endpoint: &Endpoint) -> Result<(), ConnectError> {
        self.native.check(endpoint)
    }

    fn route<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        surroundings: &'a Surroundings,
    ) -> BoxFuture<'a, Result<Route, ConnectError>> {
        Box::pin(self.decide(endpoint, surroundings))
    }

    /// Opens `request.endpoint` by its route.
    fn open<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Pipes, ConnectError>> {
        Box::pin(async move {
            let route = self.decide(request.endpoint, request.surroundings).await?;
            match route.instead {
                Some(connector) => connector.open(request).await,
                None => self.native.open(request).await,
            }
        })
    }

    fn end(&self) {
        self.native.end();
        self.system.end();
    }

    fn diagnose(
        &self,
        endpoint: &Endpoint,
        ending: Option<&Ending>,
        noise: &[u8],
    ) -> Option<ConnectError> {
        let native = self.native.diagnose(endpoint, ending, noise);
        native.or_else(|| self.system.diagnose(endpoint, ending, noise))
    }
}
