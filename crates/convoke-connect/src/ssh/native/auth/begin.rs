//! The first step of a login, and what it leaves for the end.

use russh::{MethodKind, MethodSet};

use super::identities::Identities;
use super::{Attempts, Door, Step};
use crate::ask::Topic;

impl Door<'_> {
    /// The first step. ssh begins with `none`, to hear which methods there are. The refusal of a key says
    /// the same, a round trip earlier; but a server that takes no keys may count it, so that is done
    /// only where nothing but keys could follow.
    pub(super) async fn begin(&mut self, attempts: &mut Attempts) -> Result<Step, russh::Error> {
        if self.has_only_keys() {
            self.look_for_keys(attempts).await;
            let identities = attempts.identities.as_mut();
            let first = identities.filter(|all| all.begins_in_the_clear());
            if let Some(identity) = first.and_then(Identities::next)
                && let Some(step) = self.by_this_key(&identity, attempts).await?
            {
                return Ok(step);
            }
        }
        attempts.said_none = true;
        let user = self.login.user.clone();
        Ok(self.session.authenticate_none(user).await?.into())
    }

    /// Whether keys come first, and all else would come to a question that nobody answers.
    fn has_only_keys(&self) -> bool {
        let methods = self.login.methods.iter().map(String::as_str);
        let mut others = methods.filter(|method| *method != "publickey");
        let may_ask = |topic| self.asking.answers(topic, 0);
        let first = self.login.methods.first();
        first.is_some_and(|method| method == "publickey")
            && !others.any(|method| match method {
                "password" => may_ask(Topic::Password),
                "keyboard-interactive" => may_ask(Topic::Password) || may_ask(Topic::Other),
                _ => false,
            })
    }

    /// Whether the server lets in without anything, for which ssh would have asked first. It does so for
    /// accounts with an empty password.
    pub(super) async fn by_nothing(&mut self, methods: &MethodSet, attempts: &Attempts) -> bool {
        if attempts.said_none || attempts.silent || !methods.contains(&MethodKind::Password) {
            return false;
        }
        let user = self.login.user.clone();
        let result = self.session.authenticate_none(user).await;
        result.is_ok_and(|result| result.success())
    }
}
