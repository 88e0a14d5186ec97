//! From what was set to what is printed: defaults, addresses, tokens.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::apply::Chosen;
use super::installed::Installed;
use super::jump::Jump;
use super::tokens::{Directly, Environment, Tokens, without_tilde};
use crate::ssh::settings::Settings;

/// Options that are not there when they are set to `none`.
const CLEARED: [&str; 7] = [
    "localcommand",
    "remotecommand",
    "controlpath",
    "revokedhostkeys",
    "pkcs11provider",
    "securitykeyprovider",
    "knownhostscommand",
];

/// Options in which tokens are replaced, and whether a leading `~` and variables are, too.
const EXPANDED: [(&str, Kind); 3] = [
    ("remotecommand", Kind::Line),
    ("controlpath", Kind::Path),
    ("identityagent", Kind::Path),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Line,
    Path,
}

/// The name in small letters, unless it is an address.
///
/// # Errors
/// An address in a form that ssh would change, or what may be one.
pub(super) fn canonical(host: &str) -> Result<String, String> {
    let refuse = || Err(format!("the host {host:?}"));
    if host.is_empty() || !host.is_ascii() {
        return refuse();
    }
    if host.contains(':') {
        // The C library writes an IPv4 address into some.
        let dotted = |address: &Ipv6Addr| address.segments()[..5] == [0; 5];
        return match host.parse::<Ipv6Addr>() {
            Ok(address) if host == "::1" || host == "::" || !dotted(&address) => {
                match address.to_string().eq_ignore_ascii_case(host) {
                    true => Ok(host.to_owned()),
                    false => refuse(),
                }
            }
            _ => refuse(),
        };
    }
    if host.starts_with(|c: char| c.is_ascii_digit()) {
        if host
            .parse::<Ipv4Addr>()
            .is_ok_and(|address| address.to_string() == host)
        {
            return Ok(host.to_owned());
        }
        let number = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | 'x' | 'X');
        if host.chars().all(number) {
            return refuse();
        }
    }
    match host.contains('%') {
        true => refuse(),
        false => Ok(host.to_ascii_lowercase()),
    }
}

/// What is printed for a host.
///
/// # Errors
/// What ssh refuses at this point, or finds out itself.
pub(super) fn finish(
    chosen: &Chosen,
    original: &str,
    host: &str,
    installed: &Installed,
    environment: &Environment,
) -> Result<Settings, String> {
    refuse_the_impossible(chosen)?;
    let mut settings = installed.defaults.clone();
    for (name, value) in chosen.values() {
        settings.set(name, value);
    }
    let account = &installed.account;
    let default_port = installed.defaults.get("port").unwrap_or("22");
    let tokens = Tokens {
        account,
        original,
        host,
        key_alias: chosen.get("hostkeyalias").unwrap_or(original),
        port: chosen.get("port").unwrap_or(default_port),
        user: chosen.get("user").unwrap_or(&account.name),
        directly: match chosen.jump.as_deref() {
            Some(Jump::Over { .. }) => Directly::No,
            _ => Directly::Yes,
        },
        environment,
    };
    // Older versions do not print it.
    if installed.defaults.get("host").is_some() {
        settings.set("host", original);
    }
    settings.set("hostname", host);
    settings.set("user", tokens.user);
    for name in CLEARED {
        if settings.get(name).is_some_and(is_none) {
            settings.remove(name);
        }
    }
    expand(chosen, &tokens, &mut settings)?;
    conditional_defaults(chosen, installed, &mut settings);
    lists(chosen, &mut settings);
    way(chosen, host, &tokens, &mut settings)?;
    Ok(settings)
}

/// Replaces tokens and home directories where they are printed replaced.
fn expand(chosen: &Chosen, tokens: &Tokens<'_>, settings: &mut Settings) -> Result<(), String> {
    let path = |text: &str| tokens.expand(&without_tilde(text, &tokens.account.home)?, true);
    for (name, kind) in EXPANDED {
        if let Some(value) = chosen.get(name).filter(|_| settings.get(name).is_some()) {
            let value = match kind {
                Kind::Line => tokens.expand(value, false)?,
                Kind::Path => path(value)?,
            };
            settings.set(name, value);
        }
    }
    if let Some(socket) = &chosen.agent_socket {
        settings.set("forwardagent", path(socket)?);
    }
    if let Some(files) = &chosen.system_files {
        settings.set_files("globalknownhostsfile", files.to_vec());
    }
    if let Some(files) = &chosen.user_files {
        let files = match &files[..] {
            [one] if is_none(one) => vec!["none".to_owned()],
            _ => files
                .iter()
                .map(|one| path(one))
                .collect::<Result<_, _>>()?,
        };
        settings.set_files("userknownhostsfile", files);
    }
    Ok(())
}

