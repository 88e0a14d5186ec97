//! A disk without room for what is written to it.

use convoke::BString;
use convoke::remote::Remote;
use convoke::scope::Scope;
use convoke::verb::{Content, Open, Run, Tempdir, Verbs as _};

use super::{Ground, checks, fails};

checks! {
    SmallDisk an_upload_to_a_full_disk_leaves_the_old_file_and_nothing_else
    SmallDisk an_open_file_on_a_full_disk_is_called_by_its_path
}

const ENOSPC: i32 = 28;

/// More than a small disk has room for.
const MUCH: usize = 16 * 1024 * 1024;

/// A directory of the check's own on the small disk.
struct Disk {
    remote: Remote,
    directory: BString,
}

impl Disk {
    async fn of(ground: &Ground) -> Disk {
        let disk = ground.small_disk.clone().unwrap();
        let directory = ground.bare.ask(Tempdir::new().inside(disk)).await.unwrap();
        Disk {
            remote: ground.bare.within(&Scope::new().cwd(directory.clone())),
            directory,
        }
    }

    /// Leaves no room for a single byte.
    async fn fill(&self) {
        let filled = Run::line("cat /dev/zero > filler", [""; 0]).unchecked();
        let said = self.remote.ask(filled).await.unwrap().stderr.to_string();
        assert!(said.contains("No space left on device"), "{said}");
    }

    fn at(&self, name: &str) -> BString {
        self.remote.scope().join(name.into())
    }

    /// The names in it, in order.
    async fn names(&self) -> Vec<BString> {
        let entries = self.remote.list(".").await.unwrap();
        entries.into_iter().map(|entry| entry.name).collect()
    }

    async fn end(self, ground: &Ground) {
        ground.bare.remove_tree(self.directory).await.unwrap();
    }
}

async fn an_upload_to_a_full_disk_leaves_the_old_file_and_nothing_else(ground: &Ground) {
    let disk = Disk::of(ground).await;
    let (remote, file) = (&disk.remote, disk.at("file"));
    remote.upload("file", "old").await.unwrap();
    // What has an end, and what has none: it is not read for ever.
    for content in [
        Content::from(vec![7; MUCH]),
        Content::reader(tokio::io::repeat(7)),
    ] {
        let answer = remote.upload("file", content).await;
        fails!(answer, Errno { path, errno: ENOSPC, .. } if path == file);
        assert_eq!(disk.names().await, ["file"]);
        assert_eq!(remote.read("file").await.unwrap(), "old");
    }
    disk.fill().await;
    for (name, old) in [("file", "old"), ("new", "none")] {
        let path = disk.at(name);
        let answer = remote.upload(name, "x").await;
        fails!(answer, Errno { path: said, errno: ENOSPC, .. } if said == path);
        assert_eq!(disk.names().await, ["file", "filler"]);
        assert_eq!(remote.download_or(name, "none").await.unwrap(), old);
    }
    // The host is as good as before as soon as there is room.
    remote.remove("filler").await.unwrap();
    assert!(remote.upload("file", "new").await.unwrap().replaced);
    assert_eq!(remote.read("file").await.unwrap(), "new");
    disk.end(ground).await;
}

async fn an_open_file_on_a_full_disk_is_called_by_its_path(ground: &Ground) {
    let disk = Disk::of(ground).await;
    let (remote, path) = (&disk.remote, disk.at("file"));
    let mut file = remote.open(Open::writing("file")).await.unwrap();
    file.write_all("kept").await.unwrap();
    let much = file.write_all(vec![7; MUCH]).await;
    fails!(much, Errno { path: said, errno: ENOSPC, .. } if said == path);
    // It is open still.
    file.set_len(4).await.unwrap();
    drop(file);
    assert_eq!(remote.read("file").await.unwrap(), "kept");
    assert_eq!(disk.names().await, ["file"]);
    disk.end(ground).await;
}
