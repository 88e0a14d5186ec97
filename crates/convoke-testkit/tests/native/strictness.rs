//! What becomes of keys that are not known: `StrictHostKeyChecking` and what goes with it.

use std::fs;
use std::sync::Arc;

use convoke_connect::error::ConnectErrorKind as Kind;
use convoke_connect::trail::Remark;
use convoke_testkit::fleet::{Fleet, Known};
use convoke_testkit::network::Network;
use tokio::task::JoinSet;

use crate::verdicts::{key, keygen, ours, verdict};
use crate::{Answers, Client};

const NEW: &str = "StrictHostKeyChecking=accept-new";
const ANY: &str = "StrictHostKeyChecking=no";

/// What is known, options, the verdict, and what is in the file afterwards if that has changed.
type Row<'a> = (&'a [&'a str], &'a [&'a str], &'a str, Option<&'a str>);

const ROWS: &[Row<'_>] = &[
    (&[], &[], "unknown", None),
    (&[], &["StrictHostKeyChecking=ask"], "unknown", None),
    (&[], &[NEW], "good", Some("NAME KEY\n")),
    (&[], &[ANY], "good", Some("NAME KEY\n")),
    (
        &["other KEY"],
        &[NEW],
        "good",
        Some("other KEY\nNAME KEY\n"),
    ),
    (
        &[],
        &[NEW, "HashKnownHosts=yes"],
        "good",
        Some("HASHED KEY\n"),
    ),
    (&[], &[NEW, "HostKeyAlias=Web"], "good", Some("web KEY\n")),
    (&["NAME KEY"], &[NEW], "good", None),
    // Recognised by its name alone, and not written.
    (&["ADDRESS KEY"], &[NEW], "good", None),
    (
        &["ADDRESS OTHER"],
        &[NEW],
        "good",
        Some("ADDRESS OTHER\nNAME KEY\n"),
    ),
    (&["NAME OTHER"], &[NEW], "changed", None),
    (&["NAME OTHER"], &[ANY], "good", None),
    (&["NAME RSA"], &[NEW], "changed", None),
    (&["@revoked NAME KEY"], &[NEW], "revoked", None),
    (&["@revoked NAME KEY"], &[ANY], "good", None),
    (&["@revoked ADDRESS KEY"], &[ANY], "good", None),
    (
        &["NAME OTHER"],
        &[ANY, "ExitOnForwardFailure=yes"],
        "changed",
        None,
    ),
    (
        &["NAME OTHER"],
        &[
            ANY,
            "ExitOnForwardFailure=yes",
            "PasswordAuthentication=no",
            "KbdInteractiveAuthentication=no",
        ],
        "good",
        None,
    ),
    // This machine.
    (&[], &["NoHostAuthenticationForLocalhost=yes"], "good", None),
    (
        &["NAME OTHER"],
        &["NoHostAuthenticationForLocalhost=yes"],
        "good",
        None,
    ),
    (
        &["NAME OTHER"],
        &["NoHostAuthenticationForLocalhost=yes", "HostKeyAlias=web"],
        "unknown",
        None,
    ),
    // Only other addresses are looked at.
    (&["NAME KEY"], &["CheckHostIP=yes"], "good", None),
    (&[], &[NEW, "CheckHostIP=yes"], "good", Some("NAME KEY\n")),
    // Types that are not known, and those that are but are not the best.
    (
        &["NAME ssh-nonsense AAAA"],
        &[NEW],
        "good",
        Some("NAME ssh-nonsense AAAA\nNAME KEY\n"),
    ),
];

#[tokio::test]
async fn unknown_keys_are_added_as_ssh_adds_them() {
    let fleet = Fleet::builder().known(Known::Changed).start();
    let rsa = fleet.directory().join("rsa");
    keygen(&[
        "-q",
        "-t",
        "rsa",
        "-b",
        "2048",
        "-N",
        "",
        "-f",
        rsa.to_str().unwrap(),
    ]);
    let address = fleet.address(1).to_string();
    let fill = |text: &str| {
        text.replace("NAME", &format!("[{address}]:{}", fleet.port()))
            .replace("ADDRESS", &address)
            .replace("KEY", &key(&fleet, "host_ed25519.pub"))
            .replace("OTHER", &key(&fleet, "other_ed25519.pub"))
            .replace("RSA", &key(&fleet, "rsa.pub"))
    };
    for (known, options, word, after) in ROWS {
        let known: String = known.iter().map(|line| fill(line) + "\n").collect();
        let verdict = verdict(&fleet, &address, &known, options).await;
        assert_eq!(verdict.word, *word, "{known} {options:?}");
        let after = after.map_or(known.clone(), fill);
        assert_eq!(verdict.file, after, "{known} {options:?}");
    }
}

#[tokio::test]
async fn what_is_added_is_said() {
    let fleet = Fleet::start();
    let address = fleet.address(1).to_string();
    let (_, said) = ours(&fleet, &address, "", &[NEW]).await;
    let port = fleet.port();
    let words = format!(
        "Warning: Permanently added '[{address}]:{port}' (ED25519) to the list of known hosts.\n"
    );
    assert_eq!(said, words);
}

#[tokio::test]
async fn a_file_that_cannot_be_written_stops_nobody() {
    let fleet = Fleet::start();
    for (file, words) in [
        ("/dev/null", "Permanently added"),
        (
            "/nonexistent/known_hosts",
            "Failed to add the host to the list of known hosts (/nonexistent/known_hosts).",
        ),
        ("/", "Failed to add the host"),
    ] {
        let option = format!("UserKnownHostsFile={file}");
        let client = Client::with(&fleet, &[NEW, &option]);
        let pipes = client.open("h1", "true").await.unwrap();
        crate::end(pipes).await;
        let said = client.trail.take_remarks();
        assert!(
            matches!(said.as_slice(), [Remark::Note(said)] if said.contains(words)),
            "{said:?}"
        );
        assert!(client.ssh("h1").arg("true").status().unwrap().success());
    }
    // Without a file nothing is new.
    let client = Client::with(&fleet, &[NEW, "UserKnownHostsFile=none"]);
    assert_eq!(client.refused("h1").await.kind, Kind::HostKeyUnknown);
    assert!(!client.ssh("h1").arg("true").status().unwrap().success());
}

#[tokio::test]
async fn many_hosts_at_once_are_added_line_by_line() {
    let fleet = Fleet::start();
    let file = fleet.directory().join("added");
    // Its last line is not whole.
    fs::write(&file, "# mine").unwrap();
    let option = format!("UserKnownHostsFile={}", file.display());
    let client = Client::with(&fleet, &[NEW, &option]);
    let hosts: Vec<_> = (1..=20).chain(1..=20).map(|n| format!("h{n}")).collect();
    let client = Arc::new(client);
    let mut opening = JoinSet::new();
    for host in hosts {
        let client = Arc::clone(&client);
        opening.spawn(async move { client.said(&host, "true").await });
    }
    while let Some(opened) = opening.join_next().await {
        opened.unwrap().unwrap();
    }
    let text = fs::read_to_string(&file).unwrap();
    let key = key(&fleet, "host_ed25519.pub");
    let mut lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.remove(0), "# mine");
    let mut expected: Vec<_> = (1..=20)
        .map(|n| format!("[{}]:{} {key}", fleet.address(n), fleet.port()))
        .collect();
    expected.sort();
    lines.sort();
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn whom_nobody_may_trust_is_warned_of_and_does_not_say_it_itself() {
    let fleet = Fleet::builder().known(Known::Changed).start();
    let client = Client::with(&fleet, &[ANY]);
    let pipes = client.open("h1", "true").await.unwrap();
    assert_eq!(crate::noise(pipes).await, "");
    let said = client.trail.take_remarks();
    let [Remark::Warning(text)] = said.as_slice() else {
        panic!("{said:?}");
    };
    for words in [
        "the host key is not the known one in ",
        "SHA256:",
        "no password is sent",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert!(also_warns(&client, "h1"));
}

fn also_warns(client: &Client, host: &str) -> bool {
    let output = client.ssh(host).arg("true").output().unwrap();
    String::from_utf8_lossy(&output.stderr).contains("WARNING: REMOTE HOST IDENTIFICATION")
}

#[tokio::test]
async fn a_host_with_a_wrong_key_gets_no_password() {
    let fleet = Fleet::builder()
        .known(Known::Changed)
        .option("KbdInteractiveAuthentication yes")
        .option("PasswordAuthentication yes")
        .option("PubkeyAuthentication no")
        .start();
    let client = Client::with(
        &fleet,
        &[
            ANY,
            "PreferredAuthentications=keyboard-interactive,password",
        ],
    );
    let answers = Answers::of(&[]);
    let error = client
        .asking("h1", "true", &answers)
        .await
        .expect_err("it was let in");
    assert_eq!(error.kind, Kind::Authentication);
    assert!(answers.asked().is_empty());
    // Whose key is right is asked for one.
    let client = Client::with(&fleet, &["NoHostAuthenticationForLocalhost=yes"]);
    let error = client
        .asking("h1", "true", &answers)
        .await
        .expect_err("it was let in");
    assert_eq!(error.kind, Kind::Authentication);
    assert!(!answers.asked().is_empty());
}

#[tokio::test]
async fn keys_in_a_list_of_revoked_ones_are_refused() {
    let fleet = Fleet::builder().known(Known::Changed).start();
    let address = fleet.address(1).to_string();
    let (own, other) = (
        key(&fleet, "host_ed25519.pub"),
        key(&fleet, "other_ed25519.pub"),
    );
    let name = format!("[{address}]:{}", fleet.port());
    let known = format!("{name} {own}");
    let file = fleet.directory().join("revoked");
    let option = format!("RevokedHostKeys={}", file.display());
    for (text, word) in [
        (String::new(), "good"),
        (format!("# {own}\n\n{other} comment\n"), "good"),
        (format!("{other}\r\n  {own}"), "revoked"),
        (format!("nonsense\n{other}"), "revoked"),
        (format!("{other}\nssh-rsa AAAA"), "revoked"),
        (format!("@revoked {own}"), "revoked"),
    ] {
        fs::write(&file, &text).unwrap();
        let verdict = verdict(&fleet, &address, &known, &[&option]).await;
        assert_eq!(verdict.word, word, "{text}");
    }
    // It is refused whatever else is configured.
    fs::write(&file, &own).unwrap();
    for more in [ANY, "NoHostAuthenticationForLocalhost=yes"] {
        let verdict = verdict(&fleet, &address, &known, &[&option, more]).await;
        assert_eq!(verdict.word, "revoked", "{more}");
    }
    let (_, said) = ours(&fleet, &address, &known, &[&option]).await;
    let words = format!(
        "the host key was revoked by {}: ssh-ed25519 SHA256:",
        file.display()
    );
    assert!(said.contains(&words), "{said}");
    fs::remove_file(&file).unwrap();
    assert_eq!(
        verdict(&fleet, &address, &known, &[&option]).await.word,
        "revoked"
    );
}

/// What is known, the strictness, the verdict, and what is in the file afterwards if that has changed.
/// `IP` is the address with its port; the name is an alias, since no name service is asked here.
const ADDRESSES: &[(&[&str], &str, &str, Option<&str>)] = &[
    (&["web KEY", "IP KEY"], "yes", "good", None),
    (&["web KEY"], "yes", "good", Some("web KEY\nIP KEY\n")),
    (&["web KEY", "IP OTHER"], "yes", "changed", None),
    (&["web KEY", "IP OTHER"], "accept-new", "changed", None),
    (&["web KEY", "IP OTHER"], "no", "good", None),
    (&["web KEY", "@revoked IP KEY"], "yes", "good", None),
    (&["IP KEY"], "yes", "unknown", None),
    (&["IP KEY"], "accept-new", "good", Some("IP KEY\nweb KEY\n")),
    (&[], "accept-new", "good", Some("web,IP KEY\n")),
    (&["web OTHER", "IP KEY"], "yes", "changed", None),
    (&["web OTHER"], "no", "good", None),
];

#[tokio::test]
async fn the_key_of_the_address_counts_where_ssh_asks_for_it() {
    let network = match Network::with(Fleet::builder().known(Known::Changed)) {
        Ok(network) => network,
        Err(unavailable) => {
            eprintln!("skipped 1: {unavailable}");
            return;
        }
    };
    let fleet = network.fleet();
    let address = fleet.address(1).to_string();
    let fill = |text: &str| {
        text.replace("IP", &format!("[{address}]:{}", fleet.port()))
            .replace("KEY", &key(fleet, "host_ed25519.pub"))
            .replace("OTHER", &key(fleet, "other_ed25519.pub"))
    };
    let compare = async |known: &[&str], options: &[&str]| {
        let known: String = known.iter().map(|line| fill(line) + "\n").collect();
        let verdict = verdict(fleet, &address, &known, options).await;
        (known, verdict)
    };
    for (lines, strictness, word, after) in ADDRESSES {
        let strict = format!("StrictHostKeyChecking={strictness}");
        let options = ["CheckHostIP=yes", "HostKeyAlias=web", &strict];
        let (known, verdict) = compare(lines, &options).await;
        assert_eq!(verdict.word, *word, "{known} {strictness}");
        let after = after.map_or(known.clone(), fill);
        assert_eq!(verdict.file, after, "{known} {strictness}");
    }
    // Hashed, each has a line of its own; the name may be the address itself.
    let hashed = [
        "CheckHostIP=yes",
        "HostKeyAlias=web",
        NEW,
        "HashKnownHosts=yes",
    ];
    let (_, verdict) = compare(&[], &hashed).await;
    assert_eq!(verdict.file, fill("HASHED KEY\nHASHED KEY\n"));
    let (_, verdict) = compare(&[], &["CheckHostIP=yes", NEW]).await;
    assert_eq!(verdict.file, fill("IP KEY\n"));
}
