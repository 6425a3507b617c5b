//! What is done to a mirror: a tag is copied, with all that it needs.

use std::fmt;

use serde::Serialize;

use crate::fault::Fault;
use crate::ids::Digest;
use crate::kind::Check;
use crate::kinds::registry::Attestations;
use crate::plan::Verb;
use crate::providers::Clients;
use crate::providers::registry::{Location, Registries};

use super::copy;
use super::names::written;
use super::read::read;
use super::tree::Extent;

/// A tag is copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Op {
    /// Where it is.
    pub from: Location,
    /// Where it must be as well.
    pub to: Location,
    /// The tag, here and there.
    pub tag: String,
    /// What it names here.
    pub digest: Digest,
    /// What it named there when this was planned; none: nothing.
    pub replaces: Option<Digest>,
    /// What becomes of attestations.
    pub attestations: Attestations,
    /// What people call the copy.
    #[serde(skip)]
    pub object: String,
}

impl Op {
    /// Copies a tag that names `digest`, where the copy names `replaces` so far.
    pub fn new(
        (from, to): (&Location, &Location),
        tag: &str,
        (digest, replaces): (&Digest, Option<&Digest>),
        attestations: Attestations,
    ) -> Self {
        Self {
            from: from.clone(),
            to: to.clone(),
            tag: tag.to_owned(),
            digest: digest.clone(),
            replaces: replaces.cloned(),
            attestations,
            object: format!("{}:{tag}", written(to)),
        }
    }

    /// Whether what is there is what would be put there.
    async fn is_there(&self, registries: &Registries, there: &Digest) -> Result<bool, Fault> {
        if *there == self.digest {
            return Ok(true);
        }
        match self.attestations {
            Attestations::Keep => Ok(false),
            Attestations::Drop | Attestations::Auto => {
                let tree = read(registries, &self.from, (&self.digest, Extent::Indexes)).await?;
                Ok(tree.without_attestations().root == *there)
            }
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, digest) = (written(&self.from), &self.digest);
        write!(f, "{digest:.19} from {from}")?;
        match self.attestations {
            Attestations::Keep | Attestations::Auto => Ok(()),
            Attestations::Drop => f.write_str(", without attestations"),
        }
    }
}

impl Op {
    pub(in super::super) fn verb(&self) -> Verb {
        match self.replaces {
            None => Verb::Create,
            Some(_) => Verb::Update,
        }
    }

    pub(in super::super) fn object(&self) -> &str {
        &self.object
    }

    pub(in super::super) async fn check(&self, clients: &Clients) -> Result<Check, Fault> {
        let registries = &clients.registries;
        let here = registries.head_now(&self.from, &self.tag).await?;
        match here.map(|it| it.digest) {
            None => return Ok(Check::Stale("the tag is gone from the source".to_owned())),
            Some(here) if here != self.digest => {
                return Ok(Check::Stale(format!(
                    "the source's tag names {here} by now"
                )));
            }
            Some(_) => {}
        }
        let there = registries.head_now(&self.to, &self.tag).await?;
        let there = there.map(|it| it.digest);
        if let Some(there) = &there
            && self.is_there(registries, there).await?
        {
            return Ok(Check::AlreadyDone);
        }
        if there != self.replaces {
            let there = there.map_or("nothing".to_owned(), |it| it.to_string());
            return Ok(Check::Stale(format!("the copy's tag names {there} by now")));
        }
        Ok(Check::Go)
    }

    pub(in super::super) async fn apply(&self, clients: &Clients) -> Result<(), Fault> {
        Box::pin(copy::copy(&clients.registries, self)).await
    }
}
