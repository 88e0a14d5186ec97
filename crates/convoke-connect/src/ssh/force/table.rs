//! What follows from each option of `ssh -G`.

/// An option and what follows from it.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name, as `ssh -G` prints it, in lower case.
    pub name: &'static str,
    /// What follows.
    pub ruling: Ruling,
    /// Why.
    pub why: &'static str,
}

/// What follows from an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// The native client does what it says.
    Native,
    /// It is never in force.
    Irrelevant,
    /// Native with these values, delegated with others.
    NativeIf(&'static [&'static str]),
    /// Native with an address, delegated with a name.
    NativeIfAddress,
    /// Native with a command whose tokens are known.
    NativeIfCommand,
    /// Native with hosts that a shell reads as they are.
    NativeIfJump,
    /// Delegated with these values, native with others.
    DelegatedIf(&'static [&'static str]),
    /// Delegated when it is on and the option named is set.
    DelegatedIfOnWith(&'static str),
    /// Native with files that list keys, delegated with one that only ssh reads.
    NativeIfList,
    /// Delegated when it is set to anything but `none`.
    DelegatedIfSet,
    /// Delegated when it is not what the installed ssh has as its default.
    DelegatedUnlessDefault,
    /// Delegated when it is on and there are Kerberos credentials.
    DelegatedWithCredentials,
    /// Delegated when it is on and there is a `DISPLAY`.
    DelegatedWithDisplay,
    /// Delegated when it is set and the option named is on.
    DelegatedIfAllowed(&'static str),
    /// Delegated when there is a socket of that name.
    DelegatedIfSocket,
}

use Ruling::{
    DelegatedIf, DelegatedIfAllowed, DelegatedIfOnWith, DelegatedIfSet, DelegatedIfSocket,
    DelegatedUnlessDefault, DelegatedWithCredentials, DelegatedWithDisplay, Irrelevant, Native,
    NativeIf, NativeIfAddress, NativeIfCommand, NativeIfJump, NativeIfList,
};

/// All options, by name.
pub fn rows() -> &'static [Row] {
    &ROWS
}

/// The row of an option.
pub(super) fn find(name: &str) -> Option<&'static Row> {
    let at = ROWS.binary_search_by(|row| row.name.cmp(name)).ok()?;
    ROWS.get(at)
}

const fn is(name: &'static str, ruling: Ruling, why: &'static str) -> Row {
    Row { name, ruling, why }
}

/// As a rule: `yes` or `true` turns something on.
const OFF: &[&str] = &["no", "false"];
const SWITCH: &[&str] = &["yes", "true", "no", "false"];

const FORWARDS: &str = "a matter of forwardings, which are delegated";
const GSSAPI: &str = "a matter of GSSAPI, which is delegated when it is in force";
const NAMED: &str = "its result is the printed HostName";
const TERMINAL: &str = "a matter of terminals, which no host gets from us";
const OVERRULED: &str = "the command must run and have our pipes, so it is overruled by either ssh";
const LOG: &str = "what ssh says is kept as a cause, by whatever name";
const KEY_FILES: &str = "done by the native client; left to ssh with another user's home directory, `%j`, or `%C` behind a jump";
const LISTED: &str = "done by the native client; left to ssh with another user's home directory, or where it does not tell one name from two";
const FILTER: &str = "a filter: what the native client has of the list, in its order; delegated when nothing is left";

