//! What a command started through sudo may not be signalled, and is named.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::place::{Place, set_mode};
use crate::processes::{command_line, eventually, is_alive, send};

/// An account that every system has and that owns nothing.
const NOBODY: u32 = 65534;

/// What it may run as root: it does not hear TERM, which sudo would pass on.
const STUBBORN: &str = "#!/bin/sh\ntrap '' TERM\nexec sleep 31557600\n";

/// A rule of sudo that is removed in the end.
struct Rule(PathBuf);

impl Rule {
    fn install(program: &Path) -> Self {
        let directory = Path::new("/etc/sudoers.d");
        let is_there = directory.is_dir();
        assert!(is_there, "sudo is missing: install the Debian package sudo");
        let file = directory.join(format!("convoke-faults-{}", std::process::id()));
        let program = program.display();
        fs::write(&file, format!("#{NOBODY} ALL=(root) NOPASSWD: {program}\n")).unwrap();
        set_mode(&file, 0o440);
        Rule(file)
    }
}

impl Drop for Rule {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_survivor_of_sudo_is_named_with_its_uid() {
    let place = Place::of_account(NOBODY);
    let program = place.path("bin/stubborn");
    fs::write(&program, STUBBORN).unwrap();
    set_mode(&program, 0o755);
    let _rule = Rule::install(&program);
    let line = format!("sudo -n {} & wait", program.display());
    let limits = ["--timeout", "1s", "--grace", "300ms"];
    let words = ["--json"].into_iter().chain(limits);
    let ran = place.run(words.chain(["local:a", "--sh", &line]));
    let outcome = ran.outcome("local:a");
    assert_eq!(
        (ran.code, &outcome["outcome"]),
        (Some(1), &"timed_out".into()),
        "{ran:?}"
    );
    let survivors: Vec<(i32, u64)> = outcome["survivors"]
        .as_array()
        .unwrap_or_else(|| panic!("no survivor is named: {ran:?}"))
        .iter()
        .map(|survivor: &Value| {
            let pid = survivor["pid"].as_i64().unwrap();
            (pid.try_into().unwrap(), survivor["uid"].as_u64().unwrap())
        })
        .collect();
    let is_sleep =
        |(pid, uid): &(i32, u64)| *uid == 0 && command_line(*pid).starts_with("sleep 31557600");
    let is_named = survivors.iter().any(is_sleep);
    for (pid, _) in &survivors {
        send(*pid, Signal::KILL);
    }
    eventually("the survivors are gone", || {
        survivors.iter().all(|(pid, _)| !is_alive(*pid))
    });
    assert!(is_named, "{survivors:?}");
    assert!(survivors.iter().all(|(_, uid)| *uid == 0), "{survivors:?}");
    for (pid, _) in &survivors {
        assert!(
            ran.stderr.contains(&pid.to_string()),
            "{pid} is not in {}",
            ran.stderr
        );
    }
    place.end();
}
