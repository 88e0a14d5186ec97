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
    has_scheme: bool,
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

    /// Whether the text names a scheme; without one `ssh` is meant.
    pub fn has_scheme(&self) -> bool {
        self.has_scheme
    }

    /// The name or address of the machine, without user, port and brackets; `localhost` for `local:`.
    ///
    /// What a connector of somebody else makes of its endpoints need not be a machine: this is only how
    /// a url is read.
    ///
    /// ```
    /// use convoke_connect::endpoint::Endpoint;
    ///
    /// let name = |text: &str| text.parse::<Endpoint>().unwrap().hostname().to_owned();
    /// assert_eq!(name("ssh://u@h:22"), "h");
    /// assert_eq!(name("[::1]:22"), "::1");
    /// assert_eq!(name("local:"), "localhost");
    /// ```
    pub fn hostname(&self) -> &str {
        if NAMING.contains(&self.scheme.as_str()) {
            return match self.rest.as_str() {
                "" if self.scheme == "local" => "localhost",
                name => name,
            };
        }
        let rest = self.rest.split('/').next().unwrap_or_default();
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        match place
            .strip_prefix('[')
            .and_then(|inner| inner.split_once(']'))
        {
            Some((address, _)) => address,
            // More colons than that of a port are those of an address.
            None if place.matches(':').count() > 1 => place,
            None => place.split(':').next().unwrap_or_default(),
        }
    }

    /// Whether an endpoint can have this scheme.
    pub(crate) fn is_scheme(text: &str) -> bool {
        is_word(text) && !text.contains(|c: char| c.is_ascii_uppercase())
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
        if text.starts_with(':') && !text.starts_with("::") {
            return refuse("nothing stands before its colon");
        }
        let split = split_scheme(text);
        let (scheme, rest) = split.unwrap_or(("ssh", text));
        Ok(Endpoint {
            has_scheme: split.is_some(),
            text: text.to_owned(),
            scheme: scheme.to_ascii_lowercase(),
            rest: rest.to_owned(),
        })
    }
}

/// Schemes whose rest is a name of any form, also one of digits: `local:1` is no port of a host `local`.
const NAMING: [&str; 4] = ["local", "docker", "podman", "k8s"];

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Splits `scheme://rest` and `scheme:rest`. What stands before the colon of `web1:22` and of
/// `fe80::1` is not a scheme: a port or more of an address follows.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    if !is_word(scheme) {
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
    fn the_name_of_the_machine_is_read_off_any_form() {
        for (text, name) in [
            ("ssh://u@h:22", "h"),
            ("ssh://u@h:22/", "h"),
            ("ssh:h", "h"),
            ("h", "h"),
            ("h:22", "h"),
            ("root@h", "h"),
            ("a@b@h:22", "h"),
            ("[::1]:22", "::1"),
            ("[fe80::1%eth0]", "fe80::1%eth0"),
            ("fe80::1", "fe80::1"),
            ("ssh://[::1]", "::1"),
            ("local:", "localhost"),
            ("local:demo1", "demo1"),
            ("docker:web", "web"),
            ("ssh://h1/docker:web", "h1"),
            ("other://h:9/path", "h"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.hostname(), name, "{text}");
        }
    }

    #[test]
    fn hostile_texts_are_refused() {
        for text in [
            ":h",
            "://h",
            "",
            "-oProxyCommand=x",
            "a b",
            "a\nb",
            "a\x1b[0m",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text:?}");
        }
    }
}
