//! The sentences with which ssh ends, from OpenSSH 7.4 to 10: whole lines, `*` for any text.

/// What a sentence means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Refused,
    Reset,
    Timeout,
    NoRoute,
    Name,
    Resources,
    Configuration,
    /// A forwarding of the configuration failed, and that is fatal.
    Forwarding,
    /// The server closed or reset the connection; at which moment, other lines tell.
    Closed,
    /// The same, certainly before the server's banner.
    BeforeBanner,
    /// No banner came in time.
    BannerTimeout,
    /// No answer on a connection that stood.
    LateTimeout,
    /// A connection broke that may have been in use, or that was not what it should be.
    Broken,
    Algorithms,
    NotSsh,
    /// A host on the way could not connect further.
    JumpRefused,
    JumpNoRoute,
    Denied,
    TooManyFailures,
    HostKey,
}

impl Cause {
    /// Whether ssh can say it when it is in.
    pub(super) fn comes_after_authentication(self) -> bool {
        matches!(self, Cause::Forwarding | Cause::Broken | Cause::LateTimeout)
    }
}

/// The first shape that fits counts, so the exact ones stand before the wide ones. Where the system's
/// words for an error differ, those of glibc, musl and macOS stand here.
const SHAPES: &[(&str, Cause)] = &[
    // sshconnect.c, ssh_connect_direct
    (
        "ssh: connect to host * port *: Connection refused",
        Cause::Refused,
    ),
    (
        "ssh: connect to host * port *: Connection reset by peer",
        Cause::Reset,
    ),
    (
        "ssh: connect to host * port *: Connection timed out",
        Cause::Timeout,
    ),
    (
        "ssh: connect to host * port *: Operation timed out",
        Cause::Timeout,
    ),
    (
        "ssh: connect to host * port *: Cannot assign requested address",
        Cause::Resources,
    ),
    ("ssh: connect to host * port *: *", Cause::NoRoute),
    // ssh.c, resolve_host
    ("ssh: Could not resolve hostname *: *", Cause::Name),
    // sshconnect.c, the proxy
    (
        "Could not create pipes to communicate with the proxy: *",
        Cause::Resources,
    ),
    (
        "Could not create socketpair to communicate with *",
        Cause::Resources,
    ),
    ("fork failed: *", Cause::Resources),
    // kex.c, kex_exchange_identification; sshconnect.c before 8.0
    (
        "kex_exchange_identification: Connection closed by remote host",
        Cause::BeforeBanner,
    ),
    ("kex_exchange_identification: read: *", Cause::BeforeBanner),
    ("kex_exchange_identification: write: *", Cause::BeforeBanner),
    (
        "ssh_exchange_identification: Connection closed by remote host",
        Cause::BeforeBanner,
    ),
    ("ssh_exchange_identification: read: *", Cause::BeforeBanner),
    ("ssh_exchange_identification: write: *", Cause::BeforeBanner),
    (
        "Connection timed out during banner exchange",
        Cause::BannerTimeout,
    ),
    (
        "kex_exchange_identification: No SSH version received *",
        Cause::NotSsh,
    ),
    (
        "ssh_exchange_identification: No banner received",
        Cause::NotSsh,
    ),
    (
        "Bad remote protocol version identification: *",
        Cause::NotSsh,
    ),
    ("Protocol major versions differ: *", Cause::NotSsh),
    (
        "banner exchange: Connection to * port *: invalid format",
        Cause::NotSsh,
    ),
    (
        "banner exchange: Connection to * port *: *protocol version*",
        Cause::NotSsh,
    ),
    (
        "banner exchange: Connection to * port *: *",
        Cause::BeforeBanner,
    ),
    // packet.c, sshpkt_vfatal
    ("Connection closed by * port *", Cause::Closed),
    ("Connection reset by * port *", Cause::Closed),
    ("Connection to * port * timed out", Cause::LateTimeout),
    ("Unable to negotiate with * port *: *", Cause::Algorithms),
    (
        "ssh_dispatch_run_fatal: Connection to * port *: *",
        Cause::Broken,
    ),
    (
        "packet_write_wait: Connection to * port *: *",
        Cause::Broken,
    ),
    (
        "Received disconnect from * port *: Too many authentication failures*",
        Cause::TooManyFailures,
    ),
    ("Received disconnect from * port *:*", Cause::Broken),
    // sshconnect2.c
    ("*@*: Permission denied (*).", Cause::Denied),
    ("Permission denied (*).", Cause::Denied),
    ("Host key verification failed.", Cause::HostKey),
    // ssh.c and channels.c of a host on the way
    (
        "channel *: open failed: connect failed: Connection refused",
        Cause::JumpRefused,
    ),
    ("channel *: open failed: *", Cause::JumpNoRoute),
    ("Stdio forwarding request failed: *", Cause::JumpNoRoute),
    (
        "Master refused stdio forwarding request: *",
        Cause::JumpNoRoute,
    ),
    // clientloop.c, once it is in
    ("Connection to * closed by remote host.", Cause::Broken),
    ("client_loop: send disconnect: *", Cause::Broken),
    ("Read from remote host *: *", Cause::Broken),
    ("Timeout, server * not responding.", Cause::LateTimeout),
    ("* request failed on channel *", Cause::Broken),
    // ssh.c, forwardings with ExitOnForwardFailure
    ("Could not request local forwarding.", Cause::Forwarding),
    ("Could not request remote forwarding.", Cause::Forwarding),
    ("Could not request tunnel forwarding.", Cause::Forwarding),
    (
        "Error: remote port forwarding failed for listen p*",
        Cause::Forwarding,
    ),
    // readconf.c, ssh.c
    (
        "*: line *: Bad configuration option: *",
        Cause::Configuration,
    ),
    (
        "*: terminating, * bad configuration options",
        Cause::Configuration,
    ),
    ("Bad owner or permissions on *", Cause::Configuration),
    ("Can't open user config file *: *", Cause::Configuration),
    (
        "Cannot execute command-line and remote command.",
        Cause::Configuration,
    ),
    ("ControlPath too long *", Cause::Configuration),
    ("inconsistent options: *", Cause::Configuration),
    ("jumphost loop via *", Cause::Configuration),
    ("hostname contains invalid characters", Cause::Configuration),
    (
        "remote username contains invalid characters",
        Cause::Configuration,
    ),
    ("Missing Match criteria for *", Cause::Configuration),
    ("Unsupported Match attribute *", Cause::Configuration),
    ("Too many * files specified (max *)", Cause::Configuration),
    ("No user exists for uid *", Cause::Configuration),
];

