mod failures;

use super::*;
use Again::{MayHelp, Pointless};
use ConnectErrorKind as Kind;
use failures::FAILURES;

/// The account of an ssh that connects to the server.
const CONNECTING: &str = "debug1: Connecting to h [10.0.0.7] port 22.\n";
/// Of one that uses a jump or a proxy.
const PROXIED: &str = "debug1: Executing proxy command: exec ssh -W '[h]:22' gate\n";
/// Of one that began to talk to the server.
const BEGAN: &str = "debug1: Connecting to h [10.0.0.7] port 22.\ndebug1: Local version string SSH-2.0-OpenSSH_9.2\n";
/// Of one that began to authenticate.
const AUTHENTICATING: &str = "debug1: Connecting to h [10.0.0.7] port 22.\ndebug1: Local version string SSH-2.0-OpenSSH_9.2\n\
     debug1: Server host key: ssh-ed25519 SHA256:abc\n\
     debug1: SSH2_MSG_SERVICE_ACCEPT received\n";
const AUTHENTICATED: &str = "debug1: SSH2_MSG_SERVICE_ACCEPT received\n\
     Authenticated to h ([10.0.0.7]:22) using \"publickey\".\n";

fn broken() -> Option<Ending> {
    let remark = "255".into();
    Some(Ending::Unknown { remark })
}

fn found(noise: &str) -> Option<ConnectError> {
    diagnose(
        broken().as_ref(),
        noise.as_bytes(),
        KeyAgent::Named,
        Chatter::Ours,
    )
}

#[test]
fn every_known_failure_has_its_kind() {
    for (noise, kind, again) in FAILURES.iter().copied() {
        let account = match noise.contains("UNKNOWN port") {
            true => PROXIED,
            false => CONNECTING,
        };
        let error = found(&format!("{noise}{account}"));
        let error = error.unwrap_or_else(|| panic!("not recognised: {noise}"));
        assert_eq!((error.kind, error.again), (kind, again), "{noise}: {error}");
        assert!(!error.text.contains(['\r', '\n']), "{:?}", error.text);
    }
}

#[test]
fn the_moment_decides_whether_a_closed_connection_is_tried_again() {
    let closed = "Connection closed by 10.0.0.7 port 22\r\n";
    let reset = "Connection reset by 10.0.0.7 port 22\r\n";
    for said in [closed, reset] {
        for (account, again) in [
            ("", Pointless), // Nobody knows.
            (BEGAN, MayHelp),
            (AUTHENTICATING, Pointless),
        ] {
            let error = found(&format!("{said}{account}")).unwrap();
            assert_eq!(
                (error.kind, error.again),
                (Kind::Closed, again),
                "{account}"
            );
        }
    }
}

const NO_BANNER: &str = "kex_exchange_identification: Connection closed by remote host\r\n\
     Connection closed by 10.0.0.7 port 22\r\n";
const NO_BANNER_IN_TIME: &str = "Connection timed out during banner exchange\r\n\
     Connection to 10.0.0.7 port 22 timed out\r\n";

#[test]
fn behind_a_jump_that_may_have_let_us_in_nothing_is_tried_again() {
    for (said, again) in [
        // What the proxy thinks of it, it does not say.
        ("Connection closed by UNKNOWN port 65535\r\n", Pointless),
        (
            "Connection timed out during banner exchange\r\n\
             Connection to UNKNOWN port 65535 timed out\r\n",
            Pointless,
        ),
        // 7.4 names no peer.
        (
            "ssh_exchange_identification: Connection closed by remote host\r\n",
            Pointless,
        ),
        // The jump host's own banner cannot be told from this.
        (NO_BANNER, Pointless),
        (
            "ssh: connect to host gate port 22: Connection timed out\r\n\
             Connection closed by UNKNOWN port 65535\r\n",
            MayHelp,
        ),
    ] {
        for account in [PROXIED.into(), format!("{PROXIED}{CONNECTING}{BEGAN}")] {
            let error = found(&format!("{said}{account}")).unwrap();
            assert_eq!(error.again, again, "{said}{account}: {error}");
        }
    }
}

