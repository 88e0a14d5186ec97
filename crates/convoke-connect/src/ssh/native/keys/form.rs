//! In which form a private key is written, and whether we can read that.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use russh::keys::ssh_key::Cipher;
use russh::keys::{Algorithm, PrivateKey, PublicKey, decode_secret_key};

/// The form of a private key.
pub(super) enum Form {
    /// As it is.
    Plain(Box<PrivateKey>),
    /// Behind a passphrase.
    Locked,
    /// Of a kind that only the system's ssh reads.
    Foreign(&'static str),
    /// No private key.
    None,
}

const TOKEN: &str = "a key on a token";
const DSA: &str = "a DSA key";
const UNKNOWN: &str = "a kind of key that is not known here";
const ENCRYPTION: &str = "an encryption that is not known here";

/// PBES2, in an encrypted PKCS #8 key (RFC 8018, A.4).
const PBES2: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d";

/// AES in CBC mode with keys of 128, 192 and 256 bits, less the last byte (NIST).
const AES_CBC: &[u8] = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01";
const AES_CBC_ENDS: [u8; 3] = [2, 22, 42];

/// The form of the key in a file, and its public half if the form has that in the clear.
pub(super) fn of(text: &str) -> (Form, Option<PublicKey>) {
    let label = text.lines().find_map(|line| {
        let label = line.trim_end().strip_prefix("-----BEGIN ")?;
        label.strip_suffix("PRIVATE KEY-----")
    });
    let form = match label {
        None => Form::None,
        Some("OPENSSH ") => return openssh(text),
        Some("DSA ") => Form::Foreign(DSA),
        Some("ENCRYPTED ") => pkcs8(text),
        Some(label) => match (label, encryption(text)) {
            ("RSA ", Some("AES-128-CBC")) => Form::Locked,
            (_, Some(_)) => Form::Foreign(ENCRYPTION),
            (_, None) => plain(text),
        },
    };
    // ssh does not look into these for their public half.
    (form, None)
}

fn plain(text: &str) -> Form {
    match decode_secret_key(text, None) {
        Ok(key) => Form::Plain(Box::new(key)),
        Err(_) => Form::Foreign(UNKNOWN),
    }
}

fn openssh(text: &str) -> (Form, Option<PublicKey>) {
    let Ok(key) = PrivateKey::from_openssh(text) else {
        return (Form::Foreign(UNKNOWN), None);
    };
    let public = key.public_key().clone();
    let form = match key.algorithm() {
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => Form::Foreign(TOKEN),
        Algorithm::Dsa => Form::Foreign(DSA),
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::Rsa { .. } => {
            match key.cipher() {
                Cipher::None => Form::Plain(Box::new(key)),
                Cipher::TdesCbc => Form::Foreign(ENCRYPTION),
                _ => Form::Locked,
            }
        }
        _ => Form::Foreign(UNKNOWN),
    };
    (form, Some(public))
}

/// What a key of the old form is encrypted with (RFC 1421, 4.6.1.3).
fn encryption(text: &str) -> Option<&str> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("DEK-Info:"))?;
    line.trim().split(',').next()
}

fn pkcs8(text: &str) -> Form {
    let lines = text.lines().map(str::trim);
    let lines = lines.skip_while(|line| !line.starts_with("-----BEGIN "));
    let lines = lines.skip(1).take_while(|line| !line.starts_with("-----"));
    let Ok(bytes) = BASE64.decode(lines.collect::<String>()) else {
        return Form::Foreign(UNKNOWN);
    };
    let has = |wanted: &[u8]| bytes.windows(wanted.len()).any(|part| part == wanted);
    let is_aes = AES_CBC_ENDS
        .iter()
        .any(|end| has(&[AES_CBC, &[*end]].concat()));
    match has(PBES2) && is_aes {
        true => Form::Locked,
        false => Form::Foreign(ENCRYPTION),
    }
}
