//! Answers that are kept with their `ETag`: asking again for what has not changed costs nothing of GitHub's budget.
//!
//! GitHub answers 304 then, which is not counted (GitHub Docs, "Best practices for using the REST API"). `ETag`s differ from
//! token to token (`otterdog`, issue 201), so the token's hash is part of what an answer is kept under.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ids::hex;

/// How many answers are kept; those that were not asked for longest go first.
const ANSWERS_MAX: usize = 1000;

/// Answers by what was asked, in memory and perhaps in a folder. Losing any costs a request of the budget.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    folder: Option<PathBuf>,
    answers: BTreeMap<String, (u64, Answer)>,
    /// How often something was asked for.
    clock: u64,
}

/// One answer, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    /// What stands for it, sent back as it came.
    pub(super) etag: String,
    pub(super) body: Value,
    /// The header that names the other pages.
    pub(super) link: Option<String>,
}

/// What an answer is kept under: whoever asks with another token gets another answer.
pub(super) fn key(authorization: &[u8], url: &str) -> String {
    hex(&Sha256::digest(
        [authorization, b"\n", url.as_bytes()].concat(),
    ))
}

impl Kept {
    /// Keeps answers in a folder as well, which is made when there is something to keep.
    pub(super) fn keep_in(&self, folder: &Path) {
        self.change(|it| it.folder = Some(folder.to_owned()));
    }

    /// The answer that is kept; none: there is none, or it cannot be read.
    pub(super) fn get(&self, key: &str) -> Option<Answer> {
        self.change(|it| {
            it.clock += 1;
            let clock = it.clock;
            if let Some((asked, answer)) = it.answers.get_mut(key) {
                *asked = clock;
                return Some(answer.clone());
            }
            let bytes = fs::read(it.folder.as_ref()?.join(key)).ok()?;
            let answer: Answer = serde_json::from_slice(&bytes).ok()?;
            it.answers.insert(key.to_owned(), (clock, answer.clone()));
            Some(answer)
        })
    }

    pub(super) fn put(&self, key: &str, answer: Answer) {
        self.change(|it| {
            if let Some(folder) = &it.folder
                && let Err(error) = write(folder, key, &answer)
            {
                tracing::debug!(%error, "an answer is not kept on disk");
            }
            it.clock += 1;
            it.answers.insert(key.to_owned(), (it.clock, answer));
            it.make_room();
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn make_room(&mut self) {
        while self.answers.len() > ANSWERS_MAX {
            let oldest = self.answers.iter().min_by_key(|(_, (asked, _))| *asked);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.answers.remove(&oldest);
        }
        let Some(folder) = &self.folder else { return };
        let Ok(files) = fs::read_dir(folder) else {
            return;
        };
        let files: Vec<_> = files.filter_map(Result::ok).collect();
        if files.len() <= ANSWERS_MAX {
            return;
        }
        // Those that nobody has asked for since the start.
        let is_idle = |it: &&fs::DirEntry| {
            let name = it.file_name();
            !self.answers.contains_key(name.to_string_lossy().as_ref())
        };
        for file in files.iter().filter(is_idle) {
            let _ = fs::remove_file(file.path());
        }
    }
}

fn write(folder: &Path, key: &str, answer: &Answer) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, answer)?;
    file.persist(folder.join(key)).map_err(|it| it.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(text: &str) -> Answer {
        Answer {
            etag: format!("W/\"{text}\""),
            body: json!([text]),
            link: None,
        }
    }

    #[test]
    fn an_answer_outlives_the_process_and_is_of_one_token() {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let (mine, other) = (key(b"a", "/x"), key(b"b", "/x"));
        let kept = Kept::default();
        kept.keep_in(folder.path());
        kept.put(&mine, answer("one"));
        let next = Kept::default();
        assert_eq!(next.get(&mine), None, "it has no folder");
        next.keep_in(folder.path());
        assert_eq!(next.get(&mine), Some(answer("one")));
        assert_eq!(next.get(&other), None);
        fs::write(folder.path().join(&mine), "half").expect("a file can be written");
        let third = Kept::default();
        third.keep_in(folder.path());
        assert_eq!(third.get(&mine), None, "half of one is none");
    }

    #[test]
    fn there_is_room_for_so_many_and_what_is_asked_for_stays() {
        let kept = Kept::default();
        for number in 0..=ANSWERS_MAX {
            kept.put(&format!("{number}"), answer("x"));
            assert!(kept.get("0").is_some(), "{number}");
        }
        assert_eq!(kept.get("1"), None);
    }
}
