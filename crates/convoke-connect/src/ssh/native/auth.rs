//! Logging in, by the methods and keys and in the order of ssh (OpenSSH's sshconnect2.c).

mod agent;
mod begin;
mod beyond;
mod identities;
mod questions;
mod rsa;
mod sign;

use std::path::PathBuf;

use russh::MethodSet;
use russh::client::{AuthResult, Handle};

use super::asking::Asking;
use super::fault::{Peer, Stage};
use super::handler::Handler;
use super::keys::{Closed, KeyFile, KeyFiles, Offer};
use super::notes::Notes;
use crate::ask::Topic;
use crate::error::{ConnectError, ConnectErrorKind};
use crate::ssh::hints::{
    AGENT_HUNG, AGENT_REFUSED, NO_AGENT, OFFERED, TOO_MANY, TOO_MANY_FILES, absent, locked,
    too_open,
};
use crate::ssh::printable::printable;
use crate::ssh::terms::Login;

pub(in crate::ssh) use agent::Agents;
pub(in crate::ssh) use beyond::beyond;

use agent::{Agent, Silence};
use identities::{Holder, Identities, Identity};
use questions::Asked;
use rsa::Told;
use sign::{Pen, Unsigned};

/// What logging in takes.
pub(super) struct Door<'a> {
    pub(super) session: &'a mut Handle<Handler>,
    pub(super) notes: &'a Notes,
    pub(super) peer: &'a Peer,
    pub(super) host: &'a str,
    pub(super) login: &'a Login,
    pub(super) keys: &'a KeyFiles,
    pub(super) agents: &'a Agents,
    pub(super) asking: &'a Asking<'a>,
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
#[derive(Default)]
struct Attempts {
    agent: Option<Agent>,
    /// Why the agent is of no use, or was of none for a key.
    silence: Option<Silence>,
    /// None until keys are wanted.
    identities: Option<Identities>,
    asked: Asked,
    /// A question of the server has no answer, so nothing more can be said on this connection.
    silent: bool,
    /// A key file that was not unlocked, and why.
    locked: Option<(PathBuf, Closed)>,
    /// The server was asked whether it lets in without anything, or must not be any more.
    said_none: bool,
    /// What the server told of RSA, once it is needed.
    rsa: Option<Told>,
}

