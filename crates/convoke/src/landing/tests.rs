//! Files that land in a directory of the test.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use super::*;

struct Field {
    directory: tempfile::TempDir,
}

impl Field {
    fn new() -> Self {
        Field {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn landing(&self, name: &str) -> Landing {
        Landing {
            directory: self.directory.path().to_owned(),
            beneath: None,
            name: name.into(),
            mask: 0o022,
            durability: Durability::Synced,
        }
    }

    fn beneath(&self, host: &str, name: &str) -> Landing {
        Landing {
            beneath: Some(host.into()),
            ..self.landing(name)
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

fn land(landing: &Landing, content: &[u8], mode: u16) -> io::Result<()> {
    let mut approach = landing.approach()?;
    for piece in content.chunks(3) {
        approach.write(piece)?;
    }
    approach.land(mode)
}

#[test]
fn a_file_has_its_content_and_as_much_of_its_mode_as_it_may() {
    let field = Field::new();
    for (mode, expected) in [(0o644, 0o644), (0o7777, 0o755), (0o666, 0o644), (0, 0)] {
        land(&field.landing("f"), b"content", mode).unwrap();
        assert_eq!(std::fs::read(field.path("f")).unwrap(), b"content");
        let mode = field.path("f").metadata().unwrap().mode() & 0o7777;
        assert_eq!(mode, expected);
        assert_eq!(field.names(), ["f"]);
        std::fs::remove_file(field.path("f")).unwrap();
    }
}

#[test]
fn a_file_that_is_replaced_passes_its_mode_on() {
    let field = Field::new();
    for (old, new) in [(0o600, 0o644), (0o644, 0o600), (0o4755, 0o600)] {
        std::fs::write(field.path("f"), "old").unwrap();
        let permissions = std::fs::Permissions::from_mode(old);
        std::fs::set_permissions(field.path("f"), permissions).unwrap();
        land(&field.landing("f"), b"new", new).unwrap();
        assert_eq!(std::fs::read(field.path("f")).unwrap(), b"new");
        let mode = field.path("f").metadata().unwrap().mode() & 0o7777;
        assert_eq!(mode, old & 0o777);
    }
}

#[test]
fn a_file_is_replaced_as_a_whole_or_stays() {
    let field = Field::new();
    std::fs::write(field.path("f"), "old").unwrap();
    let old = std::fs::File::open(field.path("f")).unwrap();
    let mut approach = field.landing("f").approach().unwrap();
    approach.write(b"half of the new").unwrap();
    assert_eq!(std::fs::read(field.path("f")).unwrap(), b"old");
    drop(approach);
    assert_eq!(std::fs::read(field.path("f")).unwrap(), b"old");
    assert_eq!(field.names(), ["f"]);
    land(&field.landing("f"), b"new", 0o600).unwrap();
    assert_eq!(std::fs::read(field.path("f")).unwrap(), b"new");
    assert_eq!(old.metadata().unwrap().nlink(), 0);
}

#[test]
fn nobody_sees_a_file_before_it_is_whole() {
    let field = Field::new();
    let mut approach = field.landing("f").approach().unwrap();
    approach.write(b"secret").unwrap();
    let mode = approach.file.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(field.names(), [""; 0]);
}

#[test]
fn what_has_a_name_meanwhile_is_removed_or_renamed() {
    let field = Field::new();
    let named = || {
        let mut approach = field.landing("f").approach().unwrap();
        // As on a file system without files that have no name.
        let name = unfinished();
        approach.place.link(&approach.file, &name).unwrap();
        approach.place.unfinished = Some(name);
        approach
    };
    let approach = named();
    assert_eq!(field.names().len(), 1);
    drop(approach);
    assert_eq!(field.names(), [""; 0]);
    named().land(0o600).unwrap();
    named().land(0o600).unwrap();
    assert_eq!(field.names(), ["f"]);
}

#[test]
fn a_link_a_directory_and_a_pipe_are_not_replaced() {
    let field = Field::new();
    std::fs::write(field.path("elsewhere"), "untouched").unwrap();
    symlink("elsewhere", field.path("link")).unwrap();
    symlink("nowhere", field.path("dangling")).unwrap();
    std::fs::create_dir(field.path("directory")).unwrap();
    rustix::fs::mknodat(CWD, field.path("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    for (name, why) in [
        ("link", "it is a symbolic link"),
        ("dangling", "it is a symbolic link"),
        ("directory", "Is a directory (os error 21)"),
        ("pipe", "it is no regular file"),
    ] {
        let error = land(&field.landing(name), b"new", 0o600).unwrap_err();
        assert_eq!(error.to_string(), why);
    }
    assert_eq!(
        std::fs::read(field.path("elsewhere")).unwrap(),
        b"untouched"
    );
    assert!(!field.path("nowhere").exists());
}

#[test]
fn a_link_that_is_planted_meanwhile_is_not_followed() {
    let field = Field::new();
    std::fs::write(field.path("elsewhere"), "untouched").unwrap();
    let mut approach = field.landing("f").approach().unwrap();
    approach.write(b"new").unwrap();
    symlink("elsewhere", field.path("f")).unwrap();
    assert!(approach.land(0o600).is_err());
    assert_eq!(
        std::fs::read(field.path("elsewhere")).unwrap(),
        b"untouched"
    );
    assert_eq!(field.names(), ["elsewhere", "f"]);
}

#[test]
fn the_directory_of_a_host_is_made_and_goes_when_nothing_lands() {
    let field = Field::new();
    drop(field.beneath("web1", "f").approach().unwrap());
    assert_eq!(field.names(), [""; 0]);
    land(&field.beneath("web1", "f"), b"one", 0o600).unwrap();
    // What landed before stays.
    drop(field.beneath("web1", "g").approach().unwrap());
    assert_eq!(std::fs::read(field.path("web1/f")).unwrap(), b"one");
    let mode = field.path("web1").metadata().unwrap().mode() & 0o7777;
    assert_eq!(mode, 0o700);
}

#[test]
fn what_stands_in_the_place_of_the_directory_of_a_host_is_named() {
    let field = Field::new();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), field.path("web1")).unwrap();
    std::fs::write(field.path("web2"), "").unwrap();
    for (name, why) in [
        ("web1", "\"web1\" is a symbolic link"),
        ("web2", "\"web2\" is no directory"),
    ] {
        let error = land(&field.beneath(name, "f"), b"one", 0o600).unwrap_err();
        assert_eq!(error.to_string(), why);
    }
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn a_name_that_leads_elsewhere_is_refused() {
    let field = Field::new();
    for name in ["", ".", "..", "../f", "/etc/f", "a/b", "a\0b"] {
        assert!(field.landing(name).approach().is_err(), "{name:?}");
        assert!(field.beneath(name, "f").approach().is_err(), "{name:?}");
    }
    assert_eq!(field.names(), [""; 0]);
}

#[test]
fn a_landing_knows_its_path() {
    let landing = |directory: &str, beneath: Option<&str>| Landing {
        directory: directory.into(),
        beneath: beneath.map(OsString::from),
        name: "f".into(),
        mask: 0,
        durability: Durability::Unsynced,
    };
    for (landing, path) in [
        (landing(".", None), "f"),
        (landing(".", Some("web1")), "web1/f"),
        (landing("out", Some("web1")), "out/web1/f"),
        (landing("/", None), "/f"),
    ] {
        assert_eq!(landing.path(), Path::new(path));
    }
}
