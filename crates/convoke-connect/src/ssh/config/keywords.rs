//! The options of ssh's configuration: their names and how their values are read.

/// An option.
#[derive(Debug)]
pub(super) struct Keyword {
    /// Its name in lower case, which `ssh -G` prints.
    pub(super) name: &'static str,
    pub(super) rule: Rule,
    /// Whether `ssh -G` prints it also where nothing sets it.
    pub(super) presence: Presence,
}

/// When `ssh -G` prints an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Always. An ssh that does not, does not know it.
    Always,
    /// When it is set.
    Set,
}

/// How a value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// One of several words, each with the word that is printed for it.
    Choice(&'static [(&'static str, &'static str)]),
    /// One word, as it is.
    Text,
    /// The rest of the line, as it is.
    Command,
    /// A number of seconds, or a time with units.
    Time,
    /// A number.
    Number,
    Port,
    /// A list of algorithms, or an edit of one.
    Algorithms,
    /// Files, or none.
    Files,
    /// Whatever has a rule of its own.
    Own(Own),
    /// Accepted and without effect.
    Ignored,
    /// Left to ssh.
    Asked,
}

/// Options with a rule of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Own {
    Host,
    Match,
    Include,
    ProxyCommand,
    ProxyJump,
    IdentityFile,
    CertificateFile,
    SendEnv,
    SetEnv,
    LocalForward,
    RemoteForward,
    DynamicForward,
    ForwardAgent,
    IdentityAgent,
    AddKeysToAgent,
    RekeyLimit,
    ControlPersist,
    EscapeChar,
    IpQos,
    TunnelDevice,
    BindMask,
    Facility,
    LogLevel,
    FingerprintHash,
    LogVerbose,
    RemoteOpen,
    Domains,
    PermittedCnames,
}

const FLAG: &[(&str, &str)] = &[
    ("yes", "yes"),
    ("true", "yes"),
    ("no", "no"),
    ("false", "no"),
];
const YES_NO_ASK: &[(&str, &str)] = &[
    ("yes", "true"),
    ("true", "true"),
    ("no", "false"),
    ("false", "false"),
    ("ask", "ask"),
];

use Presence::{Always, Set};
use Rule::{
    Algorithms, Asked, Choice, Command, Files, Ignored, Number, Own as O, Port, Text, Time,
};

const fn is(name: &'static str, rule: Rule, presence: Presence) -> Keyword {
    Keyword {
        name,
        rule,
        presence,
    }
}

