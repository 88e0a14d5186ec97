//! Why a host could not be reached.

/// Why a connector could not open an endpoint.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct ConnectError {
    /// What kind of failure it is.
    pub kind: ConnectErrorKind,
    /// The facts, in words: completes "failed to connect: …".
    pub text: String,
    /// What lay beneath.
    #[source]
    pub source: Option<std::io::Error>,
}

/// The kinds of failure a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The program that connects could not be started here.
    Spawn,
    /// Descriptors or processes ran out here.
    Resources,
    /// No connector is registered for the scheme, or it does not understand the endpoint.
    Endpoint,
}

impl ConnectErrorKind {
    /// The kind's word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            ConnectErrorKind::Spawn => "spawn",
            ConnectErrorKind::Resources => "resources",
            ConnectErrorKind::Endpoint => "endpoint",
        }
    }
}
