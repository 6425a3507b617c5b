//! The types of machines that were read within a day: in memory, and in a file beyond the process. Losing it costs a call.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::call::Parameters;
use super::instance_type::InstanceType;
use super::place::Place;
use crate::clock::Timestamp;

/// How long a list of types is believed: new ones come a few times a year, and stock and prices are asked for each time.
const LASTS: Duration = Duration::from_secs(24 * 3600);
/// The version of the file's form; a file of another one is not read.
const FORMAT_VERSION: u32 = 1;
const FILE: &str = "instance-types.json";

/// What is kept.
#[derive(Debug, Default)]
pub(super) struct Catalogue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    path: Option<PathBuf>,
    kept: BTreeMap<String, Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    at: Timestamp,
    types: Vec<InstanceType>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept<E> {
    format_version: u32,
    lists: E,
}

impl Catalogue {
    /// Keeps what is read in this folder too, and takes what is there.
    pub(super) fn keep_in(&self, folder: &Path) {
        let path = folder.join(FILE);
        let mut state = self.lock();
        for (key, entry) in read(&path) {
            state.kept.entry(key).or_insert(entry);
        }
        state.path = Some(path);
    }

    /// What was read for these parameters within a day before `now`.
    pub(super) fn get(
        &self,
        place: &Place,
        asked: &Parameters,
        now: Timestamp,
    ) -> Option<Vec<InstanceType>> {
        let state = self.lock();
        let entry = state.kept.get(&key(place, asked));
        entry
            .filter(|it| it.is_fresh(now))
            .map(|it| it.types.clone())
    }

    /// Keeps what was read for these parameters at a time, and drops what is old. A file that cannot be written is done
    /// without.
    pub(super) fn put(
        &self,
        place: &Place,
        asked: &Parameters,
        (types, at): (&[InstanceType], Timestamp),
    ) {
        let mut state = self.lock();
        let types = types.to_vec();
        state.kept.insert(key(place, asked), Entry { at, types });
        state.kept.retain(|_, it| it.is_fresh(at));
        if let Some(Err(error)) = state.path.as_ref().map(|it| write(it, &state.kept)) {
            tracing::debug!(%error, "the types of machines are not kept on disk");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// One of the future is of another world's time.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.at <= now && now.since(self.at) < LASTS
    }
}

fn key(place: &Place, asked: &Parameters) -> String {
    let asked = asked.iter().map(|(name, value)| format!(" {name}={value}"));
    format!("{place}{}", asked.collect::<String>())
}

/// A file that is missing, damaged or of another version is empty.
fn read(path: &Path) -> BTreeMap<String, Entry> {
    let kept = fs::read(path).ok();
    let kept = kept.and_then(|it| serde_json::from_slice::<Kept<BTreeMap<_, _>>>(&it).ok());
    let kept = kept.filter(|it| it.format_version == FORMAT_VERSION);
    kept.map(|it| it.lists).unwrap_or_default()
}

/// Writes the file as a whole. It is not synced: what a crash leaves half-written is not read.
fn write(path: &Path, lists: &BTreeMap<String, Entry>) -> io::Result<()> {
    let kept = Kept {
        format_version: FORMAT_VERSION,
        lists,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    serde_json::to_writer(&mut file, &kept)?;
    file.persist(path).map_err(|it| it.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RegionId;

    fn place(region: &str) -> Place {
        Place {
            region: RegionId::new(region),
            endpoint: None,
        }
    }

    fn time(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    fn types() -> Vec<InstanceType> {
        vec![InstanceType {
            id: "ecs.c7.large".to_owned(),
            family: "ecs.c7".to_owned(),
            architecture: "X86".to_owned(),
            cores: 2,
            memory_bytes: 4 << 30,
        }]
    }

    #[test]
    fn what_was_read_is_known_for_a_day_where_it_was_asked_and_beyond_the_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let (here, asked) = (place("cn-hangzhou"), Parameters::new());
        let other = Parameters::from([("CpuArchitecture".to_owned(), "ARM".to_owned())]);
        let read_at = time("2026-11-21T02:00:00Z");
        let first = Catalogue::default();
        first.keep_in(folder.path());
        first.put(&here, &asked, (&types(), read_at));
        let next = Catalogue::default();
        next.keep_in(folder.path());
        for catalogue in [first, next] {
            for (now, is_known) in [
                ("2026-11-21T02:00:00Z", true),
                ("2026-11-22T01:59:59Z", true),
                ("2026-11-22T02:00:00Z", false),
                ("2026-11-20T02:00:00Z", false),
            ] {
                let known = catalogue.get(&here, &asked, time(now));
                assert_eq!(known.is_some(), is_known, "{now}");
            }
            assert_eq!(catalogue.get(&here, &asked, read_at), Some(types()));
            assert_eq!(catalogue.get(&here, &other, read_at), None);
            assert_eq!(catalogue.get(&place("cn-beijing"), &asked, read_at), None);
        }
    }

    #[test]
    fn a_file_that_is_broken_or_cannot_be_written_costs_a_call_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let (here, asked) = (place("cn-hangzhou"), Parameters::new());
        let read_at = time("2026-11-21T02:00:00Z");
        for broken in ["", "{", "[]", r#"{"formatVersion":2,"lists":{}}"#] {
            fs::write(folder.path().join(FILE), broken).expect("a file");
            let catalogue = Catalogue::default();
            catalogue.keep_in(folder.path());
            assert_eq!(catalogue.get(&here, &asked, read_at), None, "{broken}");
        }
        let catalogue = Catalogue::default();
        catalogue.keep_in(&folder.path().join("nowhere"));
        catalogue.put(&here, &asked, (&types(), read_at));
        assert_eq!(catalogue.get(&here, &asked, read_at), Some(types()));
    }

    #[test]
    fn what_is_old_is_dropped_from_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let catalogue = Catalogue::default();
        catalogue.keep_in(folder.path());
        let asked = Parameters::new();
        let read_at = time("2026-11-21T02:00:00Z");
        catalogue.put(&place("cn-hangzhou"), &asked, (&types(), read_at));
        let later = time("2026-11-23T02:00:00Z");
        catalogue.put(&place("cn-beijing"), &asked, (&types(), later));
        let left = read(&folder.path().join(FILE));
        assert_eq!(left.into_keys().collect::<Vec<_>>(), ["cn-beijing"]);
    }
}
