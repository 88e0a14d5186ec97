//! Defaults for what is done on a host: where, as whom, with which variables and permissions.

use bstr::{BStr, BString, ByteSlice as _};
use convoke_proto::file::Ownership;

/// Defaults for verbs: an overlay, of which nothing is set at first.
///
/// A value: setting something gives another scope, and two tasks on one host never see each other's. Of two
/// scopes laid over each other, the inner one wins field by field; variables are merged, and a relative
/// directory begins at the outer one's. Bytes other than NUL mean nothing special anywhere, since no shell
/// reads them.
///
/// What cannot be (a name with a NUL byte, a mode beyond `0o7777`) is told by the verb that meets it.
///
/// ```
/// use convoke::scope::Scope;
///
/// let site = Scope::new().cwd("/srv/it's mine").env("LANG", "C");
/// let build = site.with(&Scope::new().cwd("build").env("LANG", "en").user("app"));
/// assert_eq!(build.directory().unwrap(), "/srv/it's mine/build");
/// assert_eq!(site.directory().unwrap(), "/srv/it's mine");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    cwd: Option<BString>,
    /// By name, each once.
    env: Vec<(BString, BString)>,
    umask: Option<u16>,
    user: Option<BString>,
    group: Option<BString>,
    ownership: Ownership,
    file_mode: Option<u16>,
    directory_mode: Option<u16>,
}

impl Scope {
    /// Nothing is set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where relative paths begin, and commands run. A relative one begins at the outer scope's, or else at
    /// the login home.
    #[must_use]
    pub fn cwd(self, directory: impl Into<BString>) -> Self {
        let cwd = Some(directory.into());
        Scope { cwd, ..self }
    }

    /// A variable of commands, on top of what the login gives them.
    #[must_use]
    pub fn env(mut self, name: impl Into<BString>, value: impl Into<BString>) -> Self {
        self.set(name.into(), value.into());
        self
    }

    /// The file mode mask of commands, `0` to `0o777`.
    #[must_use]
    pub fn umask(self, mask: u16) -> Self {
        let umask = Some(mask);
        Scope { umask, ..self }
    }

    /// Who commands run as, by name or number, with all groups of that user. Takes a login as root. Without a
    /// [directory](Scope::cwd) they run in the home of that user; a relative one begins at the login home, for
    /// commands as for files.
    #[must_use]
    pub fn user(self, user: impl Into<BString>) -> Self {
        let user = Some(user.into());
        Scope { user, ..self }
    }

    /// The primary group of commands, by name or number, instead of that of their user.
    #[must_use]
    pub fn group(self, group: impl Into<BString>) -> Self {
        let group = Some(group.into());
        Scope { group, ..self }
    }

    /// To which user files and directories that are made or uploaded belong. Without a
    /// [`Scope::file_group`], they also get that user's primary group.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<BString>) -> Self {
        self.ownership.owner = Some(owner.into());
        self
    }

    /// To which group files and directories that are made or uploaded belong.
    #[must_use]
    pub fn file_group(mut self, group: impl Into<BString>) -> Self {
        self.ownership.group = Some(group.into());
        self
    }

    /// The permission bits of files that are made or uploaded; `0o600` without, and an upload over another
    /// file leaves that one's.
    #[must_use]
    pub fn file_mode(self, mode: u16) -> Self {
        let file_mode = Some(mode);
        Scope { file_mode, ..self }
    }

    /// The permission bits of directories that are made; `0o700` without.
    #[must_use]
    pub fn dir_mode(self, mode: u16) -> Self {
        let directory_mode = Some(mode);
        Scope {
            directory_mode,
            ..self
        }
    }

    /// This scope with `inner` laid over it, which wins.
    #[must_use]
    pub fn with(&self, inner: &Scope) -> Self {
        let mut both = self.clone();
        let inner = inner.clone();
        both.cwd = match inner.cwd {
            Some(cwd) => Some(both.join(cwd)),
            None => both.cwd,
        };
        for (name, value) in inner.env {
            both.set(name, value);
        }
        both.umask = inner.umask.or(both.umask);
        both.user = inner.user.or(both.user);
        both.group = inner.group.or(both.group);
        both.ownership = owned(inner.ownership, both.ownership);
        both.file_mode = inner.file_mode.or(both.file_mode);
        both.directory_mode = inner.directory_mode.or(both.directory_mode);
        both
    }

    /// Where relative paths begin; the login home when there is none. Relative itself, it begins there.
    pub fn directory(&self) -> Option<&BStr> {
        self.cwd.as_ref().map(|cwd| cwd.as_bstr())
    }

    /// The variables of commands, each once, in the order in which their names were set first.
    pub fn variables(&self) -> &[(BString, BString)] {
        &self.env
    }

    /// The value of a variable of commands, when it is set here.
    pub fn variable(&self, name: &[u8]) -> Option<&BStr> {
        let found = self.env.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| value.as_bstr())
    }

    /// The path that `path` means here. A relative one begins at the [directory](Scope::directory).
    pub fn join(&self, path: BString) -> BString {
        match &self.cwd {
            Some(cwd) if !cwd.is_empty() && !path.starts_with(b"/") => {
                let mut joined = cwd.clone();
                if !joined.ends_with(b"/") {
                    joined.push(b'/');
                }
                joined.extend_from_slice(&path);
                joined
            }
            _ => path,
        }
    }

    pub(crate) fn mask(&self) -> Option<u16> {
        self.umask
    }

    /// Who commands run as.
    pub(crate) fn identity(&self) -> (Option<&BString>, Option<&BString>) {
        (self.user.as_ref(), self.group.as_ref())
    }

    /// To whom new files belong of which that much was said.
    pub(crate) fn ownership(&self, said: &Ownership) -> Ownership {
        owned(said.clone(), self.ownership.clone())
    }

    pub(crate) fn mode_of_files(&self) -> Option<u16> {
        self.file_mode
    }

    pub(crate) fn mode_of_directories(&self) -> Option<u16> {
        self.directory_mode
    }

    fn set(&mut self, name: BString, value: BString) {
        match self.env.iter_mut().find(|(other, _)| *other == name) {
            Some((_, old)) => *old = value,
            None => self.env.push((name, value)),
        }
    }
}

