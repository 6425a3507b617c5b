//! Manifests and small blobs by their digest, which names them for ever: in memory, and on disk beyond the process. What is
//! kept was there once, in that repository: of another one it would prove nothing.

mod disk;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Location, Manifest};
use crate::ids::Digest;

use self::disk::Disk;

/// What is kept of which repository.
type Key = (String, Digest);

/// How many bytes are kept in memory; what was put there first goes first.
const MEMORY_BYTES_MAX: usize = 32 << 20;

/// What is kept.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    kept: BTreeMap<Key, Arc<Manifest>>,
    order: VecDeque<Key>,
    bytes: usize,
    disk: Option<Disk>,
}

/// How many digits tell a repository from any other.
const PLACE_DIGITS: usize = 32;

/// The media type that stands for a blob, whose own is known only to who refers to it.
const BLOB: &str = "application/octet-stream";

impl Shelf {
    pub(super) fn keep_in(&self, folder: &Path) {
        self.lock().disk = Disk::open(folder);
    }

    pub(super) fn manifest(&self, at: &Location, digest: &Digest) -> Option<Arc<Manifest>> {
        self.get(at, digest).filter(|it| it.media_type != BLOB)
    }

    pub(super) fn put_manifest(&self, at: &Location, manifest: &Manifest) {
        self.put(at, manifest.clone());
    }

    pub(super) fn blob(&self, at: &Location, digest: &Digest) -> Option<Arc<Manifest>> {
        self.get(at, digest)
    }

    /// The bytes must be those of the digest.
    pub(super) fn put_blob(&self, at: &Location, digest: &Digest, bytes: &[u8]) {
        let manifest = Manifest {
            digest: digest.clone(),
            media_type: BLOB.to_owned(),
            bytes: bytes.to_owned(),
        };
        self.put(at, manifest);
    }

    /// Forgets what was deleted.
    pub(super) fn forget(&self, at: &Location, digest: &Digest) {
        let mut state = self.lock();
        let key = (place(at), digest.clone());
        if let Some(disk) = &state.disk {
            disk.remove(&key);
        }
        let gone = state.kept.remove(&key);
        state.order.retain(|it| *it != key);
        state.bytes -= gone.map_or(0, |it| it.bytes.len());
    }

    fn get(&self, at: &Location, digest: &Digest) -> Option<Arc<Manifest>> {
        let mut state = self.lock();
        let key = (place(at), digest.clone());
        if let Some(known) = state.kept.get(&key) {
            return Some(Arc::clone(known));
        }
        let read = state.disk.as_ref()?.read(&key)?;
        Some(state.remember(key, read))
    }

    fn put(&self, at: &Location, manifest: Manifest) {
        let mut state = self.lock();
        let key = (place(at), manifest.digest.clone());
        if let Some(disk) = &mut state.disk {
            disk.write(&key.0, &manifest);
        }
        state.remember(key, manifest);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A repository in a form that a file's name can have.
fn place(at: &Location) -> String {
    let name = format!("{}/{}", at.site.host, at.repository);
    Digest::of(name.as_bytes()).digits()[..PLACE_DIGITS].to_owned()
}

impl State {
    fn remember(&mut self, key: Key, manifest: Manifest) -> Arc<Manifest> {
        let bytes = manifest.bytes.len();
        let manifest = Arc::new(manifest);
        match self.kept.insert(key.clone(), Arc::clone(&manifest)) {
            Some(before) => self.bytes -= before.bytes.len(),
            None => self.order.push_back(key),
        }
        self.bytes += bytes;
        while self.bytes > MEMORY_BYTES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            let gone = self.kept.remove(&oldest);
            self.bytes -= gone.map_or(0, |it| it.bytes.len());
        }
        manifest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(bytes: Vec<u8>) -> Manifest {
        Manifest {
            digest: Digest::of(&bytes),
            media_type: "application/x".to_owned(),
            bytes,
        }
    }

    fn here() -> Location {
        Location {
            site: crate::providers::registry::Site {
                host: "registry.example".to_owned(),
                insecure: false,
                login: None,
            },
            repository: "example/app".to_owned(),
        }
    }

    #[test]
    fn what_was_seen_elsewhere_proves_nothing_here_nor_what_was_deleted() {
        let folder = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::default();
        shelf.keep_in(folder.path());
        let (it, elsewhere) = (
            manifest(b"{}".to_vec()),
            Location {
                repository: "example/other".to_owned(),
                ..here()
            },
        );
        shelf.put_manifest(&here(), &it);
        assert_eq!(shelf.manifest(&elsewhere, &it.digest), None);
        assert_eq!(shelf.manifest(&here(), &it.digest).as_deref(), Some(&it));
        shelf.forget(&here(), &it.digest);
        assert_eq!(shelf.manifest(&here(), &it.digest), None);
        assert_eq!(shelf.lock().bytes, 0);
    }

    #[test]
    fn memory_is_bounded_and_the_disk_outlives_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::default();
        shelf.keep_in(folder.path());
        let all: Vec<Manifest> = (0..10).map(|it| manifest(vec![it; 4 << 20])).collect();
        for it in &all {
            shelf.put_manifest(&here(), it);
        }
        assert!(shelf.lock().bytes <= MEMORY_BYTES_MAX);
        assert!(shelf.lock().kept.len() < all.len());
        let later = Shelf::default();
        later.keep_in(folder.path());
        for it in &all {
            assert_eq!(later.manifest(&here(), &it.digest).as_deref(), Some(it));
        }
        let without = Shelf::default();
        assert_eq!(without.manifest(&here(), &all[0].digest), None);
    }

    #[test]
    fn a_blob_is_no_manifest() {
        let shelf = Shelf::default();
        let digest = Digest::of(b"{}");
        shelf.put_blob(&here(), &digest, b"{}");
        assert_eq!(shelf.manifest(&here(), &digest), None);
        assert_eq!(
            shelf.blob(&here(), &digest).map(|it| it.bytes.clone()),
            Some(b"{}".to_vec())
        );
    }
}
