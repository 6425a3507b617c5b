//! What is declared, as far as promises speak of it.

use reconcile::clock::Timestamp;
use reconcile::engine::Inventory;
use reconcile::ids::ResourceId;
use reconcile::kind::AnyResource;
use reconcile::kinds::architecture::Architecture;
use reconcile::kinds::instance_policy::Purchase;
use reconcile::kinds::tags::{MANAGED_BY, OWNER};
use reconcile::kinds::{aliyun_region, instance_policy, machine_image};
use reconcile::resource::Goal;
use reconcile::sim::object::{Image, ImageStatus, Instance};

use super::known::{Known, is_available, whole_minute};

/// Everything that is declared.
pub(super) struct Declared<'a> {
    pub(super) lines: Vec<Line<'a>>,
    pub(super) policies: Vec<Policy<'a>>,
}

/// A line of images.
pub(super) struct Line<'a> {
    pub(super) resource: &'a dyn AnyResource,
    pub(super) spec: &'a machine_image::Spec,
    pub(super) scope: &'a str,
}

/// A policy for instances.
pub(super) struct Policy<'a> {
    pub(super) resource: &'a dyn AnyResource,
    pub(super) spec: &'a instance_policy::Spec,
    pub(super) scope: &'a str,
}

impl<'a> Declared<'a> {
    pub(super) fn of(inventory: &'a Inventory) -> Self {
        let scope = |region: &str| {
            let id = ResourceId::new("AliyunRegion", region);
            let region = inventory.resources[&id].spec().downcast_ref();
            let region: &aliyun_region::Spec = region.expect("references were checked");
            region.scope.as_str()
        };
        let resources = || inventory.resources.values().map(AsRef::as_ref);
        let line = |resource: &'a dyn AnyResource| {
            let spec: &machine_image::Spec = resource.spec().downcast_ref()?;
            Some(Line {
                scope: scope(spec.region_ref.as_str()),
                resource,
                spec,
            })
        };
        let policy = |resource: &'a dyn AnyResource| {
            let spec: &instance_policy::Spec = resource.spec().downcast_ref()?;
            Some(Policy {
                scope: scope(spec.region_ref.as_str()),
                resource,
                spec,
            })
        };
        Self {
            lines: resources().filter_map(line).collect(),
            policies: resources().filter_map(policy).collect(),
        }
    }

    /// The line that an image belongs to by its tags.
    pub(super) fn line_of(&self, image: &Image) -> Option<&Line<'a>> {
        self.lines.iter().find(|it| it.owns(image))
    }
}

impl Line<'_> {
    pub(super) fn is_wanted(&self) -> bool {
        self.resource.policy().ensure == Goal::Present
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.resource.policy().suspend.is_some()
    }

    pub(super) fn latest(&self, architecture: Architecture) -> String {
        format!("{}-{architecture}-latest", self.spec.name_prefix)
    }

    /// The digits at the end of a dated name; none: it is not dated.
    pub(super) fn digits<'n>(&self, architecture: Architecture, name: &'n str) -> Option<&'n str> {
        let stem = format!("{}-{architecture}-", self.spec.name_prefix);
        let digits = name.strip_prefix(&stem)?;
        let is_dated = digits.len() == 12 && digits.bytes().all(|it| it.is_ascii_digit());
        is_dated.then_some(digits)
    }

    /// Whether its tags and its architecture say so.
    pub(super) fn owns(&self, image: &Image) -> bool {
        let tag = |key: &str| image.tags.get(key).map(String::as_str);
        image.image_owner_alias == "self"
            && tag(MANAGED_BY) == Some(self.scope)
            && tag(OWNER) == Some(self.resource.id().to_string().as_str())
            && architecture(image).is_some_and(|it| self.spec.architectures.contains(&it))
    }

    /// Whether it is to become one of this line.
    pub(super) fn adopts(&self, image: &Image) -> bool {
        let Some(of) = architecture(image).filter(|it| self.spec.architectures.contains(it)) else {
            return false;
        };
        let tag = |key: &str| image.tags.get(key).map(String::as_str);
        let is_named =
            image.image_name == self.latest(of) || self.digits(of, &image.image_name).is_some();
        self.spec.adopt == machine_image::Adopt::ByNameAndArchitecture
            && image.image_owner_alias == "self"
            && is_named
            && tag(OWNER).is_none()
            && tag(MANAGED_BY).is_none_or(|it| it == self.scope)
            && (is_available(image) || image.status == ImageStatus::CreateFailed)
    }

    /// The images of one architecture that are its own, the newest first.
    pub(super) fn ours<'k>(&self, known: &'k Known, of: Architecture) -> Vec<&'k Image> {
        let is_ours = |it: &&Image| architecture(it) == Some(of) && self.owns(it);
        let mut ours: Vec<&Image> = known.images.values().filter(is_ours).collect();
        ours.sort_by_key(|it| (std::cmp::Reverse(it.creation_time), it.image_id.clone()));
        ours
    }
}

impl Policy<'_> {
    pub(super) fn is_active(&self) -> bool {
        let policy = self.resource.policy();
        policy.ensure == Goal::Present && policy.suspend.is_none()
    }

    /// Why it may not touch an instance; none: it may.
    pub(super) fn hands_off(&self, instance: &Instance, now: Timestamp) -> Option<&'static str> {
        let tag = |key: &str| instance.tags.get(key).map(String::as_str);
        let mut selector = self.spec.selector.tags.iter();
        // The service tells and takes whole minutes (ECS API reference, `RunInstances`, `AutoReleaseTime`).
        let released = instance.auto_release_time.map(whole_minute);
        let is_ended = released.is_some_and(|it| it <= now);
        let is_spot = instance.spot_strategy != "NoSpot";
        if !selector.all(|(key, value)| tag(key) == Some(value)) {
            return Some("it is not selected");
        }
        if tag(MANAGED_BY).is_some_and(|it| it != self.scope) {
            return Some("it is foreign");
        }
        if tag(OWNER).is_some_and(|it| it != self.resource.id().to_string()) && !is_ended {
            return Some("it belongs to another resource");
        }
        if instance.deletion_protection {
            return Some("it is protected");
        }
        if instance.instance_charge_type == "PrePaid" {
            return Some("it is a subscription");
        }
        let is_payable = is_spot || self.spec.purchase == Purchase::PayAsYouGo;
        (!is_payable).then_some("it is on-demand")
    }
}

/// The architecture of an image; none: one that nothing is declared for.
pub(super) fn architecture(image: &Image) -> Option<Architecture> {
    match image.architecture.as_str() {
        "x86_64" => Some(Architecture::Amd64),
        "arm64" => Some(Architecture::Arm64),
        _ => None,
    }
}
