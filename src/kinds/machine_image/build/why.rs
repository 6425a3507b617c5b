//! Why a machine of a build is there, or goes: pure.

use crate::clock::Timestamp;
use crate::fact::Fact;
use crate::kinds::tags;
use crate::plan::{Because, Fate};
use crate::resource::Resource;

use super::super::names;
use super::super::seen::Seen;
use super::super::spec::Spec;
use super::course::{Course, Stage, course};
use super::seen::{Bench, Builder};

/// What is said of a machine of the line by its id or exact name; none: it is no machine of the line.
pub(in super::super) fn why(
    resource: &Resource<Spec>,
    seen: &Seen,
    (object, now): (&str, Timestamp),
) -> Option<Because> {
    let Some(Fact::Known(bench)) = &seen.bench else {
        return None;
    };
    let is_meant = |it: &&Builder| it.id.as_str() == object || it.name == object;
    let builder = bench.builders.iter().find(is_meant)?;
    let (fate, rule) = judged(resource, seen, (bench, builder, now));
    let anyhow = builder.release.map_or_else(String::new, |at| {
        format!("; the service takes it back at {at} whatever becomes of us")
    });
    let change = match fate {
        Fate::Goes => "nothing: it costs money and has no work left".to_owned(),
        Fate::Kept | Fate::Changes | Fate::LeftAlone | Fate::Unknown => {
            "another base, script, input or spec.forceNonce gives it up".to_owned()
        }
    };
    Some(Because {
        object: builder.id.to_string(),
        name: builder.name.clone(),
        fate,
        rule: format!("{rule}{anyhow}"),
        change,
        field: "spec.provision",
    })
}

fn judged(
    resource: &Resource<Spec>,
    seen: &Seen,
    (bench, builder, now): (&Bench, &Builder, Timestamp),
) -> (Fate, String) {
    let Some(architecture) = builder.architecture else {
        let rule = format!(
            "its tag {} does not say what it builds for",
            tags::ARCHITECTURE
        );
        return (Fate::LeftAlone, rule);
    };
    let course = course(resource, seen, bench, (architecture, now));
    let released = course.released.iter().find(|(it, _)| it.id == builder.id);
    if let Some((_, why)) = released {
        return (Fate::Goes, (*why).to_owned());
    }
    let line = names::line(&resource.spec, architecture);
    match work(&course) {
        None => (Fate::Goes, format!("the image of {line} is there")),
        Some(work) => (Fate::Kept, format!("it builds {line}: {work}")),
    }
}

/// What the machine of a build does; none: nothing any more.
fn work(course: &Course<'_>) -> Option<String> {
    Some(match &course.stage {
        Stage::Built => return None,
        Stage::Await(it) => it.why.message.clone(),
        Stage::Stuck(why) => why.message.clone(),
        Stage::Provision(_) => "it takes commands, and is to be provisioned".to_owned(),
        Stage::Stop(_) => "it is provisioned, and is to be stopped".to_owned(),
        Stage::Image(..) => "it is provisioned, and is to be imaged".to_owned(),
        // The machine of another version serves until this one is there.
        Stage::Launch(_) => "another one is to be launched".to_owned(),
    })
}
