//! Whether the parts of a required tag go together, and what they make: pure.

use crate::kinds::image_repository::spec::Consistency;
use crate::plan::Why;
use crate::providers::registry::Manifest;
use crate::providers::registry::content::Descriptor;

use super::super::tags::SourceName;
use super::bytes;
use super::part::{Part, meaning};

/// Why a required tag cannot be merged now. What it serves stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// These sources are not there.
    Missing(Vec<SourceName>),
    /// A build that is under way puts it right.
    Waits(Why),
    /// Nothing will change until somebody changes something.
    Stuck(Why),
}

/// What a required tag is to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) entries: Vec<Descriptor>,
    pub(super) index: Manifest,
}

impl Refusal {
    /// The same in a word and a sentence.
    pub(super) fn why(&self) -> Why {
        match self {
            Self::Missing(sources) => {
                let tags: Vec<&str> = sources.iter().map(|it| it.tag.as_str()).collect();
                let (tags, verb) = (tags.join(" and "), plural(tags.len()));
                Why::new("SourceMissing", format!("{tags} {verb} not there"))
            }
            Self::Waits(why) | Self::Stuck(why) => why.clone(),
        }
    }
}

fn plural(count: usize) -> &'static str {
    match count {
        1 => "is",
        _ => "are",
    }
}

/// Puts the parts of one tag together.
pub(super) fn join(parts: &[Part], consistency: Consistency) -> Result<Merged, Refusal> {
    match consistency {
        Consistency::SameRevision => same_revision(parts)?,
        Consistency::Any => {}
    }
    let entries = parts.iter().flat_map(|it| it.entries.iter().cloned());
    let entries = bytes::united(entries);
    let index = bytes::index(&entries);
    Ok(Merged { entries, index })
}

/// Two builds of different commits side by side are no version of anything.
fn same_revision(parts: &[Part]) -> Result<(), Refusal> {
    let silent = parts.iter().find(|it| it.revision.is_none());
    // One source alone is of its own commit, whichever that is.
    if let (Some(part), 2..) = (silent, parts.len()) {
        let message = format!(
            "{} does not say which commit it was built from: label it with org.opencontainers.image.revision, or write consistency: Any",
            part.source.tag
        );
        return Err(Refusal::Stuck(Why::new("RevisionUnknown", message)));
    }
    let differs = |pair: &&[Part]| pair[0].revision != pair[1].revision;
    let Some([one, other]) = parts.windows(2).find(differs) else {
        return Ok(());
    };
    let said = |it: &Part| {
        let revision = it.revision.as_deref().unwrap_or_default();
        format!("{} is of {revision}", it.source.tag)
    };
    let message = format!("{}, {}", said(one), said(other));
    Err(Refusal::Waits(Why::new("RevisionMismatch", message)))
}

/// Whether two indexes mean the same to whoever pulls them, whoever wrote them.
pub(super) fn is_same(one: &[Descriptor], other: &[Descriptor]) -> bool {
    one.iter().map(meaning).eq(other.iter().map(meaning))
}
