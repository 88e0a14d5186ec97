//! Where programs and homes are.

use bstr::ByteSlice;
use convoke_proto::operation::{Answer, Failure, Field, Reason};
use rustix::fs::{Access, AtFlags, CWD, FileType, accessat, stat};

use super::Verbs;
use super::path::{failure, joined, kind};
use crate::account::database::Key;
use crate::account::getent::NoAnswer;
use crate::spawn::DEFAULT_PATH;

impl Verbs {
    /// The first file that a command of this name would be, as `execvp` looks for it.
    pub(super) fn which(&self, name: &[u8], search: Option<&[u8]>) -> Result<Answer, Failure> {
        if name.contains(&0) {
            return Err(failure(Field::Path, name, Reason::Invalid));
        }
        let login = self.login.variable("PATH");
        let search = search.or(login).unwrap_or(DEFAULT_PATH);
        let home = &self.login.account(&self.service).home;
        let candidates = match name {
            b"" => Vec::new(),
            name if name.contains(&b'/') => vec![joined(home, name)],
            name => search
                .split(|byte| *byte == b':')
                .map(|directory| match directory {
                    // An empty one is the working directory, which is the home.
                    b"" => joined(home, name),
                    directory => joined(&joined(home, directory), name),
                })
                .collect(),
        };
        let found = candidates.into_iter().find(|path| is_program(path));
        Ok(Answer::Path(found))
    }

    /// A home directory.
    pub(super) fn home(&self, user: Option<&[u8]>) -> Result<Answer, Failure> {
        let home = match user {
            None => self.login.account(&self.service).home.clone(),
            Some(user) => {
                let wrong = |reason| failure(Field::User, user, reason);
                let found = self.service.user(Key::Text(user));
                let found = found.map_err(|NoAnswer| wrong(Reason::NoAnswer))?;
                found.ok_or_else(|| wrong(Reason::Unknown))?.home
            }
        };
        Ok(Answer::Path(Some(home)))
    }

    /// A path as the other operations make it absolute.
    pub(super) fn absolute(&self, path: &[u8]) -> Result<Answer, Failure> {
        Ok(Answer::Path(Some(self.place(path)?.path)))
    }

    /// A path whose leading `~` or `~user` is replaced.
    pub(super) fn expand(&self, path: &[u8]) -> Result<Answer, Failure> {
        let Some(rest) = path.strip_prefix(b"~") else {
            return self.absolute(path);
        };
        let end = rest.find_byte(b'/').unwrap_or(rest.len());
        let (user, below) = rest.split_at(end);
        let Answer::Path(Some(mut home)) = self.home((!user.is_empty()).then_some(user))? else {
            return Ok(Answer::Path(None));
        };
        if !below.is_empty() {
            while home.ends_with(b"/") {
                home.pop();
            }
        }
        home.extend_from_slice(below);
        self.absolute(&home)
    }
}

fn is_program(path: &[u8]) -> bool {
    let is_file = stat(path).is_ok_and(|raw| kind(&raw) == FileType::RegularFile);
    is_file && accessat(CWD, path, Access::EXEC_OK, AtFlags::empty()).is_ok()
}
