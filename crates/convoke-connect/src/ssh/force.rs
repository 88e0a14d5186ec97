//! Which options are in force for a host, and whether the native client implements all of them.
//!
//! In force is what could change who we talk to, as whom, by which way, or what is refused. One table
//! says of every option of `ssh -G` what follows from it; `docs/ssh-options.md` shows it.

mod credentials;
mod table;

use std::collections::BTreeSet;
use std::path::Path;

use super::algorithms::{self, NoneLeft};
use super::config::{Account, without_tilde};
use super::native::verify::is_for_ssh_alone;
use super::proxy::{is_command, is_jump};
use super::settings::Settings;
use crate::surroundings::Surroundings;

pub use credentials::Credentials;
pub use table::{Row, Ruling, rows};

/// By which ssh a host is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// By the native client, exactly as by the system's.
    Native,
    /// By the system's; the option in force that the native client does not have.
    System(String),
}

/// What the decision depends on besides the settings of the host.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The defaults of the installed ssh, as [`Settings`] of a host that nothing is configured for.
    pub defaults: &'a Settings,
    /// The machine and account we run on.
    pub surroundings: &'a Surroundings,
    /// Whether there are Kerberos credentials.
    pub credentials: Credentials,
}

/// Decides how a host with these settings is reached. Looks whether the socket of a `ControlPath` is
/// there and how the files of `RevokedHostKeys` begin, and reads nothing else.
pub fn way(settings: &Settings, world: &World<'_>) -> Way {
    // Also those that are gone: their default is not what the host has.
    let names = settings.iter().chain(world.defaults.iter());
    let names: BTreeSet<&str> = names.map(|(name, _)| name).collect();
    for name in names {
        let values = settings.all(name);
        let in_force = match table::find(name) {
            Some(row) => row.is_in_force(settings, world),
            // An option of a newer ssh: its default is what the native client does.
            None => values != world.defaults.all(name),
        };
        if in_force {
            return Way::System(format!("{name} {}", values.join(" ")).trim().to_owned());
        }
    }
    let offered = algorithms::offered(settings);
    match offered.and_then(|_| algorithms::host_keys(settings, world.defaults)) {
        Ok(_) => Way::Native,
        Err(NoneLeft(option)) => Way::System(option),
    }
}

/// What is not in force for a host that is only on the way to another: ssh opens one forwarding there
/// and runs nothing (`-W`). Other forwardings were cleared, unless the hop is told to keep them.
const NOT_ON_THE_WAY: [&str; 2] = ["forwardagent", "forwardx11"];

/// The same for a host on the way to another.
pub(super) fn way_over(settings: &Settings, world: &World<'_>) -> Way {
    let mut settings = settings.clone();
    for name in NOT_ON_THE_WAY {
        settings.remove(name);
    }
    way(&settings, world)
}

