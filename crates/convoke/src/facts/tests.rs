use proptest::prelude::*;

use super::*;

/// The names of the facts that are understood.
const NAMES: [&str; 20] = [
    "os-release",
    "kernel.name",
    "kernel.release",
    "kernel.version",
    "machine",
    "hostname",
    "cpus.online",
    "cpu.model",
    "meminfo",
    "mountinfo",
    "uptime",
    "boot-id",
    "init",
    "user",
    "uid",
    "gid",
    "home",
    "shell",
    "time",
    "interfaces",
];

fn of(raw: &[(&str, &str)]) -> Facts {
    Facts::of(
        raw.iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).into())),
    )
}

#[test]
fn facts_have_one_json_form() {
    let facts = of(&[
        (
            "os-release",
            "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME='Debian 12'\n",
        ),
        ("kernel.name", "Linux"),
        ("kernel.release", "6.1.0-18-amd64"),
        ("kernel.version", "#1 SMP"),
        ("machine", "x86_64"),
        ("hostname", "web1"),
        ("cpus.online", "0-3\n"),
        ("cpu.model", "A Processor"),
        ("meminfo", "MemTotal: 4 kB\nMemAvailable: 2 kB\n"),
        ("mountinfo", "22 1 0:21 / /a\\040b rw - ext4 /dev/sda1 rw\n"),
        (
            "interfaces",
            "link eth0 2 1043 1500 52:54:00:12:34:56\naddr eth0 192.0.2.7/24\n",
        ),
        ("uptime", "1.5 3.0\n"),
        ("boot-id", "b0071d\n"),
        ("init", "systemd\n"),
        ("user", "op"),
        ("uid", "1000"),
        ("gid", "100"),
        ("home", "/home/op"),
        ("shell", "/bin/sh"),
        ("time", "1795289400.000000001"),
        ("weather", "fine"),
    ]);
    let json = serde_json::json!({
        "os": {
            "id": "debian",
            "version_id": "12",
            "pretty_name": "Debian 12",
            "keys": {"ID": "debian", "VERSION_ID": "12", "PRETTY_NAME": "Debian 12"},
        },
        "kernel": {"name": "Linux", "release": "6.1.0-18-amd64", "version": "#1 SMP"},
        "architecture": "x86_64",
        "hostname": "web1",
        "cpus": {"online": 4, "model": "A Processor"},
        "memory": {
            "total": 4096, "available": 2048, "free": null, "buffers": null, "cached": null,
            "swap_total": null, "swap_free": null,
        },
        "mounts": [
            {"source": "/dev/sda1", "path": "/a b", "kind": "ext4", "options": ["rw"]},
        ],
        "interfaces": [{
            "name": "eth0", "index": 2, "up": true, "flags": 0x1043, "mtu": 1500,
            "mac": "52:54:00:12:34:56", "ip": "192.0.2.7",
            "addresses": [{"ip": "192.0.2.7", "prefix": 24}],
        }],
        "uptime_seconds": 1.5,
        "boot_id": "b0071d",
        "init": "systemd",
        "user": {"name": "op", "uid": 1000, "gid": 100, "home": "/home/op", "shell": "/bin/sh"},
        "clock": "2026-11-21T19:30:00.000000001Z",
        "clock_seconds": 1_795_289_400,
        "more": {"weather": "fine"},
    });
    assert_eq!(serde_json::to_value(&facts).unwrap(), json);
    let ip = facts.interface("eth0").and_then(Interface::ip).unwrap();
    assert_eq!(ip.to_string(), "192.0.2.7");
}

#[test]
fn what_is_absent_is_null_and_what_is_no_text_is_base64() {
    let json = serde_json::to_value(Facts::default()).unwrap();
    for name in [
        "os",
        "architecture",
        "memory",
        "uptime_seconds",
        "init",
        "clock",
    ] {
        assert!(json[name].is_null(), "{name}");
    }
    assert_eq!(json["mounts"], serde_json::json!([]));
    assert!(json["user"]["uid"].is_null());
    let odd = [("home", "/h"), ("odd", "x")].map(|(name, _)| (name.to_owned(), b"\xff".into()));
    let json = serde_json::to_value(Facts::of(odd)).unwrap();
    assert_eq!(json["user"]["home_base64"], "/w==");
    assert_eq!(json["more"]["odd"], serde_json::json!({"base64": "/w=="}));
}

#[test]
fn what_is_not_understood_is_kept_as_it_is() {
    let facts = of(&[
        ("uptime", "long"),
        ("uptime", "1 1"),
        ("uid", "me"),
        ("cpus.online", ""),
    ]);
    assert_eq!(
        (facts.uptime, facts.user.uid, facts.cpus.online),
        (None, None, None)
    );
    let more: Vec<&str> = facts.more.keys().map(String::as_str).collect();
    assert_eq!(more, ["cpus.online", "uid", "uptime"]);
    assert_eq!(facts.more["uptime"], "long");
    let long = "ID=x\n".repeat(MAX_TEXT / 5 + 1);
    assert_eq!(of(&[("os-release", &long)]).os, None);
}

/// Text that looks like what is taken apart, and bytes that do not.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let like = "(ID=|\"|'|\\\\|\\\\0[0-9]{2}|[0-9.,/:-]{1,24}|link |addr |eth0 | - |kB|MemTotal:|rw,|\n| |[a-z]{1,3}){0,60}";
    prop_oneof![
        like.prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_of_a_host_is_beyond_us(texts in proptest::collection::vec(hostile(), NAMES.len())) {
        let raw = NAMES.iter().zip(&texts);
        let facts = Facts::of(raw.map(|(name, text)| ((*name).to_owned(), text.clone().into())));
        prop_assert!(serde_json::to_string(&facts).is_ok());
        for interface in &facts.interfaces {
            interface.ip();
        }
    }
}
