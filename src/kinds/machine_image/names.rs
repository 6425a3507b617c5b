//! Which image each name of a line belongs to.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::kinds::architecture::Architecture;
use crate::kinds::tags::{self, Owner};
use crate::resource::Resource;

use super::build::{self, Wanted};
use super::seen::{Image, Phase, Seen};
use super::spec::{Adopt, Spec};

/// What the names of all images of an architecture begin with, as in `runner-amd64`.
pub(super) fn line(spec: &Spec, architecture: Architecture) -> String {
    format!("{}-{architecture}", spec.name_prefix)
}

/// The name that consumers look up.
pub(super) fn latest(spec: &Spec, architecture: Architecture) -> String {
    format!("{}-latest", line(spec, architecture))
}

/// Whether `name` is exactly `<prefix>-<arch>-YYYYMMDDHHMM`.
pub(super) fn is_dated(spec: &Spec, architecture: Architecture, name: &str) -> bool {
    rest(spec, architecture, name)
        .is_some_and(|it| it.len() == 12 && it.bytes().all(|it| it.is_ascii_digit()))
}

/// What a name has after `<prefix>-<arch>-`.
fn rest<'a>(spec: &Spec, architecture: Architecture, name: &'a str) -> Option<&'a str> {
    let rest = name.strip_prefix(&spec.name_prefix)?.strip_prefix('-')?;
    rest.strip_prefix(architecture.name())?.strip_prefix('-')
}

/// The dated name of an image: the minute of its creation, or of that of the machine it is made of, or the next one that is
/// free in `taken`. What does not say when it was created is dated to the start of 1970.
pub(super) fn free_dated(
    spec: &Spec,
    architecture: Architecture,
    created: Option<Timestamp>,
    taken: &BTreeSet<String>,
) -> String {
    let mut minute = created.unwrap_or(Timestamp::EPOCH);
    loop {
        let name = format!("{}-{}", line(spec, architecture), minute.minute_digits());
        if !taken.contains(&name) {
            return name;
        }
        minute = minute.plus(Duration::from_secs(60));
    }
}

/// Our images of one architecture, the newest first; those of unknown age last.
pub(super) fn ours<'a>(
    resource: &Resource<Spec>,
    seen: &'a Seen,
    architecture: Architecture,
) -> Vec<&'a Image> {
    let is_ours = |image: &&Image| {
        image.architecture == Some(architecture) && image.owner(resource, &seen.home) == Owner::Ours
    };
    let mut ours: Vec<&Image> = seen.images.iter().filter(is_ours).collect();
    ours.sort_by_key(|it| (Reverse(it.created), &it.id));
    ours
}

/// Images that nobody owns and that are to become ours, by id.
pub(super) fn adoptable<'a>(
    resource: &Resource<Spec>,
    seen: &'a Seen,
    architecture: Architecture,
) -> Vec<&'a Image> {
    let spec = &resource.spec;
    match spec.adopt {
        Adopt::ByTag => return Vec::new(),
        Adopt::ByNameAndArchitecture => {}
    }
    let is_adoptable = |image: &&Image| {
        image.architecture == Some(architecture)
            && match image.phase {
                Phase::Available | Phase::Failed => true,
                Phase::Making | Phase::Withdrawn => false,
            }
            && (rest(spec, architecture, &image.name) == Some("latest")
                || is_dated(spec, architecture, &image.name))
            && image.owner(resource, &seen.home) == Owner::Nobody
    };
    let mut adoptable: Vec<&Image> = seen.images.iter().filter(is_adoptable).collect();
    adoptable.sort_by_key(|it| &it.id);
    adoptable
}

/// Which image `-latest` should name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target<'a> {
    /// This one.
    Image(&'a Image),
    /// The pinned one, and that is not to be had.
    PinMissing,
    /// There is no Available image.
    None,
}

/// Picks the image that `-latest` should name, out of ours of one architecture: the pinned one, else the newest Available
/// of the wanted version, else the one that it names, else the newest Available.
pub(super) fn target<'a>(
    resource: &Resource<Spec>,
    seen: &'a Seen,
    (architecture, ours): (Architecture, &[&'a Image]),
) -> Target<'a> {
    let available = |it: &&&Image| it.phase == Phase::Available;
    if let Some(pin) = resource.spec.pinned() {
        if let Some(pinned) = ours.iter().find(|it| it.id.as_str() == pin) {
            return match pinned.phase {
                Phase::Available => Target::Image(pinned),
                Phase::Making | Phase::Failed | Phase::Withdrawn => Target::PinMissing,
            };
        }
        // A pin is for the architecture of its image; where no image has that id, for nobody knows which.
        let pinned = seen.images.iter().find(|it| it.id.as_str() == pin);
        if pinned.is_none_or(|it| it.architecture == Some(architecture)) {
            return Target::PinMissing;
        }
    }
    let latest = latest(&resource.spec, architecture);
    let serving = || ours.iter().find(|it| available(it) && it.name == latest);
    let preferred = match build::wanted(resource, seen, architecture) {
        Wanted::Newest => None,
        Wanted::Version(version) => {
            let is_wanted = |it: &&&Image| it.tags.get(tags::VERSION) == Some(&version);
            ours.iter()
                .filter(available)
                .find(is_wanted)
                .or_else(serving)
        }
        Wanted::Unknown => serving(),
    };
    match preferred.or_else(|| ours.iter().find(available)) {
        Some(target) => Target::Image(target),
        None => Target::None,
    }
}

/// The Available image of ours that `-latest` names now.
pub(super) fn serving<'a>(
    resource: &Resource<Spec>,
    seen: &'a Seen,
    architecture: Architecture,
) -> Option<&'a Image> {
    let name = latest(&resource.spec, architecture);
    ours(resource, seen, architecture)
        .into_iter()
        .find(|it| it.name == name && it.phase == Phase::Available)
}
