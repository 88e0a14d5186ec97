//! Something else writes to the connection after the agent has taken it over.

use crate::place::Place;

/// Keeps the host's end of the connection, and writes to it when it is told to.
fn plant(place: &Place, words: &str) {
    let go = place.work("go").display().to_string();
    let script = format!(
        "exec 5>/proc/$PPID/fd/1\n\
         (until [ -e {go} ]; do sleep 0.02; done; printf '{words}' >&5) </dev/null >/dev/null 2>&1 &\n\
         exec 5>&-\n\
         exec /usr/bin/sha256sum \"$@\""
    );
    place.add_tool("sha256sum", &script);
}

#[test]
fn a_strangers_bytes_drop_the_link_and_are_shown_escaped() {
    let place = Place::warm();
    plant(&place, "stranger \\033[31m said this");
    let line = "echo ready; exec sleep 1000";
    let live = place.start(["--json", "--grace", "1s", "local:a", "--sh", line]);
    live.until_said("ready", 1);
    std::fs::write(place.work("go"), "").unwrap();
    let ran = live.finish();
    let outcome = ran.outcome("local:a");
    assert_eq!((ran.code, &outcome["outcome"]), (Some(3), &"lost".into()));
    let text = outcome["text"].as_str().unwrap();
    assert!(
        text.contains("stranger"),
        "{text:?} does not hold the bytes"
    );
    assert!(
        !text.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'),
        "{text:?}"
    );
    place.end();
}
