//! How long a thousand hosts take.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use convoke_connect::ssh::SshOptions;
use convoke_connect::ssh::config::{Destination, Disk, Parsed, Purpose, Resolution};
use convoke_connect::surroundings::Surroundings;

use crate::oracle::installed;

#[test]
fn a_thousand_hosts_are_told() {
    let Some(installed) = installed() else { return };
    let mut text = String::new();
    for group in 0..50 {
        let _ = write!(
            text,
            "Host g{group}-* !g{group}-bad\n  User u{group}\n  Port 22{group:02}\n  \
             IdentityFile ~/.ssh/id_{group}\n  HostName %h.example.org\n\n"
        );
    }
    text.push_str("Match user u7 host *.example.org\n  Compression no\n");
    text.push_str("Host *\n  SendEnv LANG LC_*\n  HashKnownHosts yes\n  ServerAliveInterval 30\n");
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config");
    std::fs::write(&config, text).unwrap();
    let options = SshOptions {
        config: Some(config),
        ..SshOptions::default()
    };
    let surroundings = Surroundings::of_this_process();
    let began = Instant::now();
    let parsed = Parsed::read(installed.clone(), &options, &surroundings, &Disk).unwrap();
    let read = began.elapsed();
    let began = Instant::now();
    for number in 0..1000 {
        let destination = Destination {
            host: format!("g{}-web{number}", number % 50),
            user: None,
            port: None,
        };
        let resolution = parsed.resolve(&destination, &Purpose::Command);
        assert!(matches!(resolution, Resolution::Told(_)), "{resolution:?}");
    }
    let took = began.elapsed();
    eprintln!("read in {read:?}, 1,000 hosts in {took:?}");
    // Far more than it takes, and far less than a thousand runs of ssh.
    assert!(took < Duration::from_millis(1500), "{took:?}");
}

#[test]
fn many_blocks_of_names_cost_nothing_where_they_are_for_others() {
    let Some(installed) = installed() else { return };
    let mut text = String::new();
    for number in 0..5000 {
        let _ = write!(text, "Host web{number}\n  HostName 10.0.0.7\n  User u\n");
    }
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config");
    std::fs::write(&config, text).unwrap();
    let options = SshOptions {
        config: Some(config),
        ..SshOptions::default()
    };
    let surroundings = Surroundings::of_this_process();
    let parsed = Parsed::read(installed.clone(), &options, &surroundings, &Disk).unwrap();
    let began = Instant::now();
    for number in 0..1000 {
        let destination = Destination {
            host: format!("web{}", 5 * number),
            user: None,
            port: None,
        };
        let Resolution::Told(settings) = parsed.resolve(&destination, &Purpose::Command) else {
            panic!("{} is not told", destination.host);
        };
        assert_eq!(settings.get("hostname"), Some("10.0.0.7"));
    }
    let took = began.elapsed();
    eprintln!("1,000 hosts among 5,000 blocks in {took:?}");
    assert!(took < Duration::from_millis(1500), "{took:?}");
}
