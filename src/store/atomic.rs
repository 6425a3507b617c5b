//! Files that are either the old or the new one, whenever the process dies.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file as a whole: a temporary file in the same folder, synced, renamed over it, and the folder synced.
/// After an error or a crash the old file is there; after a crash perhaps a temporary one that the next write replaces.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = folder(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.new"));
    let written = write_synced(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    if let Err(error) = written {
        // Half a file is of no use, and where there is no room it takes some.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Removes a file for good; one that is not there is fine.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result?,
    }
    File::open(folder(path))?.sync_all()
}

/// The folder that a file is in; a mere name is in the one we are in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}
