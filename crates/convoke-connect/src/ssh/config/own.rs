//! Values of options that have a rule of their own, and of numbers.

use std::sync::Arc;

use super::directive::{Directive, only};
use super::installed::Installed;
use super::keywords::Own;

/// How many files an option holds.
const MOST_FILES: usize = 32;

/// Reads the value of an option with a rule of its own.
pub(super) fn directive(
    rule: Own,
    slot: usize,
    words: &[String],
    installed: &Installed,
) -> Result<Directive, String> {
    let set = |value: &str| Ok(Directive::Set(slot, Arc::from(value)));
    match rule {
        Own::IdentityFile => Ok(Directive::Identity(Arc::from(only(words)?))),
        Own::CertificateFile => Ok(Directive::Certificate(Arc::from(only(words)?))),
        Own::SendEnv => match words.iter().find(|one| one.is_empty() || one.contains('=')) {
            Some(one) => Err(format!("SendEnv {one}")),
            None if words.is_empty() => Err("SendEnv of nothing".into()),
            None => Ok(Directive::SendEnv(words.to_vec())),
        },
        Own::SetEnv => match words
            .iter()
            .find(|one| !one.contains('=') || one.contains(['%', '$']))
        {
            Some(one) => Err(format!("SetEnv {one}")),
            None if words.is_empty() => Err("SetEnv of nothing".into()),
            None => Ok(Directive::SetEnv(words.to_vec())),
        },
        Own::AddKeysToAgent => set(&add_keys(words)?),
        Own::RekeyLimit => rekey(words),
        Own::ControlPersist => set(&match only(words)? {
            "no" | "false" => "no".into(),
            "yes" | "true" => "yes".into(),
            time => match seconds(time)? {
                0 => "yes".into(),
                seconds => seconds.to_string(),
            },
        }),
        Own::EscapeChar => match only(words)?.as_bytes() {
            b"none" => set("none"),
            [one] if one.is_ascii_graphic() && *one != b'\\' => set(only(words)?),
            _ => Err("a special EscapeChar".into()),
        },
        Own::IpQos => set(&quality(words, installed)?),
        Own::TunnelDevice => set(&tunnel(only(words)?)?),
        Own::BindMask => {
            let octal = only(words)?;
            match u32::from_str_radix(octal, 8) {
                Ok(mask) if mask <= 0o777 && !octal.starts_with('+') => {
                    Ok(Directive::Stray(slot, Arc::from(format!("0{mask:o}"))))
                }
                _ => Err("the mask".into()),
            }
        }
        Own::Facility => one_of(words, &FACILITIES).map(|one| Directive::Stray(slot, one)),
        Own::LogLevel => match only(words)?.to_ascii_uppercase().as_str() {
            "QUIET" => set(&installed.quiet),
            "DEBUG1" => set("DEBUG"),
            _ => one_of(words, &LEVELS).map(|one| Directive::Set(slot, one)),
        },
        Own::FingerprintHash => one_of(words, &HASHES).map(|one| Directive::Set(slot, one)),
        Own::LogVerbose => set(only(words)?),
        Own::RemoteOpen => remote_open(slot, words),
        Own::Domains => domains(slot, words),
        Own::PermittedCnames => match words {
            [one] if one.eq_ignore_ascii_case("none") => set("none"),
            _ => {
                let fits = |one: &String| {
                    one == "*" || one.split_once(':').is_some_and(|(_, to)| !to.is_empty())
                };
                match !words.is_empty() && words.iter().all(fits) {
                    true => Ok(Directive::Asked("CanonicalizePermittedCNAMEs".into())),
                    false => Err("CanonicalizePermittedCNAMEs".into()),
                }
            }
        },
        _ => Err("an option that does not belong here".into()),
    }
}

const LEVELS: [&str; 7] = [
    "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG2", "DEBUG3",
];
const HASHES: [&str; 5] = ["MD5", "SHA1", "SHA256", "SHA384", "SHA512"];
const FACILITIES: [&str; 12] = [
    "DAEMON", "USER", "AUTH", "AUTHPRIV", "LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4",
    "LOCAL5", "LOCAL6", "LOCAL7",
];

/// The word of a set, which are written in any case and printed in capitals.
fn one_of(words: &[String], known: &[&str]) -> Result<Arc<str>, String> {
    let word = only(words)?;
    let found = known.iter().find(|one| one.eq_ignore_ascii_case(word));
    found
        .map(|one| Arc::from(*one))
        .ok_or_else(|| word.to_owned())
}

/// A number in digits. What else the C library takes is left to ssh.
pub(super) fn number(text: &str, most: u32) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number
        .filter(|number| *number <= most)
        .ok_or_else(|| format!("the number {text:?}"))
}

/// Seconds of a time such as `90` or `1m30s`.
pub(super) fn seconds(text: &str) -> Result<u32, String> {
    let refuse = || format!("the time {text:?}");
    let mut rest = text;
    let mut total: u32 = 0;
    loop {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        let mut after = after.chars();
        let unit = match after.next().map(|unit| unit.to_ascii_lowercase()) {
            None | Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86400,
            Some('w') => 604_800,
            Some(_) => return Err(refuse()),
        };
        let part = number(digits, i32::MAX as u32)?.checked_mul(unit);
        let sum = part.and_then(|part| total.checked_add(part));
        total = sum
            .filter(|sum| *sum <= i32::MAX as u32)
            .ok_or_else(refuse)?;
        rest = after.as_str();
        if rest.is_empty() {
            return Ok(total);
        }
    }
}

