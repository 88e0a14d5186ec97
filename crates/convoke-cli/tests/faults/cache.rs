//! The cached agent damaged or planted, and directories that are no place for it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::PathBuf;

use serde_json::Value;

use crate::live::{Live, Ran};
use crate::place::{Place, files_below, hash, set_mode};

const TRUE: [&str; 4] = ["--json", "local:a", "--", "true"];

/// The next place after the one in the home directory.
fn next(place: &Place) -> PathBuf {
    place.path("runtime/convoke")
}

/// The agent has been sent again, and is then found.
fn assert_replaced(place: &Place, file: &std::path::Path) {
    let ran = place.run(TRUE);
    assert_eq!(
        (ran.code, ran.origin("local:a").as_str()),
        (Some(0), "sent")
    );
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    assert!(fs::symlink_metadata(file).unwrap().is_file());
    assert!(name.ends_with(&hash(file)), "it is whole");
    assert_eq!(place.run(TRUE).origin("local:a"), "cached");
}

/// Another agent than ours, which would tell that it ran.
fn enemy(place: &Place) -> String {
    format!("#!/bin/sh\ntouch {}\n", place.work("ran").display())
}

fn assert_did_not_run(place: &Place) {
    assert!(!place.work("ran").exists(), "the planted agent ran");
}

#[test]
fn a_tampered_agent_is_noticed_before_it_runs_and_replaced() {
    let place = Place::warm();
    let file = place.agent_file();
    let before = fs::metadata(&file).unwrap().ino();
    fs::write(&file, enemy(&place)).unwrap();
    assert_replaced(&place, &file);
    assert_did_not_run(&place);
    assert_ne!(
        fs::metadata(&file).unwrap().ino(),
        before,
        "renamed over, not written into"
    );
    place.end();
}

#[test]
fn a_single_changed_bit_is_noticed() {
    let place = Place::warm();
    let file = place.agent_file();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_replaced(&place, &file);
    place.end();
}

#[test]
fn a_truncated_agent_is_noticed_and_replaced() {
    let place = Place::warm();
    let file = place.agent_file();
    let whole = fs::metadata(&file).unwrap().len();
    for length in [0, 1, whole / 2, whole - 1] {
        let cut = fs::OpenOptions::new().write(true).open(&file).unwrap();
        cut.set_len(length).unwrap();
        drop(cut);
        assert_replaced(&place, &file);
    }
    place.end();
}

#[test]
fn an_intact_agent_is_not_written_again() {
    let place = Place::warm();
    let file = place.agent_file();
    let before = fs::metadata(&file).unwrap();
    assert_eq!(place.run(TRUE).origin("local:a"), "cached");
    let after = fs::metadata(&file).unwrap();
    assert_eq!(
        (before.ino(), before.ctime().min(after.ctime())),
        (after.ino(), before.ctime())
    );
    assert!(after.mtime() >= before.mtime(), "its start touches it");
    place.end();
}

#[test]
fn a_symlink_at_the_agents_file_is_replaced_and_its_target_untouched() {
    let place = Place::warm();
    let file = place.agent_file();
    let target = place.work("target");
    fs::write(&target, enemy(&place)).unwrap();
    set_mode(&target, 0o755);
    fs::remove_file(&file).unwrap();
    symlink(&target, &file).unwrap();
    assert_replaced(&place, &file);
    assert_did_not_run(&place);
    assert_eq!(fs::read_to_string(&target).unwrap(), enemy(&place));
    place.end();
}

/// The first place is refused, and the second holds the agent.
fn assert_next_is_used(place: &Place) {
    let ran = place.run(TRUE);
    assert_eq!(
        (ran.code, ran.origin("local:a").as_str()),
        (Some(0), "sent")
    );
    assert_eq!(files_below(&next(place)).len(), 1);
    assert_eq!(place.run(TRUE).origin("local:a"), "cached");
}

