//! The required tags of a repository, what they serve, and what their sources give.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::fact::Fact;
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::plan::Why;
use crate::providers::Clients;
use crate::providers::registry::content::{Content, Descriptor, Image};
use crate::providers::registry::{Blob, Head, Location, Manifest, Registries};

use super::super::estargz;
use super::super::spec::{Compression, Spec};
use super::super::tags::SourceName;
use super::join::{Refusal, join};
use super::part::{self, Config, Part, noted};

/// How many tags are looked at side by side; how fast a registry is asked is for its client to say.
const SIDE_BY_SIDE_MAX: usize = 32;

/// How many layers of an image are looked into side by side.
const LAYERS_SIDE_BY_SIDE_MAX: usize = 4;

/// What was seen of the required tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// All tags of the repository, sorted; none: no pattern asks for them.
    pub listed: Option<Fact<Vec<String>>>,
    /// The required tags.
    pub tags: BTreeMap<String, Fact<Tag>>,
}

/// One required tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What it serves; none: it is not there.
    pub served: Option<Served>,
    /// What its sources give, in the order of the platforms.
    pub parts: Result<Vec<Part>, Refusal>,
}

impl Tag {
    /// The sources that are proven not to be there.
    pub fn missing(&self) -> &[SourceName] {
        match &self.parts {
            Err(Refusal::Missing(sources)) => sources,
            Ok(_) | Err(Refusal::Waits(_) | Refusal::Stuck(_)) => &[],
        }
    }
}

/// What a tag serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Its digest.
    pub digest: Digest,
    /// What its index has; none: it is no index, or there was no need to read it.
    pub entries: Option<Vec<Descriptor>>,
}

/// Where one looks.
#[derive(Clone, Copy)]
struct Look<'a> {
    registries: &'a Registries,
    home: &'a Location,
    spec: &'a Spec,
}

/// What came of looking at a part: a fault tells nothing, a refusal tells that it cannot be used.
enum Miss {
    Fault(Fault),
    Refusal(Refusal),
}

impl From<Fault> for Miss {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Why> for Miss {
    fn from(why: Why) -> Self {
        Self::Refusal(Refusal::Stuck(why))
    }
}

/// Looks at every required tag. What cannot be looked at is unknown, and the others go on.
pub(in super::super) async fn observe(clients: &Clients, home: &Location, spec: &Spec) -> Seen {
    let registries = &clients.registries;
    let look = Look {
        registries,
        home,
        spec,
    };
    let listed = match spec.patterns().next() {
        Some(_) => Some(look.listed().await),
        None => None,
    };
    let mut names: Vec<String> = spec.named_tags().map(str::to_owned).collect();
    if let Some(Fact::Known(listed)) = &listed {
        names.extend(spec.tags_by_pattern(listed));
    }
    let tags = names.into_iter().map(async |name| {
        let tag = match look.tag(&name).await {
            Ok(tag) => Fact::Known(tag),
            Err(fault) => Fact::Unknown(fault),
        };
        (name, tag)
    });
    let tags = stream::iter(tags).buffered(SIDE_BY_SIDE_MAX);
    Seen {
        listed,
        tags: tags.collect().await,
    }
}

impl Look<'_> {
    async fn listed(self) -> Fact<Vec<String>> {
        match self.registries.tags(self.home).await {
            Ok(tags) => Fact::Known(tags.items().to_vec()),
            Err(fault) => Fact::Unknown(fault),
        }
    }

    /// One tag and its sources are asked for once; what they name is read only where it was not read before.
    async fn tag(self, name: &str) -> Result<Tag, Fault> {
        let sources = self.spec.sources_of(name);
        let head = |tag: String| async move { self.registries.head(self.home, &tag).await };
        let tags = sources.iter().map(|it| it.tag.clone());
        let heads = try_join_all(std::iter::once(name.to_owned()).chain(tags).map(head)).await?;
        let served = heads[0].as_ref().as_ref();
        let parts = match self.parts(sources, &heads[1..]).await {
            Ok(parts) => Ok(parts),
            Err(Miss::Refusal(refusal)) => Err(refusal),
            Err(Miss::Fault(fault)) => return Err(fault),
        };
        let served = match served {
            Some(head) => Some(self.served(head, &parts).await?),
            None => None,
        };
        Ok(Tag { served, parts })
    }

    async fn parts(
        self,
        sources: Vec<SourceName>,
        heads: &[Arc<Option<Head>>],
    ) -> Result<Vec<Part>, Miss> {
        let found: Vec<Option<&Head>> = heads.iter().map(|it| it.as_ref().as_ref()).collect();
        let missing = sources.iter().zip(&found);
        let missing: Vec<SourceName> = missing
            .filter(|(_, head)| head.is_none())
            .map(|(source, _)| source.clone())
            .collect();
        if !missing.is_empty() {
            return Err(Miss::Refusal(Refusal::Missing(missing)));
        }
        let parts = sources.into_iter().zip(found.into_iter().flatten());
        let parts = try_join_all(parts.map(|(source, head)| self.part(source, head))).await?;
        match self.spec.compression {
            Some(Compression::Estargz) => self.verify(&parts).await?,
            None => {}
        }
        Ok(parts)
    }

