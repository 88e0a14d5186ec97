//! Verbs that ask what is true of the host as a whole.

use bstr::BString;
use convoke_proto::operation::{Answer, Operation};

use crate::facts::Facts;
use crate::remote::VerbError;
use crate::scope::Scope;

use super::{Single, field};

/// The environment that a command in the scope would get: where the scope says, as whom it says, and with its
/// variables. Fails as the command would for a user that is unknown, or whom the login may not become.
#[derive(Debug, Clone, Copy, Default)]
pub struct Environment;

impl Single for Environment {
    type Output = Vec<(BString, BString)>;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        let (user, _) = scope.identity();
        let cwd = scope.directory();
        if let Some(user) = user {
            field::given("user", user)?;
        }
        if let Some(cwd) = cwd {
            field::given("cwd", cwd)?;
        }
        Ok(Operation::Environment {
            user: user.cloned(),
            cwd: cwd.map(BString::from),
        })
    }

    fn answer(&self, answer: Answer, scope: &Scope) -> Result<Self::Output, VerbError> {
        let Answer::Environment(mut all) = answer else {
            return Err(VerbError::unreadable());
        };
        for (name, value) in scope.variables() {
            match all.iter_mut().find(|(other, _)| other == name) {
                Some((_, old)) => old.clone_from(value),
                None => all.push((name.clone(), value.clone())),
            }
        }
        Ok(all)
    }
}

/// The value of a variable that a command would get, if any.
#[derive(Debug, Clone)]
pub struct Getenv {
    name: BString,
}

impl Getenv {
    /// The variable of this name.
    pub fn of(name: impl Into<BString>) -> Self {
        Getenv { name: name.into() }
    }
}

impl Single for Getenv {
    type Output = Option<BString>;

    fn operation(&self, scope: &Scope) -> Result<Operation, VerbError> {
        field::given("name", &self.name)?;
        Environment.operation(scope)
    }

    fn answer(&self, answer: Answer, scope: &Scope) -> Result<Self::Output, VerbError> {
        let all = Environment.answer(answer, scope)?;
        let mut values = all.into_iter().filter(|(name, _)| *name == self.name);
        Ok(values.next().map(|(_, value)| value))
    }
}

/// What is true of the host as a whole, in one round trip.
#[derive(Debug, Clone, Copy, Default)]
pub struct QueryFacts;

impl Single for QueryFacts {
    type Output = Facts;

    fn operation(&self, _: &Scope) -> Result<Operation, VerbError> {
        Ok(Operation::Facts)
    }

    fn answer(&self, answer: Answer, _: &Scope) -> Result<Facts, VerbError> {
        match answer {
            Answer::Facts(raw) => Ok(Facts::of(raw)),
            _ => Err(VerbError::unreadable()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_that_of_a_command_in_the_scope() {
        let said = |scope: Scope| {
            let login = [("PWD", "/root"), ("A", "1")];
            let login = login.map(|(name, value)| (name.into(), value.into()));
            let all = Environment.answer(Answer::Environment(login.into()), &scope);
            let all = all.unwrap().into_iter();
            let pairs: Vec<_> = all.map(|(name, value)| format!("{name}={value}")).collect();
            pairs.join(" ")
        };
        assert_eq!(said(Scope::new()), "PWD=/root A=1");
        let scope = Scope::new().env("PWD", "/y").env("B", "2");
        assert_eq!(said(scope), "PWD=/y A=1 B=2");
        let getenv = |name: &str| {
            let answer = Answer::Environment(vec![("A".into(), "1".into())]);
            Getenv::of(name).answer(answer, &Scope::new().env("B", "2"))
        };
        assert_eq!(getenv("A").unwrap().unwrap(), "1");
        assert_eq!(getenv("B").unwrap().unwrap(), "2");
        assert_eq!(getenv("C").unwrap(), None);
    }
}
