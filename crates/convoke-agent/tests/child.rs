//! What a child gets, and how a start can fail.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

mod driver;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use bstr::BString;
use convoke_proto::command::{Shell, Start};
use convoke_proto::exit::{NotStarted, Stage};
use driver::{Agent, agent_command, sh};
use rustix::process::{Resource, Rlimit, setrlimit};

fn with_env(start: Start, pairs: &[(&str, &str)]) -> Start {
    let env = pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect();
    Start { env, ..start }
}

#[test]
fn a_child_has_a_session_of_its_own_and_no_terminal() {
    let mut agent = Agent::start();
    let finished = agent.step_of(sh("cut -d' ' -f1,5,6,7 /proc/$$/stat"));
    let pid = finished.pid;
    assert_eq!(finished.stdout(), format!("{pid} {pid} {pid} 0\n"));
    agent.close();
}

#[test]
fn a_child_has_default_signals_whatever_the_agent_inherited() {
    let mut command = agent_command();
    let agent_itself = command.get_program().to_owned();
    command = std::process::Command::new("/usr/bin/env");
    command
        .arg("--ignore-signal=HUP,PIPE,USR1")
        .arg("--block-signal=TERM")
        .arg(agent_itself);
    let mut agent = Agent::run(command);
    let finished = agent.step_of(sh("exec awk '/^Sig(Blk|Ign|Cgt)/' /proc/$$/status"));
    let none = "0000000000000000";
    assert_eq!(
        finished.stdout(),
        format!("SigBlk:\t{none}\nSigIgn:\t{none}\nSigCgt:\t{none}\n")
    );
    agent.close();
}

#[test]
fn a_child_has_no_descriptor_above_2() {
    let mut agent = Agent::start();
    let other = agent.start_step(sh("sleep 1000"));
    let finished = agent.step_of(Start::new(["/bin/ls", "/proc/self/fd"]));
    // The fourth is the listing's own.
    assert_eq!(finished.stdout(), "0\n1\n2\n3\n");
    agent.send(other, &convoke_proto::message::Message::Kill);
    agent.finish(other);
    agent.close();
}

#[test]
fn a_child_keeps_the_login_mask_unless_told_otherwise() {
    let mut agent = Agent::run({
        let mut command = std::process::Command::new("/bin/sh");
        let agent = agent_command().get_program().to_owned();
        command.arg("-c").arg("umask 027; exec \"$0\"").arg(agent);
        command
    });
    assert_eq!(agent.step_of(sh("umask")).stdout(), "0027\n");
    let request = Start {
        umask: Some(0o77),
        ..sh("umask")
    };
    assert_eq!(agent.step_of(request).stdout(), "0077\n");
    assert_eq!(agent.step_of(sh("umask")).stdout(), "0027\n");
    agent.close();
}

#[test]
fn a_child_has_the_login_environment_and_what_was_added() {
    let mut agent = Agent::run({
        let mut command = agent_command();
        command
            .env("KEPT", "1")
            .env("REPLACED", "1")
            .env("PWD", "/tmp")
            .env("OLDPWD", "/tmp")
            .env("CONVOKE_STEP", "outer");
        command
    });
    let request = with_env(
        Start::new(["/usr/bin/env"]),
        &[("REPLACED", "2"), ("ADDED", "a\nb"), ("ADDED", "last")],
    );
    let finished = agent.step_of(request);
    let mut lines: Vec<_> = finished.stdout().lines().map(str::to_owned).collect();
    lines.sort();
    let mark = format!("CONVOKE_STEP={}.1", agent.link);
    let path = "PATH=/usr/local/bin:/usr/bin:/bin";
    assert_eq!(
        lines,
        [
            "ADDED=last",
            &mark,
            "HOME=/",
            "KEPT=1",
            path,
            "PWD=/",
            "REPLACED=2",
            "SHELL=/bin/sh"
        ]
    );
    agent.close();
}

#[test]
fn a_child_starts_at_home_unless_told_otherwise() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("below")).unwrap();
    let real = home.path().canonicalize().unwrap();
    let real = real.to_str().unwrap();
    let mut agent = Agent::run({
        let mut command = agent_command();
        command.env("HOME", home.path());
        command
    });
    let table = [
        (None, real.to_owned()),
        (Some("/usr"), "/usr".into()),
        (Some("below"), format!("{real}/below")),
    ];
    for (cwd, expected) in table {
        let request = Start {
            cwd: cwd.map(Into::into),
            ..sh("pwd -P")
        };
        assert_eq!(agent.step_of(request).stdout().trim(), expected);
    }
    drop(home);
    assert_eq!(agent.step_of(sh("pwd -P")).stdout(), "/\n");
    agent.close();
}