/// The mistakes in a configuration that do not depend on the host: files are parsed as a whole.
pub(super) const EVERYWHERE: [&str; 4] = [
    "*: line *: Bad configuration option: *",
    "*: terminating, * bad configuration options",
    "Bad owner or permissions on *",
    "Can't open user config file *: *",
];

/// What a line means, if it is one of the sentences.
pub(super) fn shape(line: &str) -> Option<Cause> {
    let mut shapes = SHAPES.iter();
    let known = shapes.find(|(pattern, _)| matches(pattern, line).is_some());
    let known = known.map(|(_, cause)| *cause);
    known.or_else(|| is_bad_line(line).then_some(Cause::Configuration))
}

/// readconf.c: `FILE line 12: …`. A shell says `sh: line 12: …`.
fn is_bad_line(line: &str) -> bool {
    let Some((file, rest)) = line.split_once(" line ") else {
        return false;
    };
    let number = rest.split_once(": ").map_or("", |(number, _)| number);
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    numbered && !file.ends_with(':') && (file.contains('/') || file == "command-line")
}

/// Fits a line to a pattern and returns what its stars stand for, each the shortest possible.
pub(super) fn matches<'a>(pattern: &str, line: &'a str) -> Option<Vec<&'a str>> {
    let mut pieces = pattern.split('*');
    let mut rest = line.strip_prefix(pieces.next()?)?;
    let mut pieces = pieces.peekable();
    let mut stars = Vec::new();
    while let Some(piece) = pieces.next() {
        let last = pieces.peek().is_none();
        let (star, after) = if last {
            (rest.strip_suffix(piece)?, "")
        } else {
            rest.split_once(piece)?
        };
        stars.push(star);
        rest = after;
    }
    rest.is_empty().then_some(stars)
}
