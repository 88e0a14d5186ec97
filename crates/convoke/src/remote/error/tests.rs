//! What is told from what, and how it is shown.

use super::*;

fn failure(field: Field, reason: Reason) -> VerbError {
    let value = "/a\nb".into();
    let failure = Failure {
        field,
        value,
        reason,
        path: None,
    };
    failure.into()
}

#[test]
fn each_failure_of_a_host_is_a_kind_of_its_own() {
    let path = |reason| failure(Field::Path, reason);
    assert!(matches!(path(Reason::Errno(2)), VerbError::NotFound { .. }));
    for errno in [1, 13] {
        let error = path(Reason::Errno(errno));
        assert!(matches!(error, VerbError::Permission { errno: same, .. } if same == errno));
    }
    assert!(matches!(
        path(Reason::Errno(20)),
        VerbError::Errno { errno: 20, .. }
    ));
    for field in [Field::Owner, Field::User] {
        let error = failure(field, Reason::Unknown);
        assert!(matches!(error, VerbError::UnknownUser { .. }));
    }
    let group = failure(Field::Group, Reason::Unknown);
    assert!(matches!(group, VerbError::UnknownGroup { .. }));
    let mode = failure(Field::Mode, Reason::Invalid);
    assert!(matches!(mode, VerbError::Usage { field: "mode", .. }));
    let kind = path(Reason::Kind(FileKind::Fifo));
    assert!(matches!(
        kind,
        VerbError::Kind {
            kind: FileKind::Fifo,
            ..
        }
    ));
    assert!(matches!(path(Reason::TooLong), VerbError::TooLong { .. }));
    assert!(matches!(path(Reason::NoAnswer), VerbError::NoAnswer { .. }));
    assert!(matches!(path(Reason::Cancelled), VerbError::Cancelled));
}

#[test]
fn what_a_file_may_not_be_given_is_told_beside_its_path() {
    let failure = |errno| Failure {
        field: Field::Owner,
        value: "root".into(),
        reason: Reason::Errno(errno),
        path: Some("/x".into()),
    };
    let owner = Part {
        field: "owner",
        value: "root".into(),
    };
    match VerbError::from(failure(1)) {
        VerbError::Permission {
            path,
            part,
            errno: 1,
        } => assert_eq!((path, part), ("/x".into(), Some(owner.clone()))),
        other => panic!("{other:?}"),
    }
    match VerbError::from(failure(22)) {
        VerbError::Errno {
            path,
            part,
            errno: 22,
        } => assert_eq!((path, part), ("/x".into(), Some(owner))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_host_says_is_shown_so_that_it_drives_no_terminal() {
    let value: BString = "\x1b[2J".into();
    for error in [
        VerbError::usage("path", value.clone(), "x"),
        VerbError::UnknownUser {
            name: value.clone(),
        },
        VerbError::NotFound {
            path: value.clone(),
        },
        VerbError::Errno {
            path: value.clone(),
            part: None,
            errno: 5,
        },
        VerbError::NoProgram {
            name: value.clone(),
            tried: Vec::new(),
        },
        VerbError::Failed(Box::new(Completed {
            stdout: BString::default(),
            stderr: value,
            exit: exited(3),
        })),
    ] {
        let text = error.to_string();
        assert!(!text.contains('\x1b') && text.contains("\\x1b"), "{text}");
    }
}

#[test]
fn a_command_that_failed_says_its_last_complaint() {
    let failed = |stderr: &str| {
        ended(&Completed {
            stdout: BString::default(),
            stderr: stderr.into(),
            exit: exited(3),
        })
    };
    assert_eq!(failed(""), "the command exited with 3");
    assert_eq!(failed("one\ntwo\n\n"), "the command exited with 3: two");
    let (long, cut) = ("é".repeat(5_000_000), "é".repeat(100));
    assert_eq!(failed(&long), format!("the command exited with 3: {cut}…"));
    let odd = format!("x{long}");
    assert!(failed(&odd).ends_with(&format!(": x{}…", "é".repeat(99))));
}

fn exited(code: u8) -> Exited {
    Exited {
        status: crate::outcome::Status::Code(code),
        left_running: 0,
        stream_cut: false,
        survivors: Vec::new(),
    }
}

#[test]
fn a_command_that_cannot_start_is_told_by_the_field_that_is_to_blame() {
    let at = |stage, errno| {
        let reason = NotStarted {
            stage,
            errno,
            tried: vec!["/x".into()],
            why: None,
        };
        VerbError::not_started(reason, &"prog".into())
    };
    for (stage, named) in [
        (Stage::Cwd, "cwd"),
        (Stage::User, "user"),
        (Stage::Group, "group"),
    ] {
        let VerbError::Usage { field, value, .. } = at(stage, 2) else {
            panic!("{stage:?}");
        };
        assert_eq!((field, value), (named, "/x".into()));
    }
    assert!(matches!(at(Stage::Exec, 2), VerbError::NoProgram { .. }));
    let denied = at(Stage::Exec, 13);
    assert!(
        matches!(denied, VerbError::Permission { path, part: None, errno: 13 } if path == "/x")
    );
    assert!(matches!(at(Stage::Exec, 8), VerbError::NotStarted(_)));
    assert!(matches!(at(Stage::Fork, 11), VerbError::NotStarted(_)));
}

#[test]
fn whoever_may_not_become_somebody_else_is_told_what_it_takes() {
    let at = |errno| {
        let reason = NotStarted {
            stage: Stage::User,
            errno,
            tried: vec!["app".into()],
            why: None,
        };
        VerbError::not_started(reason, &"prog".into())
    };
    let refused = at(1);
    assert!(matches!(refused, VerbError::NotRoot { field: "user", .. }));
    assert!(refused.hint().is_some() && refused.to_string().contains("only a login as root"));
    let unknown = at(2);
    assert!(unknown.hint().is_none() && unknown.to_string().contains("no such name"));
}

#[test]
fn a_link_that_is_in_the_way_is_hinted_at() {
    let hint = |errno| failure(Field::Path, Reason::Errno(errno)).hint().is_some();
    assert!(hint(40) && !hint(28));
}

#[test]
fn a_request_that_is_refused_costs_no_host() {
    let text = "more requests wait\x1b".to_owned();
    let refused = VerbError::from(Broken::unsent(LinkError::Refused { text }));
    assert!(matches!(refused, VerbError::Refused { .. }));
    assert!(!refused.to_string().contains('\x1b'), "{refused}");
    let lost = VerbError::from(Broken::unsent(LinkError::Closed));
    assert!(matches!(
        lost,
        VerbError::Lost {
            may_be_done: false,
            ..
        }
    ));
    assert!(std::error::Error::source(&lost).is_some());
}
