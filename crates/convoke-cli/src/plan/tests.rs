//! Plans as they are shown.

use std::collections::BTreeSet;

use convoke::action::{MaxFail, OnFailure};
use convoke::inventory::{Expr, Supplied};

use super::shown::lossless;
use super::*;
use crate::config::Form;

fn work() -> Work {
    let mut command = Command::new(["ls", "a b"]);
    command.start.env = vec![
        ("A".into(), "plain".into()),
        ("TOKEN".into(), "hush".into()),
    ];
    command.start.limits.total_ms = Some(90_000);
    Work {
        command,
        form: Form::Words,
        secret: BTreeSet::from(["TOKEN".into()]),
    }
}

fn plan(expr: &str, fanout: Option<usize>, room: usize) -> Result<Plan, Usage> {
    let hosts = Expr::parse(expr)
        .unwrap()
        .evaluate(&Supplied::nothing())
        .unwrap();
    let parts = Parts {
        reaching: Reaching::new(crate::args::Reaching::default()).unwrap(),
        hosts: &hosts,
        work: work(),
        stdin: Stdin::Sent,
        pace: Pace {
            fanout,
            max_fail: Some(MaxFail::Percent(50)),
            on_failure: OnFailure::GoOn,
        },
        mode: Mode::Prefixed,
        safety: Safety::Raw,
        outdir: Some("/tmp/a b".into()),
        exit_rule: ExitRule::Max,
        room,
    };
    Plan::new(parts, &Registry::with_defaults())
}

#[test]
fn a_plan_reads_like_what_was_asked_for() {
    let text = plan("local:a[1-3]", None, 100).unwrap().text();
    let expected = "\
hosts     local:a[1-3] (3)
command   ls 'a b'
variable  A=plain
variable  TOKEN=(not shown)
stdin     ours, to every host
timeout   1m 30s
grace     10s
at once   3 hosts
stop at   2 failed hosts: nothing new is started
output    prefixed, nothing escaped
files in  '/tmp/a b'
exit code the largest remote code
";
    assert_eq!(text, expected);
}

#[test]
fn a_serialised_plan_has_the_facts_and_no_secret() {
    let plan = plan("local:b,local:a", None, 100).unwrap();
    let json = serde_json::to_value(plan.summary()).unwrap();
    assert_eq!(json["hosts"], serde_json::json!(["local:b", "local:a"]));
    assert_eq!(
        json["argv"],
        serde_json::json!([{"text": "ls"}, {"text": "a b"}])
    );
    assert_eq!(
        json["env"][1],
        serde_json::json!({"name": {"text": "TOKEN"}, "value": null})
    );
    assert_eq!(json["raw"], true);
    assert_eq!(json["exit_code"], "max");
    assert!(!json.to_string().contains("hush"));
}

#[test]
fn bytes_have_the_form_that_they_have_in_events() {
    for bytes in [&b"plain"[..], b"", b"\xff\n"] {
        let data = bytes::Bytes::copy_from_slice(bytes);
        let stream = convoke::event::Stream::Stdout;
        let kind = convoke::event::Kind::Output { stream, data };
        let event = crate::render::view_tests::event("h", kind);
        let event = serde_json::to_value(event).unwrap();
        let ours = serde_json::to_value(lossless(&bytes.into())).unwrap();
        assert_eq!(ours, event["data"]);
    }
}

#[test]
fn hosts_that_cannot_be_reached_yet_are_named_before_anything_starts() {
    let error = plan("local:a,docker:web[1-2]", None, 100).err().unwrap();
    assert_eq!(
        error.what,
        "no connector for docker endpoints in this build: docker:web[1-2]"
    );
    assert!(error.hint.unwrap().contains("local:"));
}

#[test]
fn the_limit_of_descriptors_narrows_the_window_with_a_warning() {
    for (fanout, room, expected, warned) in [
        (None, 100, 20, false),
        (Some(5), 100, 5, false),
        (None, 7, 7, true),
        (Some(15), 7, 7, true),
        (Some(7), 7, 7, false),
        (Some(1000), 100, 20, false),
    ] {
        let plan = plan("local:a[1-20]", fanout, room).unwrap();
        let Crowd { fanout, warning } = plan.crowd;
        assert_eq!((fanout, warning.is_some()), (expected, warned));
    }
}
