//! The names of users and groups by number, which a listing needs thousands of times.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bstr::BString;

use crate::account::database::Key;
use crate::account::getent::NoAnswer;
use crate::account::service::{MAX_NAME, NameService, Version};

/// How long a file is taken to be unchanged without a look.
const TRUST: Duration = Duration::from_secs(1);

/// How long the name service is believed, and for how long it is left alone once it did not answer.
const MEMORY: Duration = Duration::from_secs(60);

/// How many answers of the name service are remembered.
const MAX_REMEMBERED: usize = 4096;

/// Names by number.
#[derive(Debug, Default)]
pub(super) struct Names {
    users: Mutex<Table>,
    groups: Mutex<Table>,
}

/// One file's names, and what the name service said about numbers that are not in it.
#[derive(Debug, Default)]
struct Table {
    version: Option<Version>,
    looked: Option<Instant>,
    local: HashMap<u32, BString>,
    told: HashMap<u32, (BString, Instant)>,
    silent_until: Option<Instant>,
}

/// Which of the two files.
#[derive(Debug, Clone, Copy)]
enum Book {
    Users,
    Groups,
}

impl Names {
    /// The name of a user; the number as text when it has none.
    pub(super) fn user(&self, service: &NameService, uid: u32) -> BString {
        self.name(service, Book::Users, uid)
    }

    /// The name of a group; the number as text when it has none.
    pub(super) fn group(&self, service: &NameService, gid: u32) -> BString {
        self.name(service, Book::Groups, gid)
    }

    fn name(&self, service: &NameService, book: Book, number: u32) -> BString {
        let now = Instant::now();
        let mut table = self.table(book);
        if table.looked.is_none_or(|looked| now >= looked + TRUST) {
            table.look(service, book, now);
        }
        if let Some(name) = table.known(number, now) {
            return name;
        }
        let is_silent = table.silent_until.is_some_and(|until| now < until);
        drop(table);
        if is_silent {
            return text(number);
        }
        // Others go on meanwhile; at worst two ask the same.
        let told = book.ask(service, number);
        self.table(book).learn(number, told)
    }

    fn table(&self, book: Book) -> MutexGuard<'_, Table> {
        let table = match book {
            Book::Users => &self.users,
            Book::Groups => &self.groups,
        };
        table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Reads the file again when it is another one.
    fn look(&mut self, service: &NameService, book: Book, now: Instant) {
        self.looked = Some(now);
        let version = service.version(book.file());
        if version == self.version && version.is_some() {
            return;
        }
        self.version = version;
        self.told.clear();
        self.local = service.names(book.file());
    }

    fn known(&self, number: u32, now: Instant) -> Option<BString> {
        if let Some(name) = self.local.get(&number) {
            return Some(name.clone());
        }
        let (name, asked) = self.told.get(&number)?;
        (now < *asked + MEMORY).then(|| name.clone())
    }

    fn learn(&mut self, number: u32, told: Result<Option<BString>, NoAnswer>) -> BString {
        let now = Instant::now();
        let Ok(name) = told else {
            self.silent_until = Some(now + MEMORY);
            return text(number);
        };
        if self.told.len() >= MAX_REMEMBERED {
            self.told.clear();
        }
        let fits = |name: &BString| name.len() <= MAX_NAME;
        let name = name.filter(fits).unwrap_or_else(|| text(number));
        self.told.insert(number, (name.clone(), now));
        name
    }
}

impl Book {
    fn file(self) -> &'static str {
        match self {
            Book::Users => "passwd",
            Book::Groups => "group",
        }
    }

    fn ask(self, service: &NameService, number: u32) -> Result<Option<BString>, NoAnswer> {
        let key = Key::Number(number);
        match self {
            Book::Users => service.user(key).map(|user| user.map(|user| user.name)),
            Book::Groups => service
                .group(key)
                .map(|group| group.map(|group| group.name)),
        }
    }
}

fn text(number: u32) -> BString {
    number.to_string().into()
}
