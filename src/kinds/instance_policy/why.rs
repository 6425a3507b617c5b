//! Which rule keeps or removes one instance, and what would change that: pure.

use std::time::Duration;

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
    let (fate, rule, change, field) = match judge(resource, seen, instance, now) {
        Verdict::LeaveAlone(why) => said(
            Fate::LeftAlone,
            &why,
            "that, or spec.purchase",
            "spec.purchase",
        ),
        Verdict::Unknown(why) => said(Fate::Unknown, &why, "a complete answer", "spec.selector"),
        Verdict::Stays(rest) => stays(&resource.spec, rest),
        Verdict::StopsIdling => {
            let rule = "it runs again: its idle mark goes";
            said(Fate::Kept, rule, "that it stops", "spec.idleAfter")
        }
        Verdict::StartsIdling => {
            let idle_after = &resource.spec.idle_after;
            let rule = format!(
                "it is stopped and still billed: it gets an idle mark and goes after spec.idleAfter={idle_after}"
            );
            said(Fate::Changes, &rule, "that it is started", "spec.idleAfter")
        }
        Verdict::Idling(rest) => {
            let rule = format!(
                "it is stopped for less than spec.idleAfter={}",
                resource.spec.idle_after
            );
            let change = format!("it goes in {} s, unless it is started", rest.as_secs());
            said(Fate::Kept, &rule, &change, "spec.idleAfter")
        }
        Verdict::Idle => idle(&resource.spec),
        Verdict::Goes(rule) => goes(&resource.spec, rule),
        Verdict::Leaving => said(
            Fate::Goes,
            "it is being released",
            "nothing",
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

/// What is said of one instance: its fate, the rule, what would change that, and the field that says so.
type Said = (Fate, String, String, &'static str);

fn said(fate: Fate, rule: &str, change: &str, field: &'static str) -> Said {
    (fate, rule.to_owned(), change.to_owned(), field)
}

fn stays(spec: &Spec, rest: Option<Duration>) -> Said {
    let Some(rest) = rest else {
        let rule = "it may have work, and nothing proves that it has none";
        let change = "runner lists that can be read, or that it stops";
        return said(Fate::Kept, rule, change, "spec.runnersOf");
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
            let rule = format!(
                "it is older than spec.maxAge={max_age}, and nothing can prove that it works"
            );
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

fn idle(spec: &Spec) -> Said {
    let rule = format!(
        "it is stopped for longer than spec.idleAfter={}",
        spec.idle_after
    );
    match spec.max_idle {
        0 => {
            let change = "a longer spec.idleAfter, or that it is started";
            said(Fate::Goes, &rule, change, "spec.idleAfter")
        }
        most => {
            let rule = format!("{rule}; the newest {most} of those stay by spec.maxIdle");
            let change = "spec.maxIdle, or a longer spec.idleAfter";
            said(Fate::Goes, &rule, change, "spec.maxIdle")
        }
    }
}
