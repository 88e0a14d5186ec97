//! Hosts that a program leads to: run, expanded, heard and ended as by the system's ssh.

use std::fs;
use std::time::{Duration, Instant};

use convoke_connect::connector::{Connector as _, Ending};
use convoke_connect::error::{Again, ConnectErrorKind as Kind};
use convoke_testkit::fleet::{Fleet, Known};
use convoke_testkit::leak::Leaks;
use tokio::io::AsyncReadExt as _;

use crate::{Client, PATIENCE, end};

/// A way to the host without any ssh, by a shell that knows of networks.
const WAY: &str = r#"bash -c 'exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3; kill $!' 2>/dev/null"#;

fn client(fleet: &Fleet, command: &str) -> Client {
    Client::with(fleet, &[&format!("ProxyCommand={command}")])
}

/// The same by the system's ssh, with what it said.
fn also(client: &Client, host: &str) -> (bool, String) {
    let output = client.ssh(host).arg("true").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}

/// Waits until there is no process that has `word` in its command line.
async fn gone(word: &str) {
    let deadline = Instant::now() + PATIENCE;
    while let Some(found) = running(word) {
        assert!(Instant::now() < deadline, "left behind: {found}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn running(word: &str) -> Option<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut lines = processes.filter_map(|process| {
        let line = fs::read(process.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).into_owned())
    });
    lines.find(|line| line.contains(word))
}

#[tokio::test]
async fn a_program_is_the_way() {
    let fleet = Fleet::start();
    let client = client(&fleet, WAY);
    let said = client.said("h1", "echo in; exit 3").await.unwrap();
    assert_eq!(said, ("in\n".to_owned(), Ending::Exited { code: 3 }));
    assert!(also(&client, "h1").0);
}

#[tokio::test]
async fn an_ssh_may_be_the_program() {
    let (gate, far) = (Fleet::start(), Fleet::start());
    let config = gate.ssh_config();
    let command = format!("ssh -F {} -W %h:%p h1", config.display());
    let client = client(&far, &command);
    client.said("h1", "true").await.unwrap();
    assert_eq!(gate.log().matches("Accepted").count(), 1);
}

