use bstr::BStr;
use convoke_proto::account::{Group, PasswordHash, User};

use super::*;

const USERS: &str = "\
root:x:0:0:root:/root:/bin/bash
ann:x:1001:1002:Ann,Room 5:/home/ann:/bin/zsh
1003:x:77:100:::
old:$6$salt$hash:78:100:::
";

const GROUPS: &str = "\
root:x:0:
ann:x:1002:
staff:x:50:ann,bob
wheel:x:10:bob,ann
users:x:100:
";

/// A name service that knows one user more, whom no file names.
const LDAP: &str = "\
case $1/$2 in
passwd/zoe|passwd/2001) echo 'zoe:*:2001:2002:Zoe:/net/zoe:/bin/ksh';;
group/zoe|group/2002) echo 'zoe:*:2002:';;
group/far|group/2003) echo 'far:*:2003:zoe';;
initgroups/zoe) echo 'zoe   2002 2003 50';;
shadow/zoe) echo 'zoe:$y$far:1:::::';;
*) exit 2;;
esac";

fn host() -> Host {
    let host = Host::new();
    host.etc("passwd", USERS);
    host.etc("group", GROUPS);
    host.etc(
        "nsswitch.conf",
        "passwd: files\ngroup: files [NOTFOUND=return]\n",
    );
    host
}

fn user(who: &str) -> Operation {
    Operation::User {
        who: Some(who.into()),
        hash: PasswordHash::Hidden,
    }
}

fn group(who: &str) -> Operation {
    Operation::Group {
        who: Some(who.into()),
    }
}

fn found(host: &Host, operation: Operation) -> User {
    match host.one(operation) {
        Ok(Answer::User(user)) => *user,
        other => panic!("{other:?} is no user"),
    }
}

#[test]
fn all_of_a_user_is_told() {
    let host = host();
    let ann = User {
        name: "ann".into(),
        uid: 1001,
        group: "ann".into(),
        gid: 1002,
        groups: ["ann", "staff", "wheel"].map(Into::into).into(),
        gecos: "Ann,Room 5".into(),
        home: "/home/ann".into(),
        shell: "/bin/zsh".into(),
        password_hash: None,
    };
    assert_eq!(found(&host, user("ann")), ann);
    assert_eq!(found(&host, user("1001")), ann);
    // A name that looks like a number is a name first.
    assert_eq!(found(&host, user("1003")).uid, 77);
    let me = rustix::process::geteuid().as_raw();
    host.etc("passwd", &format!("me:x:{me}:100:::\n"));
    let own = Operation::User {
        who: None,
        hash: PasswordHash::Hidden,
    };
    assert_eq!(found(&host, own).name, "me");
}

#[test]
fn a_login_without_a_name_is_told_by_its_number() {
    let host = Host::new();
    host.etc("passwd", "ann:x:1001:1002::/home/ann:/bin/sh\n");
    host.etc("group", "ann:x:1002:\n");
    let uid = rustix::process::geteuid().to_string();
    let gid = rustix::process::getegid();
    let hash = PasswordHash::Shown;
    let me = found(&host, Operation::User { who: None, hash });
    let number = BString::from(gid.to_string());
    assert_eq!(
        (me.name, me.uid.to_string()),
        (uid.as_str().into(), uid.clone())
    );
    assert_eq!((me.groups.first(), me.gid), (Some(&number), gid.as_raw()));
    assert_eq!(me.group, number);
    assert_eq!(me.home, text(host.scratch.path().join("home")));
    assert_eq!((me.shell, me.password_hash), ("/bin/sh".into(), None));
    let mine = Answer::Group(Group {
        name: number,
        gid: gid.as_raw(),
        members: Vec::new(),
    });
    assert_eq!(host.one(Operation::Group { who: None }), Ok(mine));
    // Whoever is named has to be known.
    assert_eq!(host.wrong(user(&uid)), (Field::User, Reason::Unknown));
    let group = group(&gid.to_string());
    assert_eq!(host.wrong(group), (Field::Group, Reason::Unknown));
}

#[test]
fn a_group_is_told_with_its_members() {
    let host = host();
    let staff = Answer::Group(Group {
        name: "staff".into(),
        gid: 50,
        members: ["ann", "bob"].map(Into::into).into(),
    });
    assert_eq!(host.one(group("staff")).as_ref(), Ok(&staff));
    assert_eq!(host.one(group("50")).as_ref(), Ok(&staff));
    for name in [
        "nobody",
        "",
        "-x",
        "51",
        "a:b",
        "st\nff",
        "\0",
        "4294967295",
        "-1",
    ] {
        assert_eq!(
            host.wrong(group(name)),
            (Field::Group, Reason::Unknown),
            "{name:?}"
        );
        assert_eq!(
            host.wrong(user(name)),
            (Field::User, Reason::Unknown),
            "{name:?}"
        );
    }
}

