//! Files on a terminal: a line says how far they are, and goes whatever ends the run.

use std::fs;

use super::*;

/// How a line is taken away.
const ERASED: &str = "\r\x1b[J";

/// `convoke put` of what is written to a pipe, until a line says how far it is; and the pipe's end.
fn begun(scene: &Scene, hosts: &str) -> (Console, File) {
    let fifo = scene.fifo("pipe");
    let target = format!("{hosts}:there");
    let console = Console::convoke(scene, &["put", "--no-sync", &fifo, &target]);
    // For reading, too, so that nobody waits for anybody.
    let pipe = OpenOptions::new().read(true).write(true).open(&fifo);
    let mut pipe = pipe.unwrap();
    pipe.write_all(&[7; 1 << 20]).unwrap();
    (console, pipe)
}

/// What is seen from where `mark` was last.
fn behind(seen: &[u8], mark: &str) -> String {
    let text = String::from_utf8(seen.to_vec()).unwrap();
    let (_, behind) = text.rsplit_once(mark).unwrap();
    behind.to_owned()
}

#[test]
fn a_line_says_how_far_a_file_is_and_goes_at_the_end() {
    let scene = Scene::new();
    let (mut console, pipe) = begun(&scene, "local:a");
    assert!(console.until(" KiB/s\r"));
    drop(pipe);
    let (seen, code) = console.finish();
    let told = behind(&seen, ERASED);
    assert!(
        told.starts_with("1.0 MiB in ") && told.ends_with("/s\r\n"),
        "{told:?}"
    );
    assert_eq!(code, Some(0));
    assert_eq!(fs::read(scene.path("there")).unwrap().len(), 1 << 20);
    scene.end();
}

#[test]
fn ctrl_c_takes_the_line_away_and_leaves_nothing_of_a_file() {
    let scene = Scene::new();
    scene.file("there", "old");
    let (mut console, _pipe) = begun(&scene, "local:a");
    assert!(console.until(" KiB/s\r"));
    console.press(INTERRUPT);
    let (seen, code) = console.finish();
    let behind = behind(&seen, "B/s\r");
    assert!(
        behind.starts_with(&format!("^C{ERASED}interrupted: ")),
        "{behind:?}"
    );
    assert!(behind.ends_with("local:a: cancelled\r\n"), "{behind:?}");
    assert_eq!(code, Some(130));
    scene.until_alone();
    assert_eq!(fs::read(scene.path("there")).unwrap(), b"old");
    let names = fs::read_dir(scene.path(""))
        .unwrap()
        .map(|one| one.unwrap().file_name());
    let unfinished = |name: &std::ffi::OsString| name.to_string_lossy().contains(".convoke-");
    assert_eq!(names.filter(unfinished).count(), 0);
    scene.end();
}
