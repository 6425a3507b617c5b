//! Brings a blob from one repository to another: nothing where it is there, mounted where it can be, else streamed.
//!
//! Source: OCI distribution specification, "Mounting a blob from another repository" and "`POST` then `PUT`". There is one
//! `PUT` for the whole: ghcr.io takes no more than 4 MiB of an upload in parts.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream;
use http::Method;
use hyper::body::Bytes;
use reqwest::Url;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::auth::Scopes;
use super::blobs::{blob_call, led_to};
use super::call::{Call, Reply, To};
use super::{Blob, Location, Registries, is_repository};
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::providers::http::Opened;
use crate::retry::{Effect, Policy, retry};

const DOING: &str = "copy a blob";
/// How often a blob is sent from its start.
const POLICY: Policy = Policy {
    attempts_max: 4,
    throttled_max: 4,
    first: Duration::from_secs(1),
    most: Duration::from_secs(20),
    asked_max: Duration::from_secs(60),
};
/// How long a copy may make no progress; at its end the registry may be busy with what it received.
const STALLED_MAX: Duration = Duration::from_secs(120);
/// How long a copy may take as a whole.
const COPY_MAX: Duration = Duration::from_secs(3600);

/// What became of the question for a place to upload to.
enum Begun {
    Mounted,
    Upload(Url),
}

impl Registries {
    /// Brings a blob to another repository: nothing where it is there, mounted where both are on one registry, else
    /// streamed. Says how many bytes were sent.
    pub async fn copy_blob(
        &self,
        (from, to): (&Location, &Location),
        blob: &Blob,
    ) -> Result<u64, Fault> {
        if self.has_blob(to, blob).await? {
            return Ok(0);
        }
        if !is_repository(&from.repository) {
            let why = format!("`{}` is no name of a repository", from.repository);
            return Err(Fault::new(Class::Invalid, DOING, &why).of(&from.site.host));
        }
        let _permit = self.copies.acquire().await.expect("nobody closes it");
        let sent = Arc::new(AtomicU64::new(0));
        let counter = &sent;
        retry(&self.patience, &POLICY, Effect::Repeatable, || async move {
            match self.begin((from, to), blob).await? {
                Begun::Mounted => Ok(()),
                Begun::Upload(session) => self.upload((from, to), blob, (&session, counter)).await,
            }
        })
        .await?;
        Ok(sent.load(Ordering::Relaxed))
    }

    /// Asks to mount the blob, where both are on one registry, or else for a place to upload it to. A registry that does not
    /// mount it gives such a place as well.
    async fn begin(&self, way: (&Location, &Location), blob: &Blob) -> Result<Begun, Fault> {
        let (from, to) = way;
        if from.site.host != to.site.host || from.repository == to.repository {
            return self.begin_by(way, blob, false).await;
        }
        match self.begin_by(way, blob, true).await {
            // Whoever may write there need not be able to read here.
            Err(fault) if fault.class == Class::Denied => self.begin_by(way, blob, false).await,
            outcome => outcome,
        }
    }

    async fn begin_by(
        &self,
        (from, to): (&Location, &Location),
        blob: &Blob,
        is_near: bool,
    ) -> Result<Begun, Fault> {
        let path = if is_near {
            format!(
                "blobs/uploads/?mount={}&from={}",
                blob.digest, from.repository
            )
        } else {
            "blobs/uploads/".to_owned()
        };
        let call = Call::write(to, DOING, Method::POST, &path).about(&format!("@{}", blob.digest));
        let both = call
            .scopes
            .clone()
            .and(&Scopes::of(&from.repository, "pull"));
        let call = Call {
            scopes: if is_near { both } else { call.scopes.clone() },
            ..call
        };
        let reply = self.call(&call).await?;
        match reply.status {
            201 if is_near => Ok(Begun::Mounted),
            202 => {
                let registry = self.places.url(&to.site)?;
                let base = call.url(&registry)?;
                let url = led_to(&call, &registry, &base, reply.header("location"))?;
                Ok(Begun::Upload(url))
            }
            status => Err(call.unusable(&format!(
                "{status} is neither mounted nor a place to upload to"
            ))),
        }
    }

    /// Sends the blob as one body; an upload that does not come to its end is called off.
    async fn upload(
        &self,
        (from, to): (&Location, &Location),
        blob: &Blob,
        (session, sent): (&Url, &Arc<AtomicU64>),
    ) -> Result<(), Fault> {
        let sending = self.send_blob((from, to), blob, (session, sent));
        let outcome = timeout(COPY_MAX, sending).await;
        let late = |_| Err(put_call(to, blob, session).unusable("the time is up"));
        let outcome = outcome.unwrap_or_else(late);
        if outcome.is_err() {
            let call = Call {
                method: Method::DELETE,
                body: Vec::new(),
                ..put_call(to, blob, session)
            };
            let call = Call {
                to: To::Url(session.clone()),
                headers: http::HeaderMap::new(),
                ..call
            };
            // It goes by itself too, later.
            if let Err(fault) = self.opened_once(&call, None).await {
                tracing::debug!(answer = fault.answer(), "an upload could not be called off");
            }
        }
        outcome
    }

