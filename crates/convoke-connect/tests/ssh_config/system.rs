//! Generated files of the user and the system together, in a mount namespace of their own.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use convoke_connect::ssh::SshOptions;
use convoke_connect::ssh::config::{
    Content, Destination, Disk, FileSystem, Installed, LISTS, Link, MARKED, PLAIN, Parsed, Purpose,
    Resolution,
};
use convoke_connect::ssh::settings::Settings;
use convoke_connect::surroundings::Surroundings;

use crate::generated::file;
use crate::oracle::differences;
use crate::values::HOSTS;

const SOME: u32 = 60;
const MANY: u32 = 2_000;

/// Puts our directories in the place of the system's and the account's, then runs ssh.
const SCRIPT: &str =
    "mount --bind \"$1\" /etc/ssh && mount --bind \"$2\" /root && shift 2 && exec ssh \"$@\"";

/// The directories, as ssh sees them and as we do.
struct Places {
    directory: tempfile::TempDir,
}

impl Places {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["etc/d", "home/.ssh/d"] {
            fs::create_dir_all(directory.path().join(name)).unwrap();
        }
        Places { directory }
    }

    fn ssh(&self, arguments: &[&str]) -> Output {
        let mut unshare = Command::new("unshare");
        unshare.args(["-rm", "sh", "-c", SCRIPT, "sh"]);
        unshare.arg(self.directory.path().join("etc"));
        unshare.arg(self.directory.path().join("home"));
        unshare
            .args(arguments)
            .env("HOME", "/root")
            .stdin(Stdio::null());
        unshare.output().unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn seen(&self, path: &Path) -> PathBuf {
        for (theirs, ours) in [("/etc/ssh", "etc"), ("/root", "home")] {
            if let Ok(rest) = path.strip_prefix(theirs) {
                return self.directory.path().join(ours).join(rest);
            }
        }
        path.to_owned()
    }
}

impl FileSystem for Places {
    fn read(&self, path: &Path) -> io::Result<Content> {
        // Whoever we are is root in there.
        let content = Disk.read(&self.seen(path))?;
        Ok(Content {
            owner: 0,
            ..content
        })
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        Disk.names(&self.seen(directory))
    }

    fn exists(&self, path: &Path, link: Link) -> bool {
        Disk.exists(&self.seen(path), link)
    }
}

fn installed(places: &Places) -> Option<Installed> {
    let text = |arguments: &[&str]| {
        let output = places.ssh(arguments);
        String::from_utf8(output.stdout).unwrap()
    };
    let mut installed = Installed::parse(&text(&PLAIN), &text(&MARKED))?;
    for (list, option) in LISTS {
        installed.list(option, &text(&["-Q", list]));
    }
    Some(installed)
}

#[test]
fn generated_files_of_user_and_system_mean_what_ssh_makes_of_them() {
    let Some(installed) = installed(&Places::new()) else {
        eprintln!("skipped: 1 (no ssh, or no namespaces to put files in its places)");
        return;
    };
    let cases = match std::env::var_os("CONVOKE_TEST_FULL") {
        Some(_) => MANY,
        None => SOME,
    };
    let (equal, asked) = (Cell::new(0), Cell::new(0));
    let files = (file(1, 12), file(0, 6), file(1, 12), file(0, 6));
    let case = (files, proptest::sample::select(HOSTS));
    let mut runner = TestRunner::new(Config {
        cases,
        max_shrink_iters: 1024,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&case, |((user, included, system, below), host)| {
        let places = Places::new();
        let anchored =
            |text: &str, directory: &str| text.replace("@DIR@", directory).replace("conf.d", "d");
        places.write("home/.ssh/config", &anchored(&user, "/root/.ssh"));
        places.write("home/.ssh/d/a.conf", &anchored(&included, "/root/.ssh"));
        places.write("etc/ssh_config", &anchored(&system, "/etc/ssh"));
        places.write("etc/d/b.conf", &anchored(&below, "/etc/ssh"));
        let mut surroundings = Surroundings::of_this_process();
        surroundings.environment.retain(|(name, _)| name != "HOME");
        surroundings
            .environment
            .push(("HOME".into(), "/root".into()));
        let options = SshOptions::default();
        let ours = match Parsed::read(installed.clone(), &options, &surroundings, &places) {
            Ok(parsed) => parsed.resolve(
                &Destination {
                    host: host.into(),
                    user: None,
                    port: None,
                },
                &Purpose::Command,
            ),
            Err(unread) => Resolution::Ask(unread.why),
        };
        let mut theirs = places.ssh(&["-G", "--", host, "exit"]);
        let said = String::from_utf8_lossy(&theirs.stderr);
        if said.contains("command-line and remote command") {
            theirs = places.ssh(&["-G", "--", host]);
        }
        let Resolution::Told(ours) = ours else {
            asked.set(asked.get() + 1);
            return Ok(());
        };
        let said = String::from_utf8_lossy(&theirs.stderr).into_owned();
        prop_assert!(theirs.status.success(), "ssh refuses: {}", said);
        let theirs = Settings::parse(std::str::from_utf8(&theirs.stdout).unwrap());
        let differences = differences(&ours, &theirs);
        prop_assert!(differences.is_empty(), "{}", differences);
        equal.set(equal.get() + 1);
        Ok(())
    });
    eprintln!("{:6} equal\n{:6} left to ssh", equal.get(), asked.get());
    if let Err(TestError::Fail(how, case)) = outcome {
        panic!("{how}\n{case:#?}");
    }
    assert!(equal.get() > asked.get());
}
