//! With which accounts images are shared: a full list for what `-latest` names, nobody for what is deleted.

use std::collections::{BTreeMap, BTreeSet};

use crate::fact::Fact;
use crate::fault::Fault;
use crate::ids::{AccountId, ImageId, ResourceId};
use crate::kind::{Context, Kind, Resources};
use crate::kinds::aliyun_region::{self, AliyunRegion};
use crate::kinds::tags::Owner;
use crate::providers::aliyun::ACCOUNTS_MAX;
use crate::resource::{Problem, Resource};

use super::change::Effect;
use super::seen::{Image, Seen};
use super::spec::Spec;

/// The accounts that images are shared with, by image; those of the others are known to be none.
pub(super) type Shares = BTreeMap<ImageId, BTreeSet<AccountId>>;

/// An image cannot be shared with the account that it is of, which may use it anyway.
pub(super) fn problems(resource: &Resource<Spec>, resources: &Resources) -> Vec<Problem> {
    let region = ResourceId::new(AliyunRegion::NAME, resource.spec.region_ref.as_str());
    let region = resources
        .get(&region)
        .and_then(|it| it.spec().downcast_ref());
    let own = region.and_then(|it: &aliyun_region::Spec| it.account_id.as_deref());
    let accounts = resource.spec.share.iter().flat_map(|it| &it.accounts);
    let is_own = |(_, account): &(usize, &String)| Some(account.as_str()) == own;
    let problem = |(index, _): (usize, &String)| {
        let field = format!("spec.share.accounts[{index}]");
        Problem::new(
            &field,
            "is the region's own account, which may use its images anyway: leave it out",
        )
    };
    accounts.enumerate().filter(is_own).map(problem).collect()
}

/// Looks at the images of ours that are shared, where that is managed.
pub(super) async fn observe(
    resource: &Resource<Spec>,
    context: &Context<'_>,
    seen: &Seen,
) -> Fact<Shares> {
    let mut shares = Shares::new();
    if resource.spec.share.is_none() {
        return Fact::Known(shares);
    }
    let is_ours = |it: &&Image| it.shared && it.owner(resource, &seen.home) == Owner::Ours;
    for image in seen.images.iter().filter(is_ours) {
        let place = &seen.home.place;
        match context.clients.aliyun.shared_with(place, &image.id).await {
            Ok(accounts) => {
                let accounts = accounts.items().iter().cloned().collect();
                shares.insert(image.id.clone(), accounts);
            }
            Err(fault) => return Fact::Unknown(fault),
        }
    }
    Fact::Known(shares)
}

/// What makes an image be shared with exactly `wanted`; the fault where nobody knows with whom it is.
pub(super) fn toward(
    seen: &Seen,
    image: &Image,
    wanted: &BTreeSet<AccountId>,
) -> Result<Vec<Effect>, Fault> {
    let nobody = BTreeSet::new();
    let shared = match &seen.shares {
        Fact::Known(shares) => shares.get(&image.id).unwrap_or(&nobody),
        Fact::Unknown(fault) => return Err(fault.clone()),
    };
    let add: Vec<AccountId> = wanted.difference(shared).cloned().collect();
    let remove: Vec<AccountId> = shared.difference(wanted).cloned().collect();
    let calls = add.len().max(remove.len()).div_ceil(ACCOUNTS_MAX);
    let part = |all: &[AccountId], number: usize| {
        all.chunks(ACCOUNTS_MAX)
            .nth(number)
            .map_or_else(Vec::new, <[AccountId]>::to_vec)
    };
    Ok((0..calls)
        .map(|number| Effect::Share {
            add: part(&add, number),
            remove: part(&remove, number),
        })
        .collect())
}
