//! Runners for jobs that wait: what goes wrong on the way from a queued job to zero machines, at the wire.
//!
//! Whatever it is, the promises are checked after every pass: no machine with a job is removed, none is there twice, none is
//! left.

mod apps;
mod burst;
mod company;
mod costs;
mod deaths;
mod demand;
mod files;
mod lives;
mod registrations;
mod silence;

use reconcile::sim::github::runners::history::JobSeen;
use reconcile::sim::history::What;
use reconcile::sim::object::Instance;
use serde_json::{Value, json};

use crate::builds::networked;
use crate::proofs::lab::Lab;

const REGION: &str = "cn-hangzhou";

/// A region, a class, and what a test declares besides.
pub(crate) const HOME: &str = "apiVersion: reconcile/v1alpha1
kind: AliyunRegion
metadata: {name: home}
spec:
  regionId: cn-hangzhou
  scope: test
  network: {vpcId: vpc-1, securityGroupId: sg-1, discoverVSwitches: true}
---
apiVersion: reconcile/v1alpha1
kind: InstanceClass
metadata: {name: small}
spec: {regionRef: home, architecture: amd64, requirements: {cpu: {min: 2, max: 4}}, selection: {maxCandidates: 2}}
";

/// A set of runners of `example/app` whose spec says this besides.
pub(crate) fn set(name: &str, labels: &str, spec: &str) -> String {
    format!(
        "---
apiVersion: reconcile/v1alpha1
kind: RunnerSet
metadata: {{name: {name}}}
spec: {{githubConfigUrl: \"https://github.com/example/app\", labels: [{labels}], instanceClassRef: small, imageRef: {{family: runner}}{spec}}}
"
    )
}

/// A lab with the set `ci`, whose spec says this besides, in this world.
pub(crate) fn lab(spec: &str, world: Value) -> Lab {
    of(&set("ci", "self-hosted, linux, spot", spec), world)
}

/// A lab with these resources beside the region, in this world.
pub(crate) fn of(resources: &str, world: Value) -> Lab {
    Lab::declaring(
        &format!("{HOME}{resources}"),
        &networked(with_github(world)),
    )
}

/// A world with a token, an image, and how long things take here.
pub(crate) fn with_github(mut world: Value) -> Value {
    if world["github"]["tokens"].is_null() {
        world["github"]["tokens"] =
            json!([{"token": "ghp-nobody", "login": "bot", "scopes": ["repo", "admin:org"]}]);
    }
    if world["times"].is_null() {
        world["times"] = json!({"agentOnline": 10, "runnerOnline": 60});
    }
    let images = json!([{
        "ImageId": "m-runner", "ImageName": "runner-amd64", "ImageFamily": "runner", "Size": 20,
        "CreationTime": "2026-11-11T03:00:00Z",
    }]);
    world["objects"]["images"] = images;
    world
}

/// A job that takes so long.
pub(crate) fn job(name: &str, seconds: u64) -> Value {
    json!({"repository": "example/app", "name": name, "labels": ["self-hosted", "spot"], "seconds": seconds})
}

/// Names of the jobs and how they ended, as in `one success`; `one` alone: it has not.
pub(crate) fn jobs(lab: &Lab) -> Vec<String> {
    let now = lab.now();
    let shown = |it: JobSeen| match it.ended {
        Some((_, conclusion)) => format!("{} {conclusion}", it.name),
        None => it.name,
    };
    lab.with_world(|it| it.jobs(now))
        .into_iter()
        .map(shown)
        .collect()
}

/// The machines of the world.
pub(crate) fn machines(lab: &Lab) -> Vec<Instance> {
    let now = lab.now();
    lab.with_world(|it| it.instances(REGION, now))
}

/// The names of the runners of the world.
pub(crate) fn runners(lab: &Lab) -> Vec<String> {
    let now = lab.now();
    let runners = lab.with_world(|it| it.runners(now));
    runners.into_iter().map(|it| it.name).collect()
}

/// How many machines were ever launched.
pub(crate) fn launched(lab: &Lab) -> usize {
    let is_launch =
        |it: &&reconcile::sim::history::Event| matches!(it.what, What::InstanceCreated(_));
    lab.with_world(|it| it.history().iter().filter(is_launch).count())
}

/// Nothing is left that is paid for or registered.
pub(crate) fn nothing_is_left(lab: &Lab) {
    assert_eq!(machines(lab), []);
    assert_eq!(runners(lab), [""; 0]);
}