#[test]
fn a_user_whom_only_the_name_service_knows_is_found() {
    let host = host();
    host.program("getent", LDAP);
    let zoe = found(&host, user("zoe"));
    assert_eq!((zoe.uid, zoe.group.to_string()), (2001, "zoe".to_owned()));
    assert_eq!(zoe.groups, ["zoe", "far", "staff"].map(BString::from));
    assert_eq!(found(&host, user("2001")), zoe);
    assert_eq!(host.wrong(user("yan")), (Field::User, Reason::Unknown));
    let identity = host.verbs.identity(Some(BStr::new("zoe")), None).unwrap();
    assert_eq!((identity.uid, identity.gid), (2001, 2002));
    assert_eq!(identity.groups, [2002, 2003, 50]);
    assert_eq!(
        (identity.home, identity.shell),
        ("/net/zoe".into(), "/bin/ksh".into())
    );
}

#[test]
fn files_are_seen_by_the_names_of_the_name_service() {
    let host = host();
    if !is_root() {
        return eprintln!("skipped: only root gives files away");
    }
    let asked = host.scratch.path().join("asked");
    host.program(
        "getent",
        &format!("echo $2 >> '{}'\n{LDAP}", asked.display()),
    );
    for number in 0..50 {
        let path = host.write(number.to_string(), "");
        std::os::unix::fs::chown(path, Some(2001), Some(9999)).unwrap();
    }
    let answers = host.all(Operation::List { path: ".".into() }).unwrap();
    let Some(Answer::Entries(entries)) = answers.last() else {
        panic!("there is a listing");
    };
    let expected = ("zoe".into(), "9999".into());
    let owners =
        |entry: &convoke_proto::file::Entry| (entry.stat.owner.clone(), entry.stat.group.clone());
    assert!(entries.iter().all(|entry| owners(entry) == expected));
    // What is unknown is remembered like what is known.
    assert_eq!(fs::read_to_string(asked).unwrap(), "2001\n9999\n");
}

#[test]
fn the_name_service_is_asked_for_groups_only_where_it_has_some() {
    let host = host();
    host.program("getent", "case $1 in initgroups) echo \"$2 100\";; esac");
    let groups = || found(&host, user("ann")).groups.len();
    assert_eq!(groups(), 3);
    for (switch, expected) in [
        ("group: files ldap", 4),
        ("group: files # ldap", 3),
        ("group: sss\ninitgroups: files", 3),
        ("group: files\ninitgroups: files sss", 4),
        ("passwd: ldap", 3),
    ] {
        host.etc("nsswitch.conf", switch);
        assert_eq!(groups(), expected, "{switch}");
    }
    host.etc("nsswitch.conf", "group: compat");
    assert_eq!(groups(), 3);
    host.etc("group", &format!("{GROUPS}+::\n"));
    assert_eq!(groups(), 4);
}

#[test]
fn a_name_service_that_hangs_is_given_up() {
    let host = host();
    host.program("getent", "exec sleep 1000");
    let start = std::time::Instant::now();
    assert_eq!(host.wrong(user("yan")), (Field::User, Reason::NoAnswer));
    assert!(start.elapsed() < std::time::Duration::from_secs(9));
    // What the files know does not need it.
    assert_eq!(found(&host, user("ann")).uid, 1001);
}

#[test]
fn a_name_service_that_hangs_is_waited_for_once_by_a_listing() {
    let host = host();
    host.etc("passwd", "");
    host.etc("group", "");
    host.program("getent", "exec sleep 1000");
    (0..20).for_each(|number| drop(host.write(number.to_string(), "")));
    let start = std::time::Instant::now();
    host.all(Operation::List { path: ".".into() }).unwrap();
    // Once for users, once for groups.
    assert!(start.elapsed() < std::time::Duration::from_secs(15));
}

#[test]
fn a_password_hash_is_told_to_who_may_see_it() {
    let host = host();
    host.etc("shadow", "root:*:1::::::\nann:$y$secret:1::::::\n");
    host.program("getent", LDAP);
    let hash = |who: &str| Operation::User {
        who: Some(who.into()),
        hash: PasswordHash::Shown,
    };
    for (who, expected) in [
        ("ann", Some("$y$secret")),
        ("root", Some("*")),
        ("old", Some("$6$salt$hash")),
        ("1003", None),
        ("zoe", Some("*")),
    ] {
        let told = found(&host, hash(who)).password_hash;
        assert_eq!(told, expected.map(Into::into), "{who}");
    }
    assert_eq!(found(&host, user("ann")).password_hash, None);
}

