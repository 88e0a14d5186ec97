//! Which files are read, from a file system in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use convoke_connect::ssh::SshOptions;
use convoke_connect::ssh::config::{
    Content, Destination, FileSystem, Installed, Link, Parsed, Purpose, Resolution,
};
use convoke_connect::ssh::settings::Settings;
use convoke_connect::surroundings::Surroundings;

const PLAIN: &str = "\
port 22
user ann
stdinnull no
compression no
identityfile ~/.ssh/id_rsa
hashknownhosts no
globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2
userknownhostsfile /home/ann/.ssh/known_hosts";

const MARKED: &str = "\
serveraliveinterval 300
loglevel SILENT
hostkeyalgorithms ssh-ed25519
casignaturealgorithms ssh-ed25519
controlpath /ann|1000|ctl|0|/home/ann";

#[derive(Default)]
struct Memory {
    files: BTreeMap<PathBuf, (&'static str, u32, u32)>,
    read: RefCell<Vec<PathBuf>>,
}

impl Memory {
    fn with(files: &[(&str, &'static str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| (path.into(), (*text, 1000, 0o600)));
        Memory {
            files: files.collect(),
            ..Memory::default()
        }
    }

    fn settings(&self, host: &str) -> Resolution {
        let installed = Installed::parse(PLAIN, MARKED).unwrap();
        let surroundings = Surroundings {
            environment: vec![("HOME".into(), "/other".into())],
            home: Some("/other".into()),
            host_name: "ctl".into(),
            temporary: "/tmp".into(),
        };
        let parsed = Parsed::read(installed, &SshOptions::default(), &surroundings, self);
        match parsed {
            Ok(parsed) => parsed.resolve(
                &Destination {
                    host: host.into(),
                    user: None,
                    port: None,
                },
                &Purpose::Command,
            ),
            Err(unread) => Resolution::Ask(unread.why),
        }
    }

    fn told(&self, host: &str) -> Settings {
        match self.settings(host) {
            Resolution::Told(settings) => settings,
            Resolution::Ask(why) => panic!("{why}"),
        }
    }
}

impl FileSystem for Memory {
    fn read(&self, path: &Path) -> io::Result<Content> {
        self.read.borrow_mut().push(path.to_owned());
        let found = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Content {
            bytes: found.0.into(),
            owner: found.1,
            mode: found.2,
        })
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let inside = self
            .files
            .keys()
            .filter(|path| path.parent() == Some(directory));
        Ok(inside
            .map(|path| path.file_name().unwrap().to_owned())
            .collect())
    }

    fn exists(&self, path: &Path, _: Link) -> bool {
        self.files.contains_key(path)
    }
}

#[test]
fn the_users_file_comes_before_the_systems() {
    let memory = Memory::with(&[
        ("/home/ann/.ssh/config", "Port 1\nIdentityFile a\n"),
        (
            "/etc/ssh/ssh_config",
            "Port 2\nCompression yes\nIdentityFile a\n",
        ),
    ]);
    let settings = memory.told("web1");
    assert_eq!(settings.get("port"), Some("1"));
    assert_eq!(settings.get("compression"), Some("yes"));
    // ssh keeps equal names apart when the user and the system gave them.
    assert_eq!(settings.all("identityfile"), ["a", "a"]);
    assert_eq!(Memory::default().told("web1").get("user"), Some("ann"));
}

#[test]
fn relative_includes_are_the_users_or_the_systems() {
    let memory = Memory::with(&[
        ("/home/ann/.ssh/config", "Include a*\n"),
        ("/other/.ssh/a2", "Port 2\n"),
        ("/other/.ssh/a1", "Port 1\n"),
        ("/other/.ssh/.a0", "Port 9\n"),
        ("/etc/ssh/ssh_config", "Include d/*.conf\n"),
        ("/etc/ssh/d/x.conf", "Compression yes\n"),
    ]);
    let settings = memory.told("web1");
    assert_eq!(settings.get("port"), Some("1"));
    assert_eq!(settings.get("compression"), Some("yes"));
}

#[test]
fn a_file_that_others_may_write_is_left_to_ssh() {
    for (owner, mode) in [(1000, 0o620), (1000, 0o602), (1001, 0o600)] {
        let mut memory = Memory::with(&[("/home/ann/.ssh/config", "Port 1\n")]);
        for file in memory.files.values_mut() {
            (file.1, file.2) = (owner, mode);
        }
        assert!(matches!(memory.settings("web1"), Resolution::Ask(_)));
    }
}

#[test]
fn the_system_may_not_include_what_begins_with_a_tilde() {
    let memory = Memory::with(&[("/etc/ssh/ssh_config", "Include ~/x\n")]);
    assert!(matches!(memory.settings("web1"), Resolution::Ask(_)));
}

#[test]
fn an_older_ssh_is_not_told_for() {
    assert!(Installed::parse(&PLAIN.replace("stdinnull no\n", ""), MARKED).is_none());
    assert!(Installed::parse(PLAIN, "").is_none());
}