#[test]
fn without_home_and_shell_the_account_tells() {
    let mut command = agent_command();
    command.env_remove("HOME").env_remove("SHELL");
    let mut agent = Agent::run(command);
    let entry = std::fs::read_to_string("/etc/passwd").unwrap();
    let home = entry
        .lines()
        .find(|line| line.split(':').nth(2) == Some("0"))
        .unwrap();
    let home = home.split(':').nth(5).unwrap();
    assert_eq!(agent.step_of(Start::new(["pwd"])).stdout().trim(), home);
    agent.close();
}

#[test]
fn programs_are_looked_up_in_the_childs_own_path() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    for (folder, mode) in [("denied", 0o644), ("good", 0o755)] {
        std::fs::create_dir(at(folder)).unwrap();
        let program = at(&format!("{folder}/program"));
        std::fs::write(&program, "#!/bin/sh\necho found $0\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut agent = Agent::start();
    let path = format!("/nowhere:/etc/passwd:{}:{}", at("denied"), at("good"));
    let finished = agent.step_of(with_env(Start::new(["program"]), &[("PATH", &path)]));
    assert_eq!(finished.stdout(), format!("found {}\n", at("good/program")));
    let path = format!("{}:/nowhere", at("denied"));
    let why = agent.step_of(with_env(Start::new(["program"]), &[("PATH", &path)]));
    let tried = vec![at("denied/program"), "/nowhere/program".into()];
    assert_eq!(
        *why.not_started(),
        not_started(Stage::Exec, libc::EACCES, tried)
    );
    agent.close();
}

#[test]
fn every_failed_start_names_its_stage() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let file = |name: &str, text: &str, mode| {
        std::fs::write(at(name), text).unwrap();
        std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(mode)).unwrap();
        at(name)
    };
    let plain = file("plain", "", 0o644);
    let no_magic = file("no_magic", "echo never\n", 0o755);
    let bad_script = file("bad_script", "#!/no/such/shell\n", 0o755);
    let long = "x".repeat(200_000);
    let cwd = |path: &str| Start {
        cwd: Some(path.into()),
        ..sh("true")
    };
    let name = |name: &str| Start::new([name]);
    let table = [
        (
            cwd("/no/such"),
            Stage::Cwd,
            libc::ENOENT,
            vec!["/no/such".to_owned()],
        ),
        (cwd(&plain), Stage::Cwd, libc::ENOTDIR, vec![plain.clone()]),
        (cwd(""), Stage::Cwd, libc::ENOENT, vec![String::new()]),
        (
            name("/no/such"),
            Stage::Exec,
            libc::ENOENT,
            vec!["/no/such".into()],
        ),
        (name(&plain), Stage::Exec, libc::EACCES, vec![plain.clone()]),
        (name(&no_magic), Stage::Exec, libc::ENOEXEC, vec![no_magic]),
        (
            name(&bad_script),
            Stage::Exec,
            libc::ENOENT,
            vec![bad_script],
        ),
        (name("/"), Stage::Exec, libc::EACCES, vec!["/".into()]),
        (name(""), Stage::Exec, libc::ENOENT, vec![String::new()]),
        (
            Start::new(["/bin/true", &long]),
            Stage::Exec,
            libc::E2BIG,
            vec!["/bin/true".into()],
        ),
        (
            with_env(name("/bin/true"), &[("LONG", &long)]),
            Stage::Exec,
            libc::E2BIG,
            vec!["/bin/true".into()],
        ),
        (
            with_env(name("gone"), &[("PATH", "/a:/b")]),
            Stage::Exec,
            libc::ENOENT,
            vec!["/a/gone".into(), "/b/gone".into()],
        ),
    ];
    let mut agent = Agent::start();
    for (request, stage, errno, tried) in table {
        let finished = agent.step_of(request);
        assert_eq!(*finished.not_started(), not_started(stage, errno, tried));
        assert_eq!(
            finished.pid, 0,
            "no process is announced that did not start"
        );
    }
    agent.close();
}

#[test]
fn a_long_path_does_not_fill_a_frame() {
    let mut agent = Agent::start();
    let path = ["/a-place-where-nothing-is"; 5_000].join(":");
    let finished = agent.step_of(with_env(Start::new(["program"]), &[("PATH", &path)]));
    let why = finished.not_started();
    assert_eq!(why.errno, libc::ENOENT);
    assert!(why.tried.iter().map(|path| path.len()).sum::<usize>() <= 16 * 1024);
    agent.close();
}

