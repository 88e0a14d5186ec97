//! The configuration of both ends: what sshd and ssh read.

use std::fmt::Write as _;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::builder::Plan;
use super::login::Place;
use super::site::Site;

/// The variable that marks what runs on the hosts of a fleet.
pub(super) const MARK: &str = "CONVOKE_FLEET";

/// Where distributions put it.
const SFTP_SERVERS: [&str; 3] = [
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
];

/// The program of the sshd.
///
/// # Panics
/// When it is not installed.
pub(super) fn program() -> PathBuf {
    let places = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];
    let mut found = places
        .iter()
        .map(PathBuf::from)
        .filter(|path| path.exists());
    found
        .next()
        .expect("sshd is missing: install the Debian package openssh-server")
}

/// What sshd reads. The first value of an option wins, so the options of the plan come first.
pub(super) fn server(plan: &Plan, site: &Site, place: Place, account: &str) -> String {
    let directory = site.directory.display();
    let mut text = String::new();
    for line in &plan.options {
        writeln!(text, "{line}").unwrap();
    }
    writeln!(text, "Port {}\nListenAddress 0.0.0.0", site.port).unwrap();
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        text += "ListenAddress ::1\n";
    }
    for kind in &plan.host_keys {
        writeln!(text, "HostKey {directory}/{}", kind.file()).unwrap();
    }
    // Every interface is listened on, for every address of 127.0.0.0/8; only loopback is let in.
    let mut clients = vec!["127.*".to_owned(), "::1".to_owned()];
    clients.extend(site.range.patterns());
    let clients: Vec<_> = clients
        .iter()
        .map(|one| format!("{account}@{one}"))
        .collect();
    writeln!(text, "AllowUsers {}", clients.join(" ")).unwrap();
    writeln!(text, "VersionAddendum fleet-{}", site.mark).unwrap();
    writeln!(text, "AuthorizedKeysFile {directory}/authorized_keys").unwrap();
    // The default key exchange of 9.2 costs its client 70 ms of processor time.
    text += "PidFile none
KexAlgorithms curve25519-sha256
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
PrintLastLog no
LogLevel INFO
MaxSessions 1000
MaxAuthTries 20
LoginGraceTime 600
";
    // Of this one sshd takes the last value.
    let is_said = |line: &String| line.to_ascii_lowercase().starts_with("maxstartups");
    if !plan.options.iter().any(is_said) {
        text += "MaxStartups 4000\n";
    }
    let mut sftp = SFTP_SERVERS.iter().filter(|path| Path::new(path).exists());
    let sftp = sftp.next().unwrap_or(&"internal-sftp");
    writeln!(text, "Subsystem sftp {sftp}").unwrap();
    let mut environment = vec![format!("{MARK}={}", site.mark)];
    if let Some(level) = plan.login.shell_level() {
        environment.push(format!("SHLVL={level}"));
    }
    for (name, value) in &plan.environment {
        environment.push(format!("{name}=\"{value}\""));
    }
    writeln!(text, "SetEnv {}", environment.join(" ")).unwrap();
    if place == Place::Forced {
        writeln!(text, "ForceCommand {directory}/login").unwrap();
    }
    text
}

/// What ssh reads with `-F`: the hosts by name, the aliases, and what is common to all.
pub(super) fn client(
    plan: &Plan,
    site: &Site,
    account: &str,
    aliases: &[(String, SocketAddr)],
) -> String {
    let directory = site.directory.display();
    let mut text = String::new();
    for line in &plan.client_options {
        writeln!(text, "{line}").unwrap();
    }
    for (name, address) in aliases {
        let (ip, port) = (address.ip(), address.port());
        writeln!(text, "Host {name}\n  HostName {ip}\n  Port {port}").unwrap();
    }
    for n in 1..=plan.hosts {
        writeln!(text, "Host h{n}\n  HostName {}", site.range.address(n)).unwrap();
    }
    writeln!(
        text,
        "Host *
  Port {}
  User {account}
  IdentityFile {directory}/identity
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {directory}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no",
        site.port
    )
    .unwrap();
    text
}