#[test]
fn a_symlink_at_the_cache_directory_is_not_followed() {
    let place = Place::new();
    let elsewhere = place.work("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    set_mode(&elsewhere, 0o700);
    fs::create_dir(place.path("home/.cache")).unwrap();
    symlink(&elsewhere, place.cache()).unwrap();
    assert_next_is_used(&place);
    assert_eq!(files_below(&elsewhere), [] as [PathBuf; 0]);
    let planted = place.cache();
    place.end_but(&[planted]);
}

/// The cache directory exists, as the account would make it.
fn with_directory() -> Place {
    let place = Place::new();
    fs::create_dir_all(place.cache()).unwrap();
    set_mode(&place.cache(), 0o700);
    place
}

#[test]
fn a_directory_of_somebody_else_is_refused() {
    let place = with_directory();
    chown(place.cache(), Some(65534), None).unwrap();
    assert_next_is_used(&place);
    assert_eq!(files_below(&place.cache()), [] as [PathBuf; 0]);
    place.end();
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    let place = with_directory();
    set_mode(&place.cache(), 0o777);
    assert_next_is_used(&place);
    assert_eq!(files_below(&place.cache()), [] as [PathBuf; 0]);
    place.end();
}

#[test]
fn a_file_in_the_place_of_the_directory_is_refused() {
    let place = Place::new();
    fs::create_dir(place.path("home/.cache")).unwrap();
    fs::write(place.cache(), "").unwrap();
    assert_next_is_used(&place);
    let planted = place.cache();
    place.end_but(&[planted]);
}

/// Runs `true` where `mounts` were made before, and writes down which files are in `seen` afterwards.
fn run_with_mounts(place: &Place, mounts: &str, seen: &str) -> Ran {
    let script = format!(
        "set -e\n{mounts}\nset +e\n\"$@\"; code=$?\nfind {seen} -type f >{}\nexit $code",
        place.work("seen").display()
    );
    let before = ["unshare", "--mount", "/bin/sh", "-c", &script, "sh"];
    let words = std::iter::once("run").chain(TRUE);
    Live::start(place.behind(before, words)).finish()
}

fn seen(place: &Place) -> Vec<String> {
    let seen = fs::read_to_string(place.work("seen")).unwrap();
    seen.lines().map(str::to_owned).collect()
}

fn assert_next_is_used_with(options: &str) {
    let place = with_directory();
    let cache = place.cache().display().to_string();
    let mounts = format!("mount -t tmpfs -o mode=700,{options} none {cache}");
    let ran = run_with_mounts(&place, &mounts, &cache);
    assert_eq!(
        (ran.code, ran.origin("local:a").as_str()),
        (Some(0), "sent"),
        "{ran:?}"
    );
    assert_eq!(
        seen(&place),
        [] as [&str; 0],
        "nothing is left in the refused directory"
    );
    assert_eq!(files_below(&next(&place)).len(), 1);
    place.end();
}

#[test]
fn a_read_only_cache_gives_way_to_the_next_place() {
    assert_next_is_used_with("ro");
}

#[test]
fn a_cache_that_forbids_programs_gives_way_to_the_next_place() {
    assert_next_is_used_with("noexec");
}

#[test]
fn a_full_cache_gives_way_to_the_next_place() {
    assert_next_is_used_with("size=64k");
}

#[test]
fn without_any_place_the_host_is_unreachable_and_each_place_is_named() {
    let place = with_directory();
    let (cache, runtime) = (place.cache(), place.path("runtime"));
    let (cache, runtime) = (cache.display(), runtime.display());
    let mounts = format!(
        "mount -t tmpfs -o mode=700,noexec none {cache}\n\
         mount -t tmpfs -o mode=700,ro none {runtime}\n\
         mount -t tmpfs -o mode=1777,noexec none /var/tmp\n\
         mount -t tmpfs -o mode=1777,ro none /dev/shm"
    );
    let ran = run_with_mounts(
        &place,
        &mounts,
        &format!("{cache} {runtime} /var/tmp /dev/shm"),
    );
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let outcome: Value = ran.outcome("local:a");
    assert_eq!(outcome["outcome"], "unreachable");
    assert_eq!(outcome["kind"], "no_place");
    let text = outcome["text"].as_str().unwrap();
    let expected = [
        "$XDG_CACHE_HOME/convoke: the variable is not set",
        "$HOME/.cache/convoke: programs cannot be run from it",
        "$XDG_RUNTIME_DIR/convoke: it cannot be created",
        "/var/tmp/convoke-UID: programs cannot be run from it",
        "/dev/shm/convoke-UID: it cannot be created",
    ];
    for part in expected {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert!(outcome["hint"].is_string(), "{outcome}");
    assert_eq!(seen(&place), [] as [&str; 0], "nothing is left");
    place.end();
}
