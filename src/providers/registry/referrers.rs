//! What refers to a manifest: by the listing of referrers, or by the tag that stands in for it.
//!
//! Source: OCI distribution specification, "Listing Referrers" and "Referrers Tag Schema".

use std::collections::BTreeSet;

use http::Method;

use super::call::{Call, Reply, To};
use super::content::{Content, MANIFEST_BYTES_MAX, OCI_INDEX};
use super::{Location, Manifest, Registries, is_repository};
use crate::fault::{Class, Fault};
use crate::ids::Digest;

const DOING: &str = "list what refers to a manifest";
/// Pages of one listing.
const PAGES_MAX: usize = 100;

/// Answers of a registry without such a listing: it may also lead to a page for people, as ghcr.io did, which is not
/// followed.
const UNSUPPORTED: &[u16] = &[301, 302, 303, 307, 308, 404];

impl Registries {
    /// The manifests whose `subject` this digest is, by the listing or by the fallback tag; none is proven.
    pub async fn referrers(&self, at: &Location, of: &Digest) -> Result<Vec<Digest>, Fault> {
        if !is_repository(&at.repository) {
            let why = format!("`{}` is no name of a repository", at.repository);
            return Err(Fault::new(Class::Invalid, DOING, &why).of(&at.site.host));
        }
        let is_unlisted = self.lock_unlisted().contains(&at.site);
        let listed = if is_unlisted {
            None
        } else {
            self.listed(at, of).await?
        };
        match listed {
            Some(found) if !found.is_empty() => Ok(found),
            // A registry that has learnt to list them lately may know only of those that were pushed since.
            Some(_) => self.by_tag(at, of).await,
            None => {
                self.lock_unlisted().insert(at.site.clone());
                self.by_tag(at, of).await
            }
        }
    }

    /// None: the registry has no such listing.
    async fn listed(&self, at: &Location, of: &Digest) -> Result<Option<Vec<Digest>>, Fault> {
        let mut call = Call::read(at, DOING, Method::GET, &format!("referrers/{of}"))
            .about(&format!("@{of}"))
            .with("accept", OCI_INDEX)
            .answered_by(UNSUPPORTED);
        // Each page is an index.
        call.most = usize::try_from(MANIFEST_BYTES_MAX).unwrap_or(usize::MAX);
        let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
        for number in 1..=PAGES_MAX {
            let reply = self.call(&call).await?;
            let Some(digests) = digests(&call, &reply)? else {
                return match number {
                    1 => Ok(None),
                    _ => Err(call.unusable("a further page is no listing")),
                };
            };
            found.extend(digests);
            let Some(next) = self.next(&call, &reply)? else {
                return Ok(Some(found.into_iter().collect()));
            };
            if !seen.insert(next.to_string()) {
                return Err(call.unusable("the listing leads back to a page that was read"));
            }
            call.to = To::Url(next);
        }
        Err(call.unusable(&format!("there are more than {PAGES_MAX} pages")))
    }

    /// Only a tag that is proven not to be there means that there are none.
    async fn by_tag(&self, at: &Location, of: &Digest) -> Result<Vec<Digest>, Fault> {
        let tag = format!("sha256-{}", of.digits());
        let Some(head) = self.head(at, &tag).await?.as_ref().clone() else {
            return Ok(Vec::new());
        };
        let unreadable = |why: &str| {
            Fault::new(Class::Invalid, DOING, &format!("the tag {tag} {why}"))
                .of(&format!("{}/{}@{of}", at.site.host, at.repository))
        };
        let index = self.manifest(at, &head.digest).await?;
        let index = index.ok_or_else(|| unreadable("names a manifest that is not there"))?;
        match index.content() {
            Ok(Content::Index(index)) => {
                Ok(index.manifests.into_iter().map(|it| it.digest).collect())
            }
            Ok(Content::Image(_)) => Err(unreadable("names no index")),
            Err(why) => Err(unreadable(&why)),
        }
    }
}

/// None: this is no listing, but what a registry without one answers.
fn digests(call: &Call<'_>, reply: &Reply) -> Result<Option<Vec<Digest>>, Fault> {
    let content_type = reply.header("content-type").unwrap_or_default();
    let is_page = content_type.starts_with("text/html");
    if UNSUPPORTED.contains(&reply.status) || is_page {
        return Ok(None);
    }
    let manifest = Manifest {
        digest: Digest::of(&reply.body),
        media_type: OCI_INDEX.to_owned(),
        bytes: reply.body.clone(),
    };
    match manifest.content() {
        Ok(Content::Index(index)) => {
            let digests = index.manifests.into_iter().map(|it| it.digest);
            Ok(Some(digests.collect()))
        }
        Ok(Content::Image(_)) | Err(_) => Err(call.unusable("the answer is no index")),
    }
}
