//! Many things at once on one link.

use convoke::verb::{Open, Run, Upload, Verbs as _};
use tokio::task::JoinSet;

use super::{Ground, checks, fails};

checks! {
    Anybody two_hundred_operations_at_once_do_not_mix
    Anybody what_is_slow_keeps_nobody_waiting
}

async fn two_hundred_operations_at_once_do_not_mix(ground: &Ground) {
    let mut tasks = JoinSet::new();
    for number in 0..200_usize {
        let remote = ground.remote.clone();
        tasks.spawn(async move {
            let name = format!("file {number}");
            let content = vec![number as u8; number * 1000];
            remote
                .ask(Upload::new(name.clone(), content.clone()).unsynced())
                .await
                .unwrap();
            match number % 4 {
                0 => assert!(remote.download(name).await.unwrap() == content),
                1 => {
                    let stat = remote.stat(name).await.unwrap().unwrap();
                    assert_eq!(stat.size, content.len() as u64);
                }
                2 => {
                    let mut file = remote.open(Open::reading(name)).await.unwrap();
                    assert!(file.read_to_end().await.unwrap() == content);
                }
                _ => {
                    let said = remote.ask(Run::new(["cat", &name])).await.unwrap();
                    assert!(said.stdout == content);
                    fails!(remote.mkdir(name).await, Errno { errno: 17, .. });
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    assert_eq!(ground.remote.list(".").await.unwrap().len(), 200);
}

async fn what_is_slow_keeps_nobody_waiting(ground: &Ground) {
    let remote = &ground.remote;
    remote.run(["mkfifo", "fifo"]).await.unwrap();
    // Nobody writes to it, so that whoever reads waits.
    let reading = remote.run(["cat", "fifo"]);
    let others = async {
        for _ in 0..50 {
            remote.stat("fifo").await.unwrap();
            remote.upload("file", "x").await.unwrap();
        }
        ground.said("echo done > fifo").await;
    };
    let (read, ()) = tokio::join!(reading, others);
    assert_eq!(read.unwrap().stdout, "done\n");
}
