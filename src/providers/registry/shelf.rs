//! Manifests and small blobs by their digest, which names them for ever: in memory, and on disk beyond the process.

mod disk;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Manifest;
use crate::ids::Digest;

use self::disk::Disk;

/// How many bytes are kept in memory; what was put there first goes first.
const MEMORY_BYTES_MAX: usize = 32 << 20;

/// What is kept.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    kept: BTreeMap<Digest, Arc<Manifest>>,
    order: VecDeque<Digest>,
    bytes: usize,
    disk: Option<Disk>,
}

/// The media type that stands for a blob, whose own is known only to who refers to it.
const BLOB: &str = "application/octet-stream";

impl Shelf {
    pub(super) fn keep_in(&self, folder: &Path) {
        self.lock().disk = Disk::open(folder);
    }

    pub(super) fn manifest(&self, digest: &Digest) -> Option<Arc<Manifest>> {
        self.get(digest).filter(|it| it.media_type != BLOB)
    }

    pub(super) fn put_manifest(&self, manifest: &Manifest) {
        self.put(manifest.clone());
    }

    pub(super) fn blob(&self, digest: &Digest) -> Option<Arc<Manifest>> {
        self.get(digest)
    }

    /// The bytes must be those of the digest.
    pub(super) fn put_blob(&self, digest: &Digest, bytes: &[u8]) {
        self.put(Manifest {
            digest: digest.clone(),
            media_type: BLOB.to_owned(),
            bytes: bytes.to_owned(),
        });
    }

    fn get(&self, digest: &Digest) -> Option<Arc<Manifest>> {
        let mut state = self.lock();
        if let Some(known) = state.kept.get(digest) {
            return Some(Arc::clone(known));
        }
        let read = state.disk.as_ref()?.read(digest)?;
        Some(state.remember(read))
    }

    fn put(&self, manifest: Manifest) {
        let mut state = self.lock();
        if let Some(disk) = &mut state.disk {
            disk.write(&manifest);
        }
        state.remember(manifest);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remember(&mut self, manifest: Manifest) -> Arc<Manifest> {
        let (digest, bytes) = (manifest.digest.clone(), manifest.bytes.len());
        let manifest = Arc::new(manifest);
        match self.kept.insert(digest.clone(), Arc::clone(&manifest)) {
            Some(before) => self.bytes -= before.bytes.len(),
            None => self.order.push_back(digest),
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

    #[test]
    fn memory_is_bounded_and_the_disk_outlives_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::default();
        shelf.keep_in(folder.path());
        let all: Vec<Manifest> = (0..10).map(|it| manifest(vec![it; 4 << 20])).collect();
        for it in &all {
            shelf.put_manifest(it);
        }
        assert!(shelf.lock().bytes <= MEMORY_BYTES_MAX);
        assert!(!shelf.lock().kept.contains_key(&all[0].digest));
        let later = Shelf::default();
        later.keep_in(folder.path());
        for it in &all {
            assert_eq!(later.manifest(&it.digest).as_deref(), Some(it));
        }
        let without = Shelf::default();
        assert_eq!(without.manifest(&all[0].digest), None);
    }

    #[test]
    fn a_blob_is_no_manifest() {
        let shelf = Shelf::default();
        let digest = Digest::of(b"{}");
        shelf.put_blob(&digest, b"{}");
        assert_eq!(shelf.manifest(&digest), None);
        assert_eq!(
            shelf.blob(&digest).map(|it| it.bytes.clone()),
            Some(b"{}".to_vec())
        );
    }
}
