//! One configuration, understood by us and by ssh.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use convoke_connect::ssh::SshOptions;
use convoke_connect::ssh::config::{
    Destination, Disk, Installed, LISTS, MARKED, PLAIN, Parsed, Purpose, Resolution,
};
use convoke_connect::ssh::settings::Settings;
use convoke_connect::surroundings::Surroundings;

/// Files of a home directory, of which `.ssh/config` is given to ssh, and what is asked of it. `@DIR@`
/// in them is the directory `.ssh`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    pub(crate) files: Vec<(String, String)>,
    pub(crate) options: Vec<String>,
    pub(crate) identities: Vec<String>,
    pub(crate) login: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) host: String,
}

/// How we did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// We told what ssh prints.
    Equal,
    /// We left it to ssh, which answers; why.
    Asked(String),
    /// We left it to ssh, which refuses it; why we did.
    Refused(String),
    /// We told something else; what.
    Wrong(String),
}

/// What the installed ssh says of itself; None, told on stderr, when there is none that is known.
pub(crate) fn installed() -> Option<&'static Installed> {
    static INSTALLED: OnceLock<Option<Installed>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        let run = |arguments: &[&str]| {
            let output = Command::new("ssh")
                .args(arguments)
                .stdin(Stdio::null())
                .output();
            String::from_utf8(output.ok()?.stdout).ok()
        };
        let mut installed = Installed::parse(&run(&PLAIN)?, &run(&MARKED)?)?;
        for (list, option) in LISTS {
            installed.list(option, &run(&["-Q", list])?);
        }
        Some(installed)
    });
    if installed.is_none() {
        eprintln!("skipped: 1 (no ssh is installed that could be the oracle)");
    }
    installed.as_ref()
}

impl Case {
    /// What we tell and what ssh says.
    pub(crate) fn verdict(&self, installed: &Installed, purpose: &Purpose) -> Verdict {
        let placed = self.placed();
        let theirs = placed.ask(&self.host, purpose);
        match (placed.resolve(installed, &self.host, purpose), theirs) {
            (Resolution::Told(ours), Ok(theirs)) => match differences(&ours, &theirs) {
                same if same.is_empty() => Verdict::Equal,
                different => Verdict::Wrong(different),
            },
            (Resolution::Told(_), Err(said)) => Verdict::Wrong(format!("ssh refuses: {said}")),
            (Resolution::Ask(why), Ok(theirs)) => {
                // Now ssh has taken every line.
                match placed.trusting(installed, &self.host, purpose) {
                    Some(ours) if !differences(&ours, &theirs).is_empty() => {
                        Verdict::Wrong(differences(&ours, &theirs))
                    }
                    _ => Verdict::Asked(why),
                }
            }
            (Resolution::Ask(why), Err(_)) => Verdict::Refused(why),
        }
    }

    /// What we tell, if we do.
    pub(crate) fn told(&self, installed: &Installed) -> Option<Settings> {
        match self
            .placed()
            .resolve(installed, &self.host, &Purpose::Command)
        {
            Resolution::Told(settings) => Some(settings),
            Resolution::Ask(_) => None,
        }
    }

    fn placed(&self) -> Placed {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join(".ssh");
        fs::create_dir(&directory).unwrap();
        let placed = |text: &String| text.replace("@DIR@", directory.to_str().unwrap());
        for (name, text) in &self.files {
            let path = directory.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, placed(text)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        Placed {
            options: SshOptions {
                login: self.login.clone(),
                port: self.port,
                identities: self
                    .identities
                    .iter()
                    .map(|path| placed(path).into())
                    .collect(),
                config: Some(directory.join("config")),
                options: self.options.iter().map(placed).collect(),
                ..SshOptions::default()
            },
            surroundings: surroundings(home.path()),
            _home: home,
        }
    }
}

/// A case whose files are there.
struct Placed {
    options: SshOptions,
    surroundings: Surroundings,
    _home: tempfile::TempDir,
}

impl Placed {
    fn resolve(&self, installed: &Installed, host: &str, purpose: &Purpose) -> Resolution {
        let parsed = Parsed::read(installed.clone(), &self.options, &self.surroundings, &Disk);
        let destination = Destination {
            host: host.to_owned(),
            user: None,
            port: None,
        };
        match parsed {
            Ok(parsed) => parsed.resolve(&destination, purpose),
            Err(unread) => Resolution::Ask(unread.why),
        }
    }