#[test]
fn what_a_server_says_while_it_authenticates_us_is_no_reason_to_try_again() {
    let refused = "ssh: connect to host h port 22: Connection refused\r\n";
    let unknown = "Connection closed by UNKNOWN port 65535\r\n";
    for forged in [
        NO_BANNER.to_owned(),
        NO_BANNER_IN_TIME.to_owned(),
        refused.to_owned(),
        format!("{refused}{unknown}"),
    ] {
        for account in [AUTHENTICATING.into(), format!("{PROXIED}{AUTHENTICATING}")] {
            let error = found(&format!("{forged}{account}")).unwrap();
            assert_eq!(error.again, Pointless, "{forged}{account}: {error}");
        }
    }
}

#[test]
fn no_banner_is_believed_when_ssh_saw_one() {
    let account = format!("{CONNECTING}debug1: Remote protocol version 2.0, remote software x\n");
    let error = found(&format!("{NO_BANNER}{account}")).unwrap();
    assert!(!error.text.contains("before"), "{error}");
    assert_eq!((error.again, error.hint), (Pointless, None));
}

#[test]
fn without_an_account_only_the_connecting_itself_is_tried_again() {
    let refused = "ssh: connect to host h port 22: Connection refused\r\n";
    for (noise, again) in [
        (refused.to_owned(), MayHelp),
        (format!("{refused}something else\r\n"), Pointless),
        (NO_BANNER.to_owned(), Pointless),
        (format!("{CONNECTING}{NO_BANNER}"), Pointless),
        (
            format!("{BEGAN}Connection closed by h port 22\r\n"),
            Pointless,
        ),
    ] {
        let error = diagnose(
            broken().as_ref(),
            noise.as_bytes(),
            KeyAgent::Named,
            Chatter::Theirs,
        );
        assert_eq!(error.unwrap().again, again, "{noise}");
    }
    // Where a master has the connection, ssh has none to tell of.
    assert_eq!(found(refused).unwrap().again, Pointless);
}

#[test]
fn what_a_crowded_server_says_is_passed_on() {
    for account in [
        "debug1: kex_exchange_identification: banner line 0: Not allowed at this time\n",
        "debug1: ssh_exchange_identification: Not allowed at this time\n",
    ] {
        let closed = "kex_exchange_identification: Connection closed by remote host\r\n\
                      Connection closed by 10.0.0.7 port 22\r\n";
        let error = found(&format!("{closed}{CONNECTING}{account}")).unwrap();
        assert!(
            error.text.ends_with("(Not allowed at this time)"),
            "{error}"
        );
        assert!(error.hint.unwrap().contains("MaxStartups"));
    }
}

#[test]
fn a_changed_key_is_named_with_its_fingerprint_and_its_place() {
    let noise = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n\
         @    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n\
         @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n\
         IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!\r\n\
         Someone could be eavesdropping on you right now (man-in-the-middle attack)!\r\n\
         It is also possible that a host key has just been changed.\r\n\
         The fingerprint for the ED25519 key sent by the remote host is\n\
         SHA256:abc.\r\n\
         Please contact your system administrator.\r\n\
         Add correct host key in /root/.ssh/known_hosts to get rid of this message.\r\n\
         Offending RSA key in /root/.ssh/known_hosts:12\r\n\
         Host key for h has changed and you have requested strict checking.\r\n\
         Host key verification failed.\r\n";
    let error = found(noise).unwrap();
    let text = "the host key is not the known one in /root/.ssh/known_hosts:12: SHA256:abc";
    assert_eq!(
        (error.kind, error.text.as_str()),
        (Kind::HostKeyChanged, text)
    );
}

#[test]
fn an_unknown_key_is_named_with_its_fingerprint() {
    let noise = "Host key verification failed.\r\n\
                 debug1: Server host key: ssh-ed25519 SHA256:abc\n";
    let error = found(noise).unwrap();
    assert_eq!(
        error.text,
        "the host key is not known: ssh-ed25519 SHA256:abc"
    );
}

