//! A real terminal: what a host writes cannot drive it, and its keys work.

mod files;

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::scene::{Scene, pid, watch};

/// What Ctrl-C and Ctrl-Z send.
const INTERRUPT: &[u8] = b"\x03";
const SUSPEND: &[u8] = b"\x1a";

/// A program on a terminal of its own, which controls it.
struct Console {
    child: Child,
    master: File,
    seen: Vec<u8>,
}

impl Console {
    /// Starts `convoke` with some words.
    fn convoke(scene: &Scene, words: &[&str]) -> Self {
        let words = [&[env!("CARGO_BIN_EXE_convoke")], words].concat();
        Self::start(scene, &words)
    }

    fn start(scene: &Scene, words: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name)
            .unwrap();
        let mut command: Command = scene.command("setsid");
        command.arg("--ctty").args(words);
        command.stdin(slave.try_clone().unwrap());
        command.stdout(slave.try_clone().unwrap()).stderr(slave);
        let child = command.spawn().unwrap();
        watch(pid(&child));
        Console {
            child,
            master: master.into(),
            seen: Vec::new(),
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.master.write_all(keys).unwrap();
    }

    /// Reads until `text` has been seen; false at the end.
    fn until(&mut self, text: &str) -> bool {
        while !self.text().contains(text) {
            if !self.until_more() {
                return false;
            }
        }
        true
    }

    /// Reads what comes next; false at the end.
    fn until_more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        // The end of a terminal is an error.
        match self.master.read(&mut buffer) {
            Ok(read @ 1..) => {
                self.seen.extend_from_slice(&buffer[..read]);
                true
            }
            _ => false,
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Everything that was seen, and the exit code.
    fn finish(mut self) -> (Vec<u8>, Option<i32>) {
        self.until("\0 never \0");
        (self.seen, self.child.wait().unwrap().code())
    }
}

/// What a malicious host writes: escapes, a forged prefix, overwritten lines, text turned around.
const EVIL: &[u8] = b"\x1b[2J\x1b]0;title\x07\rlocal:a9: forged\x08\x08\x08\x7f\x0b\x0c\
    \xc2\x9b31m\x9b31m\xe2\x80\xae\xe2\x80\xa8local:a9: forged\x00\xff\ncaf\xc3\xa9\ttab\r\n\xe2\x82";

#[test]
fn nothing_that_a_host_writes_drives_the_terminal() {
    let scene = Scene::new();
    let file = scene.file("evil", EVIL);
    let line = "cat \"$1\"; cat \"$1\" >&2";
    for mode in [
        &["local:a1"][..],
        &["local:a[1-2]"],
        &["-b", "local:a[1-2]"],
    ] {
        let options = ["run", "-q", "--color", "never"];
        let words = [&options, mode, &["--sh", line, "--", &file]].concat();
        let (seen, code) = Console::convoke(&scene, &words).finish();
        assert_eq!(code, Some(0));
        let text = String::from_utf8(seen).expect("it is UTF-8");
        let text = text.replace("\r\n", "\n");
        let drives = |c: &char| {
            (c.is_control() && !matches!(c, '\n' | '\t')) || "\u{202e}\u{2028}".contains(*c)
        };
        assert_eq!(text.chars().find(drives), None, "{mode:?}: {text:?}");
        assert!(
            text.contains("\\x1b[2J") && text.contains("caf\u{e9}\ttab"),
            "{text:?}"
        );
        assert!(
            !text.lines().any(|line| line.starts_with("local:a9")),
            "{text:?}"
        );
        if mode == ["local:a[1-2]"] {
            let prefixes = ["local:a1: ", "local:a2: ", "local:a1! ", "local:a2! "];
            let is_behind = |line: &str| prefixes.iter().any(|prefix| line.starts_with(prefix));
            assert!(text.lines().all(is_behind), "{text:?}");
        }
    }
    scene.end();
}

#[test]
fn nothing_is_added_to_what_one_host_writes() {
    let scene = Scene::new();
    for (words, expected) in [
        (&["printf", "no end"][..], "no end"),
        (
            &["--sh", "printf half; exit 3"],
            "half\r\nlocal:a: exited 3\r\n",
        ),
        (
            &["--sh", "echo whole; exit 3"],
            "whole\r\nlocal:a: exited 3\r\n",
        ),
    ] {
        let words = [&["run", "local:a"], words].concat();
        let (seen, _) = Console::convoke(&scene, &words).finish();
        assert_eq!(String::from_utf8(seen).unwrap(), expected);
    }
    scene.end();
}

#[test]
fn json_does_not_drive_the_terminal_either() {
    let scene = Scene::new();
    let file = scene.file("evil", "\x1b[2J\u{7f}\u{9b}31m\u{202e}\n");
    let (seen, _) =
        Console::convoke(&scene, &["run", "-q", "--json", "local:a", "cat", &file]).finish();
    let text = String::from_utf8(seen).unwrap().replace("\r\n", "\n");
    assert!(
        text.contains("\\u001b[2J\\u007f\\u009b31m\\u202e"),
        "{text}"
    );
    assert!(
        !text.chars().any(|c| c.is_control() && c != '\n'),
        "{text:?}"
    );
    scene.end();
}

#[test]
fn raw_opts_out() {
    let scene = Scene::new();
    let words = ["run", "-q", "--raw", "local:a", "printf", "\\033[31mred"];
    let (seen, _) = Console::convoke(&scene, &words).finish();
    assert_eq!(seen, b"\x1b[31mred");
    scene.end();
}

#[test]
fn prefixes_are_coloured_on_a_terminal_unless_refused() {
    let scene = Scene::new();
    for (words, is_coloured) in [
        (&["convoke", "run", "-q"][..], true),
        (&["env", "NO_COLOR=1", "convoke", "run", "-q"], false),
        (&["env", "TERM=dumb", "convoke", "run", "-q"], false),
        (
            &[
                "env",
                "NO_COLOR=1",
                "convoke",
                "run",
                "-q",
                "--color",
                "always",
            ],
            true,
        ),
    ] {
        let own = |word: &&'static str| match *word {
            "convoke" => env!("CARGO_BIN_EXE_convoke"),
            word => word,
        };
        let words: Vec<&str> = words
            .iter()
            .map(own)
            .chain(["local:a[1-2]", "echo", "hi"])
            .collect();
        let (seen, _) = Console::start(&scene, &words).finish();
        assert_eq!(seen.contains(&0x1b), is_coloured, "{words:?}");
    }
    scene.end();
}

