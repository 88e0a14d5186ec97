//! What goes in and out: every byte, nothing else, in bounded memory.

use std::fs::File;
use std::io::Read as _;
use std::process::Stdio;

use convoke_testkit::fleet::Fleet;

use crate::live::Live;
use crate::operator::Operator;

/// What the controller may take, whatever comes: the figure of the contract.
const MEMORY_KIB: u64 = 64 << 10;

const TEN_MB: usize = 10_000_000;

/// Bytes of every value in no order.
fn mixed() -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(TEN_MB).collect()
}

#[test]
fn ten_megabytes_come_out_as_they_are() {
    let (operator, fleet, bytes) = (Operator::new(), Fleet::start(), mixed());
    let file = operator.file("bytes", &bytes);
    let ran = operator.run(&fleet, ["h1", "cat", &file]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout == bytes, "{} bytes", ran.stdout.len());
    operator.end(&fleet);
}

#[test]
fn ten_megabytes_go_into_five_hosts_as_they_are() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let file = operator.file("bytes", mixed());
    let sum = operator
        .command("sha256sum")
        .stdin(File::open(&file).unwrap())
        .output();
    let sum = String::from_utf8(sum.unwrap().stdout).unwrap();
    let mut command = operator.on(&fleet, ["--stdin", "-b", "h[1-5]", "sha256sum"]);
    command.stdin(File::open(&file).unwrap());
    let ran = Live::start(command).finish();
    assert_eq!(
        (ran.code, ran.text()),
        (Some(0), format!("h[1-5] (5)\n  {sum}").as_str())
    );
    operator.end(&fleet);
}

#[test]
fn a_banner_is_no_output_of_the_command() {
    let operator = Operator::new();
    let banner = operator.file("banner", "Trespassers will be\nprosecuted.\n");
    let fleet = Fleet::builder().option(&format!("Banner {banner}")).start();
    let words = ["h1", "--sh", "echo out; echo err >&2"];
    let ran = operator.run(&fleet, words);
    assert_eq!(
        (ran.code, ran.text(), ran.stderr.as_str()),
        (Some(0), "out\n", "err\n")
    );
    let ran = operator.run(&fleet, [&["-v"], &words[..]].concat());
    assert_eq!(ran.text(), "out\n");
    for line in [
        "h1 says: Trespassers will be\n",
        "h1 says: prosecuted.\n",
        "err\n",
    ] {
        assert!(ran.stderr.contains(line), "{line:?}");
    }
    let ran = operator.run(&fleet, [&["--json"], &words[..]].concat());
    assert_eq!(
        ran.stream("h1", "notice"),
        "Trespassers will be\nprosecuted.\n"
    );
    assert_eq!(ran.stream("h1", "stderr"), "err\n");
    operator.end(&fleet);
}

#[test]
fn a_slow_reader_of_a_flood_costs_no_memory() {
    let (operator, fleet) = (Operator::new(), Fleet::start());
    let line = "yes 'a line of some length, as logs have them' | head -c 20000000";
    let mut command = operator.on(&fleet, ["h[1-4]", "--sh", line]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let peak = || {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.map(|line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap())
    };
    let mut piece = vec![0; 1000];
    for _ in 0..500 {
        stdout.read_exact(&mut piece).unwrap();
    }
    let (mut piece, mut found, mut highest) = (vec![0; 1 << 18], 0, 0);
    loop {
        // It cannot have ended while there is more to read than a pipe holds.
        highest = peak().unwrap_or(highest);
        match stdout.read(&mut piece).unwrap() {
            0 => break,
            read => found += read,
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(found > 80_000_000, "{found}");
    eprintln!("{highest} KiB");
    assert!((1..MEMORY_KIB).contains(&highest), "{highest} KiB");
    operator.end(&fleet);
}
