//! Names of any bytes.

use convoke::BString;
use convoke::scope::Scope;
use convoke::verb::{Run, Verbs as _};

use super::{Ground, checks, fails};

checks! {
    Anybody a_name_may_hold_any_byte
    Anybody a_directory_may_be_called_anything
    Anybody what_can_be_no_name_is_refused_here
}

/// Names that a shell, a terminal or a careless program would stumble over.
const NAMES: [&[u8]; 16] = [
    b" ",
    b" a  b ",
    b"'",
    b"\"",
    b"a\nb",
    b"\t",
    b"-rf",
    b"--",
    b"\xff\xfe",
    b"$(touch x)",
    b"*",
    b"~",
    b"\\",
    b"\x1b[31m",
    b"...",
    "\u{202e}caf\u{e9}".as_bytes(),
];

async fn a_name_may_hold_any_byte(ground: &Ground) {
    let remote = &ground.remote;
    for name in NAMES {
        let aside: BString = [name, b".old"].concat().into();
        remote.upload(name, name).await.unwrap();
        assert_eq!(remote.read(name).await.unwrap(), name);
        assert!(remote.exists(name).await.unwrap());
        let said = remote.run([&b"cat"[..], b"--", name]).await.unwrap();
        assert_eq!(said.stdout, name);
        let entries = remote.list(".").await.unwrap();
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert_eq!(entries[0].name, name);
        remote.rename(name, aside.clone()).await.unwrap();
        remote.symlink(name, name).await.unwrap();
        assert_eq!(remote.readlink(name).await.unwrap(), name);
        remote.remove(name).await.unwrap();
        remote.remove(aside).await.unwrap();
    }
}

async fn a_directory_may_be_called_anything(ground: &Ground) {
    for name in NAMES {
        ground.remote.mkdir(name).await.unwrap();
        let inside = ground.remote.within(&Scope::new().cwd(name));
        inside.upload("x", "inside").await.unwrap();
        let said = inside.ask(Run::new(["cat", "x"]).env("A", name)).await;
        assert_eq!(said.unwrap().stdout, "inside");
        ground.remote.remove_tree(name).await.unwrap();
    }
}

async fn what_can_be_no_name_is_refused_here(ground: &Ground) {
    let remote = &ground.remote;
    for name in ["", "a\0b"] {
        fails!(remote.stat(name).await, Usage { field: "path", value, .. } if value == name);
        fails!(remote.upload(name, "").await, Usage { field: "path", .. });
        fails!(remote.rename("x", name).await, Usage { field: "to", .. });
        fails!(
            remote.symlink(name, "x").await,
            Usage {
                field: "target",
                ..
            }
        );
        fails!(remote.which(name).await, Usage { field: "name", .. });
        fails!(remote.query_user(name).await, Usage { field: "user", .. });
    }
    assert_eq!(remote.list(".").await.unwrap(), []);
}
