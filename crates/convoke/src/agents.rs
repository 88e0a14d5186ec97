//! The agents that can be sent to hosts, by platform.

use std::borrow::Cow;
use std::io::{self, Read as _, Write as _};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use crate::error::PlatformError;
use crate::hex::hex;

/// An agent: an executable for one platform, kept gzipped as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    platform: Cow<'static, str>,
    sha256: Cow<'static, str>,
    size: usize,
    gzip: Cow<'static, [u8]>,
}

/// The agents of a run, at most one for each platform.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agents(Vec<Agent>);

/// A line of the table that the build script writes.
struct Embedded {
    platform: &'static str,
    sha256: &'static str,
    size: usize,
    gzip: &'static [u8],
}

const EMBEDDED: &[Embedded] = include!(concat!(env!("OUT_DIR"), "/agents.rs"));

impl Agent {
    /// The agent whose executable is `bytes`.
    ///
    /// The platform is the machine as `uname -m` writes it, and `-linux`: `x86_64-linux`.
    ///
    /// # Errors
    /// [`PlatformError`] when the platform is something else; it becomes part of a shell script.
    pub fn from_bytes(platform: &str, bytes: &[u8]) -> Result<Self, PlatformError> {
        if !is_platform(platform) {
            return Err(PlatformError(platform.to_owned()));
        }
        let sha256 = hex(&Sha256::digest(bytes));
        Ok(Agent {
            platform: platform.to_owned().into(),
            sha256: sha256.into(),
            size: bytes.len(),
            gzip: gzipped(bytes).into(),
        })
    }

    /// Where it runs, such as `x86_64-linux`.
    pub fn platform(&self) -> &str {
        &self.platform
    }

    /// The SHA-256 of the executable, in 64 lower-case hexadecimal digits: its name on a host.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The size of the executable in bytes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The executable, gzipped.
    pub fn gzip(&self) -> &[u8] {
        &self.gzip
    }

    /// The executable, inflated anew by every call.
    ///
    /// # Errors
    /// When the embedded bytes are damaged.
    pub fn executable(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.size);
        GzDecoder::new(self.gzip()).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The machine part of the platform, as `uname -m` writes it.
    pub(crate) fn machine(&self) -> &str {
        machine(&self.platform)
    }
}

impl Agents {
    /// The agents that this library was built with; none where the build script could build none.
    pub fn embedded() -> Self {
        let agents = EMBEDDED.iter().map(|agent| Agent {
            platform: agent.platform.into(),
            sha256: agent.sha256.into(),
            size: agent.size,
            gzip: agent.gzip.into(),
        });
        Agents::new(agents.collect())
    }

    /// These agents; of several for one platform the first counts.
    pub fn new(agents: Vec<Agent>) -> Self {
        Agents(agents)
    }

    /// The agent for a platform such as `x86_64-linux`.
    pub fn find(&self, platform: &str) -> Option<&Agent> {
        self.0.iter().find(|agent| agent.platform == platform)
    }

    /// All of them, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Agent> {
        self.0.iter()
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)
        .and_then(|()| gzip.finish())
        .expect("writing to memory does not fail")
}

fn is_platform(text: &str) -> bool {
    let machine = machine(text);
    text.ends_with("-linux")
        && !machine.is_empty()
        && machine
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn machine(platform: &str) -> &str {
    platform.strip_suffix("-linux").unwrap_or(platform)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_comes_back_whole() {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let agent = Agent::from_bytes("x86_64-linux", &bytes).unwrap();
        assert_eq!(agent.executable().unwrap(), bytes);
        assert_eq!(agent.size(), bytes.len());
        assert!(agent.gzip().len() < bytes.len());
    }

    #[test]
    fn the_hash_is_the_one_of_the_executable() {
        let agent = Agent::from_bytes("x86_64-linux", b"abc").unwrap();
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            agent.sha256(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_platform_that_could_harm_a_script_is_refused() {
        for text in [
            "",
            "-linux",
            "x86_64",
            "x86 64-linux",
            "$(id)-linux",
            "x86_64-linux\n",
        ] {
            assert!(Agent::from_bytes(text, b"").is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_agent_is_found_by_its_platform() {
        let agent = |platform| Agent::from_bytes(platform, b"").unwrap();
        let agents = Agents::new(vec![agent("x86_64-linux"), agent("aarch64-linux")]);
        assert_eq!(
            agents.find("aarch64-linux").map(Agent::platform),
            Some("aarch64-linux")
        );
        assert_eq!(agents.find("riscv64-linux"), None);
    }

    #[test]
    fn the_embedded_agent_for_this_machine_is_a_static_executable() {
        let platform = format!("{}-linux", std::env::consts::ARCH);
        let agents = Agents::embedded();
        let agent = agents.find(&platform).expect("the build embedded an agent");
        let bytes = agent.executable().unwrap();
        assert_eq!(bytes.len(), agent.size());
        assert_eq!(
            Agent::from_bytes(&platform, &bytes).unwrap().sha256(),
            agent.sha256()
        );
        assert!(!asks_for_a_loader(&bytes), "the agent is not static");
    }

    #[test]
    fn the_embedded_agents_keep_to_their_size() {
        for agent in Agents::embedded().iter() {
            // A static gnu binary with an empty main has 1.12 MB already. Of the digests, BLAKE3 took 47 kB,
            // SHA-512 20 kB and SHA-256 11 kB.
            assert!(agent.size() <= 1_800_000, "{} bytes", agent.size());
            assert!(
                agent.gzip().len() <= 850_000,
                "{} bytes",
                agent.gzip().len()
            );
        }
    }

    /// Whether an ELF file of 64 bits, little endian, has a program header PT_INTERP.
    fn asks_for_a_loader(elf: &[u8]) -> bool {
        const PT_INTERP: u32 = 3;
        assert_eq!(&elf[..6], b"\x7fELF\x02\x01");
        let number = |at: usize, len: usize| {
            elf[at..at + len]
                .iter()
                .rev()
                .fold(0, |n, byte| n << 8 | usize::from(*byte))
        };
        let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
        (0..count).any(|n| number(table + n * size, 4) == PT_INTERP as usize)
    }
}
