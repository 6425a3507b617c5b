//! Files that resources name, such as a script: read from the state folder, and from nowhere else.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Finding, Problem, Source};
use crate::ids::hex;

/// How many bytes all named files together may have.
const TOTAL_MAX: u64 = 16 << 20;

/// A file that a field of a resource names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// The field, as in `spec.provision.script`.
    pub field: String,
    /// The path in the state folder.
    pub name: String,
    /// How many bytes it may have.
    pub bytes_max: u64,
}

/// What the files of one resource hold, by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Reads named files, and keeps account of them.
#[derive(Debug)]
pub struct NamedFiles {
    folder: PathBuf,
    read: Files,
    total: u64,
    findings: Vec<Finding>,
}

impl NamedFiles {
    /// Those of a state folder; none was named yet.
    pub fn of(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            read: Files::new(),
            total: 0,
            findings: Vec::new(),
        }
    }

    /// What the files of a resource hold. What cannot be read is left out, and found fault with in the end.
    pub fn read(&mut self, named: &[NamedFile], source: &Source) -> Files {
        let mut files = Files::new();
        for file in named {
            match self.read_one(file) {
                Ok(bytes) => drop(files.insert(file.name.clone(), bytes)),
                Err(message) => {
                    let problem = Problem::new(&file.field, &message);
                    self.findings.push(source.finding(&problem));
                }
            }
        }
        files
    }

    /// What is wrong with the files, and the hash of the state files together with these.
    pub fn finish(self, state_files: &str) -> (String, Vec<Finding>) {
        if self.read.is_empty() {
            return (state_files.to_owned(), self.findings);
        }
        let mut hash = Sha256::new();
        hash.update(state_files);
        for part in self
            .read
            .iter()
            .flat_map(|(name, bytes)| [name.as_bytes(), bytes])
        {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        (hex(&hash.finalize()), self.findings)
    }

    fn read_one(&mut self, file: &NamedFile) -> Result<Vec<u8>, String> {
        let bytes = content(&self.folder, file)?;
        if self.read.insert(file.name.clone(), bytes.clone()).is_none() {
            self.total += bytes.len() as u64;
        }
        if self.total > TOTAL_MAX {
            return Err(format!(
                "all named files together are larger than {TOTAL_MAX} bytes"
            ));
        }
        Ok(bytes)
    }
}

fn content(folder: &Path, file: &NamedFile) -> Result<Vec<u8>, String> {
    let (name, most) = (&file.name, file.bytes_max);
    let is_inside = |it: Component<'_>| matches!(it, Component::Normal(_));
    if !Path::new(name).components().all(is_inside) {
        return Err(format!(
            "`{name}` is no path in the state folder: write it relative and without `..`"
        ));
    }
    let unread = |error: io::Error| {
        if error.kind() == io::ErrorKind::NotFound {
            let folder = folder.display();
            return format!("there is no file `{name}` in the state folder ({folder})");
        }
        format!("`{name}` cannot be read: {error}")
    };
    let inside = folder.canonicalize().map_err(unread)?;
    // Links are followed, as those of a mounted ConfigMap must be, and where they end is what counts.
    let path = inside.join(name).canonicalize().map_err(unread)?;
    if !path.starts_with(&inside) {
        return Err(format!(
            "`{name}` leads out of the state folder through a link: put the file itself there"
        ));
    }
    let target = fs::metadata(&path).map_err(unread)?;
    // A pipe or a device could keep us waiting for ever.
    if !target.is_file() {
        return Err(format!("`{name}` is no regular file"));
    }
    if target.len() > most {
        let length = target.len();
        return Err(format!(
            "`{name}` has {length} bytes, the most allowed is {most}"
        ));
    }
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|it| it.take(most + 1).read_to_end(&mut bytes));
    if read.map_err(unread)? as u64 > most {
        return Err(format!(
            "`{name}` grew beyond {most} bytes while it was read"
        ));
    }
    Ok(bytes)
}
