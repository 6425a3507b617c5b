//! The part of the shelf that is on disk: a file for each digest of a repository. Losing any of it costs a request.
//!
//! A file is a line with the media type, and the bytes. Nothing waits for the disk: what a crash leaves half-written does
//! not fit its digest, and is not read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Key, Manifest};
use crate::ids::Digest;

/// How many bytes are kept; the oldest files go first.
const DISK_BYTES_MAX: u64 = 256 << 20;
/// How much is left when files have to go.
const DISK_BYTES_LEFT: u64 = 192 << 20;

#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    bytes: u64,
}

impl Disk {
    /// The folder is made when there is something to keep. None: it cannot be used, which is said.
    pub(super) fn open(folder: &Path) -> Option<Self> {
        let opened = match files(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            opened => opened,
        };
        match opened {
            Ok(files) => Some(Self {
                folder: folder.to_owned(),
                bytes: files.iter().map(|it| it.bytes).sum(),
            }),
            Err(error) => {
                let folder = folder.display();
                tracing::warn!(%folder, %error, "manifests are not kept on disk");
                None
            }
        }
    }

    fn path(&self, place: &str, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{place}-{}", digest.digits()))
    }

    /// Removes what is there.
    pub(super) fn remove(&self, (place, digest): &Key) {
        // Where that fails, it is asked for as if it were still there, and the registry says the rest.
        let _ = fs::remove_file(self.path(place, digest));
    }

    /// What is there under this digest, if it is that.
    pub(super) fn read(&self, (place, digest): &Key) -> Option<Manifest> {
        let path = self.path(place, digest);
        let mut bytes = fs::read(&path).ok()?;
        let end = bytes.iter().position(|it| *it == b'\n');
        let media_type = end.and_then(|end| String::from_utf8(bytes[..end].to_vec()).ok());
        bytes.drain(..end.map_or(0, |it| it + 1));
        match media_type {
            Some(media_type) if Digest::of(&bytes) == *digest => Some(Manifest {
                digest: digest.clone(),
                media_type,
                bytes,
            }),
            Some(_) | None => {
                // The next reading mends it.
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Writes it where it is not there yet.
    pub(super) fn write(&mut self, place: &str, manifest: &Manifest) {
        let path = self.path(place, &manifest.digest);
        if path.exists() || manifest.media_type.contains('\n') {
            return;
        }
        match self.write_new(&path, manifest) {
            Ok(written) => self.bytes += written,
            Err(error) => {
                let path = path.display();
                tracing::debug!(%path, %error, "a manifest is not kept on disk");
            }
        }
        if self.bytes > DISK_BYTES_MAX {
            self.make_room();
        }
    }

    fn write_new(&self, path: &Path, manifest: &Manifest) -> io::Result<u64> {
        let content = [manifest.media_type.as_bytes(), b"\n", &manifest.bytes].concat();
        fs::create_dir_all(&self.folder)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        io::Write::write_all(&mut file, &content)?;
        file.persist(path).map_err(|it| it.error)?;
        Ok(u64::try_from(content.len()).unwrap_or(u64::MAX))
    }

    fn make_room(&mut self) {
        let Ok(mut files) = files(&self.folder) else {
            return;
        };
        files.sort_by_key(|it| it.written);
        self.bytes = files.iter().map(|it| it.bytes).sum();
        for file in files {
            if self.bytes <= DISK_BYTES_LEFT {
                return;
            }
            if fs::remove_file(&file.path).is_ok() {
                self.bytes -= file.bytes;
            }
        }
    }
}

struct Kept {
    path: PathBuf,
    bytes: u64,
    written: SystemTime,
}

fn files(folder: &Path) -> io::Result<Vec<Kept>> {
    let read = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        let metadata = entry.metadata()?;
        Ok(Kept {
            path: entry.path(),
            bytes: metadata.len(),
            written: metadata.modified()?,
        })
    };
    fs::read_dir(folder)?.map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(bytes: &[u8]) -> Manifest {
        Manifest {
            digest: Digest::of(bytes),
            media_type: "application/x".to_owned(),
            bytes: bytes.to_owned(),
        }
    }

    #[test]
    fn what_is_not_what_its_name_says_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut disk = Disk::open(folder.path()).expect("it can be used");
        let good = manifest(b"{}\n{}");
        disk.write("here", &good);
        assert_eq!(
            disk.read(&("here".to_owned(), good.digest.clone())),
            Some(good.clone())
        );
        let path = folder.path().join(format!("here-{}", good.digest.digits()));
        for torn in [
            &b""[..],
            b"application/x",
            b"application/x\n{}",
            b"\xff\n{}\n{}",
        ] {
            fs::write(&path, torn).expect("a file");
            assert_eq!(
                disk.read(&("here".to_owned(), good.digest.clone())),
                None,
                "{torn:?}"
            );
            assert!(!path.exists());
        }
        disk.write("here", &good);
        assert_eq!(
            disk.read(&("here".to_owned(), good.digest.clone())),
            Some(good)
        );
    }

    #[test]
    fn makes_room_when_there_is_too_much() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut disk = Disk::open(folder.path()).expect("it can be used");
        let old = folder.path().join("old");
        let file = fs::File::create(&old).expect("a file");
        file.set_len(DISK_BYTES_MAX).expect("room for holes");
        file.set_modified(SystemTime::UNIX_EPOCH).expect("a time");
        disk.bytes = DISK_BYTES_MAX;
        let new = manifest(b"{}");
        disk.write("here", &new);
        assert!(!old.exists());
        assert_eq!(
            disk.read(&("here".to_owned(), new.digest.clone())),
            Some(new)
        );
        assert!(disk.bytes < 100);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_none() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        assert!(Disk::open(file.path()).is_none());
    }
}
