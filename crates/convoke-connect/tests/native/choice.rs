//! Which hosts are left to the system's ssh.

use std::path::Path;
use std::sync::Arc;

use convoke_connect::connector::{Connector as _, Route};
use convoke_connect::error::ConnectErrorKind;
use convoke_connect::ssh::config::Configuration;
use convoke_connect::ssh::force::{Ruling, rows};
use convoke_connect::ssh::{Native, Ssh};
use convoke_connect::ssh::{Openssh, SshOptions};
use convoke_connect::surroundings::Surroundings;

/// What puts an option in force, as lines of a configuration. `@DIR@` is a directory with a socket.
const IN_FORCE: &[(&str, &str)] = &[
    ("bindaddress", "BindAddress eth0.lan"),
    ("bindinterface", "BindInterface lo"),
    ("channeltimeout", "ChannelTimeout session=1m"),
    ("controlpath", "ControlPath @DIR@/socket"),
    ("dynamicforward", "DynamicForward 1080"),
    ("forwardagent", "ForwardAgent yes"),
    ("forwardx11", "ForwardX11 yes"),
    ("hostbasedauthentication", "HostbasedAuthentication yes"),
    ("kbdinteractivedevices", "KbdInteractiveDevices pam"),
    ("knownhostscommand", "KnownHostsCommand /bin/true"),
    ("localcommand", "PermitLocalCommand yes\nLocalCommand true"),
    ("localforward", "LocalForward 8080 web:80"),
    ("pkcs11provider", "PKCS11Provider /p.so"),
    ("proxycommand", "ProxyCommand nc %h %u"),
    ("proxyjump", "ProxyJump $gate"),
    (
        "proxyusefdpass",
        "ProxyUseFdpass yes\nProxyCommand nc %h %p",
    ),
    ("pubkeyauthentication", "PubkeyAuthentication host-bound"),
    ("refuseconnection", "RefuseConnection never"),
    ("remoteforward", "RemoteForward 8080 web:80"),
    ("revokedhostkeys", "RevokedHostKeys /revoked/%h"),
    ("securitykeyprovider", "SecurityKeyProvider /s.so"),
    ("serveralivecountmax", "ServerAliveCountMax 0"),
    ("tunnel", "Tunnel yes"),
    ("verifyhostkeydns", "VerifyHostKeyDNS yes"),
    ("versionaddendum", "VersionAddendum x"),
];

/// Options that OpenSSH 9.2 does not know.
const NEWER: [&str; 3] = ["channeltimeout", "refuseconnection", "versionaddendum"];

fn surroundings() -> Surroundings {
    let mut surroundings = Surroundings::of_this_process();
    surroundings
        .environment
        .push(("DISPLAY".into(), ":0".into()));
    // There are no credentials, so that GSSAPI is of no effect.
    surroundings
        .environment
        .push(("KRB5CCNAME".into(), "FILE:/nonexistent".into()));
    surroundings
}

/// How `web1` is reached with this configuration; None when ssh refuses it.
async fn route(directory: &Path, config: &str) -> Option<Route> {
    route_with(directory, config, Vec::new()).await
}

/// The same with options of the command line.
async fn route_with(directory: &Path, config: &str, given: Vec<String>) -> Option<Route> {
    let file = directory.join("config");
    let config = config.replace("@DIR@", directory.to_str().unwrap());
    std::fs::write(&file, config).unwrap();
    let options = SshOptions {
        config: Some(file),
        options: given,
        ..SshOptions::default()
    };
    let configuration = Arc::new(Configuration::new(options));
    let native = Arc::new(Native::sharing(Arc::clone(&configuration)));
    let ssh = Ssh::new(native, Arc::new(Openssh::sharing(configuration)));
    let endpoint = "ssh://web1".parse().unwrap();
    match ssh.route(&endpoint, &surroundings()).await {
        Ok(route) => Some(route),
        Err(error) if error.kind == ConnectErrorKind::Configuration => None,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn each_option_that_is_left_to_the_system_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("socket");
    let _listening = std::os::unix::net::UnixListener::bind(socket).unwrap();
    for row in rows() {
        match row.ruling {
            Ruling::Native | Ruling::Irrelevant | Ruling::DelegatedWithCredentials => continue,
            _ => {}
        }
        let lines = IN_FORCE.iter().find(|(name, _)| *name == row.name);
        let Some((name, lines)) = lines else {
            panic!("nothing puts {} in force", row.name);
        };
        let Some(route) = route(directory.path(), lines).await else {
            assert!(NEWER.contains(name), "ssh refuses {lines}");
            eprintln!("skipped 1: this ssh does not know {name}");
            continue;
        };
        assert_eq!(route.instead.unwrap().name(), "openssh", "{name}");
        let remark = route.remark.unwrap();
        let told = format!("left to the system's ssh, which serves {name} ");
        assert!(remark.starts_with(&told), "{remark}");
    }
}

#[tokio::test]
async fn a_hop_leaves_the_hosts_behind_it_to_the_system_or_has_their_load() {
    let directory = tempfile::tempdir().unwrap();
    let jump = "Host web1\n  ProxyJump gate,mid\nHost gate\n  HostName 10.0.0.7\n";
    let native = route(directory.path(), jump).await.unwrap();
    assert_eq!(native.instead.unwrap().name(), "ssh+native");
    assert_eq!(native.server.as_deref(), Some("10.0.0.7:22"));
    let jump = format!("{jump}  PKCS11Provider /p.so\n");
    let system = route(directory.path(), &jump).await.unwrap();
    assert_eq!(system.instead.unwrap().name(), "openssh");
    let told = "left to the system's ssh, which serves pkcs11provider /p.so, of the jump host gate";
    assert_eq!(system.remark.as_deref(), Some(told));
}

#[tokio::test]
async fn what_only_ssh_can_tell_is_asked_and_served_natively() {
    let directory = tempfile::tempdir().unwrap();
    let config = "Match exec true\n  HostName 10.0.0.7\n";
    let route = route(directory.path(), config).await.unwrap();
    assert_eq!(route.instead.unwrap().name(), "ssh+native");
    assert_eq!(route.server.as_deref(), Some("10.0.0.7:22"));
    assert!(route.remark.unwrap().contains("Match exec"));
}

#[tokio::test]
async fn an_ordinary_host_is_served_natively_without_a_word() {
    let directory = tempfile::tempdir().unwrap();
    let route = route(directory.path(), "Host web*\n  Port 2222\n");
    let route = route.await.unwrap();
    assert_eq!(route.instead.unwrap().name(), "ssh+native");
    assert_eq!(route.server.as_deref(), Some("web1:2222"));
    assert_eq!(route.remark, None);
}

#[tokio::test]
async fn a_master_that_the_command_line_asks_for_is_started_by_the_systems_ssh() {
    let directory = tempfile::tempdir().unwrap();
    for (option, connector) in [("auto", "openssh"), ("no", "ssh+native")] {
        let options = vec![format!("ControlMaster={option}")];
        let route = route_with(directory.path(), "ControlMaster auto\n", options);
        assert_eq!(route.await.unwrap().instead.unwrap().name(), connector);
    }
}
