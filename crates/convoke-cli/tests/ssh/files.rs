//! Files to hosts and from them over ssh: byte for byte, and what is left when the way there breaks.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use convoke_testkit::fleet::Fleet;

use crate::live::{Live, Ran};
use crate::operator::{Operator, eventually};

/// What the controller may take, whatever goes: the figure of the contract.
const MEMORY_KIB: u64 = 64 << 10;

fn ok(operator: &Operator, fleet: &Fleet, verb: &str, words: &[&str]) -> Ran {
    let ran = Live::start(operator.with(fleet, verb, words)).finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{words:?}");
    ran
}

/// Bytes of every value in no order.
fn mixed(size: usize) -> Vec<u8> {
    let at = (0..size as u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56);
    at.map(|byte| byte as u8).collect()
}

/// A fleet each of whose hosts has a home of its own.
fn apart(hosts: usize) -> Fleet {
    Fleet::builder().hosts(hosts).separate_homes().start()
}

#[test]
fn files_of_every_size_go_to_hosts_and_come_back_byte_for_byte() {
    let (operator, fleet) = (Operator::new(), apart(2));
    for size in [0, 1, 32 * 1024, 64 << 20] {
        let content = mixed(size);
        operator.file("up", &content);
        ok(&operator, &fleet, "put", &["up", "h[1-2]:there"]);
        ok(&operator, &fleet, "get", &["h[1-2]:there", "down"]);
        for n in [1, 2] {
            assert!(fs::read(fleet.home(n).join("there")).unwrap() == content);
            let came = operator.path(&format!("down/h{n}/there"));
            assert!(fs::read(came).unwrap() == content);
        }
    }
    operator.end(&fleet);
}

#[test]
fn many_small_files_cost_few_round_trips_over_a_long_way() {
    const FILES: usize = 400;
    let (operator, fleet) = (Operator::new(), apart(1));
    fs::create_dir(operator.path("up")).unwrap();
    let names: Vec<_> = (0..FILES).map(|number| format!("file-{number}")).collect();
    let content = |number: usize| mixed(number * 7 % 2048);
    for (number, name) in names.iter().enumerate() {
        operator.file(&format!("up/{name}"), content(number));
    }
    fs::create_dir(fleet.home(1).join("there")).unwrap();
    let trips = |verb, files: usize| {
        let way = fleet.slow(1, Duration::from_millis(13));
        fleet.alias("far", way.address());
        let names = &names[..files];
        let words: Vec<_> = match verb {
            "put" => names.iter().map(|name| format!("up/{name}")).collect(),
            _ => names
                .iter()
                .map(|name| format!("far:there/{name}"))
                .collect(),
        };
        let to = if verb == "put" { "far:there/" } else { "down/" };
        let words = words.iter().map(String::as_str);
        let words: Vec<_> = ["--no-sync"].into_iter().chain(words).chain([to]).collect();
        ok(&operator, &fleet, verb, &words);
        way.counts().trips / 2
    };
    // One by one they cost at least one each. A busy machine sees what comes in smaller pieces, each of which counts.
    for (verb, most) in [("put", FILES / 20), ("get", FILES * 3 / 4)] {
        // The agent is there afterwards.
        let few = [trips(verb, 1), trips(verb, 1)][1];
        let many = trips(verb, FILES) - few;
        eprintln!("{verb}: {many} round trips more for {FILES} files than for one");
        assert!(many <= most as u64, "{verb}: {many}");
    }
    for (number, name) in names.iter().enumerate() {
        assert!(fs::read(fleet.home(1).join("there").join(name)).unwrap() == content(number));
        assert!(fs::read(operator.path("down").join(name)).unwrap() == content(number));
    }
    operator.end(&fleet);
}

/// The most memory that `convoke` takes with these words, in KiB.
fn peak(operator: &Operator, fleet: &Fleet, verb: &str, words: &[&str]) -> u64 {
    let config = fleet.ssh_config().display().to_string();
    let reaching = [verb, "-F", &config, "-q"];
    let words = reaching.into_iter().chain(words.iter().copied());
    let mut child = operator.convoke(words).spawn().unwrap();
    let mut highest = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
        highest = highest.max(peak.unwrap_or(0));
        // A look now and then: a peak stays until the end.
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0), "{verb}");
    highest
}

#[test]
fn memory_is_bounded_however_many_hosts_get_a_file_or_give_one() {
    let (operator, fleet) = (Operator::new(), apart(80));
    let content = mixed(5 << 20);
    operator.file("up", &content);
    let put = peak(&operator, &fleet, "put", &["up", "h[1-80]:there"]);
    let get = peak(&operator, &fleet, "get", &["h[1-80]:there", "down"]);
    eprintln!("put {put} KiB, get {get} KiB");
    for peak in [put, get] {
        assert!((1..MEMORY_KIB).contains(&peak), "{peak} KiB");
    }
    for n in 1..=80 {
        let down = format!("down/h{n}/there");
        assert!(fs::read(fleet.home(n).join("there")).unwrap() == content);
        assert!(fs::read(operator.path(&down)).unwrap() == content);
    }
    operator.end(&fleet);
}

#[test]
fn a_connection_that_is_killed_leaves_the_old_file_and_nothing_else() {
    let (operator, fleet) = (Operator::new(), apart(1));
    let place = fleet.home(1).join("place");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("file"), "old").unwrap();
    let pipe = operator.path("pipe");
    let kind = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
    let live = Live::start(operator.with(&fleet, "put", ["--json", "pipe", "h1:place/file"]));
    // For reading, too, so that nobody waits for anybody.
    let mut source = fs::File::options();
    let mut source = source.read(true).write(true).open(&pipe).unwrap();
    source.write_all(&mixed(1 << 20)).unwrap();
    live.until_said("\"progress\"", 1);
    fleet.kill_sessions();
    let ran = live.finish();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(ran.outcome("h1")["outcome"], "lost");
    operator.end(&fleet);
    assert_eq!(fs::read(place.join("file")).unwrap(), b"old");
    assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
}

#[test]
fn a_connection_that_is_cut_while_a_file_comes_leaves_the_old_one() {
    let (operator, fleet) = (Operator::new(), apart(1));
    let big = fs::File::create(fleet.home(1).join("big")).unwrap();
    big.set_len(1 << 40).unwrap();
    let here = operator.path("here");
    fs::create_dir(&here).unwrap();
    fs::write(here.join("big"), "old").unwrap();
    let words = ["--json", "h1:big", "here"];
    let live = Live::start(operator.with(&fleet, "get", words));
    live.until_said("\"progress\"", 1);
    fleet.kill_sessions();
    let ran = live.finish();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let left = || format!("{:?}", fs::read_dir(&here).unwrap().collect::<Vec<_>>());
    eventually(left, || fs::read_dir(&here).unwrap().count() == 1);
    assert_eq!(fs::read(here.join("big")).unwrap(), b"old");
    operator.end(&fleet);
}
