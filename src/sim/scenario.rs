//! What a world begins with: what exists, what fails, how long things take, the seed.

mod demo;
mod span;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::ids::{AccountId, RegionId};
use crate::sim::aliyun::market::{self, written::Market};
use crate::sim::github::runners::written::{Job as QueuedJob, Runner};
use crate::sim::github::written::{GitHub, Workflow};
use crate::sim::network::{self, SecurityGroup, VSwitch};
use crate::sim::object::{Image, Instance, LaunchTemplate, Snapshot};
use crate::sim::principal::{IdentityProvider, Job, Metadata, Role};
use crate::sim::registry::{self, written::Registry};
use crate::sim::trouble::Trouble;

pub use self::span::Span;

/// A scenario; everything that is left out is as in the smallest world: one region, one key, no objects, no faults.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scenario {
    /// When the world begins.
    pub start: Timestamp,
    /// Where everything random comes from.
    pub seed: u64,
    /// The account that owns the objects.
    pub account: AccountId,
    /// Who the caller is; left out: the account itself.
    pub arn: Option<String>,
    /// The keys that the world accepts.
    pub keys: Vec<Key>,
    /// The roles of the account.
    pub roles: Vec<Role>,
    /// The identity providers that it trusts.
    pub identity_providers: Vec<IdentityProvider>,
    /// The job of GitHub Actions that clients run in; left out: none that may ask for tokens.
    pub job: Option<Job>,
    /// The metadata service of the instance that clients run on.
    pub metadata: Metadata,
    /// The role whose keys the credentials URI gives; left out: there is none.
    pub credentials_uri: Option<String>,
    /// The regions that exist.
    pub regions: Vec<RegionId>,
    /// The machines that can be had.
    pub market: Market,
    /// The vSwitches that instances can be put into; empty: any.
    pub v_switches: Vec<VSwitch>,
    /// The security groups that they can be given; empty: any.
    pub security_groups: Vec<SecurityGroup>,
    /// Who may ask GitHub, and how much.
    pub github: GitHub,
    /// How the services behave where the documentation leaves it open.
    pub settings: Settings,
    /// How long things take.
    pub times: Times,
    /// What goes wrong from the beginning.
    pub troubles: Vec<Trouble>,
    /// What exists.
    pub objects: Objects,
    /// Images that appear by themselves.
    pub releases: Vec<Release>,
}

/// An access key.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Key {
    pub id: String,
    pub secret: String,
    /// The security token of a temporary key.
    #[serde(default)]
    pub token: Option<String>,
    /// When a temporary key ends.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// Actions that the principal has no permission for.
    #[serde(default)]
    pub denied: BTreeSet<String>,
    /// Who it is; left out: the world's `arn`.
    #[serde(default)]
    pub arn: Option<String>,
}

/// How the services behave where the documentation leaves it open.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// What `ImageName` of `DescribeImages` matches.
    pub image_name_match: NameMatch,
    /// Whether a refused call binds its `ClientToken` to its parameters.
    pub refused_binds_token: bool,
    /// Whether `DescribeImageFromFamily` knows the families of public images, and not only those of the account.
    pub public_families: bool,
    /// What deleting an image or a snapshot that does not exist answers.
    pub missing_deletion: MissingDeletion,
    /// In which order listings come.
    pub listing_order: ListingOrder,
    /// The most that one page of a listing with `NextToken` holds; where it is less than GitHub's 100, of the pages of GitHub
    /// and of registries too.
    pub page_size_max: usize,
    /// How much there may be.
    pub quotas: Quotas,
    /// How many calls are too many.
    pub throttling: Option<Throttling>,
    /// How many of the latest calls the list of calls holds at least; left out: all. A world that goes on for weeks would
    /// grow by the others.
    pub calls_kept: Option<usize>,
}

/// What a name given to a listing matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NameMatch {
    Substring,
    Exact,
}

/// What deleting something that does not exist answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MissingDeletion {
    NotFound,
    Ignored,
}

/// In which order listings come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListingOrder {
    NewestFirst,
    OldestFirst,
    /// An order that the seed decides, the same for every call.
    Shuffled,
}

/// How much there may be in a region; left out: as much as is wanted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Quotas {
    /// Instances of one type.
    pub instances: Option<u64>,
    /// Images of the account.
    pub images: Option<u64>,
}

/// Limits by action, in windows of one minute of the clock.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Throttling {
    /// Calls of one action that a minute allows.
    pub per_minute: u64,
    /// 400: `Throttling.User`; 429: `Throttling` with `x-acs-retry-after`.
    #[serde(default = "bad_request")]
    pub status: u16,
}

/// How long things take, in seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Times {
    /// From `CreateImage` to `Available`.
    pub image_available: Span,
    /// From `Available` to `Usable`.
    pub image_usable: u64,
    /// From `Pending` to `Starting`.
    pub instance_starting: u64,
    /// From `Starting` to `Running`.
    pub instance_running: u64,
    /// From `Stopping` to `Stopped`.
    pub instance_stopped: u64,
    /// From `DeleteInstance` until the instance is gone.
    pub instance_gone: u64,
    /// From `Running` until Cloud Assistant's agent is online.
    pub agent_online: u64,
    /// From the beginning of a command to its end.
    pub provisioning: Span,
    /// For how long `DescribeInvocations` shows an invocation.
    pub invocation_kept: u64,
    /// Until a change shows in listings.
    pub listing_lag: u64,
    /// How much later still a change of tags shows in tag filters and `ListTagResources`.
    pub tag_filter_lag: u64,
    /// Until a change shows in registries and in listings of packages.
    pub registry_lag: u64,
    /// From when a guest is up until the runner on it connects.
    pub runner_online: Span,
    /// Until a change shows in listings of runners and jobs.
    pub runner_lag: u64,
}

