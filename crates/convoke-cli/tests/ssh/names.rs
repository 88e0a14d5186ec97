//! What a host, a user or a port may be called: anything else is refused before anything is started.

use std::fs;

use convoke_testkit::fleet::Fleet;

use crate::connector;
use crate::live::Live;
use crate::operator::Operator;

/// Writes down that it was called, and does what `ssh` does.
const RECORDING: &str = "printf '%s\\n' \"$*\" >> \"$HOME/calls\"; exec /usr/bin/ssh \"$@\"";

fn calls(operator: &Operator) -> String {
    fs::read_to_string(operator.path("calls")).unwrap_or_default()
}

#[test]
fn dangerous_names_are_refused_before_anything_is_started() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    operator.program("ssh", RECORDING);
    let listed = operator.file("listed", "h1\n-oProxyCommand=touch${IFS}here\n");
    let listed = format!("^{listed}");
    for name in [
        "-oProxyCommand=touch here",
        "h1,-oProxyCommand=touch",
        "-h1",
        "user@-h1",
        "-user@h1",
        "h1:-22",
        "h1;touch here",
        "$(touch here)",
        "`touch here`",
        "h1|touch",
        "h1>here",
        "h1'",
        "h1\"",
        "h1\\",
        "h1~",
        "h1\u{7}",
        "h1\n-oX",
        "ssh://-oProxyCommand=touch",
        "ssh://-h1:22",
        "ssh://root@-h1",
        "ssh://-l@h1",
        "ssh://%2Doption@h1",
        "ssh://a%20b@h1",
        "ssh://a%3Btouch@h1",
        "ssh:-h1",
        "openssh:-h1",
        "[::1;touch]:22",
        "[::1%-o]:22",
        "h1:0",
        "h1:65536",
        &listed,
    ] {
        let ran = operator.run(&fleet, ["--", name, "true"]);
        assert_eq!((ran.code, ran.text()), (Some(2), ""), "{name:?}");
        assert!(ran.stderr.starts_with("error: "), "{name:?}");
        let ran = Live::start(operator.convoke(["hosts", "--check", "--", name])).finish();
        assert_eq!(ran.code, Some(2), "{name:?}");
    }
    assert_eq!(calls(&operator), "");
    assert!(!operator.path("here").exists());
    operator.end(&fleet);
}

#[test]
fn a_dangerous_login_name_is_refused_as_well() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    operator.program("ssh", RECORDING);
    for user in ["-oProxyCommand=touch", "a b", "a;touch", "$(x)", "", "a\\"] {
        let ran = operator.run(&fleet, [&format!("--user={user}"), "h1", "true"]);
        assert_eq!((ran.code, ran.text()), (Some(2), ""), "{user:?}");
        assert!(ran.stderr.starts_with("error: -l: the user "), "{user:?}");
    }
    assert_eq!(calls(&operator), "");
    operator.end(&fleet);
}

#[test]
fn what_is_asked_of_ssh_arrives() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let (identity, port) = (fleet.identity(), fleet.port().to_string());
    let known = format!("UserKnownHostsFile={}", fleet.known_hosts().display());
    let (address, account) = (fleet.address(7).to_string(), fleet.account().to_owned());
    let reach = |user: &str, rest: &[&str]| {
        let mut command = operator.convoke(["run", "-F", "/dev/null", "-l", user, "-p", &port]);
        command
            .arg("-i")
            .arg(&identity)
            .args(["-o", &known, "-o", "IdentityAgent=none"]);
        command.args(rest).args(["--sh", "echo $SSH_CONNECTION"]);
        Live::start(command).finish()
    };
    let ran = reach(&account, &[&address]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.text().ends_with(&format!(" {address} {port}\n")),
        "{}",
        ran.text()
    );
    let ran = reach("nobody-here", &[&address]);
    assert_eq!(ran.code, Some(3));
    let told =
        format!("{address}: unreachable (authentication): permission denied to nobody-here@");
    assert!(ran.stderr.starts_with(&told));
    // What is written with the host wins.
    let other = format!("{account}@{address}:{port}");
    for host in [format!("ssh://{other}"), other] {
        let ran = reach("nobody-here", &["-p", "1", &host][2..]);
        assert_eq!(ran.code, Some(0), "{host}");
    }
    // What ssh does not know is a mistake of ours, in its own words.
    let ran = reach(&account, &["-o", "Bogus=yes", &address]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("unreachable (configuration): "),
        "{}",
        ran.stderr
    );
    operator.end(&fleet);
}

