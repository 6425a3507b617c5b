//! The one extension point: what a kind of resource is and what an effect is; below them, both without their types.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Timestamp;
use crate::fault::Fault;
use crate::ids::{ResourceId, Token};
use crate::plan::{Because, Plan, Verb};
use crate::providers::Clients;
use crate::resource::{
    Finding, Limits, Manifest, NamedFile, NamedFiles, Policy, Problem, Resource, Source,
    spec_schema,
};

/// What dependants may use of a resource, by name; empty while there is nothing to use.
pub type Outputs = BTreeMap<String, String>;

/// All resources that are declared, by name.
pub type Resources = BTreeMap<ResourceId, Box<dyn AnyResource>>;

/// A sort of thing that can be declared. It has no `self`: it holds no state.
pub trait Kind: Debug + Sized + Send + Sync + 'static {
    /// As written in `kind:`.
    const NAME: &'static str;
    /// What may be written.
    type Spec: DeserializeOwned + Serialize + JsonSchema + Debug + Send + Sync;
    /// What was seen, at one instant; a value.
    type Seen: Debug + Send + Sync;
    /// What can be done.
    type Op: Op;
    /// How much of one group may be deleted at once, where nothing is written.
    const LIMITS: Limits = Limits::USUAL;

    /// Names everything that is wrong beyond what the schema says.
    fn validate(spec: &Self::Spec) -> Vec<Problem>;
    /// Names the files that a spec names; none, where it cannot name any.
    fn files(_: &Self::Spec) -> Vec<NamedFile> {
        Vec::new()
    }
    /// Names everything that is wrong with a resource and its files beside the others; nothing, where each stands for
    /// itself. A file that could not be read is missing, and told already.
    fn validate_among(_: &Resource<Self::Spec>, _: &Resources) -> Vec<Problem> {
        Vec::new()
    }
    /// Names the resources that this one refers to.
    fn needs(spec: &Self::Spec) -> Vec<Need>;
    /// Looks at the outside; changes nothing.
    fn observe(
        resource: &Resource<Self::Spec>,
        context: &Context<'_>,
    ) -> impl Future<Output = Result<Self::Seen, Fault>> + Send;
    /// Says what dependants may use.
    fn outputs(resource: &Resource<Self::Spec>, seen: &Self::Seen) -> Outputs;
    /// Names the objects that no other resource may claim as well.
    fn claims(resource: &Resource<Self::Spec>, seen: &Self::Seen) -> BTreeSet<String>;
    /// Says what to do: a pure function.
    fn plan(resource: &Resource<Self::Spec>, seen: &Self::Seen, now: Timestamp) -> Plan<Self::Op>;
    /// Says what the plan makes of the object of this id or exact name, and why; none: it has nothing to do with it.
    fn why(
        resource: &Resource<Self::Spec>,
        seen: &Self::Seen,
        object: &str,
        now: Timestamp,
    ) -> Option<Because>;
}

/// An effect, as data. Its identity is its serialized content, so it holds no time, secret or random name.
pub trait Op: Debug + Display + Serialize + Send + Sync + 'static {
    /// What it does to its object.
    fn verb(&self) -> Verb;
    /// The id of its object; none before creation.
    fn object(&self) -> Option<&str>;
    /// Looks whether it is still right, right before the effect.
    fn check(&self, clients: &Clients) -> impl Future<Output = Result<Check, Fault>> + Send;
    /// Brings the effect about. May be called again with the same token, and must then change nothing more.
    fn apply(
        &self,
        clients: &Clients,
        token: &Token,
    ) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// What a look right before an effect found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is still to be done.
    Go,
    /// Somebody, perhaps we, did it already.
    AlreadyDone,
    /// The world has moved on; how.
    Stale(String),
}

/// A reference from one resource to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Where it is written, as in `spec.regionRef`.
    pub field: &'static str,
    /// Which resource it names.
    pub id: ResourceId,
}

/// What an observation may use.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The outside.
    pub clients: &'a Clients,
    /// All resources that are declared.
    pub resources: &'a Resources,
    /// What earlier passes remembered for this resource; it may be lost at any time.
    pub remembered: &'a BTreeMap<String, Timestamp>,
}

impl<'a> Context<'a> {
    /// The spec of a resource that `needs` named.
    pub fn spec<K: Kind>(&self, name: &str) -> &'a K::Spec {
        self.resources
            .get(&ResourceId::new(K::NAME, name))
            .and_then(|it| it.spec().downcast_ref())
            .expect("references were checked when the files were loaded")
    }
}

/// A future without its type.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A resource without its type.
pub trait AnyResource: Debug + Send + Sync {
    /// Its name.
    fn id(&self) -> &ResourceId;
    /// Its labels.
    fn labels(&self) -> &BTreeMap<String, String>;
    /// What was written about acting on it.
    fn policy(&self) -> &Policy;
    /// How much of one group may be deleted at once.
    fn limits(&self) -> Limits;
    /// Where it is written.
    fn source(&self) -> &Source;
    /// See [`Kind::validate`].
    fn problems(&self) -> Vec<Problem>;
    /// See [`Kind::validate_among`].
    fn problems_among(&self, resources: &Resources) -> Vec<Problem>;
    /// See [`Kind::needs`].
    fn needs(&self) -> Vec<Need>;
    /// The spec, for those who know its type.
    fn spec(&self) -> &dyn Any;
    /// The spec with every default filled in.
    fn spec_value(&self) -> serde_json::Value;
    /// See [`Kind::observe`].
    fn observe<'a>(
        &'a self,
        context: Context<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn AnySeen>, Fault>>;
}