/// All of them, by name. An option that is not here is left to ssh.
const KEYWORDS: &[Keyword] = &[
    is("addkeystoagent", O(Own::AddKeysToAgent), Always),
    is(
        "addressfamily",
        Choice(&[("inet", "inet"), ("inet6", "inet6"), ("any", "any")]),
        Always,
    ),
    is("afstokenpassing", Ignored, Set),
    is("batchmode", Choice(FLAG), Always),
    is("bindaddress", Text, Set),
    is("bindinterface", Text, Set),
    is("canonicaldomains", O(Own::Domains), Always),
    is("canonicalizefallbacklocal", Choice(FLAG), Always),
    is(
        "canonicalizehostname",
        Choice(&[
            ("yes", "true"),
            ("true", "true"),
            ("no", "false"),
            ("false", "false"),
            ("always", "always"),
        ]),
        Always,
    ),
    is("canonicalizemaxdots", Number, Always),
    is(
        "canonicalizepermittedcnames",
        O(Own::PermittedCnames),
        Always,
    ),
    is("casignaturealgorithms", Algorithms, Always),
    is("certificatefile", O(Own::CertificateFile), Set),
    is("channeltimeout", Asked, Set),
    is("checkhostip", Choice(FLAG), Always),
    is("cipher", Ignored, Set),
    is("ciphers", Algorithms, Always),
    is("clearallforwardings", Choice(FLAG), Always),
    is(
        "compression",
        Choice(&[("yes", "yes"), ("no", "no")]),
        Always,
    ),
    is("compressionlevel", Ignored, Set),
    is("connectionattempts", Number, Always),
    is("connecttimeout", Time, Always),
    is(
        "controlmaster",
        Choice(&[
            ("yes", "true"),
            ("true", "true"),
            ("no", "false"),
            ("false", "false"),
            ("auto", "auto"),
            ("ask", "ask"),
            ("autoask", "autoask"),
        ]),
        Always,
    ),
    is("controlpath", Text, Set),
    is("controlpersist", O(Own::ControlPersist), Always),
    is("dynamicforward", O(Own::DynamicForward), Set),
    is("enableescapecommandline", Choice(FLAG), Always),
    is("enablesshkeysign", Choice(FLAG), Always),
    is("escapechar", O(Own::EscapeChar), Always),
    is("exitonforwardfailure", Choice(FLAG), Always),
    is("fallbacktorsh", Ignored, Set),
    is("fingerprinthash", O(Own::FingerprintHash), Always),
    is("forkafterauthentication", Choice(FLAG), Always),
    is("forwardagent", O(Own::ForwardAgent), Always),
    is("forwardx11", Choice(FLAG), Always),
    is("forwardx11timeout", Time, Always),
    is("forwardx11trusted", Choice(FLAG), Always),
    is("gatewayports", Choice(FLAG), Always),
    is("globalknownhostsfile", Files, Always),
    is("globalknownhostsfile2", Ignored, Set),
    is("gssapiauthentication", Choice(FLAG), Always),
    is("gssapiclientidentity", Asked, Set),
    is("gssapidelegatecredentials", Choice(FLAG), Always),
    is("gssapikexalgorithms", Algorithms, Always),
    is("gssapikeyexchange", Choice(FLAG), Always),
    is("gssapirenewalforcesrekey", Choice(FLAG), Always),
    is("gssapiserveridentity", Asked, Set),
    is("gssapitrustdns", Choice(FLAG), Always),
    is("hashknownhosts", Choice(FLAG), Always),
    is("host", O(Own::Host), Set),
    is("hostbasedacceptedalgorithms", Algorithms, Always),
    is("hostbasedauthentication", Choice(FLAG), Always),
    is("hostkeyalgorithms", Algorithms, Always),
    is("hostkeyalias", Text, Set),
    is("hostname", Text, Set),
    is("identitiesonly", Choice(FLAG), Always),
    is("identityagent", O(Own::IdentityAgent), Set),
    is("identityfile", O(Own::IdentityFile), Always),
    is("ignoreunknown", Text, Set),
    is("include", O(Own::Include), Set),
    is("ipqos", O(Own::IpQos), Always),
    is("kbdinteractiveauthentication", Choice(FLAG), Always),
    is("kbdinteractivedevices", Text, Set),
    is("kerberosauthentication", Ignored, Set),
    is("kerberostgtpassing", Ignored, Set),
    is("kexalgorithms", Algorithms, Always),
    is("knownhostscommand", Command, Set),
    is("localcommand", Command, Set),
    is("localforward", O(Own::LocalForward), Set),
    is("loglevel", O(Own::LogLevel), Always),
    is("logverbose", O(Own::LogVerbose), Always),
    is("macs", Algorithms, Always),
    is("match", O(Own::Match), Set),
    is("nohostauthenticationforlocalhost", Choice(FLAG), Always),
    is("numberofpasswordprompts", Number, Always),
    is("obscurekeystroketiming", Asked, Set),
    is("passwordauthentication", Choice(FLAG), Always),
    is("permitlocalcommand", Choice(FLAG), Always),
    is("permitremoteopen", O(Own::RemoteOpen), Always),
    is("pkcs11provider", Text, Set),
    is("port", Port, Always),
    is("preferredauthentications", Text, Set),
    is("protocol", Ignored, Set),
    is("protocolkeepalives", Asked, Set),
    is("proxycommand", O(Own::ProxyCommand), Set),
    is("proxyjump", O(Own::ProxyJump), Set),
    is("proxyusefdpass", Choice(FLAG), Always),
    is("pubkeyacceptedalgorithms", Algorithms, Always),
    is(
        "pubkeyauthentication",
        Choice(&[
            ("yes", "true"),
            ("true", "true"),
            ("no", "false"),
            ("false", "false"),
            ("unbound", "unbound"),
            ("host-bound", "host-bound"),
        ]),
        Always,
    ),
    is("refuseconnection", Asked, Set),
    is("rekeylimit", O(Own::RekeyLimit), Always),
    is("remotecommand", Command, Set),
    is("remoteforward", O(Own::RemoteForward), Set),
    is(
        "requesttty",
        Choice(&[
            ("yes", "true"),
            ("true", "true"),
            ("no", "false"),
            ("false", "false"),
            ("force", "force"),
            ("auto", "auto"),
        ]),
        Always,
    ),
    is("requiredrsasize", Number, Always),
    is("revokedhostkeys", Text, Set),
    is("rhostsauthentication", Ignored, Set),
    is("rhostsrsaauthentication", Ignored, Set),
    is("rsaauthentication", Ignored, Set),
    is("securitykeyprovider", Text, Always),
    is("sendenv", O(Own::SendEnv), Set),
    is("serveralivecountmax", Number, Always),
    is("serveraliveinterval", Time, Always),
    is(
        "sessiontype",
        Choice(&[
            ("none", "none"),
            ("subsystem", "subsystem"),
            ("default", "default"),
        ]),
        Always,
    ),
    is("setenv", O(Own::SetEnv), Set),
    is("setuptimeout", Asked, Set),
    is("stdinnull", Choice(FLAG), Always),
    is("streamlocalbindmask", O(Own::BindMask), Always),
    is("streamlocalbindunlink", Choice(FLAG), Always),
    is(
        "stricthostkeychecking",
        Choice(&[
            ("yes", "true"),
            ("true", "true"),
            ("no", "false"),
            ("off", "false"),
            ("false", "false"),
            ("ask", "ask"),
            ("accept-new", "accept-new"),
        ]),
        Always,
    ),
    is("syslogfacility", O(Own::Facility), Always),
    is("tag", Asked, Set),
    is("tcpkeepalive", Choice(FLAG), Always),
    is(
        "tunnel",
        Choice(&[
            ("yes", "point-to-point"),
            ("true", "point-to-point"),
            ("point-to-point", "point-to-point"),
            ("no", "false"),
            ("false", "false"),
            ("ethernet", "ethernet"),
        ]),
        Always,
    ),
    is("tunneldevice", O(Own::TunnelDevice), Always),
    is("updatehostkeys", Choice(YES_NO_ASK), Always),
    is("useblacklistedkeys", Asked, Set),
    is("user", Text, Always),
    is("userknownhostsfile", Files, Always),
    is("userknownhostsfile2", Ignored, Set),
    is("useroaming", Ignored, Set),
    is("usersh", Ignored, Set),
    is("useprivilegedport", Ignored, Set),
    is("verifyhostkeydns", Choice(YES_NO_ASK), Always),
    is("versionaddendum", Asked, Set),
    is("visualhostkey", Choice(FLAG), Always),
    is("warnweakcrypto", Asked, Set),
    is("xauthlocation", Text, Always),
];

