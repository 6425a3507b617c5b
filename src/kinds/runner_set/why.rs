//! What becomes of one machine or job of a set, and why: pure.

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::plan::{Because, Fate};
use crate::resource::Resource;

use super::judge::{Verdict, judge};
use super::seen::Seen;
use super::spec::Spec;

pub(super) fn why(
    resource: &Resource<Spec>,
    seen: &Seen,
    (object, now): (&str, Timestamp),
) -> Option<Because> {
    job(resource, seen, object).or_else(|| machine(resource, seen, (object, now)))
}

fn job(resource: &Resource<Spec>, seen: &Seen, object: &str) -> Option<Because> {
    let Fact::Known(jobs) = &seen.jobs else {
        return None;
    };
    let job = jobs.iter().find(|it| it.id.to_string() == object)?;
    Some(Because {
        object: object.to_owned(),
        name: job.repository.clone(),
        fate: Fate::Changes,
        rule: format!(
            "it waits since {}, all its labels are among spec.labels, and no set with fewer labels has them",
            job.created
        ),
        change: format!(
            "it gets a runner while there are fewer than {}",
            resource.spec.max_runners
        ),
        field: "spec.labels",
    })
}

fn machine(
    resource: &Resource<Spec>,
    seen: &Seen,
    (object, now): (&str, Timestamp),
) -> Option<Because> {
    let machine = seen
        .machines
        .iter()
        .find(|it| it.id.as_str() == object || it.name == object)?;
    let verdict = judge(resource, machine, now);
    let (fate, rule, change, field) = told(&resource.spec, verdict);
    Some(Because {
        object: machine.id.to_string(),
        name: machine.name.clone(),
        fate,
        rule,
        change,
        field,
    })
}

/// What is said of one machine: its fate, the rule, what would change that, and the field that says so.
type Said = (Fate, String, String, &'static str);

fn told(spec: &Spec, verdict: Verdict) -> Said {
    match verdict {
        Verdict::Unknown(why) => (
            Fate::Unknown,
            why,
            "an answer of GitHub".to_owned(),
            "spec.githubConfigUrl",
        ),
        Verdict::Comes(rest) => (
            Fate::Kept,
            format!(
                "its runner is not online yet, within spec.startupTimeout={}",
                spec.startup_timeout
            ),
            format!(
                "it goes in {} s, unless its runner connects",
                rest.as_secs()
            ),
            "spec.startupTimeout",
        ),
        Verdict::Works => (
            Fate::Kept,
            "its runner has a job".to_owned(),
            format!(
                "that the job ends, or spec.maxLifetime={}",
                spec.max_lifetime
            ),
            "spec.maxLifetime",
        ),
        Verdict::Waits(age) => (
            Fate::Kept,
            format!(
                "its runner waits for a job, {} s after its creation",
                age.as_secs()
            ),
            format!(
                "it goes after spec.idleAfter={} when no job waits",
                spec.idle_after
            ),
            "spec.idleAfter",
        ),
        Verdict::Leaves => (
            Fate::Kept,
            "it is going down, or GitHub still waits for its runner".to_owned(),
            "nothing: it goes when that is over".to_owned(),
            "spec.githubConfigUrl",
        ),
        Verdict::Goes(reason) => (
            Fate::Goes,
            reason.words().to_owned(),
            "nothing: a machine serves one job".to_owned(),
            "spec.githubConfigUrl",
        ),
    }
}
