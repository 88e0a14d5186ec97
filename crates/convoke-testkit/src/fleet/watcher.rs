//! The process that owns the sshd, and outlives us if need be.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use std::os::unix::process::CommandExt as _;

use super::login::Place;
use super::prepare::Prepare;
use super::site::Site;

/// How long the end of everything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often we look.
const PAUSE: Duration = Duration::from_millis(2);

/// The shell script that it is: a process that only waits should be as small as can be.
const SCRIPT: &str = include_str!("watcher.sh");

/// A shell that reads a pipe of ours: when that ends, for whatever reason, so does the fleet.
#[derive(Debug)]
pub(super) struct Watcher {
    child: Child,
}

impl Watcher {
    /// Starts it, and it the sshd.
    pub(super) fn start(site: &Site, place: Place, prepare: &Prepare) -> Watcher {
        fs::write(site.file("prepare"), prepare.steps.join(" &&\n")).unwrap();
        fs::write(site.file("watcher"), SCRIPT).unwrap();
        let mut command = match place {
            Place::Own => Command::new("unshare"),
            Place::Forced => Command::new("/bin/sh"),
        };
        if place == Place::Own {
            command.args(["--mount", "--propagation", "private"]);
            if prepare.network {
                command.arg("--net");
            }
            command.args(["--", "/bin/sh"]);
        }
        let log = fs::File::create(site.file("log")).unwrap();
        let child = command
            .arg(site.file("watcher"))
            .arg(&site.directory)
            .arg(&site.mark)
            .arg(match place {
                Place::Own => "own",
                Place::Forced => "shared",
            })
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            // A key pressed on our terminal is for us; we end it.
            .process_group(0)
            .spawn()
            .unwrap();
        Watcher { child }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Starts the sshd again.
    pub(super) fn begin(&mut self) {
        let stdin = self.child.stdin.as_mut().expect("it is open until the end");
        stdin.write_all(b"sshd\n").unwrap();
    }

    /// Waits until the sshd was started, which is after the namespaces were made.
    pub(super) fn wait_for_start(&mut self, directory: &Path) {
        let started = directory.join("sshd.pid");
        let deadline = Instant::now() + PATIENCE;
        while fs::metadata(&started).map_or(true, |file| file.len() == 0) {
            let ended = self.child.try_wait().unwrap();
            let log = || fs::read_to_string(directory.join("log"));
            assert!(ended.is_none(), "the fleet ended: {ended:?} {:?}", log());
            assert!(Instant::now() < deadline, "no sshd: {:?}", log());
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            if Instant::now() > deadline {
                eprintln!("the watcher of a fleet, {}, does not end", self.child.id());
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }
}
