//! Times expanding and folding, beside ClusterShell in the same run.
//!
//! Every workload is timed here, as a library call in one python process, and, where the `nodeset` command has the same
//! question, as a whole process. Run with `cargo bench -p convoke-inventory`; what is missing is said and left out.

#![expect(
    clippy::disallowed_types,
    reason = "the benchmark starts python and nodeset"
)]

use std::hint::black_box;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use convoke_inventory::{Expr, HostList, Supplied};

/// Each workload runs this often; the shortest time counts, because noise only ever adds.
const REPEATS: usize = 7;

/// Time per name may differ by this factor between the smallest and the largest list and still count as linear.
const NEAR_LINEAR: f64 = 3.0;

/// Answers every line `expand|names|fold TAB expression` with the shortest of three times in seconds.
const LIBRARY: &str = r#"
import sys, time
from ClusterShell.NodeSet import NodeSet
def run(work, text):
    start = time.perf_counter()
    nodes = NodeSet(text)
    if work == "expand":
        " ".join(nodes)
    elif work == "names":
        names = list(nodes)
    else:
        str(nodes)
    return time.perf_counter() - start
for line in sys.stdin:
    work, text = line.rstrip("\n").split("\t")
    print(min(run(work, text) for _ in range(3)), flush=True)
"#;

struct Workload {
    label: String,
    work: &'static str,
    text: String,
    names: usize,
}

fn main() {
    let workloads = workloads();
    let library = library_seconds(&workloads);
    println!(
        "{:<40} {:>9} {:>11} {:>9} {:>12} {:>7} {:>12} {:>7}",
        "workload", "names", "here", "per name", "library", "ratio", "nodeset", "ratio"
    );
    let mut per_name: Vec<(&str, f64)> = Vec::new();
    for (index, workload) in workloads.iter().enumerate() {
        let here = (0..REPEATS)
            .map(|_| time(|| run(workload)))
            .min()
            .unwrap_or_default()
            .as_secs_f64();
        let nanos = here * 1e9 / workload.names as f64;
        let library = library.get(index).copied();
        let command = command_seconds(workload);
        println!(
            "{:<40} {:>9} {:>8.3} ms {:>6.0} ns {} {}",
            workload.label,
            workload.names,
            here * 1e3,
            nanos,
            compared(library, here),
            compared(command, here),
        );
        let family = workload.label.split(':').next().unwrap_or_default();
        per_name.push((family, nanos));
    }
    growth(&per_name);
}

fn workloads() -> Vec<Workload> {
    let mut workloads = Vec::new();
    for names in [1_000, 10_000, 100_000] {
        let range = format!("n[1-{names}]");
        let mixed = mixed((1..=names).map(|number| format!("n{number}")).collect());
        let mut add = |label: &str, work, text: &str| {
            workloads.push(Workload {
                label: format!("{label}: {names}"),
                work,
                text: text.to_owned(),
                names,
            });
        };
        add("expand n[1-N]", "expand", &range);
        add("names of n[1-N], each by itself", "names", &range);
        add("fold n[1-N]", "fold", &range);
        add("expand names in random order", "expand", &mixed);
        add("fold names in random order", "fold", &mixed);
    }
    let mut add = |label: &str, work, text: String| {
        workloads.push(Workload {
            label: label.to_owned(),
            work,
            text,
            names: 20_000,
        });
    };
    add(
        "expand r[1-100]n[1-200]",
        "expand",
        "r[1-100]n[1-200]".to_owned(),
    );
    add(
        "fold r[1-100]n[1-200]",
        "fold",
        "r[1-100]n[1-200]".to_owned(),
    );
    add(
        "expand n[1-20000]-ib0",
        "expand",
        "n[1-20000]-ib0".to_owned(),
    );
    let grid = (1..=40)
        .flat_map(|rack| (1..=50).map(move |node| format!("r{rack}n{node}")))
        .collect();
    workloads.push(Workload {
        label: "fold r·n· in random order".to_owned(),
        work: "fold",
        text: mixed(grid),
        names: 2_000,
    });
    workloads
}

/// Joins names in an order that is always the same and looks random.
fn mixed(mut names: Vec<String>) -> String {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for index in (1..names.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        names.swap(index, (state >> 33) as usize % (index + 1));
    }
    names.join(",")
}

fn run(workload: &Workload) {
    let hosts = hosts(&workload.text);
    match workload.work {
        "expand" => drop(black_box(hosts.join(" "))),
        "names" => drop(black_box(hosts.iter().collect::<Vec<_>>())),
        _ => drop(black_box(hosts.fold())),
    }
}

fn hosts(text: &str) -> HostList {
    let expr = Expr::parse(black_box(text)).expect("the workloads are right");
    expr.evaluate(&Supplied::nothing())
        .expect("the workloads need nothing")
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn compared(theirs: Option<f64>, here: f64) -> String {
    match theirs {
        Some(theirs) => format!("{:>9.3} ms {:>6.0}x", theirs * 1e3, theirs / here),
        None => format!("{:>12} {:>7}", "-", "-"),
    }
}

/// Says how the time per name grows within each family of workloads.
fn growth(per_name: &[(&str, f64)]) {
    let mut families: Vec<&str> = per_name.iter().map(|(family, _)| *family).collect();
    families.dedup();
    families.sort_unstable();
    families.dedup();
    for family in families {
        let times: Vec<f64> = per_name
            .iter()
            .filter(|(other, _)| *other == family)
            .map(|(_, nanos)| *nanos)
            .collect();
        if let [first, .., last] = times.as_slice() {
            let verdict = if last / first <= NEAR_LINEAR {
                "near-linear"
            } else {
                "NOT near-linear"
            };
            println!("{family}: {first:.1} ns per name at first, {last:.1} ns at last: {verdict}");
        }
    }
}

fn library_seconds(workloads: &[Workload]) -> Vec<f64> {
    let lines: String = workloads
        .iter()
        .map(|workload| format!("{}\t{}\n", workload.work, workload.text))
        .collect();
    let Some(output) = output_of("python3", &["-c", LIBRARY], lines) else {
        println!(
            "python3 with ClusterShell is missing: `pip install ClusterShell` to compare with the library"
        );
        return Vec::new();
    };
    output
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect()
}

fn command_seconds(workload: &Workload) -> Option<f64> {
    let option = match workload.work {
        "expand" => "-e",
        "fold" => "-f",
        _ => return None,
    };
    let lines = workload.text.replace(',', "\n") + "\n";
    let start = Instant::now();
    output_of("nodeset", &[option], lines)?;
    Some(start.elapsed().as_secs_f64())
}

fn output_of(program: &str, arguments: &[&str], input: String) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().ok()?;
    writer.join().ok()?.ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