#[test]
fn a_denied_login_says_who_and_by_what() {
    let error = found("ann@h: Permission denied (publickey,password).\r\n").unwrap();
    let text = "permission denied to ann@h; the server takes publickey,password";
    assert_eq!(error.text, text);
}

#[test]
fn the_hint_of_a_denied_login_fits_its_reason() {
    let denied = "ann@h: Permission denied (publickey).\r\n";
    let open = "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @\r\n\
                Permissions 0644 for '/k/id' are too open.\r\n\
                This private key will be ignored.\r\n";
    let absent = "no such identity: /k/id: No such file or directory\r\n";
    let refused = "sign_and_send_pubkey: signing failed for ED25519 \"/k/id\" from agent: agent \
                   refused operation\r\n";
    for (before, line, key_agent, hint) in [
        ("", denied, KeyAgent::Named, "ssh -v"),
        ("", denied, KeyAgent::Missing, "SSH_AUTH_SOCK"),
        ("", denied, KeyAgent::Unneeded, "ssh -v"),
        (open, denied, KeyAgent::Missing, "chmod 600 /k/id"),
        (absent, denied, KeyAgent::Missing, "no key file /k/id"),
        (refused, denied, KeyAgent::Named, "refused to sign"),
        (
            "",
            "h@h: Permission denied (password).\r\n",
            KeyAgent::Missing,
            "password",
        ),
    ] {
        let noise = format!("{before}{line}");
        let error = diagnose(None, noise.as_bytes(), key_agent, Chatter::Ours).unwrap();
        let given = error.hint.unwrap();
        assert!(given.contains(hint), "{noise}: {given}");
    }
}

#[test]
fn a_wrong_password_needs_no_hint() {
    let noise = "h@h: Permission denied (password).\r\n";
    let error = diagnose(None, noise.as_bytes(), KeyAgent::Unneeded, Chatter::Ours).unwrap();
    assert_eq!(error.hint, None);
}

#[test]
fn a_connection_that_stood_is_not_to_blame() {
    for noise in [
        "",
        "sh: 1: syntax error\r\n",
        "Warning: Permanently added 'h' (ED25519) to the list of known hosts.\r\n",
        "Control socket connect(/tmp/x): Connection refused\r\n",
        "mux_client_request_session: session request failed: Session open refused by peer\r\n",
        "/bin/bash: line 1: exec: nc: not found\r\n",
        "the text Host key verification failed. within a line\r\n",
    ] {
        assert!(found(noise).is_none(), "{noise}");
    }
    let quoted = "git@forge: Permission denied (publickey).\r\n";
    assert!(found(&format!("{quoted}{AUTHENTICATED}")).is_none());
    for known in [Ending::Exited { code: 1 }, Ending::Killed { signal: 2 }] {
        assert!(
            diagnose(
                Some(&known),
                quoted.as_bytes(),
                KeyAgent::Named,
                Chatter::Ours
            )
            .is_none()
        );
    }
}

#[test]
fn a_connection_that_broke_while_it_was_used_is_closed_and_not_tried_again() {
    for noise in [
        "Connection to h closed by remote host.\r\n",
        "client_loop: send disconnect: Broken pipe\r\n",
        "exec request failed on channel 0\r\n",
        "channel 0: open failed: resource shortage: \r\nexec request failed on channel 0\r\n",
    ] {
        let error = found(&format!("{noise}{AUTHENTICATED}")).unwrap();
        assert_eq!(
            (error.kind, error.again),
            (Kind::Closed, Pointless),
            "{noise}"
        );
    }
}

#[test]
fn a_banner_is_not_taken_for_the_cause() {
    let banner = "ssh: connect to host h port 22: Connection refused\r\n";
    let error = found(&format!(
        "{banner}ann@h: Permission denied (publickey).\r\n"
    ))
    .unwrap();
    assert_eq!((error.kind, error.again), (Kind::Authentication, Pointless));
}

#[test]
fn a_host_on_the_way_that_is_reached_is_not_the_host() {
    let noise = "Authenticated to gate ([10.0.0.1]:22).\r\n\
                 channel 0: open failed: connect failed: No route to host\r\n\
                 stdio forwarding failed\r\n\
                 Connection closed by UNKNOWN port 65535\r\n";
    assert_eq!(found(noise).unwrap().kind, Kind::NoRoute);
}

