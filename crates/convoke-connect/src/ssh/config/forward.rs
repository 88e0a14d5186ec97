//! Forwarded ports. Sockets, escapes and variables in them are left to ssh.

use super::own::number;

/// What is listened on, and where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forward {
    listen_host: Option<String>,
    listen_port: u32,
    /// [`SOCKS`] where the other end decides.
    connect_host: String,
    connect_port: u32,
}

/// What ssh takes as the place of a forwarding that is decided later.
const SOCKS: &str = "socks";

/// ssh cuts longer ones.
const LONGEST: usize = 200;

/// `[bind:]port host:port`.
pub(super) fn local(words: &[String]) -> Result<Forward, String> {
    let forward = fixed(words)?;
    match forward.listen_port {
        0 => Err("a forwarding from port 0".into()),
        _ => Ok(forward),
    }
}

/// `[bind:]port host:port`, or without a place.
pub(super) fn remote(words: &[String]) -> Result<Forward, String> {
    match words {
        [one] => open(one),
        _ => fixed(words),
    }
}

/// `[bind:]port`.
pub(super) fn dynamic(word: &str) -> Result<Forward, String> {
    let forward = open(word)?;
    match forward.listen_port {
        0 => Err("a forwarding from port 0".into()),
        _ => Ok(forward),
    }
}

fn fixed(words: &[String]) -> Result<Forward, String> {
    let [listen, connect] = words else {
        return Err("a forwarding".into());
    };
    let fields = fields(&format!("{listen}:{connect}"))?;
    let (listen_host, rest) = match fields.len() {
        3 => (None, &fields[..]),
        4 => (fields.first().cloned(), fields.get(1..).unwrap_or_default()),
        _ => return Err("a forwarding".into()),
    };
    match rest {
        [port, host, to] => Ok(Forward {
            listen_host,
            listen_port: number(port, 65535)?,
            connect_host: host.clone(),
            connect_port: match number(to, 65535)? {
                0 => return Err("a forwarding to port 0".into()),
                to => to,
            },
        }),
        _ => Err("a forwarding".into()),
    }
}

fn open(word: &str) -> Result<Forward, String> {
    let (listen_host, port) = match &fields(word)?[..] {
        [port] => (None, number(port, 65535)?),
        [host, port] => (Some(host.clone()), number(port, 65535)?),
        _ => return Err("a forwarding".into()),
    };
    Ok(Forward {
        listen_host,
        listen_port: port,
        connect_host: SOCKS.into(),
        connect_port: 0,
    })
}

/// Splits at colons that do not stand in brackets.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let refuse = || Err(format!("the forwarding {text:?}"));
    let special = |c: char| matches!(c, '/' | '\\' | '$' | '%') || c.is_whitespace();
    if text.len() > LONGEST || text.contains(special) {
        return refuse();
    }
    let mut fields = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (field, after) = match rest.strip_prefix('[') {
            Some(inner) => match inner.split_once(']') {
                Some((field, after)) if after.is_empty() || after.starts_with(':') => {
                    (field, after.get(1..).unwrap_or_default())
                }
                _ => return refuse(),
            },
            None => rest.split_once(':').unwrap_or((rest, "")),
        };
        fields.push(field.to_owned());
        rest = after;
    }
    Ok(fields)
}

impl Forward {
    /// Whether ssh prints it as a `DynamicForward`.
    pub(super) fn is_dynamic(&self) -> bool {
        self.connect_host == SOCKS
    }

    /// Where it listens, as it is printed.
    pub(super) fn listening(&self) -> String {
        match &self.listen_host {
            None => self.listen_port.to_string(),
            Some(host) => format!("[{host}]:{}", self.listen_port),
        }
    }

    /// The whole of it, as it is printed.
    pub(super) fn printed(&self) -> String {
        let listening = self.listening();
        format!("{listening} [{}]:{}", self.connect_host, self.connect_port)
    }
}
