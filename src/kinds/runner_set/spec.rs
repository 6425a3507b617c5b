//! What may be written of a `RunnerSet`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::ResourceId;
use crate::kind::{Kind, Resources};
use crate::kinds::aliyun_region::{self, AliyunRegion};
use crate::kinds::instance_class::{self, InstanceClass};
use crate::kinds::machine_image::{self, MachineImage};
use crate::providers::aliyun::UserData;
use crate::providers::github::RunnersOf;
use crate::resource::{Goal, Problem, Reference, Resource, Span};

use super::guest;

/// Runners for one job each, as many as jobs wait for, none otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The page of the repository or the organization whose runners they are.
    #[schemars(regex(pattern = r"^https://[^/\s]+/[^/\s]+(/[^/\s]+)?$"))]
    pub github_config_url: String,
    /// The repositories of an organization whose jobs are looked for, by their names in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 100),
        inner(regex(pattern = r"^[A-Za-z0-9._-]{1,100}$")),
        extend("uniqueItems" = true)
    )]
    pub repositories: Option<Vec<String>>,
    /// A job is served when all labels that it asks for are among these; upper and lower case are the same.
    #[schemars(
        length(min = 1, max = 50),
        inner(regex(pattern = r"^[^\s,]{1,100}$")),
        extend("uniqueItems" = true)
    )]
    pub labels: Vec<String>,
    /// The `InstanceClass` of their machines.
    pub instance_class_ref: Reference,
    /// What their machines are launched from.
    pub image_ref: ImageRef,
    /// How many wait for jobs when there are none.
    #[serde(default)]
    #[schemars(range(max = 1000))]
    pub min_runners: u32,
    /// How many machines there are at most.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_runners: u32,
    /// A machine whose runner is not online by then is replaced.
    #[serde(default = "startup_timeout")]
    pub startup_timeout: Span,
    /// How long a runner that is online may be without a job, counted from the creation of its machine.
    #[serde(default = "idle_after")]
    pub idle_after: Span,
    /// How long after its launch the cloud releases a machine, whatever happens to us; moved on while it has a job.
    #[serde(default = "lease")]
    pub lease: Span,
    /// How long a machine lives at most, whatever it does.
    #[serde(default = "max_lifetime")]
    pub max_lifetime: Span,
    /// What becomes of starts that fail.
    #[serde(default)]
    pub backoff: Backoff,
    /// The version of GitHub's runner that is downloaded, as in `2.330.0`; left out: the image carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,4}\.[0-9]{1,5}\.[0-9]{1,5}$"))]
    pub runner_version: Option<String>,
    /// The SHA-256 of what is downloaded, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub runner_sha256: Option<String>,
}

/// What machines are launched from: one of `machineImage`, `family` and `id`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageRef {
    /// What the `-latest` of a `MachineImage` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_image: Option<Reference>,
    /// What is taken while that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// The newest image of a family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 128))]
    pub family: Option<String>,
    /// One image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 128))]
    pub id: Option<String>,
}

/// What is taken while a `MachineImage` has no image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fallback {
    /// The newest image of a family.
    #[schemars(length(min = 2, max = 128))]
    pub family: String,
}

/// What becomes of starts that fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Backoff {
    /// How many fail in a row until no other is tried for an hour.
    #[schemars(range(min = 1, max = 100))]
    pub limit: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { limit: 5 }
    }
}

fn ten() -> u32 {
    10
}

fn startup_timeout() -> Span {
    Span(Duration::from_secs(7 * 60))
}

fn idle_after() -> Span {
    Span(Duration::from_secs(5 * 60))
}

fn lease() -> Span {
    Span(Duration::from_secs(3600))
}

fn max_lifetime() -> Span {
    Span(Duration::from_secs(12 * 3600))
}

impl Spec {
    /// Whose runners they are.
    pub(super) fn runners_of(&self) -> RunnersOf {
        RunnersOf::parse(&self.github_config_url).expect("files are checked when they are loaded")
    }

    /// The repositories whose jobs are looked for, as in `example/app`.
    pub(super) fn job_repositories(&self) -> Vec<String> {
        let Some(of) = RunnersOf::parse(&self.github_config_url) else {
            return Vec::new();
        };
        if of.repository.is_some() {
            return vec![of.to_string()];
        }
        let names = self.repositories.iter().flatten();
        names.map(|it| format!("{}/{it}", of.owner)).collect()
    }

    /// How little of the lease may be left: 40 minutes of an hour, and two thirds of a longer one.
    pub(super) fn renewed_below(&self) -> Duration {
        RENEWED_BELOW.max(self.lease.0 * 2 / 3)
    }
}

/// A release time is at least 30 minutes ahead (ECS API reference, `RunInstances`, `AutoReleaseTime`).
pub(super) const LEASE_MIN: Span = Span(Duration::from_secs(35 * 60));
/// What is left of a lease of an hour when it is moved on, so that a pass may be missed.
const RENEWED_BELOW: Duration = Duration::from_secs(40 * 60);

