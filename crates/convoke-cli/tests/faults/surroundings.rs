//! Environments that lack what everybody has, and standard descriptors that are closed.

use std::fs;
use std::process::Command;

use crate::live::Live;
use crate::place::Place;

const PWD: [&str; 4] = ["run", "local:a", "--", "pwd"];

/// The login home of the account that runs this.
fn login_home() -> String {
    let home = Command::new("sh")
        .args(["-c", "getent passwd $(id -u) | cut -d: -f6"])
        .output();
    String::from_utf8(home.unwrap().stdout).unwrap()
}

#[test]
fn without_home_the_next_place_and_the_accounts_home_are_used() {
    let place = Place::new();
    let mut command = place.convoke(PWD);
    command.env_remove("HOME");
    let ran = Live::start(command).finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(String::from_utf8_lossy(&ran.stdout), login_home());
    assert!(place.path("runtime/convoke").is_dir());
    place.end();
}

#[test]
fn a_home_that_does_not_exist_is_not_made() {
    let place = Place::new();
    let home = place.work("nowhere");
    let mut command = place.convoke(PWD);
    command.env("HOME", &home);
    let ran = Live::start(command).finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        ran.stdout, b"/\n",
        "the root stands for a home that cannot be entered"
    );
    assert!(!home.exists());
    place.end();
}

#[test]
fn without_path_programs_are_found_where_the_system_keeps_them() {
    let place = Place::new();
    let mut command = place.convoke(["run", "local:a", "--", "env"]);
    command.env_remove("PATH");
    let ran = Live::start(command).finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let said = String::from_utf8(ran.stdout).unwrap();
    assert!(
        !said.lines().any(|line| line.starts_with("PATH=")),
        "{said}"
    );
    place.end();
}

/// In name spaces of its own: without an environment the agent goes to `/var/tmp`, and no process of it
/// could be told from others by a mark.
#[test]
fn an_empty_environment_is_enough() {
    let place = Place::new();
    let script = "set -e; mount -t tmpfs -o mode=1777 none /var/tmp; set +e
        env -i \"$@\"; code=$?
        for try in $(seq 1000); do
            left=$(ls -d /proc/[0-9]*/exe | xargs -n 1 readlink | grep -c /convoke-) || break
        done
        echo $left left
        ls /var/tmp/convoke-*
        exit $code";
    let before = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ];
    let before = before.into_iter().chain(["/bin/sh", "-c", script, "sh"]);
    let ran = Live::start(place.behind(before, ["run", "local:a", "--", "env"])).finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let said = String::from_utf8(ran.stdout).unwrap();
    let lines: Vec<&str> = said.lines().collect();
    let begins = |with: &str| lines.iter().filter(|line| line.starts_with(with)).count();
    assert_eq!(begins("CONVOKE_STEP="), 1, "{said}");
    assert_eq!(begins("0 left"), 1, "{said}");
    assert_eq!(begins("agent-"), 1, "{said}");
    assert_eq!(begins("upload-"), 0, "{said}");
    place.end();
}

/// Every set of closed standard descriptors.
#[test]
fn closed_standard_descriptors_break_nothing() {
    let place = Place::warm();
    let agent = fs::read(place.agent_file()).unwrap();
    let all = ["<&-", ">&-", "2>&-"];
    for set in 1..8 {
        let is_closed = |number: usize| set & (1 << number) != 0;
        let chosen = (0..3).filter(|number| is_closed(*number));
        let closed = chosen
            .map(|number| all[number])
            .collect::<Vec<_>>()
            .join(" ");
        let script = format!("exec \"$@\" {closed}");
        let line = "echo out; echo err >&2; [ -e /proc/$$/fd/3 ] || exit 5";
        let words = ["run", "local:a", "--sh", line];
        let ran = Live::start(place.behind(["/bin/sh", "-c", &script, "sh"], words)).finish();
        // Nothing begins whose output nobody could read.
        let (code, out) = if is_closed(1) {
            (141, "")
        } else {
            (1, "out\n")
        };
        assert_eq!(ran.code, Some(code), "{closed}: {ran:?}");
        assert_eq!(String::from_utf8_lossy(&ran.stdout), out, "{closed}");
        let told = if is_closed(1) || is_closed(2) {
            ""
        } else {
            "exited 5"
        };
        assert!(ran.stderr.contains(told), "{ran:?}");
        assert_eq!(ran.stderr.is_empty(), told.is_empty(), "{ran:?}");
        assert!(
            fs::read(place.agent_file()).unwrap() == agent,
            "{closed}: the agent was changed"
        );
    }
    place.end();
}

#[test]
fn a_closed_stdin_is_sent_as_an_empty_one() {
    let place = Place::warm();
    for hosts in ["local:a", "local:h[1-2]"] {
        let words = ["run", "--stdin", hosts, "--", "wc", "-c"];
        let before = ["/bin/sh", "-c", "exec \"$@\" <&-", "sh"];
        let ran = Live::start(place.behind(before, words)).finish();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let said = String::from_utf8(ran.stdout).unwrap();
        assert!(said.lines().all(|line| line.ends_with('0')), "{said:?}");
    }
    place.end();
}

#[test]
fn an_output_that_takes_nothing_is_an_error_and_ends_the_command() {
    let place = Place::warm();
    let words = ["run", "--grace", "300ms", "local:a", "--", "yes"];
    let before = ["/bin/sh", "-c", "exec \"$@\" >/dev/full", "sh"];
    let ran = Live::start(place.behind(before, words)).finish();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("No space left on device") || ran.stderr.contains("no space left"));
    place.end();
}