#[rustfmt::skip]
static ROWS: [Row; 108] = [
    is("addkeystoagent", Irrelevant, "changes the key agent, not the connection; passphrases are asked for once a run"),
    is("addressfamily", Native, "done by the native client"),
    is("batchmode", Native, "done by the native client"),
    is("bindaddress", NativeIfAddress, "names have several addresses"),
    is("bindinterface", DelegatedIfSet, "needs rights or a look at all interfaces"),
    is("canonicaldomains", Irrelevant, NAMED),
    is("canonicalizefallbacklocal", Irrelevant, NAMED),
    is("canonicalizehostname", Irrelevant, NAMED),
    is("canonicalizemaxdots", Irrelevant, NAMED),
    is("canonicalizepermittedcnames", Irrelevant, NAMED),
    is("casignaturealgorithms", Native, "done by the native client"),
    is("certificatefile", Native, KEY_FILES),
    is("channeltimeout", DelegatedUnlessDefault, "closes idle channels"),
    is("checkhostip", Native, "done by the native client"),
    is("ciphers", Native, FILTER),
    is("clearallforwardings", Irrelevant, "already applied to what is printed"),
    is("compression", Native, "done by the native client"),
    is("connectionattempts", Irrelevant, "Convoke tries again by its own rules"),
    is("connecttimeout", Native, "done by the native client"),
    is("controlmaster", Irrelevant, "no master is started on the side, but for one that `-o` asks for: that is left to ssh"),
    is("controlpath", DelegatedIfSocket, "a live master is used as configured"),
    is("controlpersist", Irrelevant, "a matter of ControlMaster"),
    is("dynamicforward", DelegatedIfSet, "another way through the host"),
    is("enableescapecommandline", Irrelevant, TERMINAL),
    is("enablesshkeysign", Irrelevant, "a matter of HostbasedAuthentication, which is delegated"),
    is("escapechar", Irrelevant, TERMINAL),
    is("exitonforwardfailure", Native, "ends a connection to a host with a wrong key; forwardings are delegated"),
    is("fingerprinthash", Irrelevant, "only how a fingerprint is written"),
    is("forkafterauthentication", Irrelevant, OVERRULED),
    is("forwardagent", NativeIf(OFF), "the host may use our keys"),
    is("forwardx11", DelegatedWithDisplay, "without a display ssh forwards nothing"),
    is("forwardx11timeout", Irrelevant, "a matter of ForwardX11"),
    is("forwardx11trusted", Irrelevant, "a matter of ForwardX11"),
    is("gatewayports", Irrelevant, FORWARDS),
    is("globalknownhostsfile", Native, LISTED),
    is("gssapiauthentication", DelegatedWithCredentials, "without credentials ssh goes on to the next method"),
    is("gssapiclientidentity", DelegatedWithCredentials, GSSAPI),
    is("gssapidelegatecredentials", DelegatedWithCredentials, GSSAPI),
    is("gssapikexalgorithms", Irrelevant, GSSAPI),
    is("gssapikeyexchange", DelegatedWithCredentials, "without credentials ssh exchanges keys as usual"),
    is("gssapirenewalforcesrekey", Irrelevant, GSSAPI),
    is("gssapiserveridentity", DelegatedWithCredentials, GSSAPI),
    is("gssapitrustdns", Irrelevant, GSSAPI),
    is("hashknownhosts", Native, "done by the native client"),
    is("host", Irrelevant, "the name that was asked for"),
    is("hostbasedacceptedalgorithms", Irrelevant, "a matter of HostbasedAuthentication, which is delegated"),
    is("hostbasedauthentication", NativeIf(OFF), "needs the key of this machine"),
    is("hostkeyalgorithms", Native, FILTER),
    is("hostkeyalias", Native, "done by the native client"),
    is("hostname", Native, "done by the native client"),
    is("identitiesonly", Native, "done by the native client"),
    is("identityagent", Native, "done by the native client"),
    is("identityfile", Native, KEY_FILES),
    is("ignoreunknown", Irrelevant, "a matter of reading the configuration"),
    is("ipqos", Irrelevant, "a mark on packets; the native client sets none"),
    is("kbdinteractiveauthentication", Native, "done by the native client"),
    is("kbdinteractivedevices", DelegatedIfSet, "asks the server for certain questions"),
    is("kexalgorithms", Native, FILTER),
    is("knownhostscommand", DelegatedIfSet, "a program tells which keys are known"),
    is("localcommand", DelegatedIfAllowed("permitlocalcommand"), "a command to be run here; only with PermitLocalCommand"),
    is("localforward", DelegatedIfSet, "another way through the host"),
    is("loglevel", Irrelevant, LOG),
    is("logverbose", Irrelevant, LOG),
    is("macs", Native, FILTER),
    is("nohostauthenticationforlocalhost", Native, "done by the native client"),
    is("numberofpasswordprompts", Native, "done by the native client; a password for many hosts is tried once a host"),
    is("obscurekeystroketiming", Irrelevant, TERMINAL),
    is("passwordauthentication", Native, "done by the native client"),
    is("permitlocalcommand", Irrelevant, "a matter of LocalCommand"),
    is("permitremoteopen", Irrelevant, FORWARDS),
    is("pkcs11provider", DelegatedIfSet, "keys on a token"),
    is("port", Native, "done by the native client"),
    is("preferredauthentications", Native, "done by the native client"),
    is("proxycommand", NativeIfCommand, "a shell runs it; its stdin and stdout are the way"),
    is("proxyjump", NativeIfJump, "one connection a hop, if the native client serves each hop"),
    is("proxyusefdpass", DelegatedIfOnWith("proxycommand"), "the program passes a socket on"),
    is("pubkeyacceptedalgorithms", Native, "a filter: keys that it leaves no way to sign with are not used"),
    is("pubkeyauthentication", NativeIf(SWITCH), "the other values bind a key to the host"),
    is("refuseconnection", DelegatedIfSet, "ssh says why"),
    is("rekeylimit", Native, "done by the native client; keys are good for 1 GiB at most"),
    is("remotecommand", Irrelevant, OVERRULED),
    is("remoteforward", DelegatedIfSet, "a way from the host to here"),
    is("requesttty", Irrelevant, OVERRULED),
    is("requiredrsasize", Native, "done by the native client"),
    is("revokedhostkeys", NativeIfList, "ssh alone reads a KRL"),
    is("securitykeyprovider", DelegatedUnlessDefault, "keys on a token"),
    is("sendenv", Native, "done by the native client"),
    is("serveralivecountmax", DelegatedIf(&["0"]), "without an answer that may be missing"),
    is("serveraliveinterval", Native, "done by the native client"),
    is("sessiontype", Irrelevant, OVERRULED),
    is("setenv", Native, "done by the native client"),
    is("stdinnull", Irrelevant, OVERRULED),
    is("streamlocalbindmask", Irrelevant, FORWARDS),
    is("streamlocalbindunlink", Irrelevant, FORWARDS),
    is("stricthostkeychecking", Native, "done by the native client; nobody is asked by either ssh"),
    is("syslogfacility", Irrelevant, LOG),
    is("tag", Irrelevant, "a matter of reading the configuration"),
    is("tcpkeepalive", Native, "done by the native client"),
    is("tunnel", NativeIf(OFF), "a network device"),
    is("tunneldevice", Irrelevant, "a matter of Tunnel"),
    is("updatehostkeys", Irrelevant, "adds further keys of a host whose key is known already; the next ssh does it as well"),
    is("user", Native, "done by the native client"),
    is("userknownhostsfile", Native, LISTED),
    is("verifyhostkeydns", NativeIf(OFF), "keys that the name service knows"),
    is("versionaddendum", DelegatedUnlessDefault, "the words that a server is greeted with"),
    is("visualhostkey", Irrelevant, "only how a fingerprint is shown"),
    is("warnweakcrypto", Irrelevant, "a warning"),
    is("xauthlocation", Irrelevant, "a matter of ForwardX11"),
];
