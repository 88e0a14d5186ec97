//! Which names mean the machine we run on, so that no ssh is needed.

use super::settings::Settings;
use crate::ssh::target::{Target, Written};
use crate::surroundings::Surroundings;

/// What every machine calls itself.
const LOOPBACK: [&str; 4] = ["localhost", "127.0.0.1", "127.0.1.1", "::1"];

/// The port of a server that nobody redirected.
const PORT: &str = "22";

/// Whether `target` is a bare name that equals one of ours: a loopback name or address, our host name,
/// or our host name cut at its first dot. Ours is cut, never the given one: `web1.test` may be another
/// machine than `web1`. No name service is asked.
pub(super) fn is_ours(target: &Target, surroundings: &Surroundings) -> bool {
    let full = surroundings.host_name.as_str();
    let short = full.split('.').next().unwrap_or_default();
    let equals = |name: &&str| !name.is_empty() && target.host.eq_ignore_ascii_case(name);
    target.written == Written::Bare && LOOPBACK.iter().chain([&full, &short]).any(equals)
}

/// Whether the configuration leaves `target` where it is: as nobody but us, at the usual port, by no
/// other machine. `login` is who we are for ssh.
pub(super) fn stays(target: &Target, settings: &Settings, login: Option<&str>) -> bool {
    let set = |name: &str| settings.get(name).filter(|value| *value != "none");
    let goes_to = |name: &str| set("hostname").is_some_and(|host| host.eq_ignore_ascii_case(name));
    (goes_to(&target.host) || LOOPBACK.iter().any(|name| goes_to(name)))
        && set("port") == Some(PORT)
        && set("proxyjump").is_none()
        && set("proxycommand").is_none()
        && set("user") == login
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn ours(text: &str, host_name: &str) -> bool {
        let surroundings = Surroundings {
            environment: Vec::new(),
            home: None,
            host_name: host_name.into(),
            temporary: PathBuf::from("/tmp"),
        };
        is_ours(
            &Target::parse(&text.parse().unwrap()).unwrap(),
            &surroundings,
        )
    }

    #[test]
    fn a_bare_name_that_equals_one_of_ours_is_this_machine() {
        for name in [
            "localhost",
            "LOCALHOST",
            "127.0.0.1",
            "127.0.1.1",
            "::1",
            "ctl",
            "Ctl",
            "ctl.lan.test",
        ] {
            assert!(ours(name, "ctl.lan.test"), "{name}");
        }
    }

    #[test]
    fn everything_else_is_another_machine() {
        for name in [
            "ctl.lan",
            "ctl.other.test",
            "ctl2",
            "lan",
            "127.0.0.2",
            "localhost.localdomain",
            "root@localhost",
            "localhost:22",
            "ssh://localhost",
            "ssh:localhost",
            "openssh:localhost",
            "[::1]:22",
        ] {
            assert!(!ours(name, "ctl.lan.test"), "{name}");
        }
        assert!(!ours("ctl.lan.test", "ctl"), "the given name is never cut");
        assert!(!ours("x", ""), "a machine without a name");
    }

    #[test]
    fn a_configuration_that_points_elsewhere_is_followed() {
        let target = Target::parse(&"ctl".parse().unwrap()).unwrap();
        let with = |name: &str, value: &str| {
            let mut settings = Settings::parse("hostname ctl\nport 22\nuser ann\n");
            settings.set(name, value);
            stays(&target, &settings, Some("ann"))
        };
        assert!(with("proxyjump", "none"));
        assert!(with("hostname", "127.0.0.1"));
        assert!(!with("hostname", "10.0.0.7"));
        assert!(!with("port", "2222"));
        assert!(!with("user", "bob"));
        assert!(!with("proxyjump", "gate:22"));
        assert!(!with("proxycommand", "nc %h %p"));
    }
}
