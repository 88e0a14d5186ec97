use convoke_proto::file::{Digest, FileKind, Stored};
use convoke_proto::operation::{Field, Reason};
use serde_json::{Value, json};

use super::*;

fn form(reply: Result<Answer, Failure>) -> Value {
    struct Whole(Result<Answer, Failure>);

    impl Serialize for Whole {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            entries(&self.0, &mut map)?;
            map.end()
        }
    }

    serde_json::to_value(Whole(reply)).unwrap()
}

fn a_file() -> Stat {
    Stat {
        kind: FileKind::File,
        mode: 0o4755,
        uid: 0,
        gid: 5,
        owner: "root".into(),
        group: "5".into(),
        size: 3,
        modified: Time {
            seconds: 1_795_289_400,
            nanoseconds: 7,
        },
        changed: Time {
            seconds: i64::MAX,
            nanoseconds: 0,
        },
        inode: 11,
        device: 12,
        links: 1,
        target: None,
        digests: Vec::new(),
    }
}

#[test]
fn a_file_has_flat_fields() {
    let stat = Stat {
        digests: vec![(Digest::Sha256, b"\x01\xff".into())],
        ..a_file()
    };
    let expected = json!({
        "answer": "stat", "exists": true, "kind": "file", "mode": "4755",
        "owner": "root", "uid": 0, "group": "5", "gid": 5, "size": 3,
        "modified": "2026-11-21T19:30:00.000000007Z", "modified_seconds": 1_795_289_400,
        "changed": null, "changed_seconds": i64::MAX,
        "inode": 11, "device": 12, "links": 1, "target": null, "sha256": "01ff",
    });
    assert_eq!(form(Ok(Answer::Stat(Some(Box::new(stat))))), expected);
    let none = json!({"answer": "stat", "exists": false});
    assert_eq!(form(Ok(Answer::Stat(None))), none);
}

#[test]
fn a_name_that_is_no_text_is_base64_in_a_field_of_another_name() {
    let entry = Entry {
        name: b"\xff".into(),
        stat: Stat {
            kind: FileKind::Link,
            mode: 0o777,
            target: Some("there".into()),
            ..a_file()
        },
    };
    let json = form(Ok(Answer::Entries(vec![entry])));
    let entry = &json["entries"][0];
    assert_eq!(json["answer"], "entries");
    assert_eq!(
        (&entry["name_base64"], &entry["name"]),
        (&json!("/w=="), &Value::Null)
    );
    assert_eq!(
        (&entry["mode"], &entry["kind"]),
        (&json!("0777"), &json!("link"))
    );
    assert_eq!(entry["target"], "there");
    assert_eq!(form(Ok(Answer::Content(b"\xff".into())))["base64"], "/w==");
    assert_eq!(form(Ok(Answer::Content("a".into())))["text"], "a");
}

#[test]
fn users_groups_and_variables_have_their_names() {
    let user = User {
        name: "op".into(),
        uid: 1000,
        group: "ops".into(),
        gid: 100,
        groups: vec!["ops".into(), b"\xff".into()],
        gecos: "Op, Room 1".into(),
        home: "/home/op".into(),
        shell: "/bin/sh".into(),
        password_hash: None,
    };
    let expected = json!({
        "answer": "user", "name": "op", "uid": 1000, "group": "ops", "gid": 100,
        "groups": ["ops", {"base64": "/w=="}],
        "gecos": "Op, Room 1", "home": "/home/op", "shell": "/bin/sh",
    });
    assert_eq!(form(Ok(Answer::User(Box::new(user)))), expected);
    let group = Group {
        name: "ops".into(),
        gid: 100,
        members: vec!["op".into()],
    };
    let expected = json!({"answer": "group", "name": "ops", "gid": 100, "members": ["op"]});
    assert_eq!(form(Ok(Answer::Group(group))), expected);
    let variables = vec![("A".into(), "1".into()), ("B".into(), b"\xff".into())];
    let expected = json!({
        "answer": "environment",
        "variables": [{"name": "A", "value": "1"}, {"name": "B", "value_base64": "/w=="}],
    });
    assert_eq!(form(Ok(Answer::Environment(variables))), expected);
}

#[test]
fn the_other_answers_have_their_words() {
    let stored = Stored {
        path: "/a".into(),
        size: 3,
        replaced: true,
    };
    for (answer, expected) in [
        (Answer::Done, json!({"answer": "done"})),
        (Answer::Path(None), json!({"answer": "path", "path": null})),
        (
            Answer::Path(Some("/a".into())),
            json!({"answer": "path", "path": "/a"}),
        ),
        (
            Answer::Stored(stored),
            json!({"answer": "stored", "path": "/a", "size": 3, "replaced": true}),
        ),
        (
            Answer::Position(9),
            json!({"answer": "position", "position": 9}),
        ),
    ] {
        assert_eq!(form(Ok(answer)), expected);
    }
    let facts = form(Ok(Answer::Facts(vec![(
        "machine".to_owned(),
        "x86_64".into(),
    )])));
    assert_eq!(facts["facts"]["architecture"], "x86_64");
}

#[test]
fn a_failure_takes_the_place_of_an_answer() {
    let failure = Failure {
        field: Field::Path,
        value: "/root/x".into(),
        reason: Reason::Errno(13),
        path: None,
    };
    let expected = json!({
        "answer": "failed", "field": "path", "value": "/root/x", "reason": "errno", "errno": 13,
        "path": null,
        "text": "\"/root/x\": permission denied",
    });
    assert_eq!(form(Err(failure)), expected);
}