#[test]
fn without_descriptors_or_processes_a_start_fails_and_the_link_lives() {
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(40),
            maximum: Some(40),
        },
    )
    .unwrap();
    let mut agent = Agent::start();
    let channels: Vec<_> = (0..40)
        .map(|_| agent.start_step(sh("read wait < /dev/zero")))
        .collect();
    let mut failed = 0;
    for channel in channels {
        use convoke_proto::{codec::Incoming, message::Message};
        match agent.next_of(channel) {
            Incoming::Message(Message::Started(_)) => agent.send(channel, &Message::Kill),
            Incoming::Message(Message::NotStarted(why)) => {
                assert_eq!(why, not_started(Stage::Fork, libc::EMFILE, vec![]));
                failed += 1;
                continue;
            }
            other => panic!("{other:?}"),
        }
        agent.finish(channel);
    }
    assert!((1..40).contains(&failed));
    assert_eq!(agent.step_of(sh("ulimit -n")).stdout(), "40\n");
    agent.close();
}

#[test]
fn the_login_shell_passes_every_byte() {
    let words: [&[u8]; 14] = [
        b"/usr/bin/printf",
        b"%s|",
        b"plain",
        b"",
        b" two  blanks ",
        b"'",
        b"\"",
        b"a'b''c",
        b"line\nend\n",
        b"$HOME `id` \\ !!",
        b"\xff\xfe\x80",
        b"*? [a] {b,c} ~ # ; & | < > ( )",
        "\u{e9}\u{4e16}".as_bytes(),
        b"-n",
    ];
    let expected: Vec<u8> = words[2..]
        .iter()
        .flat_map(|word| [*word, b"|"].concat())
        .collect();
    let place = tempfile::tempdir().unwrap();
    let mut missing = Vec::new();
    for shell in [
        "dash", "bash", "zsh", "tcsh", "csh", "fish", "mksh", "ksh", "busybox",
    ] {
        let Some(real) = ["/usr/bin", "/bin"]
            .iter()
            .map(|d| format!("{d}/{shell}"))
            .find(|p| Path::new(p).exists())
        else {
            missing.push(shell);
            continue;
        };
        // A busybox is the shell it is called.
        let path = match shell {
            "busybox" => place.path().join("ash"),
            _ => place.path().join(shell),
        };
        symlink(real, &path).unwrap();
        let mut command = agent_command();
        command
            .env("SHELL", &path)
            .env("HOME", place.path())
            .env("LC_ALL", "C.UTF-8");
        let mut agent = Agent::run(command);
        let argv = words.map(BString::from);
        let finished = agent.step_of(Start {
            shell: Shell::Login,
            ..Start::new(argv)
        });
        let out = finished.streams.get(&1).cloned().unwrap_or_default();
        assert_eq!(
            BString::from(out),
            BString::from(expected.clone()),
            "{shell}: {}",
            finished.text(2)
        );
        let line = "echo ${CONVOKE_LINE-unset} $CONVOKE_STEP";
        let finished = agent.step_of(Start {
            shell: Shell::Login,
            ..sh(line)
        });
        assert_eq!(
            finished.stdout(),
            format!("unset {}.2\n", agent.link),
            "{shell}"
        );
        agent.close();
    }
    assert!(
        missing.is_empty(),
        "not tested, because not installed: {missing:?}"
    );
}

#[test]
fn the_login_shell_reads_the_profile() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(
        place.path().join(".profile"),
        "PROFILE=read; export PROFILE\n",
    )
    .unwrap();
    let mut command = agent_command();
    command.env("HOME", place.path());
    let mut agent = Agent::run(command);
    let request = Start {
        shell: Shell::Login,
        ..sh("echo $PROFILE")
    };
    assert_eq!(agent.step_of(request).stdout(), "read\n");
    assert_eq!(agent.step_of(sh("echo $PROFILE")).stdout(), "\n");
    agent.close();
}

fn not_started(stage: Stage, errno: i32, tried: Vec<String>) -> NotStarted {
    let tried = tried.into_iter().map(Into::into).collect();
    NotStarted {
        stage,
        errno,
        tried,
    }
}

#[test]
fn a_directory_too_long_for_an_answer_is_answered() {
    let mut agent = Agent::start();
    let request = Start {
        cwd: Some(format!("/{}", "a".repeat(70_000)).into()),
        ..sh("true")
    };
    let finished = agent.step_of(request);
    let why = finished.not_started();
    assert_eq!((why.stage, why.errno), (Stage::Cwd, libc::ENAMETOOLONG));
    agent.close();
}
