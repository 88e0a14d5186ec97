//! What OpenSSH 7.4 to 10.5 says when it fails, word for word, and what that means.

use crate::error::Again::{self, MayHelp, Pointless};
use crate::error::ConnectErrorKind as Kind;

pub(super) const FAILURES: &[(&str, Kind, Again)] = &[
    (
        "ssh: connect to host h port 22: Connection refused\r\n",
        Kind::Refused,
        MayHelp,
    ),
    (
        "ssh: connect to host ::1 port 22: Connection refused\r\n",
        Kind::Refused,
        MayHelp,
    ),
    (
        "ssh: connect to host h port 22: Connection timed out\r\n",
        Kind::Timeout,
        MayHelp,
    ),
    (
        "ssh: connect to host h port 22: Operation timed out\r\n",
        Kind::Timeout,
        MayHelp,
    ),
    (
        "ssh: connect to host h port 22: No route to host\r\n",
        Kind::NoRoute,
        Pointless,
    ),
    (
        "ssh: connect to host h port 22: Network is unreachable\r\n",
        Kind::NoRoute,
        Pointless,
    ),
    (
        "ssh: connect to host h port 22: Host is unreachable\r\n",
        Kind::NoRoute,
        Pointless,
    ),
    (
        "ssh: connect to host h port 22: Connection reset by peer\r\n",
        Kind::Closed,
        MayHelp,
    ),
    (
        "ssh: connect to host h port 22: Cannot assign requested address\r\n",
        Kind::Resources,
        Pointless,
    ),
    (
        "ssh: Could not resolve hostname h: Name or service not known\r\n",
        Kind::Name,
        Pointless,
    ),
    (
        "ssh: Could not resolve hostname h: Temporary failure in name resolution\r\n",
        Kind::Name,
        Pointless,
    ),
    // 9.2
    (
        "kex_exchange_identification: Connection closed by remote host\r\n\
             Connection closed by 10.0.0.7 port 22\r\n",
        Kind::Closed,
        MayHelp,
    ),
    (
        "kex_exchange_identification: read: Connection reset by peer\r\n\
             Connection reset by 10.0.0.7 port 22\r\n",
        Kind::Closed,
        MayHelp,
    ),
    // 7.4
    (
        "ssh_exchange_identification: Connection closed by remote host\r\n",
        Kind::Closed,
        MayHelp,
    ),
    (
        "ssh_exchange_identification: read: Connection reset by peer\r\n",
        Kind::Closed,
        MayHelp,
    ),
    (
        "Connection timed out during banner exchange\r\n",
        Kind::Timeout,
        MayHelp,
    ),
    (
        "Connection timed out during banner exchange\r\n\
             Connection to 10.0.0.7 port 22 timed out\r\n",
        Kind::Timeout,
        MayHelp,
    ),
    (
        "Connection to 10.0.0.7 port 22 timed out\r\n",
        Kind::Timeout,
        Pointless,
    ),
    (
        "kex_exchange_identification: No SSH version received in first 1024 lines from server\r\n\
             banner exchange: Connection to 10.0.0.7 port 80: invalid format\r\n",
        Kind::Closed,
        Pointless,
    ),
    (
        "Unable to negotiate with 10.0.0.7 port 22: no matching host key type found. Their offer: ssh-rsa\r\n",
        Kind::Closed,
        Pointless,
    ),
    (
        "ssh_dispatch_run_fatal: Connection to 10.0.0.7 port 22: message authentication code incorrect\r\n",
        Kind::Closed,
        Pointless,
    ),
    (
        "root@h: Permission denied (publickey,password).\r\n",
        Kind::Authentication,
        Pointless,
    ),
    (
        "Permission denied (publickey).\r\n",
        Kind::Authentication,
        Pointless,
    ),
    (
        "Received disconnect from 10.0.0.7 port 22:2: Too many authentication failures\r\n\
             Disconnected from 10.0.0.7 port 22\r\n",
        Kind::Authentication,
        Pointless,
    ),
    (
        "Received disconnect from 10.0.0.7 port 22:2: Too many authentication failures\r\n\
             Authentication failed.\r\n",
        Kind::Authentication,
        Pointless,
    ),
    (
        "Host key verification failed.\r\n",
        Kind::HostKeyUnknown,
        Pointless,
    ),
    (
        "No ED25519 host key is known for h and you have requested strict checking.\r\n\
             Host key verification failed.\r\n",
        Kind::HostKeyUnknown,
        Pointless,
    ),
    (
        "Host key ED25519 SHA256:abc revoked by file /etc/ssh/revoked\r\n\
             Host key verification failed.\r\n",
        Kind::HostKeyRevoked,
        Pointless,
    ),
    (
        "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n\
             @       WARNING: REVOKED HOST KEY DETECTED!               @\r\n\
             @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n\
             The ED25519 host key for h is marked as revoked.\r\n\
             This could mean that a stolen key is being used to\r\n\
             impersonate this host.\r\n\
             ED25519 host key for h was revoked and you have requested strict checking.\r\n\
             Host key verification failed.\r\n",
        Kind::HostKeyRevoked,
        Pointless,
    ),
    (
        "/root/.ssh/config: line 3: Bad configuration option: foo\r\n\
             /root/.ssh/config: terminating, 1 bad configuration options\r\n",
        Kind::Configuration,
        Pointless,
    ),
    (
        "command-line: line 0: Bad configuration option: foo\r\n",
        Kind::Configuration,
        Pointless,
    ),
    (
        "command-line line 0: missing argument.\r\n",
        Kind::Configuration,
        Pointless,
    ),
    (
        "/etc/ssh/ssh_config line 12: Bad number 'x': Invalid argument\r\n",
        Kind::Configuration,
        Pointless,
    ),
    (
        "Bad owner or permissions on /root/.ssh/config\r\n",
        Kind::Configuration,
        Pointless,
    ),
    (
        "Can't open user config file none: No such file or directory\r\n",
        Kind::Configuration,
        Pointless,
    ),
    (
        "bind [127.0.0.1]:5432: Address already in use\r\n\
             channel_setup_fwd_listener_tcpip: cannot listen to port: 5432\r\n\
             Could not request local forwarding.\r\n",
        Kind::Configuration,
        Pointless,
    ),
    // By ways of other hosts and programs.
    (
        "ssh: connect to host gate port 22: Connection refused\r\n\
             kex_exchange_identification: Connection closed by remote host\r\n\
             Connection closed by UNKNOWN port 65535\r\n",
        Kind::Refused,
        MayHelp,
    ),
    (
        "ann@gate: Permission denied (publickey).\r\n\
             kex_exchange_identification: Connection closed by remote host\r\n\
             Connection closed by UNKNOWN port 65535\r\n",
        Kind::Authentication,
        Pointless,
    ),
    (
        "Host key verification failed.\r\nConnection closed by UNKNOWN port 65535\r\n",
        Kind::HostKeyUnknown,
        Pointless,
    ),
    (
        "channel 0: open failed: connect failed: Connection refused\r\n\
             stdio forwarding failed\r\n\
             Connection closed by UNKNOWN port 65535\r\n",
        Kind::Refused,
        Pointless,
    ),
    (
        "channel 0: open failed: administratively prohibited: open failed\r\n\
             stdio forwarding failed\r\n\
             Connection closed by UNKNOWN port 65535\r\n",
        Kind::NoRoute,
        Pointless,
    ),
    (
        "Connection closed by 10.0.0.1 port 22\r\nConnection closed by UNKNOWN port 65535\r\n",
        Kind::Closed,
        Pointless,
    ),
    (
        "/bin/bash: line 1: exec: nc: not found\r\n\
             kex_exchange_identification: Connection closed by remote host\r\n\
             Connection closed by UNKNOWN port 65535\r\n",
        Kind::Closed,
        Pointless,
    ),
    // A master that takes no more sessions: ssh went on by itself.
    (
        "mux_client_request_session: session request failed: Session open refused by peer\r\n\
             ssh: connect to host h port 22: No route to host\r\n",
        Kind::NoRoute,
        Pointless,
    ),
];
