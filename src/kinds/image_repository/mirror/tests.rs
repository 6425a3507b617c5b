//! What is planned for mirrors, and what a tree of manifests comes to.

use std::sync::Arc;

use serde_json::{Value, json};

use super::op::Op;
use super::plan::plan;
use super::seen::{Seen, Serves, Tag};
use super::tree::{Extent, Tree};
use super::why;
use crate::fact::Fact;
use crate::fault::{Class, Fault};
use crate::ids::Digest;
use crate::kinds::registry::Attestations;
use crate::plan::{Fate, Health, Plan};
use crate::providers::registry::content::{OCI_INDEX, OCI_MANIFEST};
use crate::providers::registry::{Location, Manifest, Site};

fn manifest(media_type: &str, value: &Value) -> Manifest {
    let bytes = value.to_string().into_bytes();
    Manifest {
        digest: Digest::of(&bytes),
        media_type: media_type.to_owned(),
        bytes,
    }
}

/// An image that is told from others by its configuration.
fn image(name: &str) -> Manifest {
    let config = json!({"mediaType": "application/vnd.oci.image.config.v1+json", "size": name.len(),
        "digest": Digest::of(name.as_bytes())});
    manifest(
        OCI_MANIFEST,
        &json!({"schemaVersion": 2, "config": config, "layers": []}),
    )
}

/// An entry of an index; an attestation is one about an image.
fn entry(of: &Manifest, about: Option<&Manifest>) -> Value {
    let mut entry =
        json!({"mediaType": of.media_type, "digest": of.digest, "size": of.bytes.len()});
    match about {
        None => entry["platform"] = json!({"os": "linux", "architecture": "amd64"}),
        Some(about) => {
            entry["platform"] = json!({"os": "unknown", "architecture": "unknown"});
            entry["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": about.digest});
        }
    }
    entry
}

fn index(entries: &[Value]) -> Manifest {
    manifest(
        OCI_INDEX,
        &json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}),
    )
}

/// Reads a tree out of these manifests, the root first.
fn tree(manifests: &[&Manifest], extent: Extent) -> Tree {
    let mut tree = Tree::of(&manifests[0].digest);
    for depth in 0..5 {
        for (digest, is_attestation) in tree.wanted(depth, extent) {
            let found = manifests.iter().find(|it| it.digest == digest);
            let found = Arc::new((*found.expect("it is given")).clone());
            let taken = tree.take((depth, is_attestation), found);
            taken.expect("it can be read");
        }
    }
    tree
}

#[test]
fn an_index_without_its_attestations_is_an_index_of_the_same_images_in_the_same_order() {
    let (one, two) = (image("one"), image("two"));
    let (of_one, of_two) = (image("about one"), image("about two"));
    let all = index(&[
        entry(&two, None),
        entry(&of_two, Some(&two)),
        entry(&one, None),
        entry(&of_one, Some(&one)),
    ]);
    let whole = tree(&[&all, &one, &two, &of_one, &of_two], Extent::Whole);
    let reduced = whole.without_attestations();
    assert_eq!(reduced.serves(), whole.serves());
    assert!(whole.is_attested() && !reduced.is_attested());
    assert_eq!(reduced.groups().concat().len(), 2, "only images are left");
    let indexes = tree(&[&all], Extent::Indexes);
    assert_eq!(
        indexes.without_attestations().root,
        reduced.root,
        "indexes alone tell what is left"
    );
    assert_eq!(reduced.without_attestations(), reduced);
    let text = String::from_utf8(reduced.top().manifest.bytes.clone());
    let expected = format!(
        r#"{{
  "schemaVersion": 2,
  "mediaType": "{OCI_INDEX}",
  "manifests": [
    {{
      "mediaType": "{OCI_MANIFEST}",
      "digest": "{}",
      "size": {},
      "platform": {{
        "architecture": "amd64",
        "os": "linux"
      }}
    }},
    {{
      "mediaType": "{OCI_MANIFEST}",
      "digest": "{}",
      "size": {},
      "platform": {{
        "architecture": "amd64",
        "os": "linux"
      }}
    }}
  ]
}}"#,
        two.digest,
        two.bytes.len(),
        one.digest,
        one.bytes.len()
    );
    assert_eq!(text.as_deref(), Ok(expected.as_str()));
}