/// Other names of options.
const ALIASES: [(&str, &str); 9] = [
    (
        "challengeresponseauthentication",
        "kbdinteractiveauthentication",
    ),
    ("skeyauthentication", "kbdinteractiveauthentication"),
    ("tisauthentication", "kbdinteractiveauthentication"),
    ("dsaauthentication", "pubkeyauthentication"),
    ("hostbasedkeytypes", "hostbasedacceptedalgorithms"),
    ("identityfile2", "identityfile"),
    ("keepalive", "tcpkeepalive"),
    ("pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms"),
    ("smartcarddevice", "pkcs11provider"),
];

/// How many options there are: the size of a table by [`slot`].
pub(super) const COUNT: usize = KEYWORDS.len();

/// The option of a name or alias in lower case, and its place among all.
pub(super) fn find(name: &str) -> Option<(usize, &'static Keyword)> {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    let name = alias.map_or(name, |(_, name)| name);
    let slot = KEYWORDS.binary_search_by(|keyword| keyword.name.cmp(name));
    let slot = slot.ok()?;
    KEYWORDS.get(slot).map(|keyword| (slot, keyword))
}

/// The name of the option at a place.
pub(super) fn name(slot: usize) -> &'static str {
    KEYWORDS.get(slot).map_or("", |keyword| keyword.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_found_by_its_name() {
        for (slot, keyword) in KEYWORDS.iter().enumerate() {
            let found = find(keyword.name).map(|(slot, _)| slot);
            assert_eq!(found, Some(slot), "{}", keyword.name);
        }
        for (alias, name) in ALIASES {
            assert!(find(alias).is_some(), "{alias} is {name}");
        }
        assert!(find("usekeychain").is_none());
    }
}