#[tokio::test]
async fn tokens_and_shell_are_those_of_ssh() {
    let fleet = Fleet::start();
    let told = fleet.directory().join("told");
    let record = format!(
        "printf '%%s\\n' %h %n %k %p %r \"$0\" $((1+1)) '$x' > {}; exit 1",
        told.display()
    );
    let command = format!("sh -c '{}'", record.replace('\'', r"'\''"));
    let client = client(&fleet, &command);
    client.refused("h1").await;
    let ours = fs::read_to_string(&told).unwrap();
    also(&client, "h1");
    assert_eq!(ours, fs::read_to_string(&told).unwrap());
    let expected = format!("{}\nh1\nh1\n", fleet.address(1));
    assert!(ours.starts_with(&expected), "{ours}");
    // The shell of the user, whatever it is.
    let shell = fleet.directory().join("shell");
    fs::write(&shell, "#!/bin/sh\necho \"$1 $2\" >&2\n").unwrap();
    fs::set_permissions(&shell, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut client = self::client(&fleet, "anything %h");
    let environment = &mut client.surroundings.environment;
    environment.retain(|(name, _)| name != "SHELL");
    environment.push(("SHELL".into(), shell.into()));
    let error = client.refused("h1").await;
    let said = format!("-c exec anything {}", fleet.address(1));
    assert!(error.text.ends_with(&said), "{error}");
    assert!(also(&client, "h1").1.contains(&said));
}

#[tokio::test]
async fn what_a_failing_program_says_is_the_cause() {
    let fleet = Fleet::start();
    let refused = "ssh: connect to host gate port 22: Connection refused";
    for (command, kind, again, words) in [
        (
            "sh -c 'echo no way >&2; exit 1'",
            Kind::Closed,
            Again::Pointless,
            "ended: no way",
        ),
        (
            "false",
            Kind::Closed,
            Again::Pointless,
            "closed by UNKNOWN port 65535",
        ),
        (
            "no-such-program",
            Kind::Closed,
            Again::Pointless,
            "not found",
        ),
        (
            &format!("sh -c 'echo {refused} >&2'"),
            Kind::Refused,
            Again::MayHelp,
            refused,
        ),
        (
            "sh -c 'echo SSH-2.0-x; echo broke down >&2'",
            Kind::Closed,
            Again::Pointless,
            "broke down",
        ),
        (
            "echo SSH-1.5-x",
            Kind::Closed,
            Again::Pointless,
            "UNKNOWN port 65535 is not an SSH 2 server",
        ),
        // Its stderr is held by something that it left behind.
        (
            "sh -c 'sleep 5 >/dev/null & echo last >&2'",
            Kind::Closed,
            Again::Pointless,
            "ended: last",
        ),
    ] {
        let client = client(&fleet, command);
        let error = client.refused("h1").await;
        assert_eq!(
            (error.kind, error.again),
            (kind, again),
            "{command}: {error}"
        );
        assert!(error.text.contains(words), "{command}: {error}");
    }
}

#[tokio::test]
async fn what_a_program_says_is_noise_while_it_works() {
    let fleet = Fleet::start();
    // More than a pipe holds.
    let loud = "head -c 100000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last >&2";
    let command = format!(r#"bash -c "{loud}; exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3""#);
    let client = client(&fleet, &command);
    let mut pipes = client.open("h1", "echo out; echo err >&2").await.unwrap();
    let mut out = String::new();
    pipes.reader.read_to_string(&mut out).await.unwrap();
    assert_eq!(out, "out\n");
    let mut noise = vec![0; 8 * 1024 + 4];
    pipes.stderr.read_exact(&mut noise).await.unwrap();
    let noise = String::from_utf8(noise).unwrap();
    assert!(noise.ends_with("x\nlast\nerr\n"), "{noise}");
    assert_eq!(end(pipes).await, Ending::Exited { code: 0 });
}

#[tokio::test]
async fn a_program_that_says_nothing_is_given_up_in_time() {
    let fleet = Fleet::start();
    let leaks = Leaks::begin();
    let options = [
        "ConnectTimeout=1",
        "ProxyCommand=sh -c 'echo hm >&2; exec sleep 4243'",
    ];
    let client = Client::with(&fleet, &options);
    let error = client.refused("h1").await;
    assert_eq!((error.kind, error.again), (Kind::Timeout, Again::Pointless));
    assert_eq!(
        error.text,
        "Connection timed out during banner exchange (hm)"
    );
    assert!(
        also(&client, "h1")
            .1
            .contains("Connection timed out during banner exchange")
    );
    drop(client);
    leaks.end().await;
}

#[tokio::test]
async fn a_program_is_ended_with_its_connection_and_all_of_its_group() {
    let fleet = Fleet::start();
    let mark = format!("ended-{}", fleet.port());
    let stubborn = format!("trap \"\" TERM HUP; : {mark}; sleep 4244 & while :; do sleep 1; done");
    let way = WAY.replace("exec 3", &format!(": {mark}; exec 3"));
    let leaks = Leaks::begin();
    // Given up before it has led anywhere; dropped while it works; closed in order.
    let client = self::client(&fleet, &format!("sh -c '{stubborn}'"));
    let opening = tokio::time::timeout(Duration::from_millis(500), client.open("h1", "true"));
    assert!(opening.await.is_err());
    gone(&mark).await;
    let client = self::client(&fleet, &way);
    let pipes = client.open("h1", "exec sleep 4242").await.unwrap();
    assert!(running(&mark).is_some());
    drop(pipes);
    gone(&mark).await;
    let pipes = client.open("h1", "exec cat").await.unwrap();
    assert_eq!(end(pipes).await, Ending::Exited { code: 0 });
    gone(&mark).await;
    leaks.end().await;
}

#[tokio::test]
async fn a_host_that_the_ssh_of_a_program_does_not_know_is_not_taken_for_the_one_behind_it() {
    let (gate, far) = (
        Fleet::builder().known(Known::Unknown).start(),
        Fleet::start(),
    );
    let runs = far.directory().join("runs");
    let config = gate.ssh_config();
    let command = format!(
        "sh -c 'echo >> {}; exec ssh -F {} -W %h:%p h1'",
        runs.display(),
        config.display()
    );
    let client = client(&far, &command);
    let error = client.refused("h1").await;
    assert_eq!(error.kind, Kind::HostKeyUnknown, "{error}");
    let words = "through the ProxyCommand: the host key is not known";
    assert!(error.text.starts_with(words), "{error}");
    let name = format!(
        "host key is known for [{}]:{}",
        gate.address(1),
        gate.port()
    );
    assert!(error.text.contains(&name), "{error}");
    assert_eq!(fs::read_to_string(runs).unwrap().lines().count(), 1);
}

/// Begins a way by a program that ignores everything but KILL and has a child, and gives it up once both
/// are there; they have the mark.
async fn give_up(client: &Client, mark: &str) {
    let opening = client.open("h1", "true");
    tokio::select! {
        _ = opening => panic!("it leads somewhere"),
        () = async {
            while running(&format!("{mark}-child")).is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        } => {}
    }
}

fn stubborn(mark: &str) -> String {
    let child = format!(r#"sh -c "trap '' TERM; while :; do sleep 1; done" {mark}-child"#);
    format!("trap '' TERM HUP; : {mark}; {child} & while :; do sleep 1; done")
}

fn stubbornly(fleet: &Fleet, mark: &str) -> Client {
    let script = fleet.directory().join("stubborn");
    fs::write(&script, stubborn(mark)).unwrap();
    client(fleet, &format!("sh {} {mark}", script.display()))
}

#[tokio::test]
async fn no_program_outlives_the_run() {
    let fleet = Fleet::start();
    let mark = format!("outlives-{}", fleet.port());
    let client = stubbornly(&fleet, &mark);
    give_up(&client, &mark).await;
    assert!(running(&mark).is_some());
    client.native.end();
    gone(&mark).await;
    // None is started any more.
    let error = client.refused("h1").await;
    assert_eq!(error.kind, Kind::Spawn, "{error}");
}

#[test]
fn no_program_outlives_the_runtime() {
    let fleet = Fleet::start();
    let mark = format!("runtime-{}", fleet.port());
    let client = stubbornly(&fleet, &mark);
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let brief = runtime();
    brief.block_on(give_up(&client, &mark));
    brief.shutdown_background();
    runtime().block_on(gone(&mark));
}

#[tokio::test]
async fn a_hop_may_be_reached_by_a_program() {
    let (gate, far) = (Fleet::start(), Fleet::start());
    let config = gate.directory().join("map");
    let text = |fleet: &Fleet, more: &str| {
        let text = fs::read_to_string(fleet.ssh_config()).unwrap();
        let common = text.split("Host *\n").nth(1).unwrap();
        format!("{more}{common}")
    };
    let way = format!("  HostName {}\n  ProxyCommand {WAY}\n", gate.address(1));
    let gate_text = text(&gate, &format!("Host gate\n{way}"));
    let far_text = text(
        &far,
        &format!(
            "Host far\n  ProxyJump gate\n  HostName {}\n",
            far.address(1)
        ),
    );
    fs::write(&config, format!("{gate_text}{far_text}")).unwrap();
    let client = Client::by(config.clone(), &[]);
    client.said("far", "true").await.unwrap();
    client.said("far", "true").await.unwrap();
    assert_eq!(gate.log().matches("Accepted").count(), 1);
    fs::write(
        &config,
        format!("{gate_text}{far_text}").replace(WAY, "sh -c 'echo no way >&2'"),
    )
    .unwrap();
    let error = Client::by(config, &[]).refused("far").await;
    let expected = "through gate: the ProxyCommand or ProxyJump ended: no way";
    assert_eq!(error.text, expected);
}
