//! Which algorithms are offered to a server: ssh's lists, without what this client does not have.
//!
//! A list is a filter. The order is that of the user; where the list is ssh's own, ciphers that the
//! processor computes itself come first.

mod host_keys;

use std::borrow::Cow;

use russh::{Preferred, cipher, compression, kex, mac};

use super::settings::Settings;
use crate::error::{ConnectError, ConnectErrorKind};

pub(super) use host_keys::{HostKeys, host_keys};

/// The ciphers of an ssh that nobody configured: up to OpenSSH 9.9, and since.
const UNCONFIGURED: [&str; 2] = [
    "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,\
     aes128-gcm@openssh.com,aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes256-gcm@openssh.com,\
     aes128-ctr,aes192-ctr,aes256-ctr",
];

/// The ciphers that are offered instead where the processor has AES.
const FASTEST: [cipher::Name; 6] = [
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_CTR,
    cipher::AES_192_CTR,
    cipher::AES_256_CTR,
];

const CIPHERS: &[cipher::Name] = &[
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::AES_128_CTR,
    cipher::AES_192_CTR,
    cipher::AES_256_CTR,
    cipher::AES_128_CBC,
    cipher::AES_192_CBC,
    cipher::AES_256_CBC,
];

const MACS: &[mac::Name] = &[
    mac::HMAC_SHA256_ETM,
    mac::HMAC_SHA512_ETM,
    mac::HMAC_SHA1_ETM,
    mac::HMAC_SHA256,
    mac::HMAC_SHA512,
    mac::HMAC_SHA1,
];

const EXCHANGES: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_GEX_SHA1,
    kex::DH_G18_SHA512,
    kex::DH_G16_SHA512,
    kex::DH_G14_SHA256,
    kex::DH_G14_SHA1,
    kex::DH_G1_SHA1,
];

/// What the key exchange says besides: that extensions are understood, and that its packets are
/// counted (CVE-2023-48795).
const EXTENSIONS: [kex::Name; 2] = [
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

/// An option with a list of which this client has nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoneLeft(pub(super) String);

impl From<NoneLeft> for ConnectError {
    fn from(NoneLeft(option): NoneLeft) -> Self {
        let text = format!("the native client has none of {option}");
        ConnectError::new(ConnectErrorKind::Configuration, text)
    }
}

/// The algorithms that the settings of a host leave, but for those of its keys ([`host_keys()`]).
///
/// # Errors
/// When they leave none of a kind.
pub(super) fn offered(settings: &Settings) -> Result<Preferred, NoneLeft> {
    let ciphers = match settings.get("ciphers") {
        Some(list) if UNCONFIGURED.contains(&list) && has_aes() => FASTEST.to_vec(),
        _ => left(settings, "ciphers", CIPHERS)?,
    };
    let mut exchanges = left(settings, "kexalgorithms", EXCHANGES)?;
    exchanges.extend(EXTENSIONS);
    let wants_compression = settings.get("compression") == Some("yes");
    let compressions: &[compression::Name] = match wants_compression {
        true => &[
            compression::ZLIB_LEGACY,
            compression::ZLIB,
            compression::NONE,
        ],
        false => &[compression::NONE],
    };
    Ok(Preferred {
        kex: exchanges.into(),
        key: Cow::Borrowed(&[]),
        host_key_certificates: Cow::Borrowed(&[]),
        cipher: ciphers.into(),
        mac: left(settings, "macs", MACS)?.into(),
        compression: compressions.to_vec().into(),
    })
}

/// Those of an option's list that are `ours`, in the order of the list.
fn left<N: AsRef<str> + Copy>(
    settings: &Settings,
    option: &str,
    ours: &[N],
) -> Result<Vec<N>, NoneLeft> {
    let list = settings.get(option).unwrap_or_default();
    let find = |name: &str| ours.iter().copied().find(|one| one.as_ref() == name);
    let left: Vec<N> = list.split(',').filter_map(find).collect();
    if left.is_empty() {
        none_left(option, list)
    } else {
        Ok(left)
    }
}

fn none_left<T>(option: &str, list: &str) -> Result<T, NoneLeft> {
    Err(NoneLeft(format!("{option} {list}")))
}

/// Whether the processor computes AES-GCM itself.
fn has_aes() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("aes")
        && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(lines: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in lines {
            settings.add(name, *value);
        }
        settings
    }

    const REST: [(&str, &str); 3] = [
        ("kexalgorithms", "sntrup761x25519-sha512,curve25519-sha256"),
        ("macs", "umac-64@openssh.com,hmac-sha2-256"),
        (
            "hostkeyalgorithms",
            "ssh-ed25519-cert-v01@openssh.com,ssh-ed25519,rsa-sha2-512",
        ),
    ];

    #[test]
    fn a_list_is_a_filter_in_the_order_of_the_user() {
        let ciphers = (
            "ciphers",
            "aes256-ctr,rijndael,chacha20-poly1305@openssh.com",
        );
        let lines: Vec<_> = [ciphers].into_iter().chain(REST).collect();
        let offered = offered(&settings(&lines)).unwrap();
        assert_eq!(
            *offered.cipher,
            [cipher::AES_256_CTR, cipher::CHACHA20_POLY1305]
        );
        assert_eq!(offered.kex.first(), Some(&kex::CURVE25519));
        assert_eq!(*offered.mac, [mac::HMAC_SHA256]);
        assert_eq!(*offered.compression, [compression::NONE]);
    }

    #[test]
    fn a_list_of_which_nothing_is_left_is_refused() {
        let lines: Vec<_> = [("ciphers", "rijndael")].into_iter().chain(REST).collect();
        let error = offered(&settings(&lines)).unwrap_err();
        assert_eq!(error.0, "ciphers rijndael");
    }
}
