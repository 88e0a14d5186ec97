//! Waiting until the sshd of a fleet, and no other, answers.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::site::Site;

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often we look.
const PAUSE: Duration = Duration::from_millis(5);

/// How long a listener may take to say who it is.
const BANNER: Duration = Duration::from_secs(5);

/// Longer than a banner may be, in bytes.
const LONG: u64 = 1024;

/// Waits; returns whether it answers, which it does not when somebody else has the port.
///
/// # Panics
/// When nobody answers in time, with its log.
pub(super) fn wait(site: &Site) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let does_answer = answers(site);
        // What failed before the sshd began is in its log by now, also when that answers at once.
        let log = fs::read_to_string(site.file("log")).unwrap_or_default();
        assert!(!log.contains("prepare failed"), "{log}");
        if does_answer {
            return true;
        }
        if log.contains("Cannot bind any address") {
            return false;
        }
        assert!(Instant::now() < deadline, "the sshd does not answer: {log}");
        std::thread::sleep(PAUSE);
    }
}

/// Whether the fleet's own sshd says its banner.
fn answers(site: &Site) -> bool {
    let address = SocketAddr::from((site.range.address(1), site.port));
    let Ok(stream) = TcpStream::connect_timeout(&address, BANNER) else {
        return false;
    };
    stream.set_read_timeout(Some(BANNER)).unwrap();
    let mut banner = String::new();
    let read = BufReader::new(stream.take(LONG)).read_line(&mut banner);
    read.is_ok() && banner.contains(&format!("fleet-{}", site.mark))
}