#[test]
fn progress_is_shown_and_gone_before_output() {
    let scene = Scene::new();
    let fifo = scene.fifo("fifo");
    let line = "mkdir first 2>/dev/null && exit; read x < \"$1\"; echo late";
    let cwd = scene.path("");
    let cwd = cwd.to_str().unwrap();
    let words = [
        "run",
        "--cwd",
        cwd,
        "local:a[1-2]",
        "--sh",
        line,
        "--",
        &fifo,
    ];
    let mut console = Console::convoke(&scene, &words);
    assert!(
        console.until("1/2 done, 1 ok, 0 failed, 1 running"),
        "{}",
        console.text()
    );
    std::fs::write(&fifo, "\n").unwrap();
    let (seen, code) = console.finish();
    let text = String::from_utf8(seen).unwrap();
    let (_, after) = text.rsplit_once("running").unwrap();
    assert!(after.starts_with("\r\r\x1b[J"), "{after:?}");
    assert!(after.contains(" late\r\n2 hosts: 2 ok\r\n"), "{after:?}");
    assert_eq!(code, Some(0));
    scene.end();
}

#[test]
fn ctrl_c_reaches_us_and_not_the_command() {
    let scene = Scene::new();
    let line = "trap 'echo ended' TERM; trap 'echo wrong' INT; echo ready; \
                while :; do sleep 0.1; [ -e gone ] && exit; done";
    let mut console = Console::convoke(&scene, &["run", "--grace", "1s", "local:a", "--sh", line]);
    assert!(console.until("ready"));
    console.press(INTERRUPT);
    let (seen, code) = console.finish();
    let text = String::from_utf8(seen).unwrap();
    assert_eq!(code, Some(130));
    assert!(text.contains("ended") && !text.contains("wrong"), "{text}");
    scene.end();
}

