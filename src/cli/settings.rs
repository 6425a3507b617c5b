//! The environment: the only file that reads it.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;

use super::arguments::Global;

/// Whether a variable is there and not empty.
pub(super) fn is_set(name: &str) -> bool {
    variable(name).is_some()
}

/// A variable; one that is empty counts as not set.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|it| !it.is_empty())
}

/// All variables that are readable text.
pub(super) fn all() -> BTreeMap<String, String> {
    let readable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    env::vars_os().filter_map(readable).collect()
}

/// The folder of the state files.
pub(super) fn state_folder(global: &Global) -> PathBuf {
    let state = global
        .state
        .clone()
        .or_else(|| variable("RECONCILE_STATE").map(PathBuf::from));
    state.unwrap_or_else(|| PathBuf::from("state"))
}

/// The status directory: where it was said to be, else beside the state folder.
pub(super) fn status_folder(global: &Global) -> PathBuf {
    let said = global
        .status_dir
        .clone()
        .or_else(|| variable("RECONCILE_STATUS_DIR").map(PathBuf::from));
    said.unwrap_or_else(|| {
        let state = state_folder(global);
        // `..` and links say where the folder really is; where it is nowhere, so is its parent.
        let state = state.canonicalize().unwrap_or(state);
        state.parent().unwrap_or(&state).join(".reconcile")
    })
}
