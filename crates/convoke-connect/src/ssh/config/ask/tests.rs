//! What is remembered of an ssh that does not explain.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::program::SILENCES;
use super::*;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

struct Bench {
    directory: TempDir,
    surroundings: Surroundings,
    configuration: Configuration,
}

impl Bench {
    /// An ssh that does not tell its defaults. Otherwise it counts its calls and does what `act` says.
    fn new(act: &str, limit: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("ssh");
        let script = format!(
            "#!/bin/sh\ncase $* in */dev/null*) exit 1;; esac\ncd {}\necho x >> calls\n{act}\n",
            directory.path().display()
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let options = SshOptions {
            program,
            ..SshOptions::default()
        };
        Bench {
            surroundings: Surroundings {
                environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
                home: None,
                host_name: "ctl".into(),
                temporary: directory.path().to_owned(),
            },
            configuration: {
                let mut configuration = Configuration::new(options);
                configuration.program.limit = limit;
                configuration
            },
            directory,
        }
    }

    async fn of(&self, host: &str) -> Result<Option<Arc<Told>>, ConnectError> {
        let destination = Destination {
            host: host.into(),
            user: None,
            port: None,
        };
        let of = self.configuration.of(&destination, &self.surroundings);
        of.await
    }

    fn calls(&self) -> usize {
        let calls = fs::read_to_string(self.directory.path().join("calls"));
        calls.unwrap_or_default().lines().count()
    }
}

#[tokio::test]
async fn an_ssh_that_cannot_explain_is_asked_once_a_host() {
    let bench = Bench::new("exit 1", PATIENCE);
    for host in ["web1", "web1", "web2", "web2"] {
        let explained = bench.of(host).await;
        assert!(matches!(explained, Ok(None)), "{host}");
    }
    assert_eq!(bench.calls(), 2);
}

#[tokio::test]
async fn a_mistake_of_one_host_is_remembered_and_is_not_of_another() {
    let act = "case $* in *web1*) echo 'jumphost loop via a' >&2; exit 255;; esac; echo hostname x";
    let bench = Bench::new(act, PATIENCE);
    for _ in 0..2 {
        assert!(bench.of("web1").await.is_err());
    }
    assert_eq!(bench.calls(), 1);
    assert!(bench.of("web2").await.is_ok());
}

#[tokio::test]
async fn an_ssh_that_does_not_end_is_ended_with_all_it_started_and_not_waited_for_again() {
    let limit = Duration::from_secs(1);
    let bench = Bench::new("sleep 1000 & echo $! >> left; wait", limit);
    for _ in 0..2 {
        assert!(matches!(bench.of("web1").await, Ok(None)));
    }
    assert_eq!(bench.calls(), 1);
    let left = fs::read_to_string(bench.directory.path().join("left")).unwrap();
    let left = Path::new("/proc").join(left.trim());
    let gone = async {
        while left.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}

#[tokio::test]
async fn after_some_that_did_not_end_ssh_is_not_asked_any_more() {
    let bench = Bench::new("exec sleep 1000", Duration::from_millis(300));
    for host in 0..3 * SILENCES {
        assert!(matches!(bench.of(&format!("web{host}")).await, Ok(None)));
    }
    assert!(bench.calls() <= SILENCES, "{}", bench.calls());
}
