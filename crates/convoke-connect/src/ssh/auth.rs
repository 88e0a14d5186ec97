//! Logging in, by the methods and keys and in the order of ssh (OpenSSH's sshconnect2.c).

mod identities;
mod questions;
mod sign;

use russh::MethodSet;
use russh::client::{AuthResult, Handle};
use russh::keys::ssh_key::HashAlg;

use super::fault::{Peer, Stage};
use super::handler::Handler;
use super::keys::KeyFiles;
use super::notes::Notes;
use super::terms::Login;
use crate::ask::Ask;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::openssh::diagnose::hints::{
    AGENT_REFUSED, NO_AGENT, OFFERED, PASSWORD, absent, too_open,
};
use crate::openssh::diagnose::printable;

use identities::{Agent, Identities, Identity, Kind};
use sign::{Pen, Unsigned};

/// What logging in takes.
pub(super) struct Door<'a> {
    pub(super) session: &'a mut Handle<Handler>,
    pub(super) notes: &'a Notes,
    pub(super) peer: &'a Peer,
    pub(super) host: &'a str,
    pub(super) login: &'a Login,
    pub(super) keys: &'a KeyFiles,
    pub(super) ask: &'a dyn Ask,
}

/// Where a login stands after an attempt.
enum Step {
    In,
    /// Not yet; the server takes these.
    Out {
        methods: MethodSet,
        partly: bool,
    },
}

impl From<AuthResult> for Step {
    fn from(result: AuthResult) -> Self {
        match result {
            AuthResult::Success => Step::In,
            AuthResult::Failure {
                remaining_methods,
                partial_success,
            } => Step::Out {
                methods: remaining_methods,
                partly: partial_success,
            },
        }
    }
}

/// What is left to be tried.
struct Attempts {
    agent: Option<Agent>,
    /// None until keys are wanted.
    identities: Option<Identities>,
    password: bool,
    dialogue: bool,
    /// A question of the server has no answer, so nothing more can be said on this connection.
    silent: bool,
    /// The ssh-agent held a key that it did not use.
    agent_refused: bool,
    rsa: Option<Option<HashAlg>>,
}

