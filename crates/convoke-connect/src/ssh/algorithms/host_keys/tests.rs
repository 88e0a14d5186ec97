use super::*;

const DEFAULT: &str = "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,\
    rsa-sha2-512-cert-v01@openssh.com,ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512";

fn of(list: &str) -> Result<HostKeys, NoneLeft> {
    let settings = |list: &str| {
        let mut settings = Settings::default();
        settings.set(OPTION, list);
        settings
    };
    host_keys(&settings(list), &settings(DEFAULT))
}

/// What is asked for, certificates with a `+`.
fn asked(list: &str, known: &[&str], has_authority: bool) -> String {
    let is_known = |one: &Algorithm| known.contains(&one.as_str());
    let (certified, plain) = of(list).unwrap().ordered(is_known, has_authority);
    let short = |one: &Algorithm| match one {
        Algorithm::Ed25519 => "ed25519",
        Algorithm::Ecdsa { .. } => "ecdsa",
        _ => "rsa",
    };
    let certified = certified.iter().map(|one| format!("{}+", short(one)));
    let plain = plain.iter().map(|one| short(one).to_owned());
    certified.chain(plain).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_known_is_asked_for_first() {
    let verbatim = "ed25519+ ecdsa+ rsa+ ed25519 ecdsa rsa";
    for (known, has_authority, expected) in [
        (&[][..], false, verbatim),
        (&[], true, verbatim),
        // The best is known: the list is used as it is.
        (&["ssh-ed25519", "rsa-sha2-512"], false, verbatim),
        (&["rsa-sha2-512"], false, "rsa+ rsa ed25519 ecdsa"),
        (
            &["rsa-sha2-512"],
            true,
            "ed25519+ ecdsa+ rsa+ rsa ed25519 ecdsa",
        ),
    ] {
        assert_eq!(asked(DEFAULT, known, has_authority), expected, "{known:?}");
    }
}

#[test]
fn a_list_of_the_users_own_keeps_its_order() {
    let list = "ssh-ed25519-cert-v01@openssh.com,rsa-sha2-512,ssh-ed25519";
    assert_eq!(
        asked(list, &["ecdsa-sha2-nistp256"], false),
        "ed25519+ rsa ed25519"
    );
    let removed = "ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512";
    assert_eq!(
        asked(removed, &["rsa-sha2-512"], false),
        "rsa ed25519 ecdsa"
    );
    let added = format!("{DEFAULT},ssh-rsa");
    let asked = asked(&added, &["ecdsa-sha2-nistp256"], false);
    assert!(asked.starts_with("ecdsa+ ecdsa ed25519"), "{asked}");
}

#[test]
fn certificates_behind_other_keys_are_left_to_ssh() {
    for (list, is_served) in [
        ("ssh-ed25519,ssh-ed25519-cert-v01@openssh.com", true),
        (
            "ecdsa-sha2-nistp256,ssh-ed25519,ssh-ed25519-cert-v01@openssh.com",
            true,
        ),
        ("rsa-sha2-256,rsa-sha2-512-cert-v01@openssh.com", true),
        (
            "ssh-ed25519,ecdsa-sha2-nistp256-cert-v01@openssh.com",
            false,
        ),
        ("ssh-ed25519-cert-v01@openssh.com", true),
        ("ssh-dss,sk-ssh-ed25519@openssh.com", false),
        ("", false),
    ] {
        assert_eq!(of(list).is_ok(), is_served, "{list}");
    }
}
