//! The first lines of a connection: who is there, said by both ends before anything else.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// What we call ourselves (RFC 4253, 4.2).
pub(super) const GREETING: &str = concat!("SSH-2.0-Convoke_", env!("CARGO_PKG_VERSION"));

/// How many bytes of ours a greeting takes on the line, with its end.
pub(super) const SENT: usize = GREETING.len() + 2;

/// How much a server may say before its greeting, in bytes. ssh takes 1,024 lines.
const PREAMBLE: usize = 64 * 1024;

/// The longest greeting, with its end of line (RFC 4253, 4.2).
const LONGEST: usize = 255;

/// Why there was no greeting.
#[derive(Debug)]
pub(super) enum Ungreeted {
    /// The stream ended; what the server had said.
    Ended(Vec<u8>, io::Error),
    /// What it said is not a greeting.
    NotSsh(Vec<u8>),
}

/// Exchanges greetings. What was read is given back, from the server's greeting on.
pub(super) async fn greet(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> Result<Vec<u8>, Ungreeted> {
    let mut said = Vec::new();
    let greeting = format!("{GREETING}\r\n");
    // One that does not hear us any more may have said why.
    let unheard = stream.write_all(greeting.as_bytes()).await.err();
    loop {
        match beginning(&said) {
            Beginning::Found(at) => {
                return match unheard {
                    Some(error) => Err(Ungreeted::Ended(said, error)),
                    None => Ok(said.split_off(at)),
                };
            }
            Beginning::Wrong => return Err(Ungreeted::NotSsh(said)),
            Beginning::Missing => {}
        }
        let ended = match stream.read_buf(&mut said).await {
            Ok(0) => io::ErrorKind::UnexpectedEof.into(),
            Ok(_) => continue,
            Err(error) => error,
        };
        return Err(Ungreeted::Ended(said, unheard.unwrap_or(ended)));
    }
}

/// Where the greeting stands in what a server has said.
#[derive(Debug, PartialEq, Eq)]
enum Beginning {
    /// The whole line begins here.
    Found(usize),
    /// It may still come.
    Missing,
    /// This is not a server that we can talk to.
    Wrong,
}

fn beginning(said: &[u8]) -> Beginning {
    let mut start = 0;
    while let Some(length) = said[start..].iter().position(|byte| *byte == b'\n') {
        let line = &said[start..start + length];
        if line.starts_with(b"SSH-") {
            let is_ours = line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-");
            let fits = length < LONGEST;
            return if is_ours && fits {
                Beginning::Found(start)
            } else {
                Beginning::Wrong
            };
        }
        start += length + 1;
    }
    let endless = said[start..].starts_with(b"SSH-") && said.len() - start > LONGEST;
    if said.len() > PREAMBLE || endless {
        Beginning::Wrong
    } else {
        Beginning::Missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_found_behind_what_is_said_before() {
        for (said, found) in [
            (&b""[..], Beginning::Missing),
            (b"SSH-2.0-x", Beginning::Missing),
            (b"SSH-2.0-x\r\n", Beginning::Found(0)),
            (b"SSH-1.99-x\n", Beginning::Found(0)),
            (b"SSH-1.5-x\n", Beginning::Wrong),
            (b"hello\r\nSSH-2.0-x\r\nmore", Beginning::Found(7)),
            (b"HTTP/1.1 400 Bad Request\r\n", Beginning::Missing),
        ] {
            assert_eq!(beginning(said), found, "{said:?}");
        }
        let long = [&b"SSH-2.0-"[..], &[b'x'; 300]].concat();
        assert_eq!(beginning(&long), Beginning::Wrong);
        assert_eq!(beginning(&[b'x'; PREAMBLE + 1]), Beginning::Wrong);
    }
}
