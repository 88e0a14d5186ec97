//! The files that a link has opened for operations.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::verbs::OpenFiles;

/// Open files by the channel on which they were opened. An operation that works on one keeps it open.
#[derive(Debug, Default)]
pub struct Files {
    open: Mutex<BTreeMap<u32, Arc<File>>>,
}

impl Files {
    /// Lets operations use a file.
    pub fn insert(&self, channel: u32, file: File) {
        self.lock().insert(channel, Arc::new(file));
    }

    /// Takes a file away; operations that begin later find none.
    pub fn remove(&self, channel: u32) -> Option<Arc<File>> {
        self.lock().remove(&channel)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Arc<File>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenFiles for Files {
    fn file(&self, channel: u32) -> Option<Arc<File>> {
        self.lock().get(&channel).cloned()
    }
}