#[test]
fn a_host_is_written_in_many_ways() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let (port, account) = (fleet.port(), fleet.account());
    let key = fs::read_to_string(fleet.directory().join("host_ed25519.pub")).unwrap();
    let known = operator.file("known", format!("* {key}"));
    let known = format!("UserKnownHostsFile={known}");
    let address = fleet.address(3);
    for host in [
        format!("ssh://{account}@{address}:{port}"),
        format!("ssh://{address}"),
        format!("{account}@{address}:{port}"),
        format!("{address}:{port}"),
        "ssh:h3".to_owned(),
        "openssh:h3".to_owned(),
        format!("[::1]:{port}"),
        format!("{account}@[::1]:{port}"),
        format!("ssh://{account}@[::1]:{port}"),
        "ssh://localhost".to_owned(),
        format!("localhost:{port}"),
    ] {
        if host.contains("::1")
            && fs::read_to_string("/proc/net/if_inet6").unwrap_or_default() == ""
        {
            eprintln!("skipped 1: {host}: this machine has no IPv6");
            continue;
        }
        let ran = operator.run(&fleet, ["-o", &known, "-v", &host, "echo", "hi"]);
        assert_eq!((ran.code, ran.text()), (Some(0), "hi\n"), "{host}");
        let connector = match host.starts_with("openssh:") {
            true => "openssh",
            false => connector(),
        };
        let connected = format!("connected by {connector} in ");
        assert!(ran.stderr.contains(&connected), "{host}");
        assert!(!ran.stderr.contains("debug1"), "{host}");
    }
    operator.end(&fleet);
}

#[test]
fn the_zone_of_an_address_arrives() {
    let operator = Operator::new();
    let stub = "case $* in *-G*) exec /usr/bin/ssh \"$@\";; esac; echo \"$*\" >> \"$HOME/calls\"; exit 255";
    operator.program("ssh", stub);
    for host in ["[fe80::1%lo]:2222", "fe80::1%lo", "ssh://me@[fe80::1%lo]"] {
        let ran =
            Live::start(operator.convoke(["run", "-o", "ForwardAgent=yes", host, "true"])).finish();
        assert_eq!(ran.code, Some(3), "{host}");
    }
    let calls = calls(&operator);
    assert_eq!(
        calls.matches(" -- fe80::1%lo exec /bin/sh -c ").count(),
        3,
        "{calls}"
    );
    assert!(
        calls.lines().next().unwrap().contains(" -p 2222 "),
        "{calls}"
    );
    operator.is_left();
}

#[test]
fn localhost_is_this_machine_unless_ssh_is_asked_for() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    for (name, url) in [
        ("localhost", "ssh://localhost"),
        ("127.0.0.1", "ssh://127.0.0.1"),
        ("::1", "ssh://[::1]"),
    ] {
        let ran = Live::start(operator.convoke(["run", "-v", name, "echo", "hi"])).finish();
        assert_eq!((ran.code, ran.text()), (Some(0), "hi\n"), "{name}");
        let told =
            format!("{name} is this machine, so it is reached without ssh; {url} forces ssh");
        assert!(ran.stderr.contains(&told), "{name}");
    }
    let (config, user) = (fleet.ssh_config(), ["-l", "root"]);
    let config = ["-F", config.to_str().unwrap()];
    for words in [
        &["ssh://localhost"][..],
        &["localhost:22"],
        &["root@localhost"],
        &[user[0], user[1], "localhost"],
        &[config[0], config[1], "localhost"],
    ] {
        let all = [&["run", "-v"], words, &["true"]].concat();
        let ran = Live::start(operator.convoke(all)).finish();
        assert!(!ran.stderr.contains("is this machine"), "{words:?}");
        assert!(!ran.stderr.contains("connected by local"), "{words:?}");
    }
    operator.end(&fleet);
}