    /// What we tell of a configuration that ssh has taken.
    fn trusting(&self, installed: &Installed, host: &str, purpose: &Purpose) -> Option<Settings> {
        let (options, surroundings) = (&self.options, &self.surroundings);
        let parsed = Parsed::trusting(installed.clone(), options, surroundings, &Disk);
        let destination = Destination {
            host: host.to_owned(),
            user: None,
            port: None,
        };
        match parsed.ok()?.resolve(&destination, purpose) {
            Resolution::Told(settings) => Some(settings),
            Resolution::Ask(_) => None,
        }
    }

    fn ask(&self, host: &str, purpose: &Purpose) -> Result<Settings, String> {
        let mut arguments = Vec::new();
        match purpose {
            Purpose::Command => {
                for identity in &self.options.identities {
                    arguments.extend(["-i".into(), identity.to_str().unwrap().to_owned()]);
                }
                if let Some(login) = &self.options.login {
                    arguments.extend(["-l".into(), login.clone()]);
                }
                if let Some(port) = self.options.port {
                    arguments.extend(["-p".into(), port.to_string()]);
                }
                for option in &self.options.options {
                    arguments.extend(["-o".into(), option.clone()]);
                }
            }
            Purpose::Way { before } => {
                arguments.extend(["-W".into(), "[next]:22".into()]);
                if let Some(before) = before {
                    arguments.extend(["-J".into(), before.clone()]);
                }
            }
        }
        arguments.extend(["--".into(), host.into()]);
        if *purpose == Purpose::Command {
            arguments.push("exit".into());
        }
        let said = self.run(&arguments);
        match said {
            // One in the configuration is printed as it is.
            Err(said) if said.contains("command-line and remote command") => {
                self.run(&arguments[..arguments.len() - 1])
            }
            said => said,
        }
    }

    fn run(&self, arguments: &[String]) -> Result<Settings, String> {
        let environment = self.surroundings.environment.iter().cloned();
        let config = self.options.config.clone();
        let mut ssh = Command::new("ssh");
        ssh.env_clear().envs(environment).arg("-G").arg("-F");
        ssh.arg(config.unwrap_or(PathBuf::from("none")));
        let output = ssh.args(arguments).stdin(Stdio::null()).output().unwrap();
        match output.status.success() {
            true => Ok(Settings::parse(
                std::str::from_utf8(&output.stdout).unwrap(),
            )),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

fn surroundings(home: &Path) -> Surroundings {
    let mut surroundings = Surroundings::of_this_process();
    surroundings.environment.retain(|(name, _)| name != "HOME");
    for (name, value) in [
        ("HOME", home.to_str().unwrap()),
        ("CONVOKE_HOST", "from.environment"),
        ("CONVOKE_EMPTY", ""),
    ] {
        surroundings.environment.push((name.into(), value.into()));
    }
    surroundings
}

pub(crate) fn differences(ours: &Settings, theirs: &Settings) -> String {
    let names: BTreeSet<_> = ours
        .iter()
        .chain(theirs.iter())
        .map(|(name, _)| name)
        .collect();
    let different = names
        .into_iter()
        .filter(|name| ours.all(name) != theirs.all(name));
    let told = different.map(|name| {
        format!(
            "{name}: we say {:?}, ssh says {:?}",
            ours.all(name),
            theirs.all(name)
        )
    });
    told.collect::<Vec<_>>().join("\n")
}