#[test]
fn a_password_hash_takes_privileges() {
    let name = "verbs::tests::accounts::a_password_hash_takes_privileges";
    unprivileged(name, || {
        let host = host();
        host.etc("shadow", "ann:$y$secret:1::::::\n");
        set_mode(host.scratch.path().join("etc/shadow"), 0);
        let hash = Operation::User {
            who: Some("ann".into()),
            hash: PasswordHash::Shown,
        };
        let denied = (Field::User, Reason::Errno(libc::EACCES));
        assert_eq!(host.wrong(hash), denied);
    });
}

#[test]
fn a_group_that_no_answer_holds_is_too_long() {
    let host = host();
    let members = |count: usize| vec!["somebody"; count].join(",");
    host.etc(
        "group",
        &format!(
            "fits:x:1:{}\nlong:x:2:{}\n",
            members(20_000),
            members(60_000)
        ),
    );
    let answer = host.one(group("fits")).unwrap();
    let mut bytes = Vec::new();
    Record::Last(answer).encode(&mut bytes);
    assert!(bytes.len() <= convoke_proto::operation::MAX_RECORD);
    assert_eq!(host.wrong(group("long")), (Field::Group, Reason::TooLong));
}

#[test]
fn an_identity_is_what_a_login_would_be() {
    let host = host();
    let ann = host.verbs.identity(Some(BStr::new("ann")), None).unwrap();
    assert_eq!(
        (ann.uid, ann.gid, ann.groups),
        (1001, 1002, vec![1002, 50, 10])
    );
    let staff = host
        .verbs
        .identity(Some(BStr::new("ann")), Some(BStr::new("staff")))
        .unwrap();
    assert_eq!(
        (staff.uid, staff.gid, staff.groups),
        (1001, 50, vec![1002, 50, 10])
    );
    let own = host.verbs.identity(None, Some(BStr::new("50"))).unwrap();
    assert_eq!(
        (own.uid, own.gid),
        (rustix::process::geteuid().as_raw(), 50)
    );
    for (user, group, field) in [
        (Some("yan"), None, Field::User),
        (Some("4711"), None, Field::User),
        (Some("ann"), Some("no"), Field::Group),
        (None, Some("4711"), Field::Group),
    ] {
        let failure = host
            .verbs
            .identity(user.map(BStr::new), group.map(BStr::new))
            .unwrap_err();
        assert_eq!((failure.field, failure.reason), (field, Reason::Unknown));
    }
}

#[test]
fn a_name_with_blanks_brings_no_group_along() {
    let host = host();
    host.program(
        "getent",
        "case $1/$2 in
'passwd/svc 0') echo 'svc 0:*:2001:2002::/:/bin/sh';;
'initgroups/svc 0') echo 'svc 0                  2002 50';;
passwd/other) echo 'other:*:2003:2002::/:/bin/sh';;
initgroups/other) echo 'otherwise 0 50';;
esac",
    );
    let groups = |name: &str| {
        let identity = host.verbs.identity(Some(BStr::new(name)), None);
        identity.map(|identity| identity.groups)
    };
    assert_eq!(groups("svc 0").unwrap(), [2002, 50]);
    assert_eq!(groups("other").unwrap_err().reason, Reason::NoAnswer);
}

#[test]
fn a_name_service_answers_with_the_proper_name() {
    let host = host();
    host.program(
        "getent",
        "case $1 in
passwd) echo 'zoe:*:2001:2002::/net/zoe:/bin/ksh';;
group) echo 'far:*:2003:zoe';;
initgroups) echo \"$2 2002\";;
esac",
    );
    for name in ["Zoe", "zoe@example.org", "NET\\zoe"] {
        assert_eq!(found(&host, user(name)).name, "zoe", "{name}");
    }
    let Ok(Answer::Group(far)) = host.one(group("Far")) else {
        panic!("there is such a group");
    };
    assert_eq!((far.name, far.gid), ("far".into(), 2003));
    // These are numbers to `getent`, and others than were asked for.
    for name in ["4294967296", "+7", " 7", "7"] {
        assert_eq!(
            host.wrong(user(name)),
            (Field::User, Reason::Unknown),
            "{name}"
        );
    }
}

#[test]
fn a_file_that_is_too_long_ends_with_a_whole_line() {
    let host = host();
    let line = "last:x:2001:100:::\n";
    // Only `last:x:2001:1` of the last line fits.
    let padding = "#".repeat(16 * 1024 * 1024 - line.len() + 4);
    host.etc("passwd", &format!("{padding}\n{line}"));
    assert_eq!(host.wrong(user("last")), (Field::User, Reason::Unknown));
    host.etc("passwd", line.trim_end());
    assert_eq!(found(&host, user("last")).gid, 100);
}
