//! Whether there are Kerberos credentials, without which `GSSAPIAuthentication` is of no effect.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::surroundings::Surroundings;

/// Whether there are Kerberos credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credentials {
    /// There may be some.
    Present,
    /// There are none.
    Absent,
}

/// How long the program that knows may take: a daemon may hold the credentials.
const LIMIT: Duration = Duration::from_secs(2);

/// Where MIT Kerberos keeps them unless it is told otherwise, before the number of the account.
const USUAL: &str = "/tmp/krb5cc_";

/// Variables that let credentials be made: from a key table, or by a daemon.
const ELSEWHERE: [&str; 2] = ["KRB5_CLIENT_KTNAME", "GSS_USE_PROXY"];

/// Says where else they are.
const CONFIGURATION: [&str; 2] = ["/etc/krb5.conf", "/etc/krb5.conf.d"];

impl Credentials {
    /// Looks for them: once a run is enough.
    ///
    /// A file is looked at; what a daemon or the kernel holds is asked of `klist`, and without that
    /// program there are none.
    pub async fn look(surroundings: &Surroundings) -> Self {
        let is_set = |name: &&str| {
            let value = surroundings.variable(name);
            value.is_some_and(|value| !value.is_empty())
        };
        if ELSEWHERE.iter().any(is_set) {
            return Credentials::Present;
        }
        let named = surroundings
            .variable("KRB5CCNAME")
            .map(|name| name.to_string_lossy());
        let file = match named.as_deref() {
            None | Some("") => {
                let usual = format!("{USUAL}{}", rustix::process::getuid().as_raw());
                match Path::new(&usual).exists() {
                    true => return Credentials::Present,
                    // Something but a file can only be meant by a configuration.
                    false if !CONFIGURATION.iter().any(|path| Path::new(path).exists()) => {
                        return Credentials::Absent;
                    }
                    false => None,
                }
            }
            Some(name) => match name.split_once(':') {
                Some(("FILE", path)) => Some(path.to_owned()),
                // With a second colon it names one of several.
                Some(("DIR", path)) => Some(path.strip_prefix(':').unwrap_or(path).to_owned()),
                Some((kind, _)) if !kind.contains('/') => None,
                _ => Some(name.to_owned()),
            },
        };
        match file {
            Some(path) if Path::new(&path).exists() => Credentials::Present,
            Some(_) => Credentials::Absent,
            None => Credentials::listed(surroundings).await,
        }
    }

    async fn listed(surroundings: &Surroundings) -> Self {
        let mut klist = Command::new("klist");
        klist
            .arg("-s")
            .env_clear()
            .envs(surroundings.environment.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        match tokio::time::timeout(LIMIT, klist.status()).await {
            Ok(Ok(status)) if status.success() => Credentials::Present,
            Ok(_) => Credentials::Absent,
            // Whoever holds them does not answer us, but may answer ssh.
            Err(_) => Credentials::Present,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn look(name: &str, value: &str) -> Credentials {
        let surroundings = Surroundings {
            environment: vec![(name.into(), value.into())],
            home: None,
            host_name: "ctl".into(),
            temporary: "/tmp".into(),
        };
        Credentials::look(&surroundings).await
    }

    #[tokio::test]
    async fn a_named_file_counts_when_it_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let there = directory.path().to_str().unwrap();
        for (name, expected) in [
            (format!("FILE:{there}"), Credentials::Present),
            (format!("DIR:{there}"), Credentials::Present),
            (format!("DIR::{there}"), Credentials::Present),
            (there.to_owned(), Credentials::Present),
            (format!("FILE:{there}/none"), Credentials::Absent),
            (format!("{there}/none"), Credentials::Absent),
        ] {
            assert_eq!(look("KRB5CCNAME", &name).await, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn what_makes_credentials_counts_as_some() {
        for (name, value) in [("KRB5_CLIENT_KTNAME", "/k"), ("GSS_USE_PROXY", "yes")] {
            assert_eq!(look(name, value).await, Credentials::Present, "{name}");
        }
    }
}
