//! The url of a host.

use std::fmt;

/// The url of a host: a scheme that names the connector, and the rest, which only that connector
/// understands.
///
/// A text without a scheme of its own (`web1`, `root@web1:22`, `[::1]:22`) has the scheme `ssh`.
///
/// ```
/// use convoke_connect::endpoint::Endpoint;
///
/// let demo: Endpoint = "local:demo1".parse().unwrap();
/// assert_eq!((demo.scheme(), demo.rest()), ("local", "demo1"));
/// let web: Endpoint = "root@web1:22".parse().unwrap();
/// assert_eq!((web.scheme(), web.rest()), ("ssh", "root@web1:22"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    text: String,
    scheme: String,
    rest: String,
}

/// A text that cannot be the url of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an endpoint: {why}")]
pub struct EndpointError {
    /// The text.
    pub text: String,
    /// Which rule it breaks.
    pub why: &'static str,
}

impl Endpoint {
    /// The scheme: which connector opens it.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What follows the scheme; without the leading `//` of urls that have one.
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// The endpoint as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let refuse = |why| {
            Err(EndpointError {
                text: text.to_owned(),
                why,
            })
        };
        if text.is_empty() {
            return refuse("it is empty");
        }
        if text.starts_with('-') {
            return refuse("it begins with a hyphen");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return refuse("it holds a blank or a control character");
        }
        let (scheme, rest) = split_scheme(text).unwrap_or(("ssh", text));
        Ok(Endpoint {
            text: text.to_owned(),
            scheme: scheme.to_ascii_lowercase(),
            rest: rest.to_owned(),
        })
    }
}

/// Schemes whose rest is a name of any form, also one of digits: `local:1` is no port of a host `local`.
const NAMING: [&str; 4] = ["local", "docker", "podman", "k8s"];

/// Splits `scheme://rest` and `scheme:rest`. What stands before the colon of `web1:22` and of
/// `fe80::1` is not a scheme: a port or more of an address follows.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_word = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    if !is_word {
        return None;
    }
    if let Some(rest) = rest.strip_prefix("//") {
        return Some((scheme, rest));
    }
    if NAMING
        .iter()
        .any(|naming| scheme.eq_ignore_ascii_case(naming))
    {
        return Some((scheme, rest));
    }
    let is_port = !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
    let is_address = rest.contains(':') && scheme.bytes().all(|b| b.is_ascii_hexdigit());
    (!is_port && !is_address).then_some((scheme, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, String) {
        let endpoint: Endpoint = text.parse().unwrap();
        (endpoint.scheme().to_owned(), endpoint.rest().to_owned())
    }

    #[test]
    fn a_text_without_a_scheme_is_reached_by_ssh() {
        for text in [
            "web1",
            "root@web1",
            "web1:22",
            "[::1]:22",
            "fe80::1",
            "a.b-c",
        ] {
            assert_eq!(parts(text), ("ssh".to_owned(), text.to_owned()));
        }
    }

    #[test]
    fn a_scheme_is_split_off() {
        for (text, scheme, rest) in [
            ("local:", "local", ""),
            ("local:demo1", "local", "demo1"),
            ("LOCAL:demo1", "local", "demo1"),
            ("ssh://root@h:22", "ssh", "root@h:22"),
            ("docker:web1", "docker", "web1"),
            ("local:1", "local", "1"),
        ] {
            assert_eq!(parts(text), (scheme.to_owned(), rest.to_owned()));
        }
    }

    #[test]
    fn hostile_texts_are_refused() {
        for text in ["", "-oProxyCommand=x", "a b", "a\nb", "a\x1b[0m"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text:?}");
        }
    }
}
