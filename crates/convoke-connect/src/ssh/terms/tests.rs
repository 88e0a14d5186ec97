//! What is printed for a host, and what becomes of it.

use std::os::unix::ffi::OsStringExt as _;

use super::*;
use crate::ssh::config::{Account, Hash};

/// What ssh always prints, behind what a test says: the first value counts.
const PRINTED: &str = "\
hostname web1.lan
user ann
port 2222
userknownhostsfile /home/ann/.ssh/known_hosts /home/ann/.ssh/known_hosts2
globalknownhostsfile /etc/ssh/ssh_known_hosts
ciphers aes128-ctr
kexalgorithms curve25519-sha256
macs hmac-sha2-256
hostkeyalgorithms ssh-ed25519
";

fn surroundings() -> Surroundings {
    let mut environment: Vec<_> = [("SSH_AUTH_SOCK", "/run/agent"), ("A", "1"), ("B", "2")]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
    let bytes = std::ffi::OsString::from_vec(vec![0xff]);
    environment.push(("BYTES".into(), bytes));
    Surroundings {
        environment,
        home: None,
        host_name: "ctl.lan".into(),
        temporary: "/tmp".into(),
    }
}

fn read_settings(settings: &Settings) -> Result<Terms, String> {
    let surroundings = surroundings();
    let owner = Owner {
        account: Account {
            name: "me".into(),
            uid: "1000".into(),
            host_name: "ctl.lan".into(),
            home: "/home/a%b".into(),
            hash: Hash::Known,
        },
        environment: [("VALUE".to_owned(), "100%h".to_owned())].into(),
    };
    let ours = Ours {
        defaults: &Settings::default(),
        owner: &owner,
        surroundings: &surroundings,
    };
    let target = Target::parse(&"web1".parse().unwrap()).unwrap();
    Terms::read(settings, &target, &ours).map_err(|Unserved(option)| option)
}

fn read(text: &str) -> Result<Terms, String> {
    read_settings(&Settings::parse(&format!("{text}\n{PRINTED}")))
}

fn paths(paths: &[PathBuf]) -> Vec<&str> {
    paths.iter().map(|path| path.to_str().unwrap()).collect()
}

#[test]
fn none_is_a_name_like_any_other() {
    let terms = read("hostname none\nuser none\nhostkeyalias none").unwrap();
    assert_eq!(
        (terms.host.as_str(), terms.login.user.as_str()),
        ("none", "none")
    );
    assert_eq!(terms.rules.alias.as_deref(), Some("none"));
    assert_eq!(terms.login.known_as, "none");
}

#[test]
fn what_is_always_printed_is_never_guessed() {
    for missing in ["hostname", "user", "port"] {
        let mut settings = Settings::parse(PRINTED);
        settings.remove(missing);
        let told = format!("a configuration without its {missing}");
        assert_eq!(read_settings(&settings).unwrap_err(), told);
    }
}

#[test]
fn files_of_known_hosts_are_those_that_ssh_opens() {
    for (printed, opened) in [
        ("/a /b", Some(&["/a", "/b"][..])),
        ("/k/%h", Some(&["/k/%h"])),
        (
            "/home/a%b/.ssh/known_hosts",
            Some(&["/home/a%b/.ssh/known_hosts"]),
        ),
        ("\"/a\"", Some(&["\"/a\""])),
        ("known", Some(&["known"])),
        ("${VALUE}", Some(&["${VALUE}"])),
        ("none", Some(&[])),
        ("~/a ~/b", Some(&["/home/a%b/a", "/home/a%b/b"])),
        // One file, or two: a blank in a name looks like one between names.
        ("/tmp/k b/known", None),
        ("/tmp/k  /b", None),
        ("~bob/known", None),
    ] {
        for option in ["userknownhostsfile", "globalknownhostsfile"] {
            let mut settings = Settings::parse(PRINTED);
            settings.set("userknownhostsfile", "none");
            settings.set("globalknownhostsfile", "none");
            settings.set(option, printed);
            let terms = read_settings(&settings);
            let found = terms.as_ref().map(|terms| paths(&terms.rules.known_hosts));
            match opened {
                Some(opened) => assert_eq!(found.unwrap(), opened, "{option} {printed}"),
                None => assert_eq!(found.unwrap_err(), &format!("{option} {printed}")),
            }
        }
    }
}

#[test]
fn files_that_were_told_keep_their_blanks() {
    let mut settings = Settings::parse(PRINTED);
    settings.set("globalknownhostsfile", "none");
    settings.set_files("userknownhostsfile", vec!["/tmp/k b/known".into()]);
    let terms = read_settings(&settings).unwrap();
    assert_eq!(paths(&terms.rules.known_hosts), ["/tmp/k b/known"]);
}

#[test]
fn tokens_are_replaced_in_key_files_only() {
    for (printed, opened) in [
        ("/k/id_%r", Some("/k/id_ann")),
        // ssh takes the `%` of the home directory for a token, and refuses it.
        ("~/.ssh/id", None),
        ("/k/%h-%n-%p-%u-%%", Some("/k/web1.lan-web1-2222-me-%")),
        ("/k/${VALUE}", Some("/k/100%h")),
        ("/k/a b", Some("/k/a b")),
        ("/k/%L-%l-%i-%k", Some("/k/ctl-ctl.lan-1000-web1")),
        ("/k/%C", Some("/k/6c24e64a7f686eb6becc66641e2103ce446af26b")),
        ("/k/%j", None),
        ("~bob/.ssh/id", None),
        ("/k/${NOT_THERE}", None),
    ] {
        for option in ["identityfile", "certificatefile"] {
            let terms = read(&format!("{option} {printed}"));
            let found = terms.as_ref().map(|terms| match option {
                "identityfile" => paths(&terms.login.identities),
                _ => paths(&terms.login.certificates),
            });
            match opened {
                Some(opened) => assert_eq!(found.unwrap(), [opened], "{option} {printed}"),
                None => assert_eq!(found.unwrap_err(), &format!("{option} {printed}")),
            }
        }
    }
}

#[test]
fn the_agent_is_the_one_that_is_printed() {
    for (printed, socket) in [
        ("", Some("/run/agent")),
        ("identityagent SSH_AUTH_SOCK", Some("/run/agent")),
        ("identityagent $SSH_AUTH_SOCK", Some("/run/agent")),
        ("identityagent $NOT_THERE", None),
        ("identityagent none", None),
        ("identityagent /run/%h/a b", Some("/run/%h/a b")),
    ] {
        let terms = read(printed).unwrap();
        assert_eq!(terms.login.agent, socket.map(PathBuf::from), "{printed}");
    }
    assert!(read("identityagent $a-b").is_err());
}

#[test]
fn the_environment_is_what_ssh_sends() {
    for (printed, sent) in [
        ("sendenv A\nsendenv B", &[("A", "1"), ("B", "2")][..]),
        // One pattern, which nothing is like.
        ("sendenv A B", &[]),
        ("sendenv ?", &[("A", "1"), ("B", "2")]),
        ("sendenv *a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", &[]),
        ("setenv C=x y=z", &[("C", "x y=z")]),
    ] {
        let environment = read(printed).unwrap().environment;
        let pairs = environment.iter().map(|(a, b)| (a.as_str(), b.as_str()));
        assert_eq!(pairs.collect::<Vec<_>>(), sent, "{printed}");
    }
    assert_eq!(
        read("sendenv BYTES").unwrap_err(),
        "sendenv BYTES, whose value is not text"
    );
}
