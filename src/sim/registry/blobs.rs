//! Blobs: reading, mounting and deleting them. GHCR's are elsewhere.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::ids::Digest;
use crate::sim::Answer;
use crate::sim::registry::Registries;
use crate::sim::registry::history::Deed;
use crate::sim::registry::wire::{Ask, Refusal, Reply, STORAGE, Target, answer, digest};
use crate::sim::registry::written::Personality;

/// How long a link to a blob is good; ASSUMED.
const LINK_SECONDS: u64 = 600;
/// Where pages for people are.
pub(super) const PAGES: &str = "/-/v2/packages/";

impl Registries {
    pub(super) fn blob(&mut self, ask: &Ask, reference: &str) -> Reply {
        let digest = digest(reference)?;
        match ask.method() {
            "GET" | "HEAD" => self.get_blob(ask, &digest),
            "DELETE" => self.delete_blob(ask, &digest),
            _ => Err(Refusal::unsupported()),
        }
    }

    fn get_blob(&self, ask: &Ask, digest: &Digest) -> Reply {
        let found = self.repository(ask).and_then(|it| it.blob(digest));
        let Some(bytes) = found else {
            return Err(Refusal::blob_unknown(digest.as_str()));
        };
        if self.personality(ask) == Personality::Ghcr && ask.method() == "GET" {
            let until = ask.now.plus(Duration::from_secs(LINK_SECONDS));
            let until = until.millis() / 1000;
            let signature = self.signature(digest, until);
            let path = format!("/ghcr1/blobs/{digest}?se={until}&sig={signature}");
            let link = self.url(STORAGE, &path);
            return Ok(answer(307, &[("location", &link)], Vec::new()));
        }
        serve(ask, digest, bytes)
    }

    fn signature(&self, digest: &Digest, until: i64) -> String {
        self.draw(&format!("link/{digest}/{until}"))
    }

    /// What is not at a registry itself: blobs, and a page that a listing of referrers leads to.
    pub(super) fn elsewhere(&self, ask: &Ask) -> Reply {
        if let Target::Storage { digest } = &ask.target {
            return self.storage(ask, digest);
        }
        if ask.request.path.starts_with(PAGES) {
            let page = "<!DOCTYPE html><html><body>Packages</body></html>";
            return Ok(Answer::new(200, "text/html; charset=utf-8", page));
        }
        Ok(Answer::new(404, "text/plain", "404 page not found\n"))
    }

    /// The blob behind a link. The store takes the link alone for a proof, and refuses whoever sends another one beside
    /// it (Azure Storage documentation, "Authorize requests"); ASSUMED: the codes.
    fn storage(&self, ask: &Ask, reference: &str) -> Reply {
        let digest = digest(reference)?;
        if ask.header("authorization").is_some() {
            return Err(Refusal::new(
                400,
                "InvalidAuthenticationInfo",
                "authentication information is not given in the correct format",
            ));
        }
        let until = ask.parameter("se").and_then(|it| it.parse().ok());
        let until: i64 = until.unwrap_or(0);
        let is_signed = ask.parameter("sig") == Some(&self.signature(&digest, until));
        if !is_signed || ask.now.millis() / 1000 >= until {
            return Err(Refusal::new(
                403,
                "AuthenticationFailed",
                "the link is no longer good",
            ));
        }
        let mut repositories = self.hosts.values().flat_map(|it| it.repositories.values());
        let found = repositories.find_map(|it| it.blob(&digest));
        let bytes = found.ok_or_else(|| Refusal::blob_unknown(reference))?;
        serve(ask, &digest, bytes)
    }

    fn delete_blob(&mut self, ask: &Ask, digest: &Digest) -> Reply {
        let is_open = self.personality(ask) == Personality::Distribution;
        if !is_open || self.host(ask).rules.refuses_deletion {
            return Err(Refusal::unsupported());
        }
        if !self.repository_mut(ask).remove_blob(digest) {
            return Err(Refusal::blob_unknown(digest.as_str()));
        }
        let digest = digest.clone();
        self.record(ask, vec![Deed::BlobDeleted { digest }]);
        Ok(answer(202, &[], Vec::new()))
    }

    /// Mounts a blob of another repository, where that is possible. GHCR: inside one owner (documentation of ocync).
    pub(super) fn mount(&mut self, ask: &Ask) -> Option<Digest> {
        let digest = Digest::parse(ask.parameter("mount")?)?;
        let from = ask.parameter("from")?.to_owned();
        let owner = |name: &str| name.split('/').next().map(str::to_owned);
        if self.personality(ask) == Personality::Ghcr && owner(&from) != owner(&ask.repository) {
            return None;
        }
        let source = self.host(ask).repositories.get(&from)?;
        let bytes = Arc::clone(source.blob(&digest)?);
        let is_new = self
            .repository(ask)
            .is_none_or(|it| it.blob(&digest).is_none());
        self.repository_mut(ask).put_blob(bytes);
        if is_new {
            let digest = digest.clone();
            self.record(ask, vec![Deed::BlobMounted { digest, from }]);
        }
        Some(digest)
    }
}

/// A blob or a part of it (RFC 9110, "Range").
fn serve(ask: &Ask, digest: &Digest, bytes: &[u8]) -> Reply {
    let etag = format!("\"{digest}\"");
    let mut headers = vec![
        ("content-type", "application/octet-stream"),
        ("docker-content-digest", digest.as_str()),
        ("accept-ranges", "bytes"),
        ("etag", etag.as_str()),
    ];
    let range = ask.header("range").filter(|_| ask.method() == "GET");
    let Some(range) = range.and_then(|it| it.strip_prefix("bytes=")) else {
        return Ok(answer(200, &headers, bytes.to_vec()));
    };
    let total = bytes.len();
    let Some((first, end)) = part(range, total) else {
        let refusal = Refusal::new(416, "RANGE_INVALID", "invalid content range");
        return Err(refusal.about(json!(range)));
    };
    let shown = format!("bytes {first}-{}/{total}", end - 1);
    headers.push(("content-range", &shown));
    Ok(answer(206, &headers, bytes[first..end].to_vec()))
}

/// Where a range begins, and where it has ended.
fn part(range: &str, total: usize) -> Option<(usize, usize)> {
    let (first, last) = range.split_once('-')?;
    if first.is_empty() {
        let length: usize = last.parse().ok()?;
        let first = total.saturating_sub(length);
        return (length > 0 && first < total).then_some((first, total));
    }
    let first: usize = first.parse().ok()?;
    let end = if last.is_empty() {
        total
    } else {
        last.parse::<usize>().ok()?.saturating_add(1).min(total)
    };
    (first < end).then_some((first, end))
}
