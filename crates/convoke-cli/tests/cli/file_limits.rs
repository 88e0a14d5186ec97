//! A limit of file sizes of ours is told like every other place that is full.

use crate::scene::{Ran, Scene};

/// Runs `convoke` where files end at 8 blocks, which are at most 8 KiB. The agent, which is larger, is there before.
fn limited(scene: &Scene, line: &str) -> Ran {
    assert_eq!(scene.run(["local:a", "true"]).code, Some(0));
    let mut command = scene.command("sh");
    let line = format!("convoke=$0; ulimit -f 8; {line}");
    command.args(["-c", &line, env!("CARGO_BIN_EXE_convoke")]);
    scene.start(command).finish()
}

#[test]
fn what_grows_beyond_it_is_told() {
    let scene = Scene::new();
    scene.file("large", vec![7; 20 << 20]);
    let large = "file too large";
    let no_room = format!("it cannot be kept in \"/tmp\": {large}; TMPDIR names another directory");
    for (line, code, words) in [
        ("$convoke get local:a:large there", 1, large),
        ("$convoke put - 'local:a[1-2]:there' <large", 1, &no_room),
        (
            "$convoke run --stdin 'local:a[1-2]' cat <large",
            1,
            &no_room,
        ),
        // What cannot be gathered is shown as it comes.
        ("$convoke cat -b 'local:a[1-2]' large", 0, large),
        ("$convoke cat local:a large >there", 1, large),
    ] {
        let ran = limited(&scene, line);
        assert_eq!(ran.code, Some(code), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    scene.end();
}

#[test]
fn commands_have_it_as_they_would_without_us() {
    let scene = Scene::new();
    let line = "$convoke run local:a --sh 'exec head -c 64K /dev/zero >there'";
    let ran = limited(&scene, line);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("XFSZ"), "{}", ran.stderr);
    scene.end();
}