#[test]
fn what_has_no_attestations_stays_what_it_is_to_the_byte() {
    let one = image("one");
    let plain = index(&[entry(&one, None)]);
    let about = image("about one");
    let nothing_else = index(&[entry(&about, Some(&one))]);
    for manifests in [
        &[&plain, &one][..],
        &[&one][..],
        &[&nothing_else, &about][..],
    ] {
        let whole = tree(manifests, Extent::Whole);
        assert_eq!(whole.without_attestations().root, whole.root);
    }
}

#[test]
fn attestations_of_a_nested_index_are_left_out_too() {
    let (one, about) = (image("one"), image("about one"));
    let inner = index(&[entry(&one, None), entry(&about, Some(&one))]);
    let outer = index(&[entry(&inner, None)]);
    let whole = tree(&[&outer, &inner, &one, &about], Extent::Whole);
    let reduced = whole.without_attestations();
    let digests: Vec<_> = reduced.digests().collect();
    assert_eq!(digests.len(), 3);
    assert!(digests.contains(&&one.digest));
    assert!(!digests.contains(&&inner.digest) && !digests.contains(&&outer.digest));
    assert_eq!(reduced.serves(), whole.serves());
}

#[test]
fn what_others_point_to_is_written_first_and_images_before_what_is_said_about_them() {
    let (one, two, about) = (image("one"), image("two"), image("about one"));
    let inner = index(&[entry(&one, None)]);
    let outer = index(&[
        entry(&about, Some(&one)),
        entry(&inner, None),
        entry(&two, None),
        entry(&one, None),
    ]);
    let whole = tree(&[&outer, &inner, &one, &two, &about], Extent::Whole);
    let written: Vec<_> = whole
        .groups()
        .concat()
        .iter()
        .map(|it| it.manifest.digest.clone())
        .collect();
    let place = |of: &Manifest| written.iter().position(|it| *it == of.digest);
    assert_eq!(written.len(), 4, "each once, the root not among them");
    assert!(
        place(&one) < place(&inner),
        "an index comes after what is in it"
    );
    assert!(place(&two) < place(&about) && place(&one) < place(&about));
}

fn at(host: &str, repository: &str) -> Location {
    let site = Site {
        host: host.to_owned(),
        insecure: false,
        login: None,
    };
    Location {
        site,
        repository: repository.to_owned(),
    }
}

