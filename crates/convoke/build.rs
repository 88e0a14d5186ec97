//! Builds the agent for Linux and embeds it, gzipped and named by its SHA-256.
//!
//! The agent is a binary of another platform setup than the crate it travels in: static, small, and
//! never instrumented or wrapped. So cargo is called once more, with a target directory of its own
//! and without the settings of the outer build. `CONVOKE_AGENT_DIR` names, by its absolute path, a
//! directory of ready agents (`convoke-agent-x86_64-linux`, …) instead; whoever packages for several
//! platforms uses that.

use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

/// The variable that names a directory of ready agents.
const AGENT_DIR: &str = "CONVOKE_AGENT_DIR";

/// How the file of a ready agent begins; its platform follows.
const FILE_PREFIX: &str = "convoke-agent-";

/// Settings of the outer build that must not reach the agent's: flags, wrappers, target directory,
/// profiles, coverage.
const NOT_INHERITED: [&str; 12] = [
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CARGO_INCREMENTAL",
    "CARGO_BUILD_",
    "CARGO_PROFILE_",
    "CARGO_LLVM_COV",
    "__CARGO_LLVM_COV",
    "LLVM_PROFILE_FILE",
];

/// An executable and the platform it runs on, such as `x86_64-linux`.
struct Agent {
    platform: String,
    bytes: Vec<u8>,
}

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed={AGENT_DIR}");
    let out = PathBuf::from(variable("OUT_DIR"));
    let agents = match env::var_os(AGENT_DIR).filter(|dir| !dir.is_empty()) {
        Some(dir) => ready(Path::new(&dir)),
        None => built(&out).map(|agent| vec![agent]),
    };
    let agents = agents.unwrap_or_else(|why| {
        println!(
            "cargo::warning=no agent is embedded, so no host can be worked on: {}; hint: set {AGENT_DIR} to a directory with ready agents",
            one_line(&why)
        );
        Vec::new()
    });
    embed(&agents, &out)
}

/// The agents that lie in `dir`.
fn ready(dir: &Path) -> Result<Vec<Agent>, String> {
    println!("cargo::rerun-if-changed={}", dir.display());
    let failed = |error: io::Error| format!("{}: {error}", dir.display());
    let mut agents = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let Some(platform) = name.to_str().and_then(platform) else {
            continue;
        };
        println!("cargo::rerun-if-changed={}", entry.path().display());
        agents.push(Agent {
            platform: platform.to_owned(),
            bytes: fs::read(entry.path()).map_err(failed)?,
        });
    }
    agents.sort_by(|a, b| a.platform.cmp(&b.platform));
    match agents.is_empty() {
        true => Err(format!(
            "{} holds no file {FILE_PREFIX}MACHINE-linux",
            dir.display()
        )),
        false => Ok(agents),
    }
}

/// The platform in the name of a ready agent's file. It becomes part of a shell script, so what looks
/// otherwise is some other file.
fn platform(file_name: &str) -> Option<&str> {
    let platform = file_name.strip_prefix(FILE_PREFIX)?;
    let machine = platform.strip_suffix("-linux")?;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (!machine.is_empty() && machine.bytes().all(is_word)).then_some(platform)
}

/// The agent for the platform that this crate is built for.
fn built(out: &Path) -> Result<Agent, String> {
    let workspace = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../..");
    for source in [
        "Cargo.toml",
        "Cargo.lock",
        "crates/convoke-agent/Cargo.toml",
        "crates/convoke-agent/src",
        "crates/convoke-proto/Cargo.toml",
        "crates/convoke-proto/src",
    ] {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(source).display()
        );
    }
    let (os, machine) = (
        variable("CARGO_CFG_TARGET_OS"),
        variable("CARGO_CFG_TARGET_ARCH"),
    );
    if os != "linux" || !["x86_64", "aarch64"].contains(&machine.as_str()) {
        return Err(format!(
            "agents run on Linux only, this build is for {os} on {machine}"
        ));
    }
    let target = target(&machine);
    let target_dir = out.join("agent");
    let mut cargo = Command::new(variable("CARGO"));
    cargo
        .args([
            "build",
            "--locked",
            "--profile",
            "agent",
            "--target",
            &target,
        ])
        .args(["--bin", "convoke-agent", "--manifest-path"])
        .arg(workspace.join("crates/convoke-agent/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target_dir);
    for (name, _) in env::vars_os().filter(|(name, _)| is_not_inherited(name)) {
        cargo.env_remove(name);
    }
    // With an explicit --target the flags do not reach procedural macros, which cannot be static.
    let output = cargo
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .output();
    let output = output.map_err(|error| format!("cargo could not be started: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().find(|line| line.starts_with("error"));
        return Err(format!(
            "the agent could not be built for {target}: {}",
            first.unwrap_or("cargo failed without a word")
        ));
    }
    let binary = target_dir.join(&target).join("agent/convoke-agent");
    Ok(Agent {
        platform: format!("{machine}-linux"),
        bytes: fs::read(&binary).map_err(|error| format!("{}: {error}", binary.display()))?,
    })
}

/// The musl target where rustc has it, since its binaries are a third of the size; else the gnu one.
fn target(machine: &str) -> String {
    let musl = format!("{machine}-unknown-linux-musl");
    let sysroot = Command::new(variable("RUSTC"))
        .args(["--print", "sysroot"])
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let has_musl = sysroot.is_ok_and(|sysroot| {
        Path::new(&sysroot)
            .join("lib/rustlib")
            .join(&musl)
            .join("lib")
            .is_dir()
    });
    match has_musl {
        true => musl,
        false => format!("{machine}-unknown-linux-gnu"),
    }
}

fn is_not_inherited(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        NOT_INHERITED.iter().any(|entry| {
            name == *entry
                || (entry.ends_with('_') || entry.ends_with("COV")) && name.starts_with(entry)
        })
    })
}

/// Writes the gzipped agents, and the table that `src/agents.rs` includes.
fn embed(agents: &[Agent], out: &Path) -> io::Result<()> {
    let mut table = String::from("&[\n");
    for Agent { platform, bytes } in agents {
        let file = out.join(format!("{platform}.gz"));
        let mut gzip = GzEncoder::new(fs::File::create(&file)?, Compression::best());
        gzip.write_all(bytes)?;
        gzip.finish()?;
        let sha256 = Sha256::digest(bytes)
            .iter()
            .fold(String::new(), |mut hex, byte| {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            });
        let size = bytes.len();
        table += &format!(
            "Embedded {{ platform: {platform:?}, sha256: {sha256:?}, size: {size}, gzip: include_bytes!({file:?}) }},\n"
        );
    }
    fs::write(out.join("agents.rs"), table + "]\n")
}

/// A variable that cargo sets for every build script.
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for a build script"))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
