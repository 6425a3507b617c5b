//! Listings: the tags of a repository, the referrers of a manifest.

use serde_json::json;

use crate::ids::Digest;
use crate::sim::Answer;
use crate::sim::registry::blobs::PAGES;
use crate::sim::registry::content::{Content, Descriptor, OCI_INDEX, pointer};
use crate::sim::registry::wire::{Ask, Refusal, Reply, STORAGE, answer, digest};
use crate::sim::registry::written::{Personality, Referrers};
use crate::sim::registry::{Registries, page};
use crate::sim::scenario::ListingOrder;

/// How many tags GHCR lists when nobody says how many (`dewy`, issue 320; `cc-utils`, issue 1557), and at most (flux
/// `image-reflector-controller`, issue 142).
const PAGE: usize = 100;
pub(super) const PAGE_MAX: usize = 1000;

impl Registries {
    pub(super) fn list_tags(&self, ask: &Ask) -> Reply {
        if ask.method() != "GET" {
            return Err(Refusal::unsupported());
        }
        let known = self.repository(ask).filter(|it| !it.is_unknown());
        let repository = known.ok_or_else(|| Refusal::name_unknown(&ask.repository))?;
        let personality = self.personality(ask);
        if !repository.public && !self.host(ask).rules.lists_private_tags() {
            let refusal = Refusal::new(401, "UNAUTHORIZED", "authentication required");
            return Err(self.challenged(ask, refusal));
        }
        let at = self.visible(ask);
        let mut tags: Vec<String> = repository.tags_at(at).map(|(tag, _)| tag.clone()).collect();
        // Distribution 2.8 knows neither `n` nor `last` nor an order, and says null for none.
        if personality == Personality::Distribution {
            tags.sort_by_key(|it| self.draw(it));
            let tags = Some(tags).filter(|it| !it.is_empty());
            return Ok(Answer::json(
                200,
                &json!({"name": ask.repository, "tags": tags}),
            ));
        }
        let key = |tag: &str| match self.order {
            ListingOrder::Shuffled => self.draw(tag),
            ListingOrder::NewestFirst | ListingOrder::OldestFirst => tag.to_owned(),
        };
        tags.sort_by_key(|it| key(it));
        let last = ask.parameter("last").map(key);
        let start = last.map_or(0, |last| tags.partition_point(|it| key(it) <= last));
        page::torn(&mut tags, start, ask.trouble);
        let size = size(ask, (PAGE, self.page_max))?;
        let entries: Vec<&String> = tags.iter().skip(start).take(size).collect();
        let body = json!({"name": ask.repository, "tags": entries});
        let mut listed = Answer::json(200, &body);
        if let Some(last) = entries
            .last()
            .filter(|_| start + entries.len() < tags.len())
        {
            let link = format!(
                "</v2/{}/tags/list?last={last}&n={size}>; rel=\"next\"",
                ask.repository
            );
            listed.headers.insert("link".to_owned(), link);
        }
        Ok(listed)
    }

    pub(super) fn list_referrers(&self, ask: &Ask, subject: &str) -> Reply {
        if ask.method() != "GET" {
            return Err(Refusal::unsupported());
        }
        let subject = digest(subject)?;
        match (self.host(ask).rules.referrers(), self.personality(ask)) {
            (Referrers::NotFound, Personality::Distribution) => {
                Ok(Answer::new(404, "text/plain", "404 page not found\n"))
            }
            (Referrers::NotFound, _) => Err(Refusal::manifest_unknown(subject.as_str())),
            // `artifacthub/hub`, issue 4785.
            (Referrers::Redirect, _) => {
                let path = format!("{PAGES}container/package/{}", ask.repository);
                let link = self.url(STORAGE, &path);
                Ok(answer(303, &[("location", &link)], Vec::new()))
            }
            (Referrers::Empty, _) => Ok(index(&[])),
            (Referrers::Listed, _) => self.referrers(ask, &subject),
        }
    }

    fn referrers(&self, ask: &Ask, subject: &Digest) -> Reply {
        let at = self.visible(ask);
        let wanted = ask.parameter("artifactType");
        let manifests = self.repository(ask).map(|it| it.manifests_at(at));
        let mut referrers = Vec::new();
        for (digest, manifest) in manifests.into_iter().flatten() {
            let content = Content::read(&manifest.bytes).unwrap_or_default();
            let artifact = content.kind_of_artifact();
            let refers = content
                .subject
                .is_some_and(|it| it.digest == subject.as_str());
            let is_wanted = wanted.is_none_or(|it| artifact.as_deref() == Some(it));
            if refers && is_wanted {
                let mut entry = pointer(&manifest.media_type, &manifest.bytes);
                debug_assert_eq!(entry.digest, digest.as_str());
                entry.artifact_type = artifact;
                entry.annotations = content.annotations;
                referrers.push(entry);
            }
        }
        let start = ask
            .parameter("last")
            .and_then(|it| it.parse().ok())
            .unwrap_or(0);
        page::torn(&mut referrers, start, ask.trouble);
        let size = size(ask, (PAGE, PAGE.min(self.page_max)))?;
        let page: Vec<_> = referrers.iter().skip(start).take(size).cloned().collect();
        let mut listed = index(&page);
        let headers = &mut listed.headers;
        if start + page.len() < referrers.len() {
            let path = format!("/v2/{}/referrers/{subject}", ask.repository);
            let filter = wanted.map_or(String::new(), |it| format!("&artifactType={it}"));
            let next = start + page.len();
            let link = format!("<{path}?last={next}&n={size}{filter}>; rel=\"next\"");
            headers.insert("link".to_owned(), link);
        }
        if wanted.is_some() {
            let filters = "artifactType".to_owned();
            headers.insert("oci-filters-applied".to_owned(), filters);
        }
        Ok(listed)
    }
}

fn index(entries: &[Descriptor]) -> Answer {
    let content = Content {
        schema_version: 2,
        media_type: OCI_INDEX.to_owned(),
        manifests: Some(entries.to_vec()),
        ..Content::default()
    };
    answer(200, &[("content-type", OCI_INDEX)], content.bytes())
}

/// How many entries a page has.
fn size(ask: &Ask, (usual, most): (usize, usize)) -> Result<usize, Refusal> {
    let Some(said) = ask.parameter("n") else {
        return Ok(usual.min(most));
    };
    let said: Option<usize> = said.parse().ok();
    let invalid = || {
        Refusal::new(
            400,
            "PAGINATION_NUMBER_INVALID",
            "invalid number of results",
        )
    };
    Ok(said.ok_or_else(invalid)?.min(most))
}