/// What was seen of a resource, without its type.
pub trait AnySeen: Debug + Send + Sync {
    /// See [`Kind::outputs`].
    fn outputs(&self) -> Outputs;
    /// See [`Kind::claims`].
    fn claims(&self) -> BTreeSet<String>;
    /// See [`Kind::plan`].
    fn plan(&self, now: Timestamp) -> Plan<Box<dyn AnyOp>>;
    /// See [`Kind::why`].
    fn why(&self, object: &str, now: Timestamp) -> Option<Because>;
}

/// An effect without its type.
pub trait AnyOp: Debug + Display + Send + Sync {
    /// See [`Op::verb`].
    fn verb(&self) -> Verb;
    /// See [`Op::object`].
    fn object(&self) -> Option<&str>;
    /// The serialized effect: its identity.
    fn content(&self) -> serde_json::Value;
    /// See [`Op::check`].
    fn check<'a>(&'a self, clients: &'a Clients) -> BoxFuture<'a, Result<Check, Fault>>;
    /// See [`Op::apply`].
    fn apply<'a>(
        &'a self,
        clients: &'a Clients,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<(), Fault>>;
}

/// Gives a checked document its type, and reads the files that it names.
pub type Load = fn(&Manifest, &mut NamedFiles) -> Result<Box<dyn AnyResource>, Finding>;

/// A kind without its type: what the engine knows of it before a resource is read.
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    /// As written in `kind:`.
    pub name: &'static str,
    /// The JSON Schema of its spec.
    pub schema: fn() -> serde_json::Value,
    /// What makes a resource of a document.
    pub load: Load,
}

impl Registration {
    /// The registration of a kind.
    pub const fn of<K: Kind>() -> Self {
        Self {
            name: K::NAME,
            schema: spec_schema::<K::Spec>,
            load: load::<K>,
        }
    }
}

fn load<K: Kind>(
    manifest: &Manifest,
    files: &mut NamedFiles,
) -> Result<Box<dyn AnyResource>, Finding> {
    let mut resource = manifest.typed::<K::Spec>()?;
    resource.files = files.read(&K::files(&resource.spec), &resource.source);
    let resource = Arc::new(resource);
    Ok(Box::new(Declared::<K> { resource }))
}

#[derive(Debug)]
struct Declared<K: Kind> {
    resource: Arc<Resource<K::Spec>>,
}

impl<K: Kind> AnyResource for Declared<K> {
    fn id(&self) -> &ResourceId {
        &self.resource.id
    }

    fn labels(&self) -> &BTreeMap<String, String> {
        &self.resource.labels
    }

    fn policy(&self) -> &Policy {
        &self.resource.policy
    }

    fn limits(&self) -> Limits {
        self.resource.policy.guards.limits(K::LIMITS)
    }

    fn source(&self) -> &Source {
        &self.resource.source
    }

    fn problems(&self) -> Vec<Problem> {
        K::validate(&self.resource.spec)
    }

    fn problems_among(&self, resources: &Resources) -> Vec<Problem> {
        K::validate_among(&self.resource, resources)
    }

    fn needs(&self) -> Vec<Need> {
        K::needs(&self.resource.spec)
    }

    fn spec(&self) -> &dyn Any {
        &self.resource.spec
    }

    fn spec_value(&self) -> serde_json::Value {
        serde_json::to_value(&self.resource.spec).expect("a spec is made of JSON's types")
    }

    fn observe<'a>(
        &'a self,
        context: Context<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn AnySeen>, Fault>> {
        Box::pin(async move {
            let seen = K::observe(&self.resource, &context).await?;
            let resource = Arc::clone(&self.resource);
            Ok(Box::new(Observed::<K> { resource, seen }) as Box<dyn AnySeen>)
        })
    }
}

#[derive(Debug)]
struct Observed<K: Kind> {
    resource: Arc<Resource<K::Spec>>,
    seen: K::Seen,
}

impl<K: Kind> AnySeen for Observed<K> {
    fn outputs(&self) -> Outputs {
        K::outputs(&self.resource, &self.seen)
    }

    fn claims(&self) -> BTreeSet<String> {
        K::claims(&self.resource, &self.seen)
    }

    fn plan(&self, now: Timestamp) -> Plan<Box<dyn AnyOp>> {
        K::plan(&self.resource, &self.seen, now).map(|op| Box::new(op) as Box<dyn AnyOp>)
    }

    fn why(&self, object: &str, now: Timestamp) -> Option<Because> {
        K::why(&self.resource, &self.seen, object, now)
    }
}

impl<T: Op> AnyOp for T {
    fn verb(&self) -> Verb {
        Op::verb(self)
    }

    fn object(&self) -> Option<&str> {
        Op::object(self)
    }

    fn content(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("an effect is made of JSON's types")
    }

    fn check<'a>(&'a self, clients: &'a Clients) -> BoxFuture<'a, Result<Check, Fault>> {
        Box::pin(Op::check(self, clients))
    }

    fn apply<'a>(
        &'a self,
        clients: &'a Clients,
        token: &'a Token,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(Op::apply(self, clients, token))
    }
}
