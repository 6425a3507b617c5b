//! Which images look like ours and are left alone.

use std::collections::BTreeSet;

use crate::ids::ImageId;
use crate::kinds::tags::Owner;
use crate::plan::Unmanaged;
use crate::resource::Resource;

use super::names;
use super::seen::{Image, Phase, Seen};
use super::spec::{Adopt, Spec};

/// Images that look like ours and are left alone.
pub(super) fn unmanaged(resource: &Resource<Spec>, seen: &Seen) -> Vec<Unmanaged> {
    let prefix = format!("{}-", resource.spec.name_prefix);
    let architectures = resource.spec.architectures.iter();
    let adoptable: BTreeSet<&ImageId> = architectures
        .flat_map(|it| names::adoptable(resource, seen, *it))
        .map(|it| &it.id)
        .collect();
    let unmanaged = |image: &Image| {
        let reason = match image.owner(resource, &seen.home) {
            Owner::Ours => return None,
            Owner::Scope(scope) => format!("it belongs to scope {scope}"),
            Owner::Resource(owner) => format!("it belongs to {owner}"),
            Owner::Nobody if adoptable.contains(&image.id) => return None,
            Owner::Nobody => match (image.phase, resource.spec.adopt) {
                (Phase::Making, _) => "it is being made".to_owned(),
                (_, Adopt::ByTag) => "nobody owns it, and spec.adopt is ByTag".to_owned(),
                (_, Adopt::ByNameAndArchitecture) => {
                    "its name or architecture is not exactly one of this line".to_owned()
                }
            },
        };
        Some(Unmanaged {
            kind: "image",
            object: image.id.to_string(),
            name: image.name.clone(),
            reason,
        })
    };
    let alike = seen.images.iter().filter(|it| it.name.starts_with(&prefix));
    let mut unmanaged: Vec<Unmanaged> = alike.filter_map(unmanaged).collect();
    unmanaged.sort();
    unmanaged
}