fn is_none(value: &str) -> bool {
    value.eq_ignore_ascii_case("none")
}

fn refuse_the_impossible(chosen: &Chosen) -> Result<(), String> {
    let is = |name: &str, value: &str| chosen.get(name) == Some(value);
    let refused = if chosen
        .get("canonicalizehostname")
        .is_some_and(|value| value != "false")
    {
        Some("CanonicalizeHostname")
    } else if is("connectionattempts", "0") {
        Some("ConnectionAttempts 0")
    } else if is("proxyusefdpass", "yes") && chosen.proxy_command.as_deref() == Some("-") {
        Some("ProxyUseFdpass")
    } else if is("updatehostkeys", "ask") {
        Some("UpdateHostKeys ask")
    } else if is("exitonforwardfailure", "yes") && chosen.agent_socket.is_some() {
        Some("ForwardAgent with a socket that must be there")
    } else {
        None
    };
    refused.map_or(Ok(()), |what| Err(what.to_owned()))
}

/// Defaults that depend on other options.
fn conditional_defaults(chosen: &Chosen, installed: &Installed, settings: &mut Settings) {
    let is = |name: &str, value: &str| chosen.get(name) == Some(value);
    if chosen.get("serveraliveinterval").is_none() && is("batchmode", "yes") {
        settings.set("serveraliveinterval", installed.alive_in_batch.as_str());
    }
    if chosen.get("updatehostkeys").is_none() && settings.get("updatehostkeys") == Some("true") {
        let dns = chosen
            .get("verifyhostkeydns")
            .is_some_and(|value| value != "false");
        let files = chosen.user_files.as_deref();
        let usual = files.is_none_or(|files| files == ["~/.ssh/known_hosts"]);
        if dns || !usual {
            settings.set("updatehostkeys", "false");
        }
    }
    let rekey = settings.get("rekeylimit").unwrap_or("0 0");
    let (size, time) = rekey.split_once(' ').unwrap_or(("0", "0"));
    let size = chosen
        .rekey
        .0
        .map_or(size.to_owned(), |size| size.to_string());
    let time = chosen
        .rekey
        .1
        .map_or(time.to_owned(), |time| time.to_string());
    settings.set("rekeylimit", format!("{size} {time}"));
}

fn lists(chosen: &Chosen, settings: &mut Settings) {
    let all = |files: &[(std::sync::Arc<str>, _)]| -> Vec<String> {
        files.iter().map(|(path, _)| path.to_string()).collect()
    };
    if !chosen.identities.is_empty() {
        settings.set_all("identityfile", all(&chosen.identities));
    }
    settings.set_all("certificatefile", all(&chosen.certificates));
    settings.set_all("sendenv", chosen.send.clone());
    settings.set_all("setenv", chosen.set.clone());
    if chosen.get("clearallforwardings") == Some("yes") {
        settings.set("tunnel", "false");
        return;
    }
    let local = chosen.local.iter();
    let (dynamic, fixed): (Vec<_>, Vec<_>) = local.partition(|one| one.is_dynamic());
    let printed = |one: &super::forward::Forward| one.printed();
    settings.set_all(
        "dynamicforward",
        dynamic.iter().map(|one| one.listening()).collect(),
    );
    settings.set_all("localforward", fixed.into_iter().map(printed).collect());
    settings.set_all("remoteforward", chosen.remote.iter().map(printed).collect());
}

/// `ProxyJump` or `ProxyCommand`.
fn way(
    chosen: &Chosen,
    host: &str,
    tokens: &Tokens<'_>,
    settings: &mut Settings,
) -> Result<(), String> {
    if let Some(jump) = chosen.jump.as_deref()
        && let Jump::Over { hop, .. } = jump
        && let Some(printed) = jump.printed()
    {
        let user = hop.user.as_deref().unwrap_or(tokens.user);
        let same_port = match hop.port {
            Some(port) => port.to_string() == tokens.port,
            // The usual one, which is the printed default.
            None => true,
        };
        if hop.host == host && same_port && user == tokens.user {
            return Err("a jump over the host itself".into());
        }
        settings.set("proxyjump", printed);
        settings.set("proxyusefdpass", "no");
        return Ok(());
    }
    if let Some(command) = chosen.proxy_command.as_deref().filter(|one| !is_none(one))
        && chosen.jump.is_none()
    {
        settings.set("proxycommand", command);
    }
    Ok(())
}
