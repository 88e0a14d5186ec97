//! Values go down, events come up: who may import whom. This table is the authority.
#![allow(clippy::unwrap_used)] // Helpers of tests are tests, which clippy does not see.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use convoke_testkit::layers::{Layers, declared, dependencies, imports};

const CRATES: &[Layers] = &[
    Layers {
        name: "convoke-proto",
        may_use: &[],
        modules: &[
            &[
                "account",
                "command",
                "exit",
                "fault",
                "file",
                "frame",
                "hello",
                "operation",
                "message",
            ],
            &["codec", "credit"],
        ],
    },
    Layers {
        name: "convoke-inventory",
        may_use: &[],
        modules: &[&["error", "rangeset"], &["hostlist"], &["expr"]],
    },
    Layers {
        name: "convoke-agent",
        may_use: &["convoke-proto"],
        modules: &[
            &["serve"],
            &["signals", "spawn"],
            &["errand"],
            &["account", "order"],
            &["verbs"],
            &["job"],
            &["tree"],
            &["register"],
            &["ledger"],
            &["kill", "process"],
            &["guard"],
            &["drive"],
            &["run"],
        ],
    },
    Layers {
        name: "convoke-connect",
        may_use: &["convoke-proto"],
        modules: &[
            &[
                "endpoint",
                "error",
                "future",
                "surroundings",
                "terminal",
                "trail",
            ],
            &["ask", "connector"],
            &["start"],
            &["local"],
            &["ssh"],
            &["registry"],
        ],
    },
    Layers {
        name: "convoke",
        may_use: &["convoke-proto", "convoke-inventory", "convoke-connect"],
        modules: &[
            &[
                "hex",
                "random",
                "printable",
                "lossless",
                "utc",
                "failure",
                "outcome",
                "error",
                "facts",
                "answer",
                "event",
                "cancel",
            ],
            &["agents", "bootstrap", "link"],
            &["process", "operate", "transfer"],
            &["content", "landing"],
            &["files", "report"],
            &["host"],
            &["action"],
            &["scope"],
            &["remote"],
            &["verb"],
            &["session"],
        ],
    },
    Layers {
        name: "convoke-cli",
        may_use: &["convoke"],
        modules: &[
            &["error"],
            &["args", "config", "exit", "render", "selection"],
            &["plan"],
            &["operator"],
            &["descriptors", "signals", "stdin", "trace"],
            &["cmd"],
        ],
    },
    Layers {
        name: "convoke-testkit",
        may_use: &[
            "convoke",
            "convoke-agent",
            "convoke-connect",
            "convoke-proto",
        ],
        modules: &[
            &["leak"],
            &["fleet"],
            &["network"],
            &["emulated"],
            &["memory"],
            &["emulator"],
            &["conformance"],
            &["fuzzing"],
            &["layers"],
        ],
    },
];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn root(layers: &Layers) -> PathBuf {
    let src = crates().join(layers.name).join("src");
    let library = src.join("lib.rs");
    if library.exists() {
        library
    } else {
        src.join("main.rs")
    }
}

#[test]
fn a_module_imports_only_from_its_left() {
    let mut upward = Vec::new();
    for layers in CRATES {
        let order: Vec<&str> = layers.modules.concat();
        let place = |module: &str| order.iter().position(|one| *one == module);
        for (module, imported) in imports(&crates().join(layers.name).join("src")) {
            let Some(own) = place(&module) else { continue };
            for other in imported.iter().filter(|other| **other != module) {
                if place(other).is_some_and(|other| other > own) {
                    upward.push(format!("{}: {module} imports {other}", layers.name));
                }
            }
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn the_root_of_a_crate_lists_its_modules_in_reading_order() {
    for layers in CRATES {
        let table = layers.modules.iter().map(|group| {
            let names = group.iter().map(|module| (*module).to_owned());
            names.collect::<BTreeSet<_>>()
        });
        let table: Vec<_> = table.collect();
        assert_eq!(declared(&root(layers)), table, "{}", layers.name);
    }
}

#[test]
fn a_crate_depends_only_on_the_crates_below_it() {
    for layers in CRATES {
        let manifest = crates().join(layers.name).join("Cargo.toml");
        let dependencies = dependencies(&manifest);
        let ours = dependencies
            .iter()
            .filter(|name| name.starts_with("convoke"));
        let unexpected: Vec<_> = ours
            .filter(|name| !layers.may_use.contains(&name.as_str()))
            .collect();
        assert!(unexpected.is_empty(), "{}: {unexpected:?}", layers.name);
    }
}

#[test]
fn the_table_holds_every_crate() {
    let entries = std::fs::read_dir(crates()).unwrap().map(Result::unwrap);
    let found: BTreeSet<String> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let table: BTreeSet<String> = CRATES.iter().map(|layers| layers.name.to_owned()).collect();
    assert_eq!(found, table);
}

#[test]
fn what_both_ends_share_and_the_inventory_have_no_runtime() {
    for name in ["convoke-proto", "convoke-inventory"] {
        let dependencies = dependencies(&crates().join(name).join("Cargo.toml"));
        for runtime in ["tokio", "rustix", "libc", "tracing"] {
            assert!(!dependencies.contains(runtime), "{name} has {runtime}");
        }
    }
}

#[test]
fn the_agent_has_at_most_eight_dependencies() {
    let agent = dependencies(&crates().join("convoke-agent/Cargo.toml"));
    assert!(agent.len() <= 8, "{agent:?}");
}
