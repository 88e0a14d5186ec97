//! The numbers of signals, of which a server tells the names.

use nix::sys::signal::Signal;
use russh::Sig;

/// The number of a signal on the system we run on; a server only tells the name.
pub(super) fn number(signal: &Sig) -> Option<i32> {
    let name = match signal {
        Sig::ABRT => "SIGABRT".to_owned(),
        Sig::ALRM => "SIGALRM".to_owned(),
        Sig::FPE => "SIGFPE".to_owned(),
        Sig::HUP => "SIGHUP".to_owned(),
        Sig::ILL => "SIGILL".to_owned(),
        Sig::INT => "SIGINT".to_owned(),
        Sig::KILL => "SIGKILL".to_owned(),
        Sig::PIPE => "SIGPIPE".to_owned(),
        Sig::QUIT => "SIGQUIT".to_owned(),
        Sig::SEGV => "SIGSEGV".to_owned(),
        Sig::TERM => "SIGTERM".to_owned(),
        Sig::USR1 => "SIGUSR1".to_owned(),
        // OpenSSH adds its name to those that have none in RFC 4254.
        Sig::Custom(name) => {
            let name = name.split('@').next().unwrap_or_default();
            format!("SIG{}", name.trim_start_matches("SIG"))
        }
    };
    name.parse::<Signal>().ok().map(|signal| signal as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_number_of_this_system() {
        for (signal, expected) in [
            (Sig::TERM, Some(15)),
            (Sig::KILL, Some(9)),
            (Sig::Custom("BUS".into()), Some(nix::libc::SIGBUS)),
            (
                Sig::Custom("USR2@openssh.com".into()),
                Some(nix::libc::SIGUSR2),
            ),
            (Sig::Custom("no such".into()), None),
        ] {
            assert_eq!(number(&signal), expected, "{signal:?}");
        }
    }
}