    /// Every layer must be eStargz. Attestations have layers of their own, which nobody runs.
    async fn verify(self, parts: &[Part]) -> Result<(), Miss> {
        let mut wrong: Vec<Why> = Vec::new();
        for part in parts {
            let layers = part.layers.iter().enumerate();
            let looks: Vec<_> = layers.map(|it| self.layer(part, it)).collect();
            let verdicts = stream::iter(looks).buffered(LAYERS_SIDE_BY_SIDE_MAX);
            let verdicts: Vec<Option<Why>> = verdicts.try_collect().await?;
            wrong.extend(verdicts.into_iter().flatten());
        }
        let Some(first) = wrong.first() else {
            return Ok(());
        };
        let messages: Vec<&str> = wrong.iter().map(|it| it.message.as_str()).collect();
        Err(Why::new(first.reason, messages.join("; ")).into())
    }

    async fn layer(
        self,
        part: &Part,
        (index, layer): (usize, &Descriptor),
    ) -> Result<Option<Why>, Fault> {
        let (tag, platform) = (&part.source.tag, &part.source.platform);
        let number = index + 1;
        let verdict = estargz::verdict((self.registries, self.home), layer).await;
        let verdict = verdict.map_err(|it| {
            let subject = format!("{tag}: layer {number} of {platform}, {}", layer.digest);
            it.of(&subject)
        })?;
        Ok(verdict.map(|why| {
            let message = format!("{tag}: layer {number} of {platform}: {}", why.message);
            Why::new(why.reason, message)
        }))
    }

    /// The index that a tag serves is read only where its digest does not tell already that it is the right one.
    async fn served(
        self,
        head: &Head,
        parts: &Result<Vec<Part>, Refusal>,
    ) -> Result<Served, Fault> {
        let consistency = self.spec.sources.consistency;
        let merged = parts
            .as_ref()
            .ok()
            .and_then(|it| join(it, consistency).ok());
        let is_asked = merged.is_some_and(|it| it.index.digest != head.digest);
        let read = if is_asked {
            Some(self.read(&head.digest).await?.content())
        } else {
            None
        };
        let entries = match read {
            Some(Ok(Content::Index(index))) => Some(index.manifests),
            Some(Ok(Content::Image(_)) | Err(_)) | None => None,
        };
        Ok(Served {
            digest: head.digest.clone(),
            entries,
        })
    }

    async fn part(self, source: SourceName, head: &Head) -> Result<Part, Miss> {
        let manifest = self.read(&head.digest).await?;
        match manifest.content() {
            Ok(Content::Index(index)) => {
                let picked = part::pick(&source, &index.manifests)?;
                let image = self.child(&source, &picked.image).await?;
                let said = noted(&index.annotations).or_else(|| noted(&picked.image.annotations));
                let revision = match said.or_else(|| noted(&image.annotations)) {
                    Some(revision) => Some(revision),
                    None => self.config(&source, &image).await?.revision(),
                };
                let entries = std::iter::once(picked.image).chain(picked.attestations);
                Ok(Part {
                    source,
                    digest: head.digest.clone(),
                    entries: entries.collect(),
                    dropped: picked.dropped,
                    revision,
                    layers: image.layers,
                })
            }
            Ok(Content::Image(image)) => self.plain(source, &manifest, image).await,
            Err(why) => Err(unreadable(&source, &why).into()),
        }
    }

    /// A source that is an image itself says in its configuration what it runs on.
    async fn plain(
        self,
        source: SourceName,
        manifest: &Manifest,
        image: Image,
    ) -> Result<Part, Miss> {
        let config = self.config(&source, &image).await?;
        let platform = part::runs_on(&source, &config.platform)?;
        Ok(Part {
            source,
            digest: manifest.digest.clone(),
            entries: vec![part::entry(manifest, &platform)],
            dropped: Vec::new(),
            revision: noted(&image.annotations).or_else(|| config.revision()),
            layers: image.layers,
        })
    }

    /// What a tag just named must be there.
    async fn read(self, digest: &Digest) -> Result<Arc<Manifest>, Fault> {
        let found = self.registries.manifest(self.home, digest).await?;
        let gone =
            "a tag names it, and it is not there: it was replaced just now, or cannot be seen yet";
        found.ok_or_else(|| Fault::new(Class::NotYet, "read a manifest", gone).of(digest.as_str()))
    }

    /// The image that an index names; reading it is what proves that it is there.
    async fn child(self, source: &SourceName, entry: &Descriptor) -> Result<Image, Miss> {
        let found = self.registries.manifest(self.home, &entry.digest).await?;
        let Some(manifest) = found else {
            let message = format!(
                "{} names {}, which is not there: it was deleted, or cannot be seen yet",
                source.tag, entry.digest
            );
            return Err(Miss::Refusal(Refusal::Waits(Why::new(
                "ImageMissing",
                message,
            ))));
        };
        match manifest.content() {
            Ok(Content::Image(image)) => Ok(image),
            Ok(Content::Index(_)) => {
                let message = format!(
                    "{} says that {} is an image, and it is an index",
                    source.tag, entry.digest
                );
                Err(Why::new("NestedIndex", message).into())
            }
            Err(why) => Err(unreadable(source, &why).into()),
        }
    }

    async fn config(self, source: &SourceName, image: &Image) -> Result<Config, Miss> {
        let blob = Blob {
            digest: image.config.digest.clone(),
            size: image.config.size,
        };
        let bytes = self.registries.blob(self.home, &blob).await?;
        let read = Config::read(&bytes);
        read.map_err(|why| unreadable(source, &format!("{}: {why}", blob.digest)).into())
    }
}

fn unreadable(source: &SourceName, why: &str) -> Why {
    Why::new("SourceUnreadable", format!("{}: {why}", source.tag))
}