impl Door<'_> {
    /// Logs in.
    ///
    /// # Errors
    /// [`ConnectErrorKind::Authentication`] when nothing is left to try, or the server has had enough.
    pub(super) async fn enter(mut self) -> Result<(), ConnectError> {
        let mut attempts = Attempts::default();
        let mut step = match self.begin(&mut attempts).await {
            Ok(step) => step,
            Err(error) => return Err(self.broken(error, &attempts)),
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
                Ok(None) if self.by_nothing(&methods, &attempts).await => return Ok(()),
                Ok(None) => return Err(self.denied(&methods, &attempts)),
                Err(error) => return Err(self.broken(error, &attempts)),
            };
        }
    }

    fn broken(&self, error: russh::Error, attempts: &Attempts) -> ConnectError {
        let error = self.notes.why(self.peer, Stage::Authentication, error);
        let is_too_many = error.hint.as_deref() == Some(TOO_MANY);
        let of_agent = attempts
            .agent
            .as_ref()
            .is_some_and(|agent| !agent.held.is_empty());
        match is_too_many && !of_agent {
            true => ConnectError {
                hint: Some(TOO_MANY_FILES.into()),
                ..error
            },
            false => error,
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
            self.look_for_keys(attempts).await;
        }
        while let Some(identity) = attempts.identities.as_mut().and_then(Identities::next) {
            if let Some(step) = self.by_this_key(&identity, attempts).await? {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    async fn look_for_keys(&self, attempts: &mut Attempts) {
        if let Some(socket) = &self.login.agent {
            let binding = self.session.agent_session_binding();
            match Agent::connect(self.agents, socket, binding).await {
                Ok(agent) => attempts.agent = Some(agent),
                Err(silence) => attempts.silence = Some(silence),
            }
        }
        let agent = attempts.agent.as_ref();
        attempts.identities = Some(Identities::of(self.login, self.keys, agent).await);
    }

    /// Offers one key, and signs with it if the server wants it. None if it was not offered.
    async fn by_this_key(
        &mut self,
        identity: &Identity,
        attempts: &mut Attempts,
    ) -> Result<Option<Step>, russh::Error> {
        let Some(identities) = &attempts.identities else {
            return Ok(None);
        };
        let signer = identities.signer(identity);
        let offer = match (&identity.offer, &signer.holder) {
            (Some(offer), _) => offer.clone(),
            // An old form does not tell its public key without the passphrase.
            (None, Holder::File(file)) => match file.unlock(self.asking).await {
                Ok(key) => Offer::Key(key.public_key().clone()),
                Err(closed) => {
                    attempts.leave_locked(file, closed);
                    return Ok(None);
                }
            },
            (None, Holder::Agent(_)) => return Ok(None),
        };
        let Some(hash) = self.hash(&offer, attempts).await? else {
            return Ok(None);
        };
        let mut pen = Pen {
            holder: signer.holder.clone(),
            public: offer.key(),
            agent: attempts.agent.as_ref(),
            asking: self.asking,
        };
        match self.offer(offer, hash, &mut pen).await {
            Ok(result) => Ok(Some(result.into())),
            Err(Unsigned::Gone) => Err(russh::Error::SendError),
            Err(Unsigned::Agent(silence)) => {
                attempts.silence = Some(silence);
                Ok(None)
            }
            Err(Unsigned::Closed(closed)) => {
                if let Holder::File(file) = &signer.holder {
                    attempts.leave_locked(file, closed);
                }
                Ok(None)
            }
        }
    }

    async fn offer(
        &mut self,
        offer: Offer,
        hash: rsa::Hash,
        pen: &mut Pen<'_>,
    ) -> Result<AuthResult, Unsigned> {
        let (session, user) = (&mut self.session, self.login.user.clone());
        match offer {
            Offer::Key(key) => {
                let attempt = session.authenticate_publickey_with(user, key, hash, pen);
                attempt.await
            }
            Offer::Certificate(certificate) => {
                let attempt = session.authenticate_certificate_with(user, *certificate, hash, pen);
                attempt.await
            }
        }
    }

    /// The hash that a key signs with, which only RSA has a choice of. None when the key may not be offered.
    async fn hash(
        &mut self,
        offer: &Offer,
        attempts: &mut Attempts,
    ) -> Result<Option<rsa::Hash>, russh::Error> {
        let is_allowed = offer
            .algorithms()
            .iter()
            .any(|name| self.login.accepts(name));
        if !is_allowed || !offer.key().algorithm().is_rsa() {
            return Ok(is_allowed.then_some(None));
        }
        let told = match attempts.rsa {
            Some(told) => told,
            None => {
                let told = rsa::told(self.session, &self.notes.greeting()).await?;
                *attempts.rsa.insert(told)
            }
        };
        Ok(told.hash(offer, &self.login.accepted))
    }

    /// The server ended the connection, or takes no method any more.
    async fn shut_out(&mut self, attempts: &Attempts) -> ConnectError {
        if self.session.is_closed() {
            return self.broken(russh::Error::Disconnect, attempts);
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
        if let Some(hint) = attempts.asked.hint() {
            return hint.into();
        }
        if let Some((key, why)) = &attempts.locked
            && let Some(why) = self.unopened(*why)
        {
            return locked(&file(key), why);
        }
        if let Some(open) = identities.and_then(Identities::too_open) {
            return too_open(&file(open));
        }
        if let Some(missing) = identities.and_then(Identities::absent) {
            return absent(&file(missing));
        }
        match attempts.silence {
            Some(Silence::Hung) => return AGENT_HUNG.into(),
            Some(Silence::Refused) => return AGENT_REFUSED.into(),
            Some(Silence::Absent) | None => {}
        }
        let by_key = ["publickey", "hostbased", "gssapi"];
        if by_key.iter().all(|method| !methods.contains(method)) {
            return self.without_password().into();
        }
        match self.login.agent {
            None if !self.asking.answers(Topic::Passphrase, 0) => NO_AGENT.into(),
            _ => OFFERED.into(),
        }
    }
}

impl Attempts {
    /// A key file was wanted that is still locked.
    fn leave_locked(&mut self, file: &KeyFile, why: Closed) {
        if why != Closed::NoKey {
            self.locked.get_or_insert_with(|| (file.path.clone(), why));
        }
    }

    /// After a first method of several, every key may be tried again for the next.
    fn begin_again(&mut self) {
        self.said_none = true;
        if let Some(identities) = &mut self.identities {
            identities.begin_again();
        }
        self.asked.begin_again();
    }
}
