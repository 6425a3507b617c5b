//! What was seen of a repository, one field a section.

use crate::fact::Fact;
use crate::fault::Fault;
use crate::kind::Context;
use crate::kinds::registry::Registry;
use crate::providers::registry::Location;
use crate::resource::Resource;

use super::dispatch;
use super::merge;
use super::mirror;
use super::retention;
use super::spec::Spec;

/// What was seen of one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where it is.
    pub home: Location,
    /// The required tags and what they are merged from.
    pub merge: merge::Seen,
    /// What each mirror serves.
    pub mirrors: Vec<mirror::Seen>,
    /// All versions; none: nothing is retained, or it was looked at lately.
    pub retention: Option<Fact<retention::Seen>>,
    /// The runs of the workflow that makes what is missing; none: nothing is, or nothing is done about it.
    pub dispatch: Option<dispatch::Seen>,
}

/// Where a repository of a declared registry is.
pub(super) fn location(context: &Context<'_>, registry: &str, repository: &str) -> Location {
    Location {
        site: context.spec::<Registry>(registry).site(),
        repository: repository.to_owned(),
    }
}

/// Looks at each section. None fails as a whole: what could not be looked at is a fact of its section.
pub(super) async fn observe(
    resource: &Resource<Spec>,
    context: &Context<'_>,
) -> Result<Seen, Fault> {
    let spec = &resource.spec;
    let home = location(context, spec.registry_ref.as_str(), &spec.repository);
    let merge = merge::observe(context.clients, &home, spec).await;
    let wanted = mirror::wanted((&home, spec), &merge);
    let mirrors = mirror::observe((spec, &home), context, &wanted).await;
    let retention = retention::observe((spec, &home), context).await;
    let dispatch = dispatch::observe(context.clients, spec, &merge).await;
    Ok(Seen {
        home,
        merge,
        mirrors,
        retention,
        dispatch,
    })
}
