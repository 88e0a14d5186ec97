//! A configuration that was read, and what it makes of each host.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::apply::{Active, Chosen, Owned, Walk};
use super::condition::{Again, Pass};
use super::directive::{Directive, Lacks, Reader, Trust};
use super::file::{File, Library, Owner, Permissions};
use super::installed::Installed;
use super::jump::Jump;
use super::line::Line;
use super::source::{Files, Link};
use super::tokens::{self, Environment};
use super::{Destination, Purpose, Resolution, Unread, finish};
use crate::ssh::SshOptions;
use crate::ssh::settings::Settings;
use crate::surroundings::Surroundings;

/// A configuration that was read.
#[derive(Debug)]
pub struct Parsed {
    installed: Installed,
    environment: Environment,
    login: Option<String>,
    port: Option<u16>,
    /// Key files of the command line that are there.
    identities: Vec<Arc<str>>,
    options: Vec<Directive>,
    files: Vec<(Arc<File>, Owned)>,
    knows_commands: bool,
}

/// What was found while reading.
#[derive(Debug)]
struct Found {
    lacks: Cell<Lacks>,
    is_wayward: Cell<bool>,
    knows_commands: Cell<bool>,
}

impl Default for Found {
    fn default() -> Self {
        Found {
            lacks: Cell::new(Lacks::Nothing),
            is_wayward: Cell::new(false),
            knows_commands: Cell::new(false),
        }
    }
}

impl Found {
    fn unread(&self, why: String) -> Unread {
        Unread {
            why,
            lacks: self.lacks.get(),
        }
    }
}

impl Parsed {
    /// Reads the configuration that is in force with `options`.
    ///
    /// # Errors
    /// Why every host must be asked for.
    pub fn read(
        installed: Installed,
        options: &SshOptions,
        surroundings: &Surroundings,
        files: &dyn Files,
    ) -> Result<Self, Unread> {
        let found = Found::default();
        let read = Self::try_read(
            installed,
            options,
            surroundings,
            files,
            (Trust::Nothing, &found),
        );
        read.map_err(|why| found.unread(why))
    }

    /// The same where ssh has taken every line, or there is none: lines that are not understood count
    /// only for hosts that they are in force for.
    ///
    /// # Errors
    /// Why every host must be asked for.
    pub fn trusting(
        installed: Installed,
        options: &SshOptions,
        surroundings: &Surroundings,
        files: &dyn Files,
    ) -> Result<Self, Unread> {
        let found = Found::default();
        let read = Self::try_read(
            installed,
            options,
            surroundings,
            files,
            (Trust::Lines, &found),
        );
        match read {
            Ok(_) if found.is_wayward.get() => Err(found.unread("IgnoreUnknown".into())),
            read => read.map_err(|why| found.unread(why)),
        }
    }

    fn try_read(
        installed: Installed,
        options: &SshOptions,
        surroundings: &Surroundings,
        files: &dyn Files,
        (trust, found): (Trust, &Found),
    ) -> Result<Self, String> {
        let environment = tokens::environment(surroundings);
        let home = installed.account.home.clone();
        let include_home = match environment.get("HOME") {
            Some(home) if !home.is_empty() => home.clone(),
            _ => home.clone(),
        };
        let reader = Reader {
            installed: &installed,
            environment: &environment,
            lacks: &found.lacks,
            trust,
            is_wayward: &found.is_wayward,
            knows_commands: &found.knows_commands,
        };
        let mut directives = Vec::new();
        for option in &options.options {
            let directive = command_line(&reader, option);
            directives.push(directive.map_err(|why| format!("-o {option}: {why}"))?);
        }
        let mut library = Library::new(reader, files, &include_home);
        let read = main_files(&mut library, options, &home)?;
        let identities = identities(options, files, &home)?;
        Ok(Parsed {
            environment,
            login: options.login.clone(),
            port: options.port,
            identities,
            options: directives,
            files: read,
            knows_commands: found.knows_commands.get(),
            installed,
        })
    }

    /// Whether what ssh makes of a host may depend on the command that it is given.
    pub(super) fn knows_commands(&self) -> bool {
        self.knows_commands
    }

