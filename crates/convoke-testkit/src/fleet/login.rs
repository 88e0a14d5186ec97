//! What a login meets: the shell, its start-up files, and the home.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::site::Site;

/// The login shell of the hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shell {
    /// `/bin/sh`, whatever that is.
    #[default]
    Sh,
    /// `dash`.
    Dash,
    /// `bash`.
    Bash,
    /// `zsh`.
    Zsh,
    /// `tcsh`.
    Tcsh,
    /// `fish`.
    Fish,
    /// `mksh`.
    Mksh,
    /// `ksh93`, else what `ksh` is.
    Ksh,
    /// The `sh` of busybox.
    Busybox,
}

/// What start-up files say on stdout before the command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noise {
    /// A few lines, as a message of the day.
    Motd,
    /// 70 KiB of lines: more than a scan of 64 KiB looks at, and than a pipe holds.
    Long,
    /// Text without an end of line.
    Unfinished,
    /// These bytes.
    Bytes(Vec<u8>),
}

/// How many homes there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Homes {
    #[default]
    Shared,
    Separate,
}

/// What a login meets.
#[derive(Debug, Clone, Default)]
pub(super) struct Login {
    pub(super) shell: Shell,
    pub(super) noise: Option<Noise>,
    pub(super) homes: Homes,
}

impl Shell {
    /// Every shell there is.
    pub const ALL: [Shell; 9] = [
        Shell::Sh,
        Shell::Dash,
        Shell::Bash,
        Shell::Zsh,
        Shell::Tcsh,
        Shell::Fish,
        Shell::Mksh,
        Shell::Ksh,
        Shell::Busybox,
    ];

    /// Its name, as in `--shell NAME`.
    pub fn name(self) -> &'static str {
        match self {
            Shell::Sh => "sh",
            Shell::Dash => "dash",
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Tcsh => "tcsh",
            Shell::Fish => "fish",
            Shell::Mksh => "mksh",
            Shell::Ksh => "ksh",
            Shell::Busybox => "busybox",
        }
    }

    /// The program.
    ///
    /// # Panics
    /// When it is not installed.
    pub(super) fn program(self) -> PathBuf {
        let names: &[&str] = match self {
            Shell::Ksh => &["ksh93", "ksh"],
            _ => &[self.name()],
        };
        let places = names
            .iter()
            .flat_map(|name| ["/bin", "/usr/bin"].map(|place| Path::new(place).join(name)));
        let mut found = places.into_iter().filter(|path| path.exists());
        let name = self.name();
        found
            .next()
            .unwrap_or_else(|| panic!("{name} is missing: install the Debian package {name}"))
    }

    /// The file that it reads before every command, below the home; sshd's own where it reads none.
    fn start_up_file(self) -> &'static str {
        match self {
            Shell::Bash => ".bashrc",
            Shell::Zsh => ".zshenv",
            Shell::Tcsh => ".tcshrc",
            Shell::Fish => ".config/fish/config.fish",
            Shell::Sh | Shell::Dash | Shell::Mksh | Shell::Ksh | Shell::Busybox => SSH_RC,
        }
    }
}

/// What sshd itself runs before a command; not where the command is forced.
const SSH_RC: &str = ".ssh/rc";

impl Noise {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Noise::Motd => b"\nWelcome!\n  \x1b[1m* 3 updates\x1b[0m can be applied.\n\n".to_vec(),
            Noise::Long => b"seventy kilobytes of a message of the day, 64 bytes every line.\n"
                .repeat(70 * 1024 / 64),
            Noise::Unfinished => b"no line ends here ".to_vec(),
            Noise::Bytes(bytes) => bytes.clone(),
        }
    }
}

impl Login {
    /// Makes the homes, and the programs that stand for the shell.
    pub(super) fn make(&self, site: &Site, hosts: usize, place: Place) {
        let busybox = site.file("busybox");
        fs::create_dir(&busybox).unwrap();
        let link = busybox.join("sh");
        if self.shell == Shell::Busybox {
            std::os::unix::fs::symlink(Shell::Busybox.program(), link).unwrap();
        }
        let mut homes = vec![site.home()];
        if self.homes == Homes::Separate {
            homes.extend((1..=hosts).map(|n| site.home_of(n)));
        }
        for home in homes {
            fs::create_dir_all(&home).unwrap();
            self.write_start_up_file(site, &home);
        }
        if let Some(noise) = &self.noise {
            fs::write(site.file("noise"), noise.bytes()).unwrap();
        }
        let script = site.file("login");
        fs::write(&script, self.script(site, place)).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn write_start_up_file(&self, site: &Site, home: &Path) {
        if self.noise.is_none() {
            return;
        }
        let file = home.join(self.shell.start_up_file());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        // A line that every shell understands.
        fs::write(file, format!("cat {}\n", site.file("noise").display())).unwrap();
    }

    /// The shell itself.
    fn shell(&self, site: &Site) -> PathBuf {
        match self.shell {
            Shell::Busybox => site.file("busybox/sh"),
            other => other.program(),
        }
    }

    /// What sshd runs: the shell itself when that is all there is to it.
    pub(super) fn program(&self, site: &Site) -> PathBuf {
        match self.homes {
            Homes::Shared => self.shell(site),
            Homes::Separate => site.file("login"),
        }
    }

    /// The value of `SHLVL` for the hosts: bash reads no start-up file when it seems to be started by
    /// another shell, which saves 200 ms on some machines.
    pub(super) fn shell_level(&self) -> Option<&'static str> {
        self.noise.is_none().then_some("3")
    }

    /// Stands for the shell: finds the home by the address that was connected to. It starts no
    /// process of its own.
    fn script(&self, site: &Site, place: Place) -> String {
        let (directory, shell) = (site.directory.display(), self.shell(site));
        let shell = shell.display();
        let homes = format!("{directory}/homes");
        let home = match self.homes {
            Homes::Shared => format!("HOME={homes}/all\n"),
            Homes::Separate => format!(
                "server=${{SSH_CONNECTION% *}}\nHOME={homes}/${{server##* }}\n\
                 [ -d \"$HOME\" ] || HOME={homes}/all\nunset server\n"
            ),
        };
        let level = match self.noise {
            Some(_) => "unset SHLVL\n",
            None => "",
        };
        let run = match place {
            Place::Own => "[ $# -gt 0 ] || set -- -l\n".to_owned(),
            Place::Forced => {
                let noise = match (&self.noise, self.shell.start_up_file()) {
                    (Some(_), SSH_RC) => format!("cat {directory}/noise\n"),
                    _ => String::new(),
                };
                format!(
                    "{noise}if [ \"${{SSH_ORIGINAL_COMMAND+set}}\" ]; then\n\
                     set -- -c \"$SSH_ORIGINAL_COMMAND\"\nelse\nset -- -l\nfi\n\
                     unset SSH_ORIGINAL_COMMAND\n"
                )
            }
        };
        format!(
            "#!/bin/sh\n{home}{level}SHELL={shell}\nexport HOME SHELL\ncd \"$HOME\"\n{run}\
             exec {shell} \"$@\"\n"
        )
    }
}

/// How the login comes to be what the fleet wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The fleet has a mount namespace, and an account file, of its own.
    Own,
    /// It may not have them: sshd forces the login script on every command, behind the account's real
    /// shell with its real start-up files.
    Forced,
}
