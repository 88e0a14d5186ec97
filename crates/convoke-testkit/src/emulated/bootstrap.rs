//! What an emulated host understands of the bootstrap's command line.

/// The facts of a bootstrap's command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) nonce: String,
    /// How long the gzipped agent for our platform is.
    pub(crate) gzip_bytes: usize,
}

impl Facts {
    /// What `command` says; `None` when it is not the bootstrap's.
    pub(crate) fn of(command: &str) -> Option<Self> {
        let after = |name: &str| {
            let (_, rest) = command.split_once(name)?;
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
            Some(&rest[..end.unwrap_or(rest.len())])
        };
        Some(Facts {
            nonce: after("c_nonce=")?.to_owned(),
            gzip_bytes: after("c_gzip=")
                .and_then(|digits| digits.parse().ok())
                .unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Facts;
    use convoke::agents::{Agent, Agents};
    use convoke::bootstrap::{Nonce, command};

    #[test]
    fn the_facts_of_the_real_command_line_are_found() {
        let agent = Agent::from_bytes(crate::emulated::PLATFORM, b"an agent").unwrap();
        let gzip_bytes = agent.gzip().len();
        let nonce = Nonce::new([0xab; 16]);
        let line = command(&Agents::new(vec![agent]), &nonce);
        let facts = Facts {
            nonce: nonce.as_str().to_owned(),
            gzip_bytes,
        };
        assert_eq!(Facts::of(&line), Some(facts));
    }
}
