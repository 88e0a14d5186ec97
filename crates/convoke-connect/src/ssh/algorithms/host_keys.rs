//! Which types of host keys are asked for, and in which order (`order_hostkeyalgs` of OpenSSH).

use russh::keys::Algorithm;

use super::{NoneLeft, none_left};
use crate::ssh::native::known_hosts::same_kind;
use crate::ssh::settings::Settings;

const OPTION: &str = "hostkeyalgorithms";

/// A type of host keys.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HostKey {
    algorithm: Algorithm,
    /// Whether the key comes in a certificate.
    is_certified: bool,
}

/// The types of a host's keys that are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ssh) struct HostKeys {
    /// The best first.
    list: Vec<HostKey>,
    /// Whether types that are known go before them.
    yields: bool,
}

impl HostKey {
    /// The type of this name, if we have it.
    fn named(name: &str) -> Option<Self> {
        let is_certified = name.contains("-cert-v01@");
        let algorithm = match is_certified {
            true => Algorithm::new_certificate(name).ok()?,
            false => Algorithm::new(name).ok()?,
        };
        let is_served = matches!(
            algorithm,
            Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::Rsa { .. }
        );
        is_served.then_some(HostKey {
            algorithm,
            is_certified,
        })
    }

    fn is_kind(&self, algorithm: &Algorithm) -> bool {
        same_kind(&self.algorithm, algorithm)
    }
}

/// The types that the settings of a host leave. `defaults` are those of the installed ssh.
///
/// # Errors
/// When they leave none, or an order in which they cannot be asked for: certificates come first here.
pub(in crate::ssh) fn host_keys(
    settings: &Settings,
    defaults: &Settings,
) -> Result<HostKeys, NoneLeft> {
    let names = settings.get(OPTION).unwrap_or_default();
    let list: Vec<_> = names.split(',').filter_map(HostKey::named).collect();
    if list.is_empty() || !can_be_asked_for(&list) {
        return none_left(OPTION, names);
    }
    let yields = match defaults.get(OPTION) {
        Some(default) => may_be_edited(names, default),
        None => true,
    };
    Ok(HostKeys { list, yields })
}

/// Whether certificates are first as far as it matters. A server that has a certificate has its plain
/// key, too, so that nothing is lost of one that comes after the plain key of its own kind.
fn can_be_asked_for(list: &[HostKey]) -> bool {
    let (mut list, mut plain) = (list.iter(), Vec::new());
    list.all(|one| match one.is_certified {
        true => {
            plain.is_empty()
                || plain
                    .iter()
                    .any(|before: &&HostKey| before.is_kind(&one.algorithm))
        }
        false => {
            plain.push(one);
            true
        }
    })
}

/// Whether a list may be the default one with `+` or `-`, which known keys may reorder; one of the
/// user's own may not be.
fn may_be_edited(list: &str, default: &str) -> bool {
    let mut rest = default.split(',');
    list.starts_with(default) || list.split(',').all(|name| rest.any(|one| one == name))
}

impl HostKeys {
    /// In the order in which they are asked for; `is_known` says whether a key of a kind is known, and
    /// `has_authority` whether certificates may be of use. First certificates, then plain keys.
    pub(in crate::ssh) fn ordered(
        &self,
        is_known: impl Fn(&Algorithm) -> bool,
        has_authority: bool,
    ) -> (Vec<Algorithm>, Vec<Algorithm>) {
        let mut list = self.list.clone();
        let is_best_known = list.first().is_some_and(|best| is_known(&best.algorithm));
        if self.yields && !is_best_known {
            let goes_first =
                |one: &HostKey| one.is_certified && has_authority || is_known(&one.algorithm);
            list.sort_by_key(|one| !goes_first(one));
        }
        // Those behind a plain key are of no use: that key is of a kind that is known, theirs is not,
        // and no authority is.
        let certified = list.iter().take_while(|one| one.is_certified);
        let certified = certified.map(|one| one.algorithm.clone()).collect();
        let plain = list.into_iter().filter(|one| !one.is_certified);
        (certified, plain.map(|one| one.algorithm).collect())
    }

    /// Whether keys of this kind, in certificates or as they are, may be taken.
    pub(in crate::ssh) fn has(&self, algorithm: &Algorithm, is_certified: bool) -> bool {
        let mut list = self
            .list
            .iter()
            .filter(|one| one.is_certified == is_certified);
        list.any(|one| one.is_kind(algorithm))
    }
}

#[cfg(test)]
mod tests;