/// An image that somebody else releases, as Alibaba Cloud does with its base images.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Release {
    pub at: Timestamp,
    pub image: Image,
}

/// What exists.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Objects {
    pub images: Vec<Image>,
    pub instances: Vec<Instance>,
    pub snapshots: Vec<Snapshot>,
    pub launch_templates: Vec<LaunchTemplate>,
    /// By host; those that the world begins with are all that there are.
    pub registries: BTreeMap<String, Registry>,
    /// Workflows of repositories on GitHub.
    pub workflows: Vec<Workflow>,
    /// Self-hosted runners.
    pub runners: Vec<Runner>,
    /// Jobs that ask for runners.
    pub jobs: Vec<QueuedJob>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            start: Timestamp::parse("2026-11-21T02:00:00Z").expect("a time in RFC 3339"),
            seed: 1,
            account: AccountId::new("1000000000000001"),
            arn: None,
            keys: vec![Key {
                id: "LTAI-simulated".to_owned(),
                secret: "simulated-secret-of-no-account".to_owned(),
                token: None,
                expires: None,
                denied: BTreeSet::new(),
                arn: None,
            }],
            roles: Vec::new(),
            identity_providers: Vec::new(),
            job: None,
            metadata: Metadata::default(),
            credentials_uri: None,
            regions: vec![RegionId::new("cn-hangzhou")],
            market: Market::default(),
            v_switches: Vec::new(),
            security_groups: Vec::new(),
            github: GitHub::default(),
            settings: Settings::default(),
            times: Times::default(),
            troubles: Vec::new(),
            objects: Objects::default(),
            releases: Vec::new(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            image_name_match: NameMatch::Substring,
            refused_binds_token: false,
            public_families: false,
            missing_deletion: MissingDeletion::NotFound,
            listing_order: ListingOrder::NewestFirst,
            page_size_max: 100,
            quotas: Quotas::default(),
            throttling: None,
            calls_kept: None,
        }
    }
}

/// ASSUMED: round numbers of the right size; the documentation gives none.
impl Default for Times {
    fn default() -> Self {
        Self {
            image_available: 300.into(),
            image_usable: 20,
            instance_starting: 5,
            instance_running: 20,
            instance_stopped: 15,
            instance_gone: 20,
            agent_online: 30,
            provisioning: 420.into(),
            // Four weeks (ECS API reference, `DescribeInvocationResults`).
            invocation_kept: 4 * 7 * 24 * 60 * 60,
            listing_lag: 0,
            tag_filter_lag: 0,
            registry_lag: 0,
            runner_online: 60.into(),
            runner_lag: 0,
        }
    }
}

fn bad_request() -> u16 {
    400
}

impl Scenario {
    /// Reads a scenario and says the first thing that is wrong with it.
    pub fn from_value(value: Value) -> Result<Self, String> {
        let scenario: Self = serde_json::from_value(value).map_err(|it| it.to_string())?;
        let number = scenario.account.as_str();
        if number.is_empty() || !number.bytes().all(|it| it.is_ascii_digit()) {
            return Err(format!("account is {number:?}, it must be digits"));
        }
        if scenario.regions.is_empty() {
            return Err("regions must not be empty".to_owned());
        }
        if scenario.keys.is_empty() && scenario.roles.is_empty() {
            return Err("keys and roles must not both be empty".to_owned());
        }
        scenario.check_names()?;
        market::check(&scenario)?;
        network::check(&scenario.v_switches, &scenario.security_groups)?;
        let mut all = scenario.objects.clone();
        let released = scenario.releases.iter().map(|it| it.image.clone());
        all.images.extend(released);
        scenario.check(&all)?;
        registry::check(&scenario.objects.registries, |_, _, _| false)?;
        Ok(scenario)
    }

    /// Whatever names a role or an identity provider must name one that is there.
    fn check_names(&self) -> Result<(), String> {
        let roles = [&self.metadata.role, &self.credentials_uri];
        for name in roles.into_iter().flatten() {
            if !self.roles.iter().any(|it| it.name == *name) {
                return Err(format!("{name} is not among the roles"));
            }
        }
        for trust in self.roles.iter().filter_map(|it| it.tokens.as_ref()) {
            let providers = &self.identity_providers;
            if !providers.iter().any(|it| it.name == trust.provider) {
                let name = &trust.provider;
                return Err(format!("{name} is not among the identityProviders"));
            }
        }
        Ok(())
    }

    /// Says the first thing that is wrong with objects that are to exist in this world.
    pub(crate) fn check(&self, objects: &Objects) -> Result<(), String> {
        let images = objects
            .images
            .iter()
            .map(|it| (it.image_id.as_str(), &it.region_id));
        let instances = objects
            .instances
            .iter()
            .map(|it| (it.instance_id.as_str(), &it.region_id));
        let snapshots = objects
            .snapshots
            .iter()
            .map(|it| (it.snapshot_id.as_str(), &it.region_id));
        let templates = objects
            .launch_templates
            .iter()
            .map(|it| (it.launch_template_id.as_str(), &it.region_id));
        let is_empty = |it: &&LaunchTemplate| it.versions.is_empty();
        if let Some(template) = objects.launch_templates.iter().find(is_empty) {
            return Err(format!("{} has no version", template.launch_template_id));
        }
        let mut seen = BTreeSet::new();
        let all = images.chain(instances).chain(snapshots).chain(templates);
        for (id, region) in all {
            if !seen.insert(id) {
                return Err(format!("{id} is there twice"));
            }
            if let Some(region) = region
                && !self.regions.contains(region)
            {
                return Err(format!(
                    "{id} is in {region}, which is not among the regions"
                ));
            }
        }
        Ok(())
    }
}