fn owned(inner: Ownership, outer: Ownership) -> Ownership {
    Ownership {
        owner: inner.owner.or(outer.owner),
        group: inner.group.or(outer.group),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_begins_at_the_directory_whatever_its_bytes() {
        let at = |cwd: &str| Scope::new().cwd(cwd);
        for (scope, path, joined) in [
            (Scope::new(), "x", "x"),
            (at("/srv"), "x", "/srv/x"),
            (at("/srv/"), "x", "/srv/x"),
            (at("/"), "x", "/x"),
            (at("/srv"), "/x", "/x"),
            (at("a b"), "-c'\n", "a b/-c'\n"),
            (at("/srv"), "../x", "/srv/../x"),
        ] {
            assert_eq!(scope.join(path.into()), joined);
        }
        let odd = Scope::new().cwd(&b"/\xff"[..]);
        assert_eq!(odd.join(b"\xfe".into()), &b"/\xff/\xfe"[..]);
    }

    #[test]
    fn the_inner_scope_wins_and_directories_and_variables_add_up() {
        let outer = Scope::new()
            .cwd("/srv")
            .env("A", "1")
            .env("B", "1")
            .umask(0o22)
            .user("root")
            .group("g1")
            .owner("o1")
            .file_group("f1")
            .file_mode(0o600)
            .dir_mode(0o700);
        let inner = Scope::new()
            .cwd("web")
            .env("B", "2")
            .env("C", "2")
            .umask(0o77)
            .user("app")
            .group("g2")
            .owner("o2")
            .file_group("f2")
            .file_mode(0o640)
            .dir_mode(0o750);
        let both = outer.with(&inner);
        let env = |text: &str| -> Vec<(BString, BString)> {
            let pairs = text.split(' ').map(|pair| pair.split_at(1));
            pairs
                .map(|(name, value)| (name.into(), value.into()))
                .collect()
        };
        assert_eq!(both.env, env("A1 B2 C2"));
        assert_eq!(both, inner.clone().cwd("/srv/web").having(env("A1 B2 C2")));
        assert_eq!(outer.with(&Scope::new()), outer);
        assert_eq!(Scope::new().with(&inner), inner);
    }

    #[test]
    fn laying_scopes_over_each_other_is_associative() {
        let scopes = [
            Scope::new().cwd("/a").env("X", "1"),
            Scope::new().cwd("b").user("u"),
            Scope::new().cwd("c").env("X", "2").owner("o"),
        ];
        let [one, two, three] = &scopes;
        assert_eq!(one.with(two).with(three), one.with(&two.with(three)));
    }

    #[test]
    fn a_variable_that_is_set_again_has_its_last_value_only() {
        let scope = Scope::new().env("A", "1").env("B", "").env("A", "2");
        assert_eq!(scope.variables().len(), 2);
        assert_eq!(scope.variable(b"A").unwrap(), "2");
        assert_eq!(scope.variable(b"C"), None);
    }

    #[test]
    fn each_half_of_the_ownership_is_inherited_alone() {
        let scope = Scope::new().owner("app").file_group("www");
        let said = Ownership {
            owner: Some("root".into()),
            group: None,
        };
        let both = scope.ownership(&said);
        assert_eq!(both.owner.unwrap(), "root");
        assert_eq!(both.group.unwrap(), "www");
    }

    impl Scope {
        fn having(self, env: Vec<(BString, BString)>) -> Self {
            Scope { env, ..self }
        }
    }
}
