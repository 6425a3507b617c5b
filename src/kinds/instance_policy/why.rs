//! Which rule keeps or removes one instance, and what would change that: pure.

use std::cmp::Reverse;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::plan::{Because, Fate};
use crate::resource::{Goal, Resource};

use super::judge::{Rule, Verdict, judge};
use super::seen::{Instance, Phase, Seen};
use super::spec::Spec;

pub(super) fn why(
    resource: &Resource<Spec>,
    seen: &Seen,
    object: &str,
    now: Timestamp,
) -> Option<Because> {
    let is_meant = |it: &&Instance| it.id.as_str() == object || it.name == object;
    let instance = seen.instances.iter().find(is_meant)?;
    let verdict = judge(resource, seen, instance, now);
    let (fate, rule, change, field) = match (resource.policy.ensure, &verdict) {
        (Goal::Absent, _) => said(
            Fate::LeftAlone,
            "a policy that is to go touches nothing",
            "policy.ensure: Present",
            "policy.ensure",
        ),
        (Goal::Present, Verdict::Idle) if is_spared(resource, seen, (instance, now)) => {
            let rule = format!(
                "it is among the newest idle ones: spec.maxIdle={}",
                resource.spec.max_idle
            );
            said(Fate::Kept, &rule, "a smaller spec.maxIdle", "spec.maxIdle")
        }
        (Goal::Present, _) => told(resource, instance, verdict),
    };
    Some(Because {
        object: instance.id.to_string(),
        name: instance.name.clone(),
        fate,
        rule,
        change,
        field,
    })
}

/// Whether an idle instance is among the newest, which may stay.
fn is_spared(
    resource: &Resource<Spec>,
    seen: &Seen,
    (instance, now): (&Instance, Timestamp),
) -> bool {
    let idle = seen.instances.iter();
    let idle = idle.filter(|it| judge(resource, seen, it, now) == Verdict::Idle);
    let mut idle: Vec<&Instance> = idle.collect();
    idle.sort_by_key(|it| (Reverse(it.created), it.id.clone()));
    let most = usize::try_from(resource.spec.max_idle).unwrap_or(usize::MAX);
    idle.into_iter().take(most).any(|it| it.id == instance.id)
}

fn told(resource: &Resource<Spec>, instance: &Instance, verdict: Verdict) -> Said {
    match verdict {
        Verdict::LeaveAlone(why) => said(
            Fate::LeftAlone,
            &why,
            "that, or spec.purchase",
            "spec.purchase",
        ),
        Verdict::Unknown(why) => said(Fate::Unknown, &why, "a complete answer", "spec.selector"),
        Verdict::Stays(rest) => stays(&resource.spec, rest),
        Verdict::StopsIdling => {
            let rule = "it may work again: its idle mark goes";
            said(Fate::Kept, rule, "that it has no work", "spec.idleAfter")
        }
        Verdict::Recalled => {
            let rule = "it was to be removed, and has work or may have again: both marks go";
            said(Fate::Kept, rule, "that it has no work", "spec.runnersOf")
        }
        Verdict::Lost => {
            let rule = "it is down, and GitHub still says that its runner has a job";
            said(
                Fate::Kept,
                rule,
                "that GitHub gives it up",
                "spec.runnersOf",
            )
        }
        idling @ (Verdict::StartsIdling | Verdict::Idling(_) | Verdict::Idle) => {
            idles(&resource.spec, instance, &idling)
        }
        Verdict::Goes(rule) => goes(&resource.spec, rule),
        Verdict::Retires(rest) => {
            let rule = "an earlier pass began to remove it, and a list of runners may be late";
            let change = format!(
                "it goes in {} s, unless a runner of it shows",
                rest.as_secs()
            );
            said(Fate::Goes, rule, &change, "spec.runnersOf")
        }
        Verdict::Leaving => said(
            Fate::Goes,
            "it is being released",
            "nothing",
            "spec.selector",
        ),
    }
}

/// What is said of one instance: its fate, the rule, what would change that, and the field that says so.
type Said = (Fate, String, String, &'static str);

fn said(fate: Fate, rule: &str, change: &str, field: &'static str) -> Said {
    (fate, rule.to_owned(), change.to_owned(), field)
}

fn stays(spec: &Spec, rest: Option<Duration>) -> Said {
    let Some(rest) = rest else {
        let rule = "its runner has a job";
        return said(Fate::Kept, rule, "that its job ends", "spec.runnersOf");
    };
    let rule = format!("it is younger than spec.maxAge={}", spec.max_age);
    let change = format!(
        "it goes in {} s, or with a shorter spec.maxAge",
        rest.as_secs()
    );
    said(Fate::Kept, &rule, &change, "spec.maxAge")
}

fn goes(spec: &Spec, rule: Rule) -> Said {
    match rule {
        Rule::Overdue => {
            let max_age = &spec.max_age;
            let rule =
                format!("it is older than spec.maxAge={max_age}, and nothing proves that it works");
            let change = "a longer spec.maxAge, or another tag than spec.selector has";
            said(Fate::Goes, &rule, change, "spec.maxAge")
        }
        Rule::Retiring => {
            let rule = "an earlier pass began to remove it";
            let change = "nothing that is declared: remove its tag reconcile:retiring to keep it";
            said(Fate::Goes, rule, change, "spec.selector")
        }
    }
}

fn idles(spec: &Spec, instance: &Instance, verdict: &Verdict) -> Said {
    let (how, unless) = match instance.phase {
        Phase::Stopped => ("is stopped", "it is started"),
        Phase::Starting | Phase::Running | Phase::Stopping | Phase::Unknown => {
            ("has no job", "it gets one")
        }
    };
    let idle_after = &spec.idle_after;
    if let Verdict::Idling(rest) = verdict {
        let rule = format!("it {how} for less than spec.idleAfter={idle_after}");
        let change = format!("it goes in {} s, unless {unless}", rest.as_secs());
        return said(Fate::Kept, &rule, &change, "spec.idleAfter");
    }
    if *verdict == Verdict::StartsIdling {
        let rule = format!(
            "it {how} and is still billed: it gets an idle mark and goes after spec.idleAfter={idle_after}"
        );
        return said(
            Fate::Changes,
            &rule,
            &format!("that {unless}"),
            "spec.idleAfter",
        );
    }
    let rule = format!("it {how} for longer than spec.idleAfter={idle_after}");
    match spec.max_idle {
        0 => {
            let change = format!("a longer spec.idleAfter, or that {unless}");
            said(Fate::Goes, &rule, &change, "spec.idleAfter")
        }
        most => {
            let rule = format!("{rule}; the newest {most} of those stay by spec.maxIdle");
            let change = "spec.maxIdle, or a longer spec.idleAfter";
            said(Fate::Goes, &rule, change, "spec.maxIdle")
        }
    }
}
