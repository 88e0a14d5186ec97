//! What is done on the host before its sshd starts.

use super::builder::Plan;
use super::login::Place;
use super::site::{Range, Site};
use super::sshd;

/// What of the host is the fleet's own.
#[derive(Debug, Clone)]
pub(super) struct Prepare {
    /// Shell commands before the sshd starts, in the namespaces; the first one sets `$sshd`.
    pub(super) steps: Vec<String>,
    /// Whether it has a network namespace.
    pub(super) network: bool,
}

impl Prepare {
    /// What has to be done for a plan.
    pub(super) fn of(plan: &Plan, site: &Site, place: Place, range: Option<Range>) -> Prepare {
        let directory = site.directory.display();
        let mut steps = vec![format!("sshd={}", sshd::program().display())];
        if rustix::process::getuid().is_root() {
            // Where sshd puts away the half of it that talks to strangers.
            steps.push("mkdir -p /run/sshd".to_owned());
        }
        if place == Place::Own {
            for file in ["passwd", "shadow"] {
                steps.push(format!("mount --bind {directory}/{file} /etc/{file}"));
            }
            // Where programs look for a place when the home is none: what they leave goes with the fleet.
            for shared in ["/var/tmp", "/dev/shm"] {
                if !site.directory.starts_with(shared) {
                    steps.push(format!("mount -t tmpfs -o mode=1777 fleet {shared}"));
                }
            }
        }
        if plan.small_disk && place == Place::Own {
            let disk = site.small_disk();
            let disk = disk.display();
            steps.push(format!("mkdir {disk}"));
            steps.push(format!("mount -t tmpfs -o size=1m,mode=1777 fleet {disk}"));
        }
        let homes = format!("{directory}/homes");
        match (plan.read_only_home, place) {
            (false, _) => {}
            (true, Place::Own) => {
                steps.push(format!("mount --bind {homes} {homes}"));
                steps.push(format!("mount -o remount,bind,ro {homes}"));
            }
            (true, Place::Forced) => steps.push(format!("chmod a-w {homes}/*")),
        }
        if range.is_some() {
            steps.push("ip link set lo up".to_owned());
        }
        Prepare {
            steps,
            network: range.is_some(),
        }
    }
}