#[test]
fn a_progress_line_names_slow_hosts_and_fits_the_terminal() {
    let scene = Scene::new();
    let fifo = scene.fifo("fifo");
    let line = "read x < \"$1\"";
    let words = ["run", "local:host[1-9]", "--sh", line, "--", &fifo];
    let mut console = Console::convoke(&scene, &words);
    for columns in [80, 70] {
        let size = rustix::termios::Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        rustix::termios::tcsetwinsize(&console.master, size).unwrap();
        let start = console.text().len();
        let named = |text: &str| {
            let lines = text[start..].split("\r\x1b[J");
            // The last one may not be whole yet.
            let mut whole: Vec<&str> = lines.collect();
            whole.pop();
            whole.into_iter().rev().find_map(|line| {
                let line = line.trim_end_matches('\r');
                let fits = line.chars().count() < columns.into();
                (fits && line.contains("slow: ") && line.contains(", +")).then(|| line.to_owned())
            })
        };
        while named(&console.text()).is_none() {
            assert!(console.until_more(), "{}", console.text().len());
        }
        let line = named(&console.text()).unwrap();
        let (names, others) = line.rsplit_once(", +").unwrap();
        assert!(names.ends_with(" s"), "{line}");
        assert!(others.parse::<usize>().is_ok(), "{line}");
    }
    console.press(INTERRUPT);
    console.finish();
    scene.end();
}

#[test]
fn ctrl_z_takes_the_progress_line_away_and_fg_brings_it_back() {
    let scene = Scene::new();
    let fifo = scene.fifo("fifo");
    let script = "set -m; \"$0\" run 'local:a[1-2]' --sh \"$1\" -- \"$2\"; echo \"left $?\"; \
                  read line; echo again; fg >/dev/null; echo \"back $?\"";
    let convoke = env!("CARGO_BIN_EXE_convoke");
    let line = "read x < \"$1\"";
    let mut console = Console::start(&scene, &["bash", "-c", script, convoke, line, &fifo]);
    assert!(console.until("2 running"), "{}", console.text());
    console.press(SUSPEND);
    assert!(console.until("left 148"), "{}", console.text());
    let text = console.text();
    let (_, after) = text.rsplit_once("2 running").unwrap();
    let (gone, _) = after.split_once("left 148").unwrap();
    assert!(gone.contains("\r\x1b[J"), "{after:?}");
    console.press(b"\n");
    assert!(console.until("again"), "{}", console.text());
    let start = console.text().len();
    while !console.text()[start..].contains("2 running") {
        assert!(console.until_more(), "{}", console.text());
    }
    console.press(INTERRUPT);
    assert!(console.until("back 130"), "{}", console.text());
    console.finish();
    scene.end();
}

#[test]
fn ctrl_z_stops_us_and_fg_continues() {
    let scene = Scene::new();
    let fifo = scene.fifo("fifo");
    let line = "echo ready; read x < \"$1\"; echo more";
    let script = "set -m; \"$0\" run -q local:a --sh \"$1\" -- \"$2\"; echo \"left $?\"; \
                  read line; fg >/dev/null; echo \"back $?\"";
    let convoke = env!("CARGO_BIN_EXE_convoke");
    let mut console = Console::start(&scene, &["bash", "-c", script, convoke, line, &fifo]);
    assert!(console.until("ready"));
    console.press(SUSPEND);
    assert!(console.until("left 148"), "{}", console.text());
    console.press(b"\n");
    // The command itself was never stopped.
    std::fs::write(&fifo, "\n").unwrap();
    assert!(console.until("back 0"), "{}", console.text());
    let (seen, _) = console.finish();
    assert!(String::from_utf8(seen).unwrap().contains("more"));
    scene.end();
}
