//! A public key as a line of text: `TYPE BASE64 COMMENT`, read as ssh reads it (OpenSSH's sshkey.c).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, PublicKey};

/// The shortest RSA key that ssh reads at all, in bits.
const SHORTEST_RSA: u32 = 1024;

/// How a certificate calls itself, whatever its key is.
const CERTIFICATE: &[u8] = b"-cert-v01@";

/// What a line of text holds instead of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ssh) enum NoKey {
    /// An RSA key that is too short for ssh.
    Short,
    /// Nothing that ssh reads.
    Unreadable,
}

/// Reads the key that `text` begins with.
pub(in crate::ssh) fn read(text: &[u8]) -> Result<PublicKey, NoKey> {
    let key = parse(text).ok_or(NoKey::Unreadable)?;
    match plain(key.key_data()) {
        KeyData::Rsa(rsa) if rsa.key_size() < SHORTEST_RSA => Err(NoKey::Short),
        _ => Ok(key),
    }
}

/// The key itself, which may be that of a certificate.
pub(in crate::ssh) fn plain(key: &KeyData) -> &KeyData {
    match key {
        KeyData::Certificate(certificate) => certificate.public_key(),
        key => key,
    }
}

fn parse(text: &[u8]) -> Option<PublicKey> {
    let mut words = text
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|word| !word.is_empty());
    let (kind, encoded) = (words.next()?, words.next()?);
    // White space of any other kind, such as the end of a line from Windows, is passed over.
    let encoded: Vec<u8> = encoded
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != 0x0b)
        .collect();
    let blob = STANDARD.decode(encoded).ok()?;
    // A certificate within a certificate is none for ssh.
    let certificates = blob
        .windows(CERTIFICATE.len())
        .filter(|window| *window == CERTIFICATE);
    if certificates.count() > 1 {
        return None;
    }
    let key = PublicKey::from_bytes(&blob).ok()?;
    is_kind(kind, key.key_data()).then_some(key)
}

/// Whether `kind` may stand before a key. RSA has several names for one kind of key.
fn is_kind(kind: &[u8], key: &KeyData) -> bool {
    let Ok(kind) = std::str::from_utf8(kind) else {
        return false;
    };
    let (algorithm, kind) = match key {
        // Of a type that neither ssh nor we know.
        KeyData::Other(_) => return false,
        KeyData::Certificate(certificate) => {
            let kind = Algorithm::new_certificate(kind).ok();
            (certificate.algorithm(), kind)
        }
        key => (key.algorithm(), Algorithm::new(kind).ok()),
    };
    kind.is_some_and(|kind| same_kind(&algorithm, &kind))
}

/// Whether two algorithms are for keys of one kind: RSA has one kind of key and several of signatures.
pub(in crate::ssh) fn same_kind(one: &Algorithm, other: &Algorithm) -> bool {
    match (one, other) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        (one, other) => one == other,
    }
}

/// The length of an RSA key, in bits.
pub(in crate::ssh) fn rsa_bits(key: &KeyData) -> Option<u32> {
    match plain(key) {
        KeyData::Rsa(rsa) => Some(rsa.key_size()),
        _ => None,
    }
}
