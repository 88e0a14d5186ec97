//! What was read from files: each once a run, and by a thread of its own, since a pipe or a mount may let
//! its reader wait, and other hosts need not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// What the files of a run say.
#[derive(Debug)]
pub(super) struct Shelf<T>(Mutex<HashMap<PathBuf, Place<T>>>);

/// Where it is put once it was read.
type Place<T> = watch::Receiver<Option<Arc<T>>>;

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf(Mutex::default())
    }
}

impl<T: Send + Sync + 'static> Shelf<T> {
    fn places(&self) -> MutexGuard<'_, HashMap<PathBuf, Place<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `read` has made of a file when it was needed first. Dropping the future gives up nothing for
    /// others.
    pub(super) async fn fetch(&self, path: &Path, read: fn(&Path) -> T) -> Arc<T> {
        let mut place = self.place(path, read);
        let found = place.wait_for(Option::is_some).await;
        let found = found.ok().and_then(|found| found.clone());
        match found {
            Some(found) => found,
            // The thread has panicked, or the run is over.
            None => std::future::pending().await,
        }
    }

    fn place(&self, path: &Path, read: fn(&Path) -> T) -> Place<T> {
        let mut places = self.places();
        if let Some(place) = places.get(path) {
            return place.clone();
        }
        let (told, place) = watch::channel(None);
        places.insert(path.to_owned(), place.clone());
        let path = path.to_owned();
        tokio::task::spawn_blocking(move || {
            let found = Arc::new(read(&path));
            // Nobody may wait any more.
            told.send_replace(Some(found));
        });
        place
    }

    /// The same for those who can wait themselves.
    pub(super) fn get(&self, path: &Path, read: fn(&Path) -> T) -> Arc<T> {
        let there = self.places().get(path).cloned();
        let found = there.and_then(|place| place.borrow().clone());
        found.unwrap_or_else(|| self.put(path, read(path)))
    }

    /// Puts there what is said of a file from now on.
    pub(super) fn put(&self, path: &Path, found: T) -> Arc<T> {
        let found = Arc::new(found);
        let (_, place) = watch::channel(Some(Arc::clone(&found)));
        self.places().insert(path.to_owned(), place);
        found
    }
}
