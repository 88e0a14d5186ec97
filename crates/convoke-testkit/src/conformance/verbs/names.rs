//! Names of any bytes.

use convoke::BString;
use convoke::scope::Scope;
use convoke::verb::{Open, Read, Run, Stream, Tempdir, Upload, Verbs as _, Who};

use super::{Ground, checks, fails};

checks! {
    Anybody a_name_may_hold_any_byte
    Anybody every_verb_takes_any_name
    Anybody a_batch_takes_any_name
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

async fn every_verb_takes_any_name(ground: &Ground) {
    let remote = &ground.remote;
    let me = remote.query_user(Who::Login).await.unwrap();
    for name in NAMES {
        let path = remote.scope().join(name.into());
        remote.touch(name).await.unwrap();
        remote.chmod(name, 0o700).await.unwrap();
        remote.chown(name, me.uid.to_string()).await.unwrap();
        let mut file = remote.open(Open::appending(name)).await.unwrap();
        file.write_all(name).await.unwrap();
        assert_eq!(remote.download(name).await.unwrap(), name);
        assert_eq!(remote.download_or(name, "other").await.unwrap(), name);
        let mut incoming = remote.ask(Stream::of(name)).await.unwrap();
        assert_eq!(incoming.next().await.unwrap().unwrap(), name);
        let search = Scope::new().env("PATH", ground.directory.clone());
        let found = remote.within(&search).which(name).await.unwrap();
        assert_eq!(found, Some(path.clone()));
        assert_eq!(remote.expand(path.clone()).await.unwrap(), path);
        let prefix = Tempdir::new().inside(ground.directory.clone()).prefix(name);
        let made = remote.ask(prefix).await.unwrap();
        assert!(made.starts_with(&path), "{made:?}");
        remote.remove_tree(made).await.unwrap();
        remote.remove(name).await.unwrap();
        let missing = remote.read(name).await;
        fails!(missing, NotFound { path: said } if said == path);
    }
    assert_eq!(remote.list(".").await.unwrap(), []);
}

async fn a_batch_takes_any_name(ground: &Ground) {
    let remote = &ground.remote;
    let uploads = NAMES.map(|name| Upload::new(name, name).unsynced());
    for (name, stored) in NAMES.iter().zip(remote.batch(uploads).await.unwrap()) {
        assert_eq!(stored.unwrap().path, remote.scope().join((*name).into()));
    }
    let reads = remote.batch(NAMES.map(Read::of)).await.unwrap();
    for (name, read) in NAMES.iter().zip(reads) {
        assert_eq!(read.unwrap(), *name);
    }
    let entries = remote.list(".").await.unwrap();
    let mut names = NAMES.map(BString::from);
    names.sort();
    assert!(entries.iter().map(|entry| &entry.name).eq(&names));
}

async fn a_directory_may_be_called_anything(ground: &Ground) {
    for name in NAMES {
        ground.remote.mkdir(name).await.unwrap();
        let inside = ground.remote.within(&Scope::new().cwd(name));
        inside.upload("x", "inside").await.unwrap();
        let line = Run::line("cat x; printf %s \"$A\"", [""; 0]).env("A", name);
        let said = inside.ask(line).await.unwrap();
        assert_eq!(said.stdout, [b"inside", name].concat());
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
