//! Finds the state files below a folder, and reads them as text, within limits.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::tree::{Flaw, Place, place_after};

/// How many files and folders may lie below the state folder.
const ENTRIES_MAX: usize = 10_000;

/// How many bytes one file may have.
const BYTES_MAX: u64 = 1 << 20;

/// How many bytes all files together may have.
const TOTAL_MAX: u64 = 16 << 20;

/// A state file as text, or what is wrong with it.
pub(super) struct StateFile {
    /// The path from where the user stands.
    pub(super) name: String,
    pub(super) text: Result<String, Flaw>,
}

/// Reads all `*.yaml` and `*.yml` below a folder, sorted by path. Hidden files are left out. Links to files are
/// followed, links to folders are refused: one that leads to itself would never end.
pub(super) fn files(folder: &Path) -> Vec<StateFile> {
    let mut search = Search {
        found: Vec::new(),
        entries: 0,
    };
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        if let Err(error) = search.look_into(&folder, &mut folders) {
            let message = if error.kind() == io::ErrorKind::NotFound {
                "there is no such folder".to_owned()
            } else {
                format!("the folder cannot be read: {error}")
            };
            search.refuse(&folder, message);
        }
        if search.entries > ENTRIES_MAX {
            let message =
                format!("more than {ENTRIES_MAX} files lie below: is this the state folder?");
            search.refuse(&folder, message);
            break;
        }
    }
    let mut files = search.found;
    files.sort_by(|left, right| left.name.cmp(&right.name));
    refuse_too_much(&mut files);
    files
}

/// The files behind the limit of all bytes are refused.
fn refuse_too_much(files: &mut [StateFile]) {
    let mut total = 0;
    for file in files {
        total += file.text.as_ref().map_or(0, |it| it.len() as u64);
        if total > TOTAL_MAX {
            let message = format!("all files together are larger than {TOTAL_MAX} bytes");
            file.text = Err(Flaw::new(Place::START, message));
            return;
        }
    }
}

struct Search {
    found: Vec<StateFile>,
    entries: usize,
}

impl Search {
    fn look_into(&mut self, folder: &Path, folders: &mut Vec<PathBuf>) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Ok(());
            }
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            let is_link = entry.file_type()?.is_symlink();
            match fs::metadata(&path) {
                Ok(target) if target.is_dir() && is_link => {
                    self.refuse(
                        &path,
                        "links to folders are not followed: put the files themselves here"
                            .to_owned(),
                    );
                }
                Ok(target) if target.is_dir() => folders.push(path),
                Ok(target) if is_yaml(&path) => {
                    let text = read(&path, &target);
                    self.add(&path, text);
                }
                Ok(_) => {}
                Err(error) if is_link => {
                    self.refuse(&path, format!("the link leads nowhere: {error}"));
                }
                Err(error) => self.refuse(&path, format!("the file cannot be read: {error}")),
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, text: Result<String, Flaw>) {
        let name = path.display().to_string();
        self.found.push(StateFile { name, text });
    }

    fn refuse(&mut self, path: &Path, message: String) {
        self.add(path, Err(Flaw::new(Place::START, message)));
    }
}

fn is_yaml(path: &Path) -> bool {
    let is = |extension| {
        path.extension()
            .is_some_and(|it| it.eq_ignore_ascii_case(extension))
    };
    is("yaml") || is("yml")
}

fn read(path: &Path, target: &fs::Metadata) -> Result<String, Flaw> {
    let refuse = |message| Err(Flaw::new(Place::START, message));
    // A pipe or a device could keep us waiting for ever.
    if !target.is_file() {
        return refuse("this is no regular file".to_owned());
    }
    if target.len() > BYTES_MAX {
        let length = target.len();
        return refuse(format!(
            "the file has {length} bytes, the most allowed is {BYTES_MAX}"
        ));
    }
    let mut bytes = Vec::new();
    let content =
        File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes));
    match content {
        Ok(length) if length as u64 > BYTES_MAX => {
            return refuse(format!(
                "the file grew beyond {BYTES_MAX} bytes while it was read"
            ));
        }
        Ok(_) => {}
        Err(error) => return refuse(format!("the file cannot be read: {error}")),
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let byte = error.as_bytes()[valid];
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        let message = format!("the byte 0x{byte:02x} stands here: a state file is text in UTF-8");
        Flaw::new(place_after(&before), message)
    })
}