fn source() -> Location {
    at("ghcr.io", "acme/app")
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// A mirror that serves this under each tag, whose source is called after the tag.
fn mirror(host: &str, attestations: Attestations, tags: &[(&str, Fact<Serves>)]) -> Seen {
    let tag = |(tag, serves): &(&str, Fact<Serves>)| {
        let seen = Tag {
            wanted: digest(tag),
            serves: serves.clone(),
        };
        ((*tag).to_owned(), seen)
    };
    Seen {
        at: at(host, "acme/app"),
        declared: "acme/app".to_owned(),
        attestations,
        tags: tags.iter().map(tag).collect(),
        listed: Some(1),
    }
}

fn planned(mirrors: &[Seen]) -> Plan<Op> {
    let mut made = Plan::idle(Health::Ready);
    plan(&source(), mirrors, (&mut made, |op| op));
    made
}

/// What a plan does, a step a line, and what it says.
fn text(plan: &Plan<Op>) -> Vec<String> {
    let step = |op: &Op| format!("{} {} {op}", op.verb().symbol(), op.object);
    let steps = plan.steps.iter().map(|it| step(&it.op));
    let unknown = plan.unknown.iter();
    let unknown = unknown.map(|it| format!("? {} {}", it.object, it.reason));
    let health = match &plan.health {
        Health::Ready => None,
        Health::Working(why) | Health::Stuck(why) => {
            Some(format!("{}: {}", why.reason, why.message))
        }
    };
    steps.chain(unknown).chain(health).collect()
}

fn fault(class: Class, message: &str) -> Fact<Serves> {
    Fact::Unknown(Fault::new(class, "look", message))
}

#[test]
fn only_what_differs_is_copied() {
    let other = || Fact::Known(Serves::Other(digest("old")));
    let plan = planned(&[
        mirror(
            "cr.example",
            Attestations::Keep,
            &[
                ("v1", Fact::Known(Serves::Same)),
                ("v2", Fact::Known(Serves::Nothing)),
                ("v3", other()),
            ],
        ),
        mirror("b.example", Attestations::Drop, &[("v1", other())]),
    ]);
    assert_eq!(
        text(&plan),
        [
            format!(
                "+ cr.example/acme/app:v2 {:.19} from ghcr.io/acme/app",
                digest("v2")
            ),
            format!(
                "~ cr.example/acme/app:v3 {:.19} from ghcr.io/acme/app",
                digest("v3")
            ),
            format!(
                "~ b.example/acme/app:v1 {:.19} from ghcr.io/acme/app, without attestations",
                digest("v1")
            ),
        ]
    );
    let calls: u64 = plan.listings.values().sum();
    assert_eq!(
        calls,
        4 + 1,
        "one look a tag and mirror, and one at what came later"
    );
    let chains: std::collections::BTreeSet<_> = plan.steps.iter().map(|it| &it.chain).collect();
    assert_eq!(chains.len(), 3, "none waits for another");
}

#[test]
fn one_tag_without_attestations_shows_that_the_others_need_not_be_tried_with_them() {
    let tags = |first| {
        [
            ("v1", Fact::Known(first)),
            ("v2", Fact::Known(Serves::Nothing)),
        ]
    };
    for (policy, first, expected) in [
        (Attestations::Auto, Serves::Reduced, Attestations::Drop),
        (Attestations::Auto, Serves::Same, Attestations::Auto),
        (Attestations::Keep, Serves::Same, Attestations::Keep),
        (Attestations::Drop, Serves::Same, Attestations::Drop),
    ] {
        let plan = planned(&[mirror("cr.example", policy, &tags(first))]);
        let made: Vec<_> = plan.steps.iter().map(|it| it.op.attestations).collect();
        assert_eq!(made, [expected]);
    }
}

#[test]
fn a_mirror_that_is_denied_or_unknown_holds_up_no_other() {
    let throttled = || fault(Class::Throttled { wait: None }, "too many requests");
    let denied = || {
        let words = "denied: requested access to the resource is denied";
        Fact::Unknown(Fault::new(Class::Denied, "look", words).hint("is there such a namespace?"))
    };
    let plan = planned(&[
        mirror(
            "registry.cn-hangzhou.aliyuncs.com",
            Attestations::Keep,
            &[("v1", denied()), ("v2", denied())],
        ),
        mirror(
            "cr.example",
            Attestations::Keep,
            &[("v1", throttled()), ("v2", Fact::Known(Serves::Nothing))],
        ),
    ]);
    assert_eq!(
        text(&plan),
        [
            format!("+ cr.example/acme/app:v2 {:.19} from ghcr.io/acme/app", digest("v2")),
            "? registry.cn-hangzhou.aliyuncs.com/acme/app denied: requested access to the resource is denied".to_owned(),
            "? cr.example/acme/app:v1 too many requests".to_owned(),
            "MirrorDenied: registry.cn-hangzhou.aliyuncs.com/acme/app:v1 cannot be looked at: denied: requested access to the resource is denied (and 1 more tags); is there such a namespace?".to_owned(),
        ]
    );
}

#[test]
fn two_mirrors_that_are_flattened_into_one_name_are_both_left_alone() {
    let one = mirror(
        "cr.example",
        Attestations::Keep,
        &[("v1", Fact::Known(Serves::Nothing))],
    );
    let plan = planned(&[one.clone(), one]);
    assert!(plan.steps.is_empty());
    assert!(matches!(&plan.health, Health::Stuck(why) if why.reason == "Contested"));
}

#[test]
fn says_of_each_tag_of_a_mirror_what_becomes_of_it() {
    let mirrors = [mirror(
        "cr.example",
        Attestations::Auto,
        &[
            ("v1", Fact::Known(Serves::Reduced)),
            ("v2", Fact::Known(Serves::Nothing)),
            (
                "v3",
                fault(Class::Throttled { wait: None }, "too many requests"),
            ),
        ],
    )];
    let fate = |tag: &str| {
        let object = format!("cr.example/acme/app:{tag}");
        why::why(&source(), &mirrors, &object).map(|it| it.fate)
    };
    assert_eq!(fate("v1"), Some(Fate::Kept));
    assert_eq!(fate("v2"), Some(Fate::Changes));
    assert_eq!(fate("v3"), Some(Fate::Unknown));
    assert_eq!(fate("somebody-elses"), Some(Fate::LeftAlone));
    assert_eq!(
        why::why(&source(), &mirrors, "cr.example/acme/app2:v1"),
        None
    );
}