impl Row {
    /// Whether the option is in force and not native.
    fn is_in_force(&self, settings: &Settings, world: &World<'_>) -> bool {
        let values = settings.all(self.name);
        let are = |known: &[&str]| values.iter().all(|value| known.contains(&value.as_str()));
        let is_set = |name: &str| !matches!(settings.get(name), None | Some("none" | ""));
        let is_on = |name: &str| matches!(settings.get(name), Some("yes" | "true"));
        match self.ruling {
            Ruling::Native | Ruling::Irrelevant => false,
            Ruling::NativeIf(known) => !are(known),
            Ruling::NativeIfCommand => !are(&["none"]) && !values.iter().all(|one| is_command(one)),
            Ruling::NativeIfJump => !are(&["none"]) && !values.iter().all(|one| is_jump(one)),
            Ruling::DelegatedIf(these) => values.iter().any(|one| these.contains(&one.as_str())),
            Ruling::DelegatedIfOnWith(other) => !are(&["no", "false"]) && is_set(other),
            Ruling::NativeIfAddress => values.iter().any(|value| !is_address(value)),
            Ruling::NativeIfList => !values.iter().all(|file| is_list(file, world.surroundings)),
            Ruling::DelegatedIfSet => !are(&["none", ""]),
            Ruling::DelegatedUnlessDefault => values != world.defaults.all(self.name),
            Ruling::DelegatedWithCredentials => {
                !are(&["no", "false"]) && world.credentials == Credentials::Present
            }
            Ruling::DelegatedWithDisplay => {
                let display = world.surroundings.variable("DISPLAY");
                !are(&["no", "false"]) && display.is_some_and(|display| !display.is_empty())
            }
            Ruling::DelegatedIfAllowed(by) => is_on(by) && !are(&["none", ""]),
            Ruling::DelegatedIfSocket => values.iter().any(|path| is_socket(path)),
        }
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

/// Whether this is the name of one file, and what is there can be read as a list of keys.
fn is_list(file: &str, surroundings: &Surroundings) -> bool {
    if file.contains([' ', '%', '$']) {
        return false;
    }
    let file = match file.starts_with('~') {
        false => Some(file.to_owned()),
        true => Account::of(surroundings).and_then(|us| without_tilde(file, &us.home).ok()),
    };
    file.is_some_and(|file| !is_for_ssh_alone(Path::new(&file)))
}

/// Whether a master may listen there.
fn is_socket(path: &str) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let found = Path::new(path).metadata();
    found.is_ok_and(|found| found.file_type().is_socket())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings() -> Surroundings {
        Surroundings {
            environment: Vec::new(),
            home: None,
            host_name: "ctl".into(),
            temporary: "/tmp".into(),
        }
    }

    fn defaults() -> Settings {
        let text = "\
            ciphers chacha20-poly1305@openssh.com,aes128-ctr\n\
            kexalgorithms curve25519-sha256\n\
            macs hmac-sha2-256\n\
            hostkeyalgorithms ssh-ed25519,rsa-sha2-512\n\
            gssapiauthentication no\n\
            rekeylimit 0 0\n\
            stricthostkeychecking ask\n";
        Settings::parse(text)
    }

    fn with(name: &str, value: &str, surroundings: &Surroundings) -> Way {
        let defaults = defaults();
        let mut settings = defaults.clone();
        settings.set(name, value);
        let world = World {
            defaults: &defaults,
            surroundings,
            credentials: Credentials::Absent,
        };
        way(&settings, &world)
    }

    #[test]
    fn what_is_in_force_and_not_native_is_delegated_by_name() {
        let none = surroundings();
        for (name, value, expected) in [
            ("port", "2222", true),
            ("stricthostkeychecking", "true", true),
            ("stricthostkeychecking", "accept-new", true),
            ("stricthostkeychecking", "false", true),
            ("revokedhostkeys", "/nonexistent/list", true),
            ("revokedhostkeys", "/dev/null", true),
            ("revokedhostkeys", "~other/list", false),
            ("revokedhostkeys", "/list/of/%h", false),
            ("proxyjump", "gate", true),
            ("proxyjump", "$x", false),
            ("proxycommand", "nc %h", true),
            ("proxycommand", "nc %x", false),
            ("proxyusefdpass", "yes", true),
            ("bindaddress", "127.0.0.1", true),
            ("bindaddress", "eth0.lan", false),
            ("ciphers", "aes128-ctr,nope", true),
            ("ciphers", "3des-cbc", false),
            ("gssapiauthentication", "yes", true),
            ("controlpath", "/nonexistent/socket", true),
            ("forwardx11", "yes", true),
            ("localcommand", "true", true),
            ("rekeylimit", "1024 0", true),
            ("serveralivecountmax", "0", false),
            ("newoption", "x", false),
            ("updatehostkeys", "true", true),
        ] {
            let native = with(name, value, &none) == Way::Native;
            assert_eq!(native, expected, "{name} {value}");
        }
        let (mut defaults, settings) = (defaults(), defaults());
        defaults.set("newoption", "on");
        let world = World {
            defaults: &defaults,
            surroundings: &none,
            credentials: Credentials::Absent,
        };
        let gone = Way::System("newoption".into());
        assert_eq!(way(&settings, &world), gone, "one that was taken away");
        let Way::System(reason) = with("pkcs11provider", "x", &none) else {
            panic!("a token is delegated");
        };
        assert_eq!(reason, "pkcs11provider x");
    }

    #[test]
    fn a_live_master_is_used_by_the_ssh_of_the_system() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("master");
        let _listening = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let way = with("controlpath", path.to_str().unwrap(), &surroundings());
        assert!(matches!(way, Way::System(_)));
    }

    #[test]
    fn a_krl_is_read_by_the_ssh_of_the_system() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let way_of = || with("revokedhostkeys", path, &surroundings());
        std::fs::write(path, "# none").unwrap();
        assert_eq!(way_of(), Way::Native);
        std::fs::write(path, "SSHKRL\n\0\0\0\0\x01").unwrap();
        assert!(matches!(way_of(), Way::System(_)));
    }

    #[test]
    fn a_display_and_credentials_put_options_in_force() {
        let mut display = surroundings();
        display.environment.push(("DISPLAY".into(), ":0".into()));
        assert!(matches!(
            with("forwardx11", "yes", &display),
            Way::System(_)
        ));
        let (defaults, none) = (defaults(), surroundings());
        let mut settings = defaults.clone();
        settings.set("gssapiauthentication", "yes");
        let world = World {
            defaults: &defaults,
            surroundings: &none,
            credentials: Credentials::Present,
        };
        assert!(matches!(way(&settings, &world), Way::System(_)));
    }

    #[test]
    fn every_option_of_a_configuration_has_a_row() {
        for name in crate::ssh::config::printed_names() {
            assert!(table::find(name).is_some(), "{name}");
        }
        let names: Vec<_> = rows().iter().map(|row| row.name).collect();
        assert!(names.is_sorted(), "{names:?}");
    }
}
