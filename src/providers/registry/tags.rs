//! The tags of a repository, read to the end of the listing.
//!
//! Source: OCI distribution specification, "Listing Tags".

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use reqwest::Url;
use serde::Deserialize;

use super::call::{Call, Reply, To};
use super::fault::proves_absence;
use super::manifests::unproven;
use super::{Location, Registries, is_repository, is_tag};
use crate::fact::Complete;
use crate::fault::{Class, Fault};
use crate::providers::secret::clean;

const DOING: &str = "list the tags of a repository";
/// How many tags are asked for at once; ghcr.io gives 100 to who does not say.
const PAGE_SIZE: usize = 1000;
/// Pages of one listing.
const PAGES_MAX: usize = 1000;
/// Tags of one listing. The largest repository that was reported has 135,000 (`OpenHands/benchmarks`, issue 684).
const TAGS_MAX: usize = 500_000;
/// How much is shown of what is no tag.
const TAG_SHOWN_MAX: usize = 80;

#[derive(Deserialize)]
struct Page {
    /// Some registries write null for none.
    tags: Option<Vec<String>>,
}

/// What comes after a page.
enum After {
    Page(To),
    Nothing,
}

impl Registries {
    /// The tags of a repository, sorted, once a pass; those of a repository that is proven not to be there are none.
    pub async fn tags(&self, at: &Location) -> Result<Arc<Complete<String>>, Fault> {
        self.tags.get(at, || self.tags_now(at)).await
    }

    pub(super) async fn tags_now(&self, at: &Location) -> Result<Complete<String>, Fault> {
        if !is_repository(&at.repository) {
            let why = format!("`{}` is no name of a repository", at.repository);
            return Err(Fault::new(Class::Invalid, DOING, &why).of(&at.site.host));
        }
        let first = format!("tags/list?n={PAGE_SIZE}");
        let mut call = Call::read(at, DOING, Method::GET, &first).answered_by(&[404]);
        let mut tags = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for number in 1..=PAGES_MAX {
            let reply = self.call(&call).await?;
            if reply.status == 404 && number == 1 && proves_absence(&reply.body) {
                return Ok(Complete::read_to_its_end(Vec::new(), self.http.now()));
            }
            if reply.status == 404 {
                return Err(unproven(&call, &reply));
            }
            let page = page(&call, &reply)?;
            let last = page.last().cloned();
            let (count, before) = (page.len(), tags.len());
            tags.extend(page);
            if tags.len() > TAGS_MAX {
                return Err(call.unusable(&format!("there are more than {TAGS_MAX} tags")));
            }
            let is_full = count == PAGE_SIZE && tags.len() > before;
            let after = match (self.next(&call, &reply)?, last) {
                (Some(url), _) => After::Page(To::Url(url)),
                // Debian's registry ignores `n` and `last`: what brings nothing new, or more than was asked for, was all.
                (None, Some(last)) if is_full => {
                    After::Page(To::Path(format!("{first}&last={last}")))
                }
                (None, _) => After::Nothing,
            };
            let After::Page(to) = after else {
                return Ok(Complete::read_to_its_end(
                    tags.into_iter().collect(),
                    self.http.now(),
                ));
            };
            if !seen.insert(format!("{to:?}")) {
                return Err(call.unusable("the listing leads back to a page that was read"));
            }
            call.to = to;
        }
        Err(call.unusable(&format!("there are more than {PAGES_MAX} pages")))
    }

    /// The next page by the header `Link` (RFC 8288); it must be on the same registry.
    pub(super) fn next(&self, call: &Call<'_>, reply: &Reply) -> Result<Option<Url>, Fault> {
        let links = reply.headers.get_all("link").iter();
        let links = links.filter_map(|it| it.to_str().ok());
        let Some(target) = links.flat_map(targets).next() else {
            return Ok(None);
        };
        let registry = self.places.url(&call.at.site)?;
        let base = call.url(&registry)?;
        match base.join(target) {
            Ok(url) if url.origin() == registry.origin() => Ok(Some(url)),
            // Some registries behind a proxy name themselves by another scheme or without their port.
            Ok(url) if url.host_str() == registry.host_str() => {
                let mut own = registry.clone();
                own.set_path(url.path());
                own.set_query(url.query());
                Ok(Some(own))
            }
            Ok(_) | Err(_) => Err(call.unusable("the next page is not on the same registry")),
        }
    }
}

fn page(call: &Call<'_>, reply: &Reply) -> Result<Vec<String>, Fault> {
    let page: Page = serde_json::from_slice(&reply.body).map_err(|_| unproven(call, reply))?;
    let tags = page.tags.unwrap_or_default();
    match tags.iter().find(|it| !is_tag(it)) {
        Some(tag) => {
            let tag: String = clean(tag, &[]).chars().take(TAG_SHOWN_MAX).collect();
            Err(call.unusable(&format!("`{tag}` is listed, which is no tag")))
        }
        None => Ok(tags),
    }
}

/// The targets of the links whose relation is `next`.
fn targets(header: &str) -> Vec<&str> {
    let links = header.split('<').skip(1);
    let target = |link| {
        let (target, parameters): (&str, &str) = str::split_once(link, '>')?;
        let mut parameters = parameters.split([';', ',']).map(str::trim);
        let is_next = parameters.any(|it| {
            let relation = it
                .split_once('=')
                .filter(|(name, _)| name.trim().eq_ignore_ascii_case("rel"));
            relation.is_some_and(|(_, value)| {
                let value = value.trim().trim_matches('"');
                value
                    .split_ascii_whitespace()
                    .any(|it| it.eq_ignore_ascii_case("next"))
            })
        });
        is_next.then_some(target)
    };
    links.filter_map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_link_to_the_next_page() {
        for (header, expected) in [
            (
                r#"</v2/a/tags/list?last=b&n=2>; rel="next""#,
                &["/v2/a/tags/list?last=b&n=2"][..],
            ),
            ("<https://x/?a,b>;rel=next", &["https://x/?a,b"]),
            (
                r#"<a>; rel="prev", <b>; title="x"; REL="last Next""#,
                &["b"],
            ),
            (r#"<a>; rel="nextish""#, &[]),
            ("a; rel=next", &[]),
            ("<a; rel=next", &[]),
            ("", &[]),
        ] {
            assert_eq!(targets(header), expected, "{header}");
        }
    }
}
