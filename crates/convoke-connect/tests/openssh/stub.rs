//! A stub of `ssh`: a script in a directory of its own that notes how it was called.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use convoke_connect::ask::Nobody;
use convoke_connect::connector::{Connector, Pipes, Request, Route};
use convoke_connect::endpoint::Endpoint;
use convoke_connect::error::ConnectError;
use convoke_connect::ssh::config::Configuration;
use convoke_connect::ssh::{Native, Ssh};
use convoke_connect::ssh::{Openssh, SshOptions};
use convoke_connect::surroundings::Surroundings;
use convoke_connect::terminal::Terminal;
use convoke_connect::trail::Trail;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

/// Notes every call, answers `-G` from `answers`, and otherwise does what `act` says.
const SCRIPT: &str = r#"#!/bin/sh
/usr/bin/env > "$STUB/environment.$$"
PATH=/usr/bin:/bin
explain=no
for word; do [ "$word" = -G ] && explain=yes; done
name=
after=no
for word; do [ "$after" = yes ] && name=$word && break; [ "$word" = -- ] && after=yes; done
if [ $explain = yes ]; then
  printf '%s\n' "$*" >> "$STUB/explained"
  case "$*" in *"-F /dev/null"*) printf 'hostname %s\nport 22\nuser me\n' "$name"; exit;; esac
  : > "$STUB/settings.$$"
  if [ -f "$STUB/answers" ]; then . "$STUB/answers"; fi
  cat "$STUB/settings.$$"
  # The first value of an option counts.
  printf 'user me\nport 22\nhostname %s\nconnecttimeout none\n' "$name"
  exit
fi
for word; do printf '%s\n' "$word"; done > "$STUB/argv"
mv "$STUB/environment.$$" "$STUB/environment"
ps -o pid=,pgid=,sid=,tty= -p $$ > "$STUB/session"
. "$STUB/act"
"#;

/// The stub, its notes and a connector that finds it.
pub(crate) struct Stub {
    directory: TempDir,
    pub(crate) connector: Arc<Openssh>,
    ssh: Ssh,
    pub(crate) surroundings: Surroundings,
}

impl Stub {
    /// A stub that does what the lines of shell `act` say.
    pub(crate) fn new(act: &str) -> Self {
        Self::with(act, SshOptions::default())
    }

    pub(crate) fn with(act: &str, options: SshOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let environment = [
            ("PATH", format!("{}/bin:/usr/bin:/bin", path.display())),
            ("STUB", path.display().to_string()),
            ("MARK", "of these surroundings".into()),
        ];
        let configuration = Arc::new(Configuration::new(options));
        let connector = Arc::new(Openssh::sharing(Arc::clone(&configuration)));
        let native = Arc::new(Native::sharing(configuration));
        let stub = Stub {
            ssh: Ssh::new(native, Arc::clone(&connector)),
            connector,
            surroundings: Surroundings {
                environment: environment.map(|(k, v)| (k.into(), v.into())).into(),
                home: Some(path.to_owned()),
                host_name: "ctl.lan.test".into(),
                temporary: path.to_owned(),
            },
            directory,
        };
        fs::create_dir(stub.file("bin")).unwrap();
        fs::write(stub.file("bin/ssh"), SCRIPT).unwrap();
        fs::set_permissions(stub.file("bin/ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        stub.write("act", act);
        stub.write("config", "Host *\n");
        stub
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    /// A note of the stub; empty when it made none.
    pub(crate) fn note(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// The arguments of the last call that connected.
    pub(crate) fn argv(&self) -> Vec<String> {
        self.note("argv").lines().map(str::to_owned).collect()
    }

    /// How often ssh was asked what the configuration makes of a host.
    pub(crate) fn explained(&self) -> usize {
        let note = self.note("explained");
        let calls = note.lines();
        calls.filter(|call| !call.contains("/dev/null")).count()
    }

    pub(crate) async fn open(&self, endpoint: &str) -> Result<Pipes, ConnectError> {
        self.open_on(endpoint, None).await
    }

    pub(crate) async fn open_on(
        &self,
        endpoint: &str,
        terminal: Option<&Terminal>,
    ) -> Result<Pipes, ConnectError> {
        let endpoint: Endpoint = endpoint.parse().unwrap();
        let request = Request {
            endpoint: &endpoint,
            command: "exec /bin/sh -c 'x y'",
            surroundings: &self.surroundings,
            ask: &Nobody,
            terminal,
            limit: Duration::from_secs(20),
            trail: &Trail::new(),
        };
        self.connector.open(request).await
    }

    /// How an `ssh:` host is reached.
    pub(crate) async fn choose(&self, endpoint: &str) -> Result<Route, ConnectError> {
        let endpoint: Endpoint = endpoint.parse().unwrap();
        self.ssh.route(&endpoint, &self.surroundings).await
    }

    pub(crate) async fn route(&self, endpoint: &str) -> Result<Route, ConnectError> {
        let endpoint: Endpoint = endpoint.parse().unwrap();
        self.connector.route(&endpoint, &self.surroundings).await
    }
}

/// Everything on a stream until its end.
pub(crate) async fn all(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}