    async fn send_blob(
        &self,
        (from, to): (&Location, &Location),
        blob: &Blob,
        (session, sent): (&Url, &Arc<AtomicU64>),
    ) -> Result<(), Fault> {
        let answers = &[301, 302, 303, 307, 308];
        let source_call = blob_call(from, DOING, Method::GET, &blob.digest)?.answered_by(answers);
        let source = self.open_blob(&source_call).await?;
        let failure = Arc::new(std::sync::Mutex::new(None));
        let source = Source {
            opened: source,
            blob: blob.clone(),
            hash: Sha256::new(),
            read: 0,
            held: None,
            sent: Arc::clone(sent),
            early: source_call.unusable("it ends early"),
            wrong: source_call.unusable("it is not what its digest and its size say"),
            failure: Arc::clone(&failure),
        };
        let body = reqwest::Body::wrap_stream(stream::unfold(Some(source), Source::next));
        let call = put_call(to, blob, session);
        let kind = call.kind();
        let sending = || self.watched(&call, body, sent);
        let answer = self.in_turn(&kind, &call, sending).await;
        let mine = failure
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .take();
        // What broke the body says more than that it broke.
        let mut opened = match (mine, answer) {
            (Some(fault), _) => return Err(fault),
            (None, answer) => answer?,
        };
        let reply = Reply {
            status: opened.status,
            headers: std::mem::take(&mut opened.headers),
            body: Vec::new(),
        };
        match reply.header("docker-content-digest") {
            Some(theirs) if theirs != blob.digest.as_str() => {
                Err(call.unusable(&format!("it was written as {theirs}")))
            }
            Some(_) | None if reply.status == 201 => Ok(()),
            Some(_) | None => Err(call.unusable(&format!("{} is not 201, created", reply.status))),
        }
    }

    /// Sends a stream as long as it goes on.
    async fn watched(
        &self,
        call: &Call<'_>,
        body: reqwest::Body,
        sent: &AtomicU64,
    ) -> Result<Opened, Fault> {
        let mut sending: Pin<Box<_>> = Box::pin(self.opened_once(call, Some(body)));
        loop {
            let before = sent.load(Ordering::Relaxed);
            match timeout(STALLED_MAX, &mut sending).await {
                Ok(outcome) => return outcome,
                Err(_) if sent.load(Ordering::Relaxed) > before => {}
                Err(_) => {
                    let seconds = STALLED_MAX.as_secs();
                    return Err(call.unusable(&format!("it did not go on for {seconds} s")));
                }
            }
        }
    }
}

fn put_call<'a>(to: &'a Location, blob: &Blob, session: &Url) -> Call<'a> {
    let mut url = session.clone();
    // The session's own parameters stay as they are.
    let digest = format!("digest={}", blob.digest);
    let query = match url.query() {
        Some(query) if !query.is_empty() => format!("{query}&{digest}"),
        Some(_) | None => digest,
    };
    url.set_query(Some(&query));
    let call = Call::write(to, DOING, Method::PUT, "").about(&format!("@{}", blob.digest));
    Call {
        to: To::Url(url),
        ..call
    }
    .with("content-type", "application/octet-stream")
    .with("content-length", &blob.size.to_string())
}

/// A blob on its way. Its last part is held back until its digest is right, so that nobody ever receives a wrong one whole.
struct Source {
    opened: Opened,
    blob: Blob,
    hash: Sha256,
    read: u64,
    held: Option<Bytes>,
    sent: Arc<AtomicU64>,
    early: Fault,
    wrong: Fault,
    failure: Arc<std::sync::Mutex<Option<Fault>>>,
}

type Part = (Result<Bytes, Fault>, Option<Source>);

impl Source {
    /// The next part, and what is left; after a failure or the last part that is nothing.
    async fn next(source: Option<Self>) -> Option<Part> {
        let mut source = source?;
        match source.part().await {
            Ok(Some(part)) => {
                let bytes = u64::try_from(part.len()).unwrap_or(u64::MAX);
                source.sent.fetch_add(bytes, Ordering::Relaxed);
                Some((Ok(part), Some(source)))
            }
            Ok(None) => None,
            Err(fault) => {
                let mut failure = source
                    .failure
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                *failure = Some(fault.clone());
                drop(failure);
                Some((Err(fault), None))
            }
        }
    }

    async fn part(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let Some(part) = self.opened.part().await? else {
                return self.last();
            };
            if part.is_empty() {
                continue;
            }
            self.read += u64::try_from(part.len()).unwrap_or(u64::MAX);
            if self.read > self.blob.size {
                return Err(self.wrong.clone());
            }
            self.hash.update(&part);
            if let Some(held) = self.held.replace(part) {
                return Ok(Some(held));
            }
        }
    }

    fn last(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.read < self.blob.size {
            return Err(self.early.clone());
        }
        let hash = std::mem::take(&mut self.hash).finalize();
        // Once it was right and its last part is gone, there is nothing more.
        let is_right =
            self.held.is_none() && self.read > 0 || Digest::of_hash(&hash) == self.blob.digest;
        if is_right {
            Ok(self.held.take())
        } else {
            Err(self.wrong.clone())
        }
    }
}