    /// The names of all files that it was read from, as far as ssh tells them.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for (file, _) in &self.files {
            file.names(&mut names);
        }
        names
    }

    /// What the configuration makes of a host.
    pub fn resolve(&self, destination: &Destination, purpose: &Purpose) -> Resolution {
        match self.told(destination, purpose) {
            Ok(settings) => Resolution::Told(settings),
            Err(why) => Resolution::Ask(why),
        }
    }

    fn told(&self, destination: &Destination, purpose: &Purpose) -> Result<Settings, String> {
        let original = destination.host.as_str();
        if original.starts_with('-') || original.contains(['@', '/']) {
            return Err(format!("the host {original:?}"));
        }
        let mut chosen = self.written(destination, purpose)?;
        self.pass(&mut chosen, original, original, Pass::First)?;
        let name = match chosen.get("hostname") {
            Some(name) => tokens::host_name(name, original)?,
            None => original.to_owned(),
        };
        let host = finish::canonical(&name)?;
        if chosen.again == Again::InSomeVersions {
            return Err("Match !final, which versions differ in".into());
        }
        if chosen.again == Again::Yes {
            chosen.put("hostname", &host);
            // ssh has needed their defaults by now, so the second reading cannot set them.
            for name in CANONICAL {
                if chosen.get(name).is_none()
                    && let Some(default) = self.installed.defaults.get(name)
                {
                    chosen.put(name, default);
                }
            }
            self.pass(&mut chosen, original, &host, Pass::Final)?;
        }
        if matches!(purpose, Purpose::Way { .. }) {
            for name in ON_THE_WAY {
                if chosen.get(name).is_none() {
                    chosen.put(name, "yes");
                }
            }
        }
        finish::finish(&chosen, original, &host, &self.installed, &self.environment)
    }

    /// What was written on the command line, which comes before all files.
    fn written(&self, destination: &Destination, purpose: &Purpose) -> Result<Chosen, String> {
        let mut chosen = Chosen::new();
        let (mut user, mut port) = (destination.user.as_ref(), destination.port);
        if *purpose == Purpose::Command {
            (user, port) = (user.or(self.login.as_ref()), port.or(self.port));
        }
        if let Some(user) = user {
            chosen.put("user", user);
        }
        match port {
            Some(0) => return Err("the port 0".into()),
            Some(port) => chosen.put("port", &port.to_string()),
            None => {}
        }
        match purpose {
            Purpose::Way { before } => {
                chosen.put("sessiontype", "none");
                chosen.put("requesttty", "false");
                if let Some(before) = before {
                    let jump = Directive::ProxyJump(Arc::new(Jump::parse(before)?));
                    chosen.take(&jump, Owned::User)?;
                }
            }
            Purpose::Command => {
                let keys = self.identities.iter();
                let keys = keys.map(|key| (Arc::clone(key), Owned::CommandLine));
                chosen.identities.extend(keys);
                for option in &self.options {
                    chosen.take(option, Owned::User)?;
                }
                if chosen.get("sessiontype") == Some("subsystem") {
                    return Err("SessionType subsystem".into());
                }
            }
        }
        Ok(chosen)
    }

    fn pass(
        &self,
        chosen: &mut Chosen,
        original: &str,
        host: &str,
        pass: Pass,
    ) -> Result<(), String> {
        for (file, owned) in &self.files {
            let walk = Walk {
                account: &self.installed.account,
                original,
                host,
                pass,
                owned: *owned,
            };
            chosen.apply(file, &walk, Active::Yes)?;
        }
        Ok(())
    }
}

/// What is on for a hop unless it is set.
const ON_THE_WAY: [&str; 2] = ["clearallforwardings", "exitonforwardfailure"];

/// The options of canonical names.
const CANONICAL: [&str; 3] = [
    "canonicalizemaxdots",
    "canonicalizefallbacklocal",
    "canonicalizehostname",
];

/// The user's file and the system's, or the one that was given.
fn main_files(
    library: &mut Library<'_>,
    options: &SshOptions,
    home: &str,
) -> Result<Vec<(Arc<File>, Owned)>, String> {
    let mut read = Vec::new();
    if let Some(given) = &options.config {
        let path = given.to_str().ok_or("the name of the configuration file")?;
        if path.eq_ignore_ascii_case("none") {
            return Ok(read);
        }
        let file = library.read(path, Owner::User, Permissions::Any)?;
        let file = file.ok_or_else(|| format!("{path}, which is not there"))?;
        read.push((file, Owned::User));
        return Ok(read);
    }
    let system = format!("{}/ssh_config", library.reader.installed.directory);
    for (path, owner, permissions, owned) in [
        (
            format!("{home}/.ssh/config"),
            Owner::User,
            Permissions::Checked,
            Owned::User,
        ),
        (system, Owner::System, Permissions::Any, Owned::System),
    ] {
        if let Some(file) = library.read(&path, owner, permissions)? {
            read.push((file, owned));
        }
    }
    Ok(read)
}

/// The key files of `-i` that are there: ssh warns of the others and forgets them.
fn identities(
    options: &SshOptions,
    files: &dyn Files,
    home: &str,
) -> Result<Vec<Arc<str>>, String> {
    let mut found = Vec::new();
    for identity in &options.identities {
        let path = identity.to_str().ok_or("the name of a key file")?;
        let path = tokens::without_tilde(path, home)?;
        if files.exists(Path::new(&path), Link::Followed) && !found.contains(&Arc::from(&*path)) {
            found.push(Arc::from(path));
        }
    }
    Ok(found)
}

/// Reads an option of the command line.
fn command_line(reader: &Reader<'_>, option: &str) -> Result<Directive, String> {
    if option.contains(['\n', '\0']) {
        return Err("more than a line".into());
    }
    match Line::parse(option) {
        Line::Nothing => Ok(Directive::Nothing),
        Line::Wrong(why) => Err(why.into()),
        Line::Directive {
            keyword,
            rest,
            words,
        } => reader.directive(&keyword, rest, &words),
    }
}
