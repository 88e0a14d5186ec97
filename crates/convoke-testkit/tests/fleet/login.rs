//! Shells, start-up files, homes, accounts.

use std::fs;

use convoke_testkit::fleet::{Fleet, Noise, Shell};

use crate::{available, run, said};

#[test]
fn every_shell_runs_a_command() {
    for shell in Shell::ALL {
        let fleet = Fleet::builder().shell(shell).start();
        assert_eq!(said(fleet.ssh("h1").arg("echo run")), "run\n", "{shell:?}");
    }
}

#[test]
fn every_shell_runs_a_command_after_the_noise() {
    for shell in Shell::ALL {
        let fleet = Fleet::builder().shell(shell).noise(Noise::Motd).start();
        let text = said(fleet.ssh("h1").arg("echo run"));
        // As an ordinary account, what its real shell says comes first.
        assert!(text.contains("\nWelcome!\n"), "{shell:?}: {text:?}");
        assert!(text.ends_with("\n\nrun\n"), "{shell:?}: {text:?}");
    }
}

#[test]
fn every_noise_comes_as_it_is() {
    for (noise, length) in [
        (Noise::Motd, 40),
        (Noise::Long, 70 * 1024),
        (Noise::Unfinished, 18),
        (Noise::Bytes(vec![b'x', 0, 255]), 3),
    ] {
        let fleet = Fleet::builder()
            .shell(Shell::Bash)
            .noise(noise.clone())
            .start();
        let output = run(fleet.ssh("h1").arg("echo run"));
        let Some(before) = output.stdout.strip_suffix(b"run\n") else {
            panic!("{noise:?}: {output:?}");
        };
        assert!(before.len() >= length, "{noise:?}: {}", before.len());
    }
}

#[test]
fn the_shell_is_the_one_that_was_chosen() {
    for (shell, line, answer) in [
        (
            Shell::Zsh,
            "echo ${ZSH_VERSION:+zsh} $SHELL",
            "zsh /bin/zsh\n",
        ),
        (Shell::Fish, "echo (count a b) $SHELL", "2 /bin/fish\n"),
        (Shell::Tcsh, "echo $?tcsh $SHELL", "1 /bin/tcsh\n"),
    ] {
        for separate in [false, true] {
            let mut builder = Fleet::builder().shell(shell);
            if separate {
                builder = builder.separate_homes();
            }
            let text = said(builder.start().ssh("h1").arg(line));
            let text = text.replace("/usr/bin", "/bin");
            assert_eq!(text, answer, "separate homes: {separate}");
        }
    }
}

#[test]
fn homes_are_shared_or_not() {
    let shared = Fleet::start();
    assert_eq!(shared.home(1), shared.home(2));
    let separate = Fleet::builder().hosts(2).separate_homes().start();
    for fleet in [&shared, &separate] {
        for n in [1, 2] {
            let home = fleet.home(n);
            let text = said(fleet.ssh(&format!("h{n}")).arg("pwd; cd; pwd; touch seen"));
            assert_eq!(text, format!("{0}\n{0}\n", home.display()));
            assert!(home.join("seen").exists());
        }
    }
    assert_ne!(separate.home(1), separate.home(2));
    // A host beyond those that have one shares a home with all such.
    let host = separate.address(3).to_string();
    let text = said(separate.ssh(&host).arg("pwd"));
    assert_eq!(text.trim_end(), separate.home(3).to_str().unwrap());
}

#[test]
fn a_command_line_arrives_unchanged() {
    let line = "printf '%s|' 'a  b' \"$0\" \\* `echo x` é";
    for separate in [false, true] {
        let mut builder = Fleet::builder().shell(Shell::Dash);
        if separate {
            builder = builder.separate_homes();
        }
        let text = said(builder.start().ssh("h1").arg(line));
        assert!(text.starts_with("a  b|"), "{text}");
        assert!(text.ends_with("|*|x|é|"), "{text}");
    }
}

#[test]
fn a_read_only_home_cannot_be_written() {
    let Some(fleet) = available(Fleet::builder().read_only_home()) else {
        return;
    };
    let text = said(fleet.ssh("h1").arg("touch ~/x 2>/dev/null || echo cannot"));
    assert_eq!(text, "cannot\n");
}

#[test]
fn a_small_disk_is_soon_full_for_everybody_and_for_the_hosts_alone() {
    for account in [None, Some("visitor")] {
        let mut builder = Fleet::builder().small_disk();
        if let Some(account) = account {
            builder = builder.account(account);
        }
        let Some(fleet) = available(builder) else {
            return;
        };
        let Some(disk) = fleet.small_disk() else {
            return println!("skipped 1: a disk takes root and the right to unshare");
        };
        let line = format!(
            "cat /dev/zero 2>/dev/null >{0}/full; stat -c %s {0}/full",
            disk.display()
        );
        let size: u64 = said(fleet.ssh("h1").arg(line)).trim().parse().unwrap();
        assert!((1..=1024 * 1024).contains(&size), "{size}");
        assert_eq!(fs::read_dir(&disk).unwrap().count(), 0);
        let directory = fleet.directory().to_owned();
        drop(fleet);
        assert!(!directory.exists());
    }
    assert_eq!(Fleet::start().small_disk(), None);
}

#[test]
fn signals_are_as_sshd_leaves_them() {
    let fleet = Fleet::start();
    let text = said(
        fleet
            .ssh("h1")
            .arg("grep -E 'SigIgn|SigBlk' /proc/self/status"),
    );
    let masks = text
        .split_whitespace()
        .filter_map(|word| u64::from_str_radix(word, 16).ok());
    // Those that a program can mean; the C library keeps the ones above for itself.
    let masks: Vec<_> = masks.map(|mask| mask & 0x7fff_ffff).collect();
    assert_eq!(masks, [0, 0], "{text}");
}

#[test]
fn another_account_is_logged_in_to() {
    let Some(fleet) = available(Fleet::builder().account("visitor")) else {
        return;
    };
    let text = said(fleet.ssh("h1").arg("whoami; touch mine && pwd"));
    let home = fleet.home(1);
    assert_eq!(text, format!("visitor\n{}\n", home.display()));
}
