//! What happened in registries and to workflows, for oracles; it only ever grows.

use crate::clock::Timestamp;
use crate::ids::Digest;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// World time.
    pub at: Timestamp,
    /// Who did it.
    pub by: By,
    /// The host of the registry; `github` for a run.
    pub host: String,
    /// The repository there.
    pub repository: String,
    /// What.
    pub what: Deed,
}

impl Happening {
    /// The manifest that a client deleted; none: it did something else, or somebody else did it.
    pub fn deleted_by_client(&self) -> Option<&Digest> {
        if self.by != By::Client {
            return None;
        }
        match &self.what {
            Deed::ManifestDeleted { digest, .. } | Deed::VersionDeleted { digest, .. } => {
                Some(digest)
            }
            Deed::ManifestPut { .. }
            | Deed::TagMoved { .. }
            | Deed::TagGone { .. }
            | Deed::VersionRestored { .. }
            | Deed::BlobPushed { .. }
            | Deed::BlobMounted { .. }
            | Deed::BlobDeleted { .. }
            | Deed::RunStarted { .. }
            | Deed::RunEnded { .. } => None,
        }
    }
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A client, by a request.
    Client,
    /// Somebody else; no request was sent for it.
    Somebody,
    /// A run of a workflow.
    Workflow,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A manifest that was not there is there.
    ManifestPut { digest: Digest },
    /// A tag names another manifest.
    TagMoved {
        tag: String,
        from: Option<Digest>,
        to: Digest,
    },
    /// A tag is gone, and its manifest is not.
    TagGone { tag: String, from: Digest },
    /// A manifest is gone, and with it these tags.
    ManifestDeleted { digest: Digest, tags: Vec<String> },
    /// A version of a package is gone, and with it its manifest and these tags.
    VersionDeleted {
        id: u64,
        digest: Digest,
        tags: Vec<String>,
    },
    /// A version of a package is back, with its manifest and these tags.
    VersionRestored {
        id: u64,
        digest: Digest,
        tags: Vec<String>,
    },
    /// The content of a blob was sent; so many bytes.
    BlobPushed { digest: Digest, bytes: u64 },
    /// A blob is there without being sent.
    BlobMounted { digest: Digest, from: String },
    /// A blob is gone.
    BlobDeleted { digest: Digest },
    /// A run of a workflow was started.
    RunStarted { workflow: String, run: u64 },
    /// A run of a workflow ended.
    RunEnded { run: u64, conclusion: String },
}
