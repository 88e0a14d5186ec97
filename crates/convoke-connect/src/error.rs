//! Why a host could not be reached.

/// Why a connector could not open an endpoint.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct ConnectError {
    /// What kind of failure it is.
    pub kind: ConnectErrorKind,
    /// The facts, in words, safe to print: completes "failed to connect: …".
    pub text: String,
    /// What the user can do about it. Equal for all hosts that fail for one reason, so that it can be
    /// said once.
    pub hint: Option<String>,
    /// Whether another attempt may help.
    pub again: Again,
    /// What lay beneath.
    #[source]
    pub source: Option<std::io::Error>,
}

impl ConnectError {
    /// A failure that another attempt does not mend, without hint or source.
    pub fn new(kind: ConnectErrorKind, text: impl Into<String>) -> Self {
        ConnectError {
            kind,
            text: text.into(),
            hint: None,
            again: Again::Pointless,
            source: None,
        }
    }

    /// A program that could not be started here.
    pub(crate) fn not_started(text: impl Into<String>, source: std::io::Error) -> Self {
        use rustix::io::Errno;
        let kind = match Errno::from_io_error(&source) {
            Some(Errno::MFILE | Errno::NFILE | Errno::AGAIN | Errno::NOMEM) => {
                ConnectErrorKind::Resources
            }
            _ => ConnectErrorKind::Spawn,
        };
        ConnectError {
            source: Some(source),
            ..Self::new(kind, text)
        }
    }
}

/// Why a connector cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemeError {
    /// Another connector opens the endpoints of this scheme.
    #[error("the scheme {scheme:?} has a connector already")]
    Taken {
        /// The scheme.
        scheme: &'static str,
    },
    /// No endpoint can have this scheme.
    #[error(
        "{scheme:?} cannot be a scheme: a lower-case letter, then lower-case letters, digits, \
         plus, hyphen and full stop"
    )]
    Invalid {
        /// The scheme.
        scheme: &'static str,
    },
}

/// Whether another attempt may help.
///
/// Only failures before any authentication and any verdict on a host key may; a second attempt after
/// one of those could lock an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Again {
    /// It may: the server was busy or on its way up.
    MayHelp,
    /// It fails again, or must not be made.
    Pointless,
}

/// The kinds of failure a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The program that connects could not be started here.
    Spawn,
    /// Descriptors or processes ran out here.
    Resources,
    /// The connector does not understand the endpoint.
    Endpoint,
    /// No connector is registered for the scheme.
    UnknownScheme,
    /// The endpoint names no scheme, and there is no connector for those that name none.
    NoScheme,
    /// The configuration of the program that connects is wrong.
    Configuration,
    /// No address is known for the name.
    Name,
    /// Nothing listens there.
    Refused,
    /// No way leads there.
    NoRoute,
    /// There was no answer in time.
    Timeout,
    /// The connection ended before it was of use.
    Closed,
    /// The host's key is not known.
    HostKeyUnknown,
    /// The host's key is not the one that is known.
    HostKeyChanged,
    /// The host's key was revoked.
    HostKeyRevoked,
    /// The host did not let us in.
    Authentication,
}

impl ConnectErrorKind {
    /// The kind's word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            ConnectErrorKind::Spawn => "spawn",
            ConnectErrorKind::Resources => "resources",
            ConnectErrorKind::Endpoint => "endpoint",
            ConnectErrorKind::UnknownScheme => "unknown_scheme",
            ConnectErrorKind::NoScheme => "no_scheme",
            ConnectErrorKind::Configuration => "configuration",
            ConnectErrorKind::Name => "name",
            ConnectErrorKind::Refused => "refused",
            ConnectErrorKind::NoRoute => "no_route",
            ConnectErrorKind::Timeout => "timeout",
            ConnectErrorKind::Closed => "closed",
            ConnectErrorKind::HostKeyUnknown => "host_key_unknown",
            ConnectErrorKind::HostKeyChanged => "host_key_changed",
            ConnectErrorKind::HostKeyRevoked => "host_key_revoked",
            ConnectErrorKind::Authentication => "authentication",
        }
    }
}