pub(super) fn validate(spec: &Spec) -> Vec<Problem> {
    let mut problems: Vec<Problem> = page_problem(spec).into_iter().collect();
    let mut problem = |path: &str, message: &str| problems.push(Problem::new(path, message));
    let mut seen = BTreeSet::new();
    for (index, label) in spec.labels.iter().enumerate() {
        if !seen.insert(label.to_lowercase()) {
            let message = format!("`{label}` is there twice: upper and lower case are the same");
            problem(&format!("spec.labels[{index}]"), &message);
        }
    }
    let image = &spec.image_ref;
    let named = [
        image.machine_image.is_some(),
        image.family.is_some(),
        image.id.is_some(),
    ];
    if named.iter().filter(|it| **it).count() != 1 {
        problem(
            "spec.imageRef",
            "it names one of machineImage, family and id",
        );
    } else if image.fallback.is_some() && image.machine_image.is_none() {
        problem("spec.imageRef.fallback", "it goes with machineImage alone");
    }
    if spec.max_runners < spec.min_runners {
        let (most, least) = (spec.max_runners, spec.min_runners);
        let message = format!("{most} is less than minRunners, which is {least}");
        problem("spec.maxRunners", &message);
    }
    if spec.lease < LEASE_MIN {
        let lease = spec.lease;
        let message =
            format!("{lease} is less than {LEASE_MIN}, the least that is sure to be accepted");
        problem("spec.lease", &message);
    }
    if spec.max_lifetime < spec.lease {
        let (most, lease) = (spec.max_lifetime, spec.lease);
        let message = format!("{most} is less than lease, which is {lease}");
        problem("spec.maxLifetime", &message);
    }
    if spec.runner_version.is_some() != spec.runner_sha256.is_some() {
        problem(
            "spec.runnerSha256",
            "runnerVersion and runnerSha256 go together; without both the image carries the runner",
        );
    }
    problems
}

/// What is wrong with the page, or with the repositories that go with it.
fn page_problem(spec: &Spec) -> Option<Problem> {
    let Some(of) = RunnersOf::parse(&spec.github_config_url) else {
        return Some(Problem::new(
            "spec.githubConfigUrl",
            "it is no page of a repository or an organization, as in https://github.com/example/app",
        ));
    };
    let message = match (&of.repository, &spec.repositories) {
        (None, None) => {
            "it is needed with the page of an organization: the repositories whose jobs are looked for"
        }
        (Some(_), Some(_)) => {
            "it goes with the page of an organization; this one is a repository's"
        }
        (Some(_), None) | (None, Some(_)) => return None,
    };
    Some(Problem::new("spec.repositories", message))
}

/// What is wrong with a set beside the resources that it names.
pub(super) fn validate_among(resource: &Resource<Spec>, resources: &Resources) -> Vec<Problem> {
    let spec = &resource.spec;
    let mut problems = Vec::new();
    if let Some(name) = &spec.image_ref.machine_image
        && named::<MachineImage>(resources, name.as_str()).is_none()
    {
        let message = format!("there is no MachineImage `{name}`");
        problems.push(Problem::new("spec.imageRef.machineImage", &message));
    }
    let Some(class) = named::<InstanceClass>(resources, spec.instance_class_ref.as_str()) else {
        return problems;
    };
    if let Some(name) = &spec.image_ref.machine_image
        && let Some(image) = named::<MachineImage>(resources, name.as_str())
    {
        // A region that is not declared is told as a reference that leads nowhere.
        let is_there = |it: &Reference| named::<AliyunRegion>(resources, it.as_str()).is_some();
        let are_there = is_there(&class.region_ref) && is_there(&image.region_ref);
        let unfit = unfit(class, image).filter(|_| are_there);
        problems.extend(unfit.map(|it| Problem::new("spec.imageRef.machineImage", &it)));
    }
    let region = named::<AliyunRegion>(resources, class.region_ref.as_str());
    let Some(region) = region else {
        return problems;
    };
    let bytes = guest::user_data(spec, class, region).bytes() + guest::CONFIG_BYTES_MAX;
    if bytes > UserData::BYTES_MAX {
        let most = UserData::BYTES_MAX;
        let message = format!(
            "what a machine is told takes up to {bytes} bytes, and {most} is the most: spec.network.proxy of AliyunRegion/{} is too long",
            class.region_ref
        );
        problems.push(Problem::new("spec.instanceClassRef", &message));
    }
    problems
}

fn unfit(class: &instance_class::Spec, image: &machine_image::Spec) -> Option<String> {
    if image.region_ref != class.region_ref {
        let (there, here) = (&image.region_ref, &class.region_ref);
        return Some(format!(
            "its images are in AliyunRegion/{there}, the machines in AliyunRegion/{here}"
        ));
    }
    let architecture = class.architecture;
    let is_there = image.architectures.contains(&architecture);
    (!is_there).then(|| format!("it has no image for {architecture}, which the machines are of"))
}

fn named<'a, K: Kind>(resources: &'a Resources, name: &str) -> Option<&'a K::Spec> {
    let resource = resources.get(&ResourceId::new(K::NAME, name))?;
    resource.spec().downcast_ref()
}

/// All sets that serve jobs, by name.
pub(super) fn all(resources: &Resources) -> BTreeMap<&str, &Spec> {
    let resources = resources.values().filter(|it| {
        let policy = it.policy();
        policy.suspend.is_none() && policy.ensure == Goal::Present
    });
    resources
        .filter_map(|it| Some((it.id().name.as_str(), it.spec().downcast_ref()?)))
        .collect()
}

/// The region of a class, where both are declared.
pub(super) type Region = aliyun_region::Spec;
