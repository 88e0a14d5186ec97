//! What a command would get.

use convoke_proto::operation::{Answer, Failure};

use super::{PART, Say, Verbs, say_part};

impl Verbs {
    /// The variables of a command in the login home, in parts. The mark of a step is not among them.
    pub(super) fn environment(&self, say: Say<'_>) -> Result<Answer, Failure> {
        let home = &self.login.account(&self.service).home;
        let (mut part, mut size) = (Vec::new(), 0);
        for (name, value) in self.login.variables(home) {
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
}
