//! Hosts that do not answer, each in its own way, among hosts that do.

use std::time::Duration;

use convoke_testkit::fleet::Fleet;

use crate::connector;
use crate::operator::Operator;

/// Longer than two good hosts take on a busy machine.
const LIMIT: Duration = Duration::from_secs(8);

/// A name that no name service has to be asked for: a part of it is too long.
fn nameless() -> String {
    "x".repeat(64)
}

#[test]
fn hosts_that_do_not_answer_keep_nobody_and_end_with_the_connect_limit() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let (refusing, hanging, silent) = (fleet.refusing(), fleet.hanging(), fleet.silent());
    for (name, end) in [
        ("refusing", &refusing),
        ("hanging", &hanging),
        ("silent", &silent),
    ] {
        for n in 1..=2 {
            fleet.alias(&format!("{name}{n}"), end.address());
        }
    }
    let hosts = format!(
        "refusing[1-2],hanging[1-2],silent[1-2],{},h[1-2]",
        nameless()
    );
    let limit = format!("{}s", LIMIT.as_secs());
    let mut live = operator.begin(&fleet, ["--connect-timeout", &limit, &hosts, "echo", "hi"]);
    live.until_said("hi", 2);
    assert!(
        live.age() < LIMIT && live.is_running(),
        "they waited for others"
    );
    let ran = live.finish();
    assert_eq!((ran.code, ran.text().lines().count()), (Some(3), 2));
    assert!(ran.took >= LIMIT && ran.took < 2 * LIMIT, "{:?}", ran.took);
    let (address, nameless) = (refusing.address(), nameless());
    let refused = format!(
        "9 hosts: 2 ok, 7 unreachable\n  \
         refusing[1-2] (2): unreachable (refused): ssh: connect to host {} port {}: Connection refused \
         (3 attempts)\n",
        address.ip(),
        address.port()
    );
    assert!(ran.stderr.starts_with(&refused), "{refused}");
    let has_line = |parts: [&str; 2]| {
        let mut lines = ran.stderr.lines();
        assert!(
            lines.any(|line| parts.iter().all(|part| line.contains(part))),
            "{parts:?}"
        );
    };
    let late = "unreachable (timeout): no answer within 8 s";
    has_line(["hanging[1-2]", late]);
    has_line(["silent[1-2]", late]);
    if connector() == "ssh+native" {
        // The system's ssh says it in its own words.
        has_line(["hanging[1-2]", " while waiting for its greeting"]);
        has_line(["silent[1-2]", " while connecting"]);
    }
    let unknown =
        format!("{nameless}: unreachable (name): ssh: Could not resolve hostname {nameless}: ");
    has_line([&unknown, ""]);
    operator.end(&fleet);
}
