//! The account that is logged in to, in account files of the fleet's own.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;

use super::builder::Plan;
use super::site::Site;

/// The number of an account that the fleet adds: above those of people, below those of systemd.
const ADDED: u32 = 60_500;

/// The name of the account that we run as.
pub(super) fn own() -> String {
    let uid = rustix::process::getuid().as_raw().to_string();
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let mut lines = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>());
    let own = lines.find(|fields| fields.get(2) == Some(&uid.as_str()));
    own.expect("we have an account")[0].to_owned()
}

/// Writes account files in which `name` has the home and the shell of the fleet, and gives it the
/// homes. An account that the machine does not have is added.
pub(super) fn write(site: &Site, plan: &Plan, name: &str) {
    let shell = plan.login.program(site);
    let (home, shell) = (site.home(), shell.display());
    let mut numbers = None;
    let mut passwd = String::new();
    for line in fs::read_to_string("/etc/passwd").unwrap().lines() {
        let fields: Vec<_> = line.split(':').collect();
        match fields[..] {
            [one, word, uid, gid, full, _, _] if one == name => {
                numbers = Some((uid.parse().unwrap(), gid.parse().unwrap()));
                let home = home.display();
                passwd += &format!("{one}:{word}:{uid}:{gid}:{full}:{home}:{shell}\n");
            }
            _ => passwd += &format!("{line}\n"),
        }
    }
    if numbers.is_none() {
        let home = home.display();
        passwd += &format!("{name}:x:{ADDED}:{ADDED}::{home}:{shell}\n");
    }
    fs::write(site.file("passwd"), passwd).unwrap();
    // Without a password it cannot be locked, which would keep it out.
    let shadow = fs::read_to_string("/etc/shadow").unwrap_or_default();
    let others = shadow
        .lines()
        .filter(|line| line.split(':').next() != Some(name));
    let mut shadow: String = others.map(|line| format!("{line}\n")).collect();
    let password = plan.password.as_deref();
    let password = password.map_or_else(|| "*".to_owned(), hashed);
    shadow += &format!("{name}:{password}:19000:0:99999:7:::\n");
    fs::write(site.file("shadow"), shadow).unwrap();
    fs::set_permissions(site.file("shadow"), fs::Permissions::from_mode(0o600)).unwrap();
    let (uid, gid) = numbers.unwrap_or((ADDED, ADDED));
    if uid != 0 {
        give(&site.file("homes"), uid, gid);
    }
}

fn hashed(password: &str) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["passwd", "-6", "-salt", "fleet", password]);
    let made = openssl.output().expect("openssl is missing");
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

fn give(path: &Path, uid: u32, gid: u32) {
    chown(path, Some(uid), Some(gid)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), uid, gid);
        }
    }
}
