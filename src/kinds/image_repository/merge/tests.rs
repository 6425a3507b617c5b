//! What becomes of a required tag, by what its sources and it were seen to be.

use std::collections::BTreeMap;

use crate::fact::Fact;
use crate::fault::{Class, Fault};
use crate::ids::{Digest, ResourceId};
use crate::kinds::image_repository::seen::Seen as Repository;
use crate::plan::{Cause, Fate, Health, Plan};
use crate::providers::registry::content::{self, DOCKER_LIST, Descriptor, OCI_INDEX, OCI_MANIFEST};
use crate::providers::registry::{Location, Site};
use crate::resource::{Policy, Resource, Source};

use super::super::op::Op;
use super::super::spec::Spec;
use super::join::Refusal;
use super::part::{Part, pick};
use super::seen::{Seen, Served, Tag};
use super::{claims, outputs, why};

/// An entry of an index: its name, platform (`-`: none, `?`: unknown) and what it is about (`-`: nothing).
fn entry(name: &str, platform: &str, about: &str) -> Descriptor {
    let mut annotations = BTreeMap::new();
    if about != "-" {
        let about = Digest::of(about.as_bytes()).to_string();
        annotations.insert("vnd.docker.reference.digest".to_owned(), about);
        let kind = "attestation-manifest".to_owned();
        annotations.insert("vnd.docker.reference.type".to_owned(), kind);
    }
    let platform = match platform {
        "?" => "unknown/unknown",
        other => other,
    };
    let platform = platform.split_once('/').map(|(os, rest)| {
        let (architecture, variant) = rest.split_once('/').unwrap_or((rest, ""));
        content::Platform {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: Some(variant.to_owned()).filter(|it| !it.is_empty()),
            ..content::Platform::default()
        }
    });
    Descriptor {
        media_type: OCI_MANIFEST.to_owned(),
        digest: Digest::of(name.as_bytes()),
        size: 476,
        urls: Vec::new(),
        annotations,
        data: None,
        platform,
        artifact_type: None,
    }
}

/// Entries, written as in `image linux/amd64 -, about ? image`.
fn entries(text: &str) -> Vec<Descriptor> {
    let entries = text.split(", ").filter(|it| !it.is_empty());
    let words = entries.map(|it| it.split(' ').collect::<Vec<_>>());
    words.map(|it| entry(it[0], it[1], it[2])).collect()
}

