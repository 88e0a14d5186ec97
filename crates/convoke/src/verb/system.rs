//! Verbs that ask what is true of the host as a whole.

use bstr::BString;
use convoke_proto::operation::{Answer, Operation};

use crate::facts::Facts;
use crate::remote::VerbError;
use crate::scope::Scope;

use super::{Single, field};

/// The environment that a command would get: the login's, with the variables of the scope.
#[derive(Debug, Clone, Copy, Default)]
pub struct Environment;

impl Single for Environment {
    type Output = Vec<(BString, BString)>;

    fn operation(&self, _: &Scope) -> Result<Operation, VerbError> {
        Ok(Operation::Environment)
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