impl Door<'_> {
    /// Logs in.
    ///
    /// # Errors
    /// [`ConnectErrorKind::Authentication`] when nothing is left to try, or the server has had enough.
    pub(super) async fn enter(mut self) -> Result<(), ConnectError> {
        let user = self.login.user.clone();
        let mut attempts = Attempts {
            agent: None,
            identities: None,
            password: true,
            dialogue: true,
            silent: false,
            agent_refused: false,
            rsa: None,
        };
        // It names the methods, and lets in whom the server lets in without.
        let mut step = match self.session.authenticate_none(user).await {
            Ok(result) => result.into(),
            Err(error) => return Err(self.notes.why(self.peer, Stage::Authentication, error)),
        };
        loop {
            let (methods, partly) = match step {
                Step::In => return Ok(()),
                Step::Out { methods, partly } => (methods, partly),
            };
            if methods.is_empty() || self.session.is_closed() {
                return Err(self.shut_out(&attempts).await);
            }
            if partly {
                attempts.begin_again();
            }
            step = match self.attempt(&methods, &mut attempts).await {
                Ok(Some(step)) => step,
                Ok(None) => return Err(self.denied(&methods, &attempts)),
                Err(error) => return Err(self.notes.why(self.peer, Stage::Authentication, error)),
            };
        }
    }

    /// The next thing that can be tried; none when nothing is left.
    async fn attempt(
        &mut self,
        methods: &MethodSet,
        attempts: &mut Attempts,
    ) -> Result<Option<Step>, russh::Error> {
        let takes = |name: &str| methods.iter().any(|method| <&str>::from(method) == name);
        for method in self.login.methods.iter().filter(|method| takes(method)) {
            let step = match method.as_str() {
                "publickey" => self.by_key(attempts).await?,
                "password" => self.by_password(attempts).await?,
                "keyboard-interactive" => self.by_dialogue(attempts).await?,
                _ => None,
            };
            if step.is_some() || attempts.silent {
                return Ok(step);
            }
        }
        Ok(None)
    }

    async fn by_key(&mut self, attempts: &mut Attempts) -> Result<Option<Step>, russh::Error> {
        if attempts.identities.is_none() {
            let binding = self.session.agent_session_binding().cloned();
            attempts.agent = Agent::connect(self.login, binding.as_ref()).await;
            let agent = attempts.agent.as_ref();
            attempts.identities = Some(Identities::of(self.login, self.keys, agent));
        }
        while let Some(identity) = attempts.identities.as_mut().and_then(Identities::next) {
            if let Some(step) = self.by_this_key(&identity, attempts).await? {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    /// Offers one key, and signs with it if the server wants it. None if it was not offered.
    async fn by_this_key(
        &mut self,
        identity: &Identity,
        attempts: &mut Attempts,
    ) -> Result<Option<Step>, russh::Error> {
        let public = match identity.public() {
            Some(public) => public,
            // An old format does not tell its public key without the passphrase.
            None => match identity.unlock(self.ask).await {
                Some(key) => key.public_key().clone(),
                None => return Ok(None),
            },
        };
        let hash = match self.hash(&public, identity, attempts).await? {
            Some(hash) => hash,
            None => return Ok(None),
        };
        let user = self.login.user.clone();
        let mut pen = Pen {
            identity,
            agent: attempts.agent.as_mut(),
            ask: self.ask,
        };
        let signed = match &identity.kind {
            Kind::Certificate(certificate) => {
                let certificate = (**certificate).clone();
                let attempt =
                    self.session
                        .authenticate_certificate_with(user, certificate, hash, &mut pen);
                attempt.await
            }
            Kind::Key => {
                let attempt = self
                    .session
                    .authenticate_publickey_with(user, public, hash, &mut pen);
                attempt.await
            }
        };
        match signed {
            Ok(result) => Ok(Some(result.into())),
            Err(Unsigned::Gone) => Err(russh::Error::SendError),
            Err(Unsigned::AgentRefused) => {
                attempts.agent_refused = true;
                Ok(None)
            }
            Err(Unsigned::NoKey) => Ok(None),
        }
    }

    /// The hash that an RSA key signs with. None when the key is not one that may be offered.
    async fn hash(
        &mut self,
        public: &russh::keys::PublicKey,
        identity: &Identity,
        attempts: &mut Attempts,
    ) -> Result<Option<Option<HashAlg>>, russh::Error> {
        let accepts = |name: &str| self.login.accepted.iter().any(|one| one == name);
        let is_rsa = public.algorithm().is_rsa();
        if !is_rsa {
            let name = identity.algorithm(public);
            return Ok(accepts(&name).then_some(None));
        }
        if super::verify::rsa_bits(public).is_some_and(|bits| bits < self.login.smallest_rsa) {
            return Ok(None);
        }
        let best = match attempts.rsa {
            Some(best) => best,
            None => {
                let told = self.session.best_supported_rsa_hash().await?;
                // A server that does not tell is an old one, which knows only SHA-1.
                let best = told.unwrap_or(None);
                attempts.rsa = Some(best);
                best
            }
        };
        let suffix = match identity.kind {
            Kind::Certificate(_) => "-cert-v01@openssh.com",
            Kind::Key => "",
        };
        let choices: &[(&str, Option<HashAlg>)] = &[
            ("rsa-sha2-512", Some(HashAlg::Sha512)),
            ("rsa-sha2-256", Some(HashAlg::Sha256)),
            ("ssh-rsa", None),
        ];
        let choices = choices
            .iter()
            .filter(|(_, hash)| hash.is_some() == best.is_some());
        let mut accepted = choices.filter(|(name, _)| accepts(&format!("{name}{suffix}")));
        Ok(accepted.next().map(|(_, hash)| *hash))
    }

    /// The server ended the connection, or takes no method any more.
    async fn shut_out(&mut self, attempts: &Attempts) -> ConnectError {
        if self.session.is_closed() {
            return self
                .notes
                .why(self.peer, Stage::Authentication, russh::Error::Disconnect);
        }
        self.denied(&MethodSet::empty(), attempts)
    }

    fn denied(&self, methods: &MethodSet, attempts: &Attempts) -> ConnectError {
        let names: Vec<&str> = methods.iter().map(<&str>::from).collect();
        let (user, host, names) = (&self.login.user, self.host, names.join(","));
        let text = format!("permission denied to {user}@{host}; the server takes {names}");
        ConnectError {
            hint: Some(self.hint(&names, attempts)),
            ..ConnectError::new(ConnectErrorKind::Authentication, printable(&text))
        }
    }

    fn hint(&self, methods: &str, attempts: &Attempts) -> String {
        let identities = attempts.identities.as_ref();
        let file = |file: &std::path::Path| printable(&file.display().to_string());
        if let Some(open) = identities.and_then(Identities::too_open) {
            return too_open(&file(open));
        }
        if let Some(missing) = identities.and_then(Identities::absent) {
            return absent(&file(missing));
        }
        if attempts.agent_refused {
            return AGENT_REFUSED.into();
        }
        let by_key = ["publickey", "hostbased", "gssapi"];
        if by_key.iter().all(|method| !methods.contains(method)) {
            return PASSWORD.into();
        }
        match self.login.agent {
            None => NO_AGENT.into(),
            Some(_) => OFFERED.into(),
        }
    }
}

impl Attempts {
    /// After a first method of several, every key may be tried again for the next.
    fn begin_again(&mut self) {
        if let Some(identities) = &mut self.identities {
            identities.begin_again();
        }
        self.password = true;
        self.dialogue = true;
    }
}
