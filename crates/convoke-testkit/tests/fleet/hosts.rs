//! Addresses, names, limits.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use convoke_testkit::fleet::Fleet;

use crate::{run, said};

/// How long a start may take on a busy machine; it takes 100 ms on an idle one.
const START: Duration = Duration::from_secs(5);

#[test]
fn a_fleet_starts_at_once() {
    let begin = Instant::now();
    let fleet = Fleet::start();
    let took = begin.elapsed();
    println!("started in {took:?}");
    assert!(took < START, "{took:?}");
    assert_eq!(said(fleet.ssh("h1").arg("echo there")), "there\n");
}

#[test]
fn a_hundred_addresses_answer() {
    let fleet = Fleet::builder().hosts(100).start();
    let hosts = (1..=100).map(|n| fleet.address(n).to_string());
    let asked: Vec<_> = hosts.collect();
    for some in asked.chunks(10) {
        let clients: Vec<_> = some
            .iter()
            .map(|host| {
                let mut ssh = fleet.ssh(host);
                ssh.arg("echo $SSH_CONNECTION")
                    .stdin(std::process::Stdio::null());
                ssh.stdout(std::process::Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for (host, client) in some.iter().zip(clients) {
            let output = client.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let server = format!("{host} {}", fleet.port());
            assert!(text.trim_end().ends_with(&server), "{host}: {text:?}");
        }
    }
}

#[test]
fn names_stand_for_addresses() {
    let fleet = Fleet::builder().hosts(3).start();
    assert_eq!(fleet.names(3), ["h1", "h2", "h3"]);
    let text = said(fleet.ssh("h3").arg("echo $SSH_CONNECTION"));
    assert!(text.contains(&fleet.address(3).to_string()), "{text}");
}

#[test]
fn the_ipv6_loopback_answers() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("skipped 1: this machine has no ::1");
        return;
    }
    let fleet = Fleet::start();
    assert_eq!(said(fleet.ssh("::1").arg("echo six")), "six\n");
}

#[test]
fn two_fleets_run_beside_each_other() {
    let fleets = [Fleet::start(), Fleet::start()];
    assert_ne!(fleets[0].port(), fleets[1].port());
    for fleet in &fleets {
        assert_eq!(said(fleet.ssh("h1").arg("echo $CONVOKE_FLEET")).len(), 17);
    }
    let [first, second] = &fleets;
    let mut stranger = first.ssh(&second.address(1).to_string());
    stranger.args(["-p", &second.port().to_string(), "true"]);
    assert!(!run(&mut stranger).status.success());
}

#[test]
fn an_option_wins_over_the_fleets_own() {
    let fleet = Fleet::builder().max_sessions(0).start();
    let refused = run(fleet.ssh("h1").arg("true"));
    let stderr = String::from_utf8_lossy(&refused.stderr);
    assert!(stderr.contains("open failed"), "{stderr}");
}

#[test]
fn a_server_that_is_full_turns_others_away() {
    let fleet = Fleet::builder().max_startups("1:100:1").start();
    // Whoever is let in keeps the place by saying nothing; the others are told that it is full. Whoever
    // asked whether the server is there may still have the place for a moment.
    let ask = || {
        let mut said = [0];
        let mut stream = TcpStream::connect((fleet.address(1), fleet.port())).unwrap();
        stream
            .read_exact(&mut said)
            .is_ok_and(|()| said == *b"S")
            .then_some(stream)
    };
    let deadline = Instant::now() + START;
    let guest = loop {
        match ask() {
            Some(guest) => break guest,
            None => assert!(Instant::now() < deadline, "{}", fleet.log()),
        }
    };
    assert!(ask().is_none(), "{}", fleet.log());
    drop(guest);
}

#[test]
fn the_environment_reaches_the_sessions() {
    let fleet = Fleet::builder().environment("FRUIT", "red apple").start();
    assert_eq!(said(fleet.ssh("h1").arg("echo \"$FRUIT\"")), "red apple\n");
}

#[test]
fn an_alias_leads_to_another_address() {
    let fleet = Fleet::start();
    fleet.alias("web", (fleet.address(9), fleet.port()).into());
    let text = said(fleet.ssh("web").arg("echo $SSH_CONNECTION"));
    assert!(text.contains(&fleet.address(9).to_string()), "{text}");
}

#[test]
fn files_are_copied_by_sftp() {
    let fleet = Fleet::start();
    std::fs::write(fleet.directory().join("sent"), "text").unwrap();
    let mut scp = std::process::Command::new("scp");
    scp.arg("-sqF").arg(fleet.ssh_config());
    scp.arg(fleet.directory().join("sent")).arg("h1:came");
    assert!(run(&mut scp).status.success());
    let came = std::fs::read_to_string(fleet.home(1).join("came"));
    assert_eq!(came.unwrap(), "text");
}