fn resource(more: &str) -> Resource<Spec> {
    let text = format!(r#"{{"registryRef": "ghcr", "repository": "example/app"{more}}}"#);
    Resource {
        id: ResourceId::new("ImageRepository", "app"),
        labels: BTreeMap::new(),
        policy: Policy::default(),
        spec: serde_json::from_str(&text).expect("the spec of a test can be read"),
        source: Source::start_of("state/x.yaml"),
        files: BTreeMap::new(),
    }
}

/// What the source of `v1` for a platform gives, by its entries and its revision (empty: it does not say).
fn part(spec: &Spec, index: usize, (written, revision): (&str, &str)) -> Result<Part, Refusal> {
    let source = spec.sources_of("v1").swap_remove(index);
    let picked = pick(&source, &entries(written)).map_err(Refusal::Stuck)?;
    let entries = std::iter::once(picked.image).chain(picked.attestations);
    Ok(Part {
        digest: Digest::of(format!("{index} {written}").as_bytes()),
        entries: entries.collect(),
        dropped: picked.dropped,
        revision: Some(revision.to_owned()).filter(|it| !it.is_empty()),
        layers: Vec::new(),
        source,
    })
}

const AMD64: (&str, &str) = ("a linux/amd64 -, aa ? a", "1");
const ARM64: (&str, &str) = ("b linux/arm64 -, bb ? b", "1");
/// What both make.
const BOTH: &str = "a linux/amd64 -, aa ? a, b linux/arm64 -, bb ? b";

fn parts(spec: &Spec, sources: [(&str, &str); 2]) -> Result<Vec<Part>, Refusal> {
    (0..)
        .zip(sources)
        .map(|(index, it)| part(spec, index, it))
        .collect()
}

fn seen(tag: Fact<Tag>) -> Repository {
    Repository {
        home: Location {
            site: Site {
                host: "ghcr.io".to_owned(),
                insecure: false,
                login: None,
            },
            repository: "example/app".to_owned(),
        },
        merge: Seen {
            listed: None,
            tags: BTreeMap::from([("v1".to_owned(), tag)]),
        },
        mirrors: Vec::new(),
        retention: None,
        dispatch: None,
    }
}

fn served(written: &str) -> Served {
    Served {
        digest: Digest::of(b"served"),
        entries: (!written.is_empty()).then(|| entries(written)),
    }
}

fn plan(resource: &Resource<Spec>, seen: &Repository) -> Plan<Op> {
    let mut plan = Plan::idle(Health::Ready);
    super::plan(resource, seen, &mut plan);
    plan
}

fn planned(sources: [(&str, &str); 2], served: Option<Served>) -> Plan<Op> {
    let resource = resource(r#", "tags": ["v1"]"#);
    let parts = parts(&resource.spec, sources);
    plan(&resource, &seen(Fact::Known(Tag { served, parts })))
}

/// The first tag that is written.
fn written(plan: &Plan<Op>) -> &super::Op {
    let Op::Merge(op) = &plan.steps[0].op else {
        panic!("{:?}", plan.steps[0].op);
    };
    op
}

/// Why nothing is written, and whether somebody must change something.
fn refused(sources: [(&str, &str); 2]) -> (&'static str, String, bool) {
    let plan = planned(sources, Some(served(BOTH)));
    assert!(plan.steps.is_empty(), "{:?}", plan.steps);
    match plan.health {
        Health::Ready => ("", String::new(), false),
        Health::Working(why) => (why.reason, why.message, false),
        Health::Stuck(why) => (why.reason, why.message, true),
    }
}

#[test]
fn a_tag_that_is_not_there_is_made_from_its_sources() {
    let plan = planned([AMD64, ARM64], None);
    let [step] = plan.steps.as_slice() else {
        panic!("{:?}", plan.steps);
    };
    let op = written(&plan);
    assert_eq!(op.verb(), crate::plan::Verb::Create);
    assert_eq!(step.cause, Cause::File("spec.tags"));
    assert_eq!(op.media_type, OCI_INDEX);
    let index: content::Index = serde_json::from_str(&op.index).expect("an index can be read");
    assert_eq!(index.manifests, entries(BOTH));
    assert_eq!(op.digest, Digest::of(op.index.as_bytes()));
}

#[test]
fn a_tag_that_means_the_same_is_left_alone_whoever_wrote_it() {
    let mut same = entries("a linux/amd64 -, aa ? a, b linux/arm64/v8 -, bb ? b");
    same[0].artifact_type = Some("application/vnd.oci.image.config.v1+json".to_owned());
    let note = ("org.example.note".to_owned(), "x".to_owned());
    same[2].annotations.extend([note]);
    let served = Served {
        digest: Digest::of(b"served"),
        entries: Some(same),
    };
    let plan = planned([AMD64, ARM64], Some(served));
    assert_eq!(plan.health, Health::Ready);
    assert!(plan.steps.is_empty());
}

#[test]
fn a_tag_that_means_something_else_is_put_right() {
    for other in [
        // The annotations of attestations are lost, as by buildah.
        "a linux/amd64 -, aa ? -, b linux/arm64 -, bb ? -",
        // They are moved to the end, as by manifest-tool.
        "a linux/amd64 -, b linux/arm64 -, aa ? a, bb ? b",
        "a linux/amd64 -, aa ? a",
        "a linux/amd64 -, aa ? a, c linux/arm64 -, bb ? b",
        "a linux/amd64 -, aa ? a, b linux/arm64/v9 -, bb ? b",
    ] {
        let plan = planned([AMD64, ARM64], Some(served(other)));
        assert_eq!(plan.steps.len(), 1, "{other}");
        let cause = Cause::Upstream("its sources moved".to_owned());
        assert_eq!(plan.steps[0].cause, cause);
    }
    let plan = planned([AMD64, ARM64], Some(served("")));
    assert_eq!(plan.steps[0].cause, Cause::Drift);
}

#[test]
fn what_is_no_image_of_its_platform_is_not_merged() {
    for (written, reason, said) in [
        (
            "b linux/amd64 -",
            "PlatformMismatch",
            "v1-arm64 serves linux/amd64, and must serve linux/arm64",
        ),
        (
            "b linux/arm64/v9 -",
            "PlatformMismatch",
            "serves linux/arm64/v9",
        ),
        (
            "b linux/arm64 -, c linux/amd64 -",
            "PlatformMismatch",
            "serves linux/amd64",
        ),
        (
            "b linux/arm64 -, c linux/arm64/v8 -",
            "PlatformDoubled",
            "has two images for linux/arm64",
        ),
        ("", "PlatformMissing", "has no image for linux/arm64"),
        ("bb ? b", "PlatformMissing", "has no image for linux/arm64"),
        ("b - -", "PlatformMissing", "does not say what"),
        ("b /arm64 -", "PlatformEmpty", "runs on `/arm64`"),
    ] {
        let (found, message, is_stuck) = refused([AMD64, (written, "1")]);
        assert_eq!((found, is_stuck), (reason, true), "{written}: {message}");
        assert!(message.contains(said), "{written}: {message}");
        assert!(message.ends_with("it serves what it did"), "{message}");
    }
}

#[test]
fn an_index_in_an_index_is_not_merged() {
    let resource = resource(r#", "tags": ["v1"]"#);
    let source = resource.spec.sources_of("v1").swap_remove(0);
    for media_type in [OCI_INDEX, DOCKER_LIST] {
        let mut nested = entries(AMD64.0);
        nested[0].media_type = media_type.to_owned();
        assert_eq!(
            pick(&source, &nested).map_err(|it| it.reason),
            Err("NestedIndex")
        );
    }
    let mut artifact = entries(AMD64.0);
    artifact[0].media_type = "application/vnd.example".to_owned();
    assert_eq!(
        pick(&source, &artifact).map_err(|it| it.reason),
        Err("NotAnImage")
    );
}

#[test]
fn what_is_about_an_image_that_is_not_there_is_left_out_and_told() {
    let plan = planned([AMD64, ("b linux/arm64 -, bb ? x, cc ? -", "1")], None);
    let op = written(&plan);
    let index: content::Index = serde_json::from_str(&op.index).expect("an index can be read");
    assert_eq!(
        index.manifests,
        entries("a linux/amd64 -, aa ? a, b linux/arm64 -")
    );
    let told = plan
        .notices
        .iter()
        .filter(|it| it.kind == "AttestationDropped");
    assert_eq!(told.count(), 2);
}

#[test]
fn two_commits_are_no_version_of_anything() {
    let (reason, message, is_stuck) = refused([AMD64, (ARM64.0, "2")]);
    assert_eq!((reason, is_stuck), ("RevisionMismatch", false));
    assert!(
        message.contains("v1-amd64 is of 1, v1-arm64 is of 2"),
        "{message}"
    );
    let (reason, message, is_stuck) = refused([AMD64, (ARM64.0, "")]);
    assert_eq!((reason, is_stuck), ("RevisionUnknown", true));
    assert!(message.contains("v1-arm64 does not say"), "{message}");
}

#[test]
fn any_revision_goes_where_that_is_declared() {
    let any = resource(r#", "tags": ["v1"], "sources": {"consistency": "Any"}"#);
    for revision in ["2", ""] {
        let parts = parts(&any.spec, [AMD64, (ARM64.0, revision)]);
        let seen = seen(Fact::Known(Tag {
            served: None,
            parts,
        }));
        assert_eq!(plan(&any, &seen).steps.len(), 1);
    }
    let alone = resource(r#", "tags": ["v1"], "platforms": ["linux/amd64"]"#);
    let parts = part(&alone.spec, 0, (AMD64.0, "")).map(|it| vec![it]);
    let seen = seen(Fact::Known(Tag {
        served: None,
        parts,
    }));
    assert_eq!(plan(&alone, &seen).steps.len(), 1);
}

#[test]
fn a_missing_source_keeps_the_tag_and_is_named() {
    let named = resource(r#", "tags": ["v1"]"#);
    let missing = named.spec.sources_of("v1").split_off(1);
    let tag = |served| {
        Fact::Known(Tag {
            served,
            parts: Err(Refusal::Missing(missing.clone())),
        })
    };
    let plan_of = |resource: &Resource<Spec>, served| plan(resource, &seen(tag(served)));
    let kept = plan_of(&named, Some(served(BOTH)));
    assert!(kept.steps.is_empty());
    assert!(kept.look_again.is_some());
    let [notice] = kept.notices.as_slice() else {
        panic!("{:?}", kept.notices);
    };
    assert_eq!(notice.kind, "SourceMissing");
    assert_eq!(
        notice.why.message,
        "v1: v1-arm64 is not there; it serves what it did"
    );
    // What only a pattern requires is not required any more: it is told, and stays.
    let by_pattern = resource(r#", "tags": [{"pattern": "v*"}]"#);
    let left = plan_of(&by_pattern, Some(served(BOTH)));
    assert_eq!(left.health, Health::Ready);
    assert!(left.steps.is_empty());
    assert_eq!(left.unmanaged[0].object, "v1");
    assert!(plan_of(&by_pattern, None).unmanaged.is_empty());
}

#[test]
fn what_could_not_be_looked_at_is_unknown_and_nothing_is_done() {
    let resource = resource(r#", "tags": ["v1"]"#);
    let seen = seen(Fact::Unknown(Fault::new(Class::Denied, "ask", "no")));
    let plan = plan(&resource, &seen);
    assert!(plan.steps.is_empty());
    assert_eq!(plan.unknown[0].object, "v1");
    assert!(outputs(&seen.merge).is_empty());
    let claims = claims(&resource.spec, &seen);
    assert!(claims.contains("tag v1 in ghcr.io/example/app"));
    let why = why(&resource, &seen, "v1").expect("the tag is known");
    assert_eq!(why.fate, Fate::Unknown);
}

#[test]
fn patterns_require_what_has_all_sources_and_never_a_source() {
    let resource = resource(r#", "tags": ["v0", {"pattern": "v*"}]"#);
    let listed = [
        "v0", "v0-amd64", "v0-arm64", "v1-amd64", "v1-arm64", "v2", "v2-amd64", "v3", "w1-amd64",
        "w1-arm64",
    ];
    let listed: Vec<String> = listed.map(str::to_owned).into();
    assert_eq!(resource.spec.tags_by_pattern(&listed), ["v1"]);
    let mut seen = seen(Fact::Known(Tag {
        served: None,
        parts: parts(&resource.spec, [AMD64, ARM64]),
    }));
    seen.merge.listed = Some(Fact::Known(listed));
    let plan = plan(&resource, &seen);
    let left: Vec<&str> = plan.unmanaged.iter().map(|it| it.object.as_str()).collect();
    assert_eq!(left, ["v2", "v3"]);
    assert_eq!(plan.steps.len(), 1);
    let fate = |tag: &str| why(&resource, &seen, tag).map(|it| it.fate);
    assert_eq!(fate("v1"), Some(Fate::Changes));
    assert_eq!(fate("v1-arm64"), Some(Fate::Kept));
    assert_eq!(fate("v2"), Some(Fate::LeftAlone));
    assert_eq!(fate("w1-amd64"), None);
}
