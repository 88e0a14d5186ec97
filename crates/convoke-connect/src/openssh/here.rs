//! Which names mean the machine we run on, so that no ssh is needed.

use super::configuration::{Explained, Proxy};
use super::target::{Target, Written};
use crate::surroundings::Surroundings;

/// What every machine calls itself.
const LOOPBACK: [&str; 4] = ["localhost", "127.0.0.1", "127.0.1.1", "::1"];

/// The port of a server that nobody redirected.
const PORT: u16 = 22;

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
pub(super) fn stays(target: &Target, explained: &Explained, login: Option<&str>) -> bool {
    let same = |name: &str| explained.hostname.eq_ignore_ascii_case(name);
    let loopback = LOOPBACK.iter().any(|name| same(name));
    (same(&target.host) || loopback)
        && explained.port == PORT
        && explained.proxy == Proxy::None
        && explained.user.as_deref() == login
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
        let plain = Explained {
            user: Some("ann".into()),
            ..Explained::plain(&target, &Default::default())
        };
        let with = |change: fn(&mut Explained)| {
            let mut explained = plain.clone();
            change(&mut explained);
            stays(&target, &explained, Some("ann"))
        };
        assert!(with(|_| ()));
        assert!(with(|e| e.hostname = "127.0.0.1".into()));
        assert!(!with(|e| e.hostname = "10.0.0.7".into()));
        assert!(!with(|e| e.port = 2222));
        assert!(!with(|e| e.user = Some("bob".into())));
        assert!(!with(|e| e.proxy = Proxy::Jump("gate:22".into())));
        assert!(!with(|e| e.proxy = Proxy::Command("nc %h %p".into())));
    }
}