/// Files, or `none` alone.
pub(super) fn files(slot: usize, words: &[String]) -> Result<Directive, String> {
    let is_none = |one: &String| one.eq_ignore_ascii_case("none");
    let many = words.len() > 1 && words.iter().any(is_none) || words.len() > MOST_FILES;
    match words.is_empty() || words.iter().any(String::is_empty) || many {
        true => Err("the list of files".into()),
        false => Ok(Directive::Files(slot, words.into())),
    }
}

fn add_keys(words: &[String]) -> Result<String, String> {
    let (first, second) = match words {
        [first] => (first, None),
        [first, second] => (first, Some(second)),
        _ => return Err("AddKeysToAgent".into()),
    };
    let word = first.to_ascii_lowercase();
    Ok(match (word.as_str(), second) {
        ("yes" | "true", None) => "true".into(),
        ("no" | "false", None) => "false".into(),
        ("ask", None) => "ask".into(),
        ("confirm", None) => "confirm".into(),
        ("confirm", Some(time)) => match seconds(time)? {
            0 => "confirm".into(),
            time => format!("confirm {time}"),
        },
        (_, Some(_)) => return Err("AddKeysToAgent".into()),
        (_, None) => match seconds(first)? {
            0 => "true".into(),
            time => time.to_string(),
        },
    })
}

/// Bytes with or without a unit, and a time.
fn rekey(words: &[String]) -> Result<Directive, String> {
    let (size, time) = match words {
        [size] => (size, None),
        [size, time] => (size, Some(time.as_str())),
        _ => return Err("RekeyLimit".into()),
    };
    let size = match size.as_str() {
        "default" => 0,
        text => {
            let end = text
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(text.len());
            let (digits, unit) = text.split_at(end);
            let unit = match unit.to_ascii_lowercase().as_str() {
                "" => 1,
                "k" => 1 << 10,
                "m" => 1 << 20,
                "g" => 1 << 30,
                _ => return Err(format!("the size {text:?}")),
            };
            match u64::from(number(digits, i32::MAX as u32)?) * unit {
                1..16 => return Err("a RekeyLimit that is too small".into()),
                size => size,
            }
        }
    };
    let time = match time {
        None | Some("none") => None,
        Some(time) => Some(seconds(time)?),
    };
    Ok(Directive::Rekey(Some(size), time))
}

/// Classes of traffic by their names.
fn quality(words: &[String], installed: &Installed) -> Result<String, String> {
    let one = |word: &String| {
        let name = word.to_ascii_lowercase();
        let old = ["lowdelay", "throughput", "reliability"].contains(&name.as_str());
        // Newer versions have forgotten them.
        let default = installed.defaults.get("ipqos").unwrap_or_default();
        let digits = |prefix: &str, among: &[&str]| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| among.contains(&rest))
        };
        let known = ["none", "ef", "le"].contains(&name.as_str())
            || old && default.contains("lowdelay")
            || digits("cs", &["0", "1", "2", "3", "4", "5", "6", "7"])
            || digits(
                "af",
                &[
                    "11", "12", "13", "21", "22", "23", "31", "32", "33", "41", "42", "43",
                ],
            );
        known.then_some(name).ok_or_else(|| format!("IPQoS {word}"))
    };
    match words {
        [both] => one(both).map(|name| format!("{name} {name}")),
        [first, second] => Ok(format!("{} {}", one(first)?, one(second)?)),
        _ => Err("IPQoS".into()),
    }
}

fn tunnel(text: &str) -> Result<String, String> {
    let one = |text: &str| match text.eq_ignore_ascii_case("any") {
        true => Ok("any".to_owned()),
        false => number(text, 1_000_000).map(|number| number.to_string()),
    };
    let (local, remote) = text.split_once(':').unwrap_or((text, "any"));
    Ok(format!("{}:{}", one(local)?, one(remote)?))
}

/// `any`, `none`, or places that a remote forwarding may open.
fn remote_open(slot: usize, words: &[String]) -> Result<Directive, String> {
    let alone = |one: &str| {
        ["any", "none"]
            .iter()
            .any(|word| word.eq_ignore_ascii_case(one))
    };
    let place = |one: &String| {
        one.split_once(':').is_some_and(|(host, port)| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '*' | '_');
            let is_port = port == "*" || matches!(number(port, 65535), Ok(1..));
            !host.is_empty() && host.chars().all(plain) && is_port
        })
    };
    let fits = match words {
        [] => false,
        [one] => alone(one) || place(one),
        _ => words.iter().all(place),
    };
    match fits {
        true => Ok(Directive::Set(slot, Arc::from(words.join(" ")))),
        false => Err("PermitRemoteOpen".into()),
    }
}

fn domains(slot: usize, words: &[String]) -> Result<Directive, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let fits = |one: &String| {
        one.starts_with(|c: char| c.is_ascii_alphanumeric())
            && one.chars().all(plain)
            && !one.contains("..")
            && !one.ends_with('.')
    };
    let is_none = |one: &String| one.eq_ignore_ascii_case("none");
    let many = words.len() > 1 && words.iter().any(is_none) || words.len() > MOST_FILES;
    match words {
        [] => Err("CanonicalDomains".into()),
        _ if many || !words.iter().all(fits) => Err("CanonicalDomains".into()),
        _ => Ok(Directive::Set(
            slot,
            Arc::from(words.join(" ").to_ascii_lowercase()),
        )),
    }
}