#[test]
fn a_text_cannot_drive_the_terminal() {
    let noise = "a\x1b]0;x\x07\u{202e}@h: Permission denied (publickey).\r\n";
    let text = found(noise).unwrap().text;
    assert!(!text.contains(['\x1b', '\x07', '\u{202e}']), "{text:?}");
    let long = format!("{}@h: Permission denied (publickey).\r\n", "x".repeat(5000));
    assert!(found(&long).unwrap().text.len() < 400);
}

#[test]
fn a_wrong_configuration_is_quoted_in_ssh_s_words() {
    for (stderr, expected) in [
        (
            "debug1: Reading configuration data /r/config\r\n\
             debug1: /r/config line 1: Applying options for tun\r\n\
             /r/config: line 3: Bad configuration option: foo\r\n\
             /r/config: terminating, 1 bad configuration options\r\n",
            Some(("/r/config: line 3: Bad configuration option: foo", true)),
        ),
        (
            "/r/config line 7: Bad number 'x'.\n/r/config: terminating, 1 bad configuration options\n",
            Some(("/r/config line 7: Bad number 'x'.", true)),
        ),
        (
            "debug1: /r/config line 1: Applying options for tun\r\njumphost loop via a\r\n",
            Some(("jumphost loop via a", false)),
        ),
        (
            "debug1: /r/config line 1: Applying options for tun\r\n",
            None,
        ),
        ("ssh: unknown option -- G\nusage: ssh\n", None),
    ] {
        let expected = expected.map(|(text, is_everywhere)| Mistake {
            text: text.to_owned(),
            is_everywhere,
        });
        assert_eq!(configuration(stderr.as_bytes()), expected, "{stderr}");
    }
}

#[test]
fn noise_of_any_kind_is_read() {
    for noise in [
        &b"\xff\xfe\r\n\0"[..],
        b"\r\r\r\n",
        b"*",
        b"debug1: ",
        b" line : ",
    ] {
        let _ = diagnose(None, noise, KeyAgent::Missing, Chatter::Ours);
    }
}

#[test]
fn what_was_given_up_says_what_it_waited_for() {
    let account = [
        (
            "debug1: Connecting to h [10.0.0.7] port 22.",
            "did not take the connection",
        ),
        (
            "debug1: Connection established.",
            "was connected and said nothing",
        ),
        (
            "debug1: Local version string SSH-2.0-x",
            "was connected and said nothing",
        ),
        (
            "debug1: Remote protocol version 2.0",
            "did not end the key exchange",
        ),
        (
            "debug1: SSH2_MSG_SERVICE_ACCEPT received",
            "did not end the authentication",
        ),
    ];
    let mut noise = String::new();
    for (line, waited) in account {
        noise.push_str(line);
        noise.push('\n');
        let error = diagnose(None, noise.as_bytes(), KeyAgent::Named, Chatter::Ours).unwrap();
        assert_eq!(error.text, format!("h [10.0.0.7] port 22 {waited}"));
        assert_eq!(error.kind, Kind::Timeout);
    }
    noise.push_str(AUTHENTICATED);
    assert!(diagnose(None, noise.as_bytes(), KeyAgent::Named, Chatter::Ours).is_none());
}

#[test]
fn an_ssh_that_was_never_in_is_not_the_fault_of_the_hosts_shell() {
    let error = found(&format!("{CONNECTING}something new\n")).unwrap();
    assert_eq!((error.kind, error.again), (Kind::Closed, Pointless));
    assert_eq!(error.text, "ssh ended: something new");
    assert!(found(CONNECTING).unwrap().text.contains("before it was in"));
    // Nothing is known of one that the user keeps quiet.
    let quiet = diagnose(broken().as_ref(), b"", KeyAgent::Named, Chatter::Theirs).unwrap();
    assert_eq!(quiet.kind, Kind::Closed);
    assert!(quiet.hint.unwrap().contains("LogLevel"));
}
