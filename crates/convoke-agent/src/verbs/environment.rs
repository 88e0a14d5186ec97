//! What a command would get.

use bstr::{BStr, BString};
use convoke_proto::operation::{Answer, Failure, Field, Reason};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::path::failure;
use super::{PART, Say, Verbs, say_part};
use crate::order::Person;

impl Verbs {
    /// The variables of a command as `user` in `cwd`, in parts. The mark of a step is not among them.
    pub(super) fn environment(
        &self,
        user: Option<BString>,
        cwd: Option<BString>,
        say: Say<'_>,
    ) -> Result<Answer, Failure> {
        let user = user.as_ref().map(|user| user.as_ref());
        let person = user.map(|user| self.somebody(user)).transpose()?;
        let directory = self
            .login
            .directory(cwd.as_ref(), &self.service, person.as_ref());
        let (mut part, mut size) = (Vec::new(), 0);
        for (name, value) in self.login.variables(&directory, person.as_ref()) {
            let length = name.len() + value.len() + 10;
            if size + length > PART && !part.is_empty() {
                size = 0;
                say_part(say, Answer::Environment(std::mem::take(&mut part)))?;
            }
            size += length;
            part.push((name, value));
        }
        Ok(Answer::Environment(part))
    }

    /// The user as whom a command would run: only root runs any.
    fn somebody(&self, user: &BStr) -> Result<Person, Failure> {
        match geteuid().is_root() {
            true => self.person(Some(user), None),
            false => {
                let reason = Reason::Errno(Errno::PERM.raw_os_error());
                Err(failure(Field::User, user, reason))
            }
        }
    }
}
