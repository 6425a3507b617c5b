//! Which rule keeps or removes one instance, and what would change that: pure.

use crate::clock::Timestamp;
use crate::plan::{Because, Fate};
use crate::resource::Resource;

use super::judge::{Rule, Verdict, judge};
use super::seen::{Instance, Seen};
use super::spec::Spec;

pub(super) fn why(
    resource: &Resource<Spec>,
    seen: &Seen,
    object: &str,
    now: Timestamp,
) -> Option<Because> {
    let is_meant = |it: &&Instance| it.id.as_str() == object || it.name == object;
    let instance = seen.instances.iter().find(is_meant)?;
    let spec = &resource.spec;
    let (idle_after, max_age) = (&spec.idle_after, &spec.max_age);
    let (fate, rule, change, field) = match judge(resource, seen, instance, now) {
        Verdict::LeaveAlone(why) => (
            Fate::LeftAlone,
            why,
            "that, or spec.purchase".to_owned(),
            "spec.purchase",
        ),
        Verdict::Unknown(why) => (
            Fate::Unknown,
            why,
            "a complete answer".to_owned(),
            "spec.selector",
        ),
        Verdict::Stays(None) => (
            Fate::Kept,
            "it may have work, and nothing proves that it has none".to_owned(),
            "runner lists that can be read, or that it stops".to_owned(),
            "spec.runnersOf",
        ),
        Verdict::Stays(Some(rest)) => (
            Fate::Kept,
            format!("it is younger than spec.maxAge={max_age}"),
            format!(
                "it goes in {} s, or with a shorter spec.maxAge",
                rest.as_secs()
            ),
            "spec.maxAge",
        ),
        Verdict::StopsIdling => (
            Fate::Kept,
            "it runs again: its idle mark goes".to_owned(),
            "that it stops".to_owned(),
            "spec.idleAfter",
        ),
        Verdict::StartsIdling => (
            Fate::Changes,
            format!(
                "it is stopped and still billed: it gets an idle mark and goes after spec.idleAfter={idle_after}"
            ),
            "that it is started".to_owned(),
            "spec.idleAfter",
        ),
        Verdict::Idling(rest) => (
            Fate::Kept,
            format!("it is stopped for less than spec.idleAfter={idle_after}"),
            format!("it goes in {} s, unless it is started", rest.as_secs()),
            "spec.idleAfter",
        ),
        Verdict::Idle => idle(spec),
        Verdict::Goes(Rule::Overdue) => (
            Fate::Goes,
            format!("it is older than spec.maxAge={max_age}, and nothing can prove that it works"),
            "a longer spec.maxAge, or another tag than spec.selector has".to_owned(),
            "spec.maxAge",
        ),
        Verdict::Goes(Rule::Retiring) => (
            Fate::Goes,
            "an earlier pass began to remove it".to_owned(),
            "nothing that is declared: remove its tag reconcile:retiring to keep it".to_owned(),
            "spec.selector",
        ),
        Verdict::Leaving => (
            Fate::Goes,
            "it is being released".to_owned(),
            "nothing".to_owned(),
            "spec.selector",
        ),
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

fn idle(spec: &Spec) -> (Fate, String, String, &'static str) {
    let idle_after = &spec.idle_after;
    let rule = format!("it is stopped for longer than spec.idleAfter={idle_after}");
    match spec.max_idle {
        0 => {
            let change = "a longer spec.idleAfter, or that it is started".to_owned();
            (Fate::Goes, rule, change, "spec.idleAfter")
        }
        most => {
            let rule = format!("{rule}; the newest {most} of those stay by spec.maxIdle");
            let change = "spec.maxIdle, or a longer spec.idleAfter".to_owned();
            (Fate::Goes, rule, change, "spec.maxIdle")
        }
    }
}
