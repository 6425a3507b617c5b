//! Closures by hand and at random.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::ids::Digest;
use crate::providers::registry::Blob;
use crate::resource::Span;

use super::super::spec::{Retention, Spec};
use super::closure::{Keep, Verdict, verdicts};
use super::graph::{Links, Version, about};
use super::order::leaving;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn now() -> Timestamp {
    Timestamp::parse("2026-11-21T02:00:00Z").expect("a time")
}

fn spec() -> Spec {
    let spec = serde_json::json!({
        "registryRef": "ghcr", "repository": "example/app", "tags": ["latest", {"pattern": "v*"}],
    });
    serde_json::from_value(spec).expect("a spec")
}

fn retention() -> Retention {
    let retention = serde_json::json!({
        "tagged": {"keepLast": 1, "keep": ["stable-*"], "olderThan": "7d"}, "untagged": {"olderThan": "1d"},
    });
    serde_json::from_value(retention).expect("a retention")
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// A version that is so many days old; its layer has its name, and a thousand bytes.
fn version(name: &str, tags: &[&str], days: u32) -> Version {
    Version {
        digest: digest(name),
        id: None,
        tags: tags.iter().map(|it| (*it).to_owned()).collect(),
        changed: Some(now().minus(DAY * days)),
        links: Links {
            blobs: vec![Blob {
                digest: digest(&format!("layer of {name}")),
                size: 1000,
            }],
            ..Links::default()
        },
    }
}

fn index(name: &str, tags: &[&str], children: &[&str]) -> Version {
    let mut version = version(name, tags, 30);
    version.links.children = children.iter().map(|it| digest(it)).collect();
    version
}

fn referrer(name: &str, subject: &str) -> Version {
    let mut version = version(name, &[], 30);
    version.links.subject = Some(digest(subject));
    version
}

/// The names of those that go, in the order in which they go.
fn going(versions: &[Version], names: &[&str]) -> Vec<String> {
    let verdicts = verdicts((&spec(), &retention()), versions, now());
    let name = |place: usize| {
        let mut names = names.iter();
        let found = names.find(|it| digest(it) == versions[place].digest);
        (*found.expect("it has a name")).to_owned()
    };
    let leaving = leaving(versions, &verdicts);
    leaving.iter().map(|it| name(it.place)).collect()
}

#[test]
fn what_a_required_tag_reaches_stays_and_the_rest_goes_parents_first() {
    let names = [
        "latest", "amd", "arm", "att", "sig", "inner", "deep", "source", "old", "old amd",
        "old att",
    ];
    let versions = [
        version("old amd", &[], 30),
        index("latest", &["latest"], &["amd", "arm", "att", "inner"]),
        version("amd", &[], 30),
        version("arm", &[], 30),
        referrer("att", "amd"),
        version(
            "sig",
            &[&format!("sha256-{}.sig", digest("latest").digits())],
            30,
        ),
        index("inner", &[], &["deep"]),
        version("deep", &[], 30),
        index("source", &["latest-amd64"], &["amd"]),
        index("old", &["nightly-1"], &["old amd", "arm"]),
        referrer("old att", "old amd"),
        version("newest", &["nightly-2"], 20),
    ];
    assert_eq!(going(&versions, &names), ["old", "old att", "old amd"]);
}

#[test]
fn each_rule_keeps_what_it_says() {
    let mut unknown = version("unknown", &["odd"], 30);
    unknown.changed = None;
    let versions = [
        version("required", &["v1.0.0", "other"], 99),
        version("source", &["v1.0.0-arm64"], 99),
        version("pattern", &["stable-3"], 99),
        version("last", &["b"], 20),
        version("young", &["c"], 6),
        version("fresh", &[], 0),
        unknown,
        version("old", &["a"], 21),
        version("older", &[], 2),
    ];
    let mut versions = versions.to_vec();
    versions[4].changed = Some(now().minus(DAY * 7));
    let verdicts = verdicts((&spec(), &retention()), &versions, now());
    let kept = |keep: &Keep| Verdict::Stays(keep.clone());
    assert_eq!(verdicts[0], kept(&Keep::Required("v1.0.0".to_owned())));
    assert_eq!(verdicts[1], kept(&Keep::SourceOf("v1.0.0".to_owned())));
    assert_eq!(verdicts[2], kept(&Keep::Pattern("stable-*".to_owned())));
    assert_eq!(
        verdicts[3],
        Verdict::Goes(super::closure::Rule::Tagged(Span(DAY * 7)))
    );
    assert_eq!(verdicts[4], kept(&Keep::Last(1)), "the newest");
    assert_eq!(verdicts[5], kept(&Keep::Young(Span(DAY))));
    assert_eq!(verdicts[6], kept(&Keep::AgeUnknown));
    for place in [7, 8] {
        assert!(matches!(verdicts[place], Verdict::Goes(_)), "{place}");
    }
}

#[test]
fn what_is_not_managed_stays_with_all_that_it_reaches() {
    let versions = [index("odd", &["odd"], &["part"]), version("part", &[], 30)];
    let mut retention = retention();
    retention.tagged = None;
    let all = verdicts((&spec(), &retention), &versions, now());
    assert_eq!(all[0], Verdict::Stays(Keep::NotManaged));
    assert_eq!(all[1], Verdict::Stays(Keep::PartOf(digest("odd"))));
}

#[test]
fn a_blob_is_freed_by_the_last_that_has_it() {
    let mut versions = vec![
        index("a", &["a"], &["shared"]),
        index("b", &["b"], &["shared"]),
        version("shared", &[], 30),
        version("newest", &["z"], 8),
    ];
    versions[0].links.blobs = versions[3].links.blobs.clone();
    let verdicts = verdicts((&spec(), &retention()), &versions, now());
    let frees: Vec<u64> = leaving(&versions, &verdicts)
        .iter()
        .map(|it| it.frees)
        .collect();
    assert_eq!(
        frees,
        [0, 1000, 1000],
        "what stays has the first one's blob"
    );
}

#[test]
fn tags_that_are_about_a_manifest_are_told_from_others() {
    let digits = "a".repeat(64);
    for end in ["", ".sig", ".att", ".sbom"] {
        let found = about(&format!("sha256-{digits}{end}"));
        assert_eq!(found, Digest::parse(&format!("sha256:{digits}")), "{end}");
    }
    for tag in [
        "sha256-abc",
        "latest",
        "sha512-aa",
        &format!("sha256-{digits}.txt"),
    ] {
        assert_eq!(about(tag), None, "{tag}");
    }
}

/// Numbers from a seed (Knuth, MMIX).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % most
    }
}

/// A repository at random. An index lists what stands before it, as it must: it names digests.
fn drawn(seed: u64) -> Vec<Version> {
    let mut numbers = Numbers(seed);
    let mut versions: Vec<Version> = Vec::new();
    for place in 0..numbers.below(60) + 1 {
        let tag = ["latest", "v1", "v1-amd64", "stable-1", "x", "y"][numbers.below(6)];
        let tag = format!("{tag}{}", ["", "2", "3"][numbers.below(3)]);
        let tags: &[&str] = if numbers.below(3) == 0 { &[&tag] } else { &[] };
        let days = u32::try_from(numbers.below(20)).expect("a small number");
        let mut version = version(&place.to_string(), tags, days);
        for _ in 0..numbers.below(4) {
            if place > 0 {
                let child = numbers.below(place);
                version.links.children.push(versions[child].digest.clone());
            }
        }
        if numbers.below(5) == 0 && place > 0 {
            let subject = numbers.below(place);
            version.links.subject = Some(versions[subject].digest.clone());
        }
        versions.push(version);
    }
    versions
}

#[test]
fn nothing_that_stays_ever_lacks_a_part_however_far_the_deletion_got() {
    let mut gone_in_all = 0;
    for seed in 0..2000 {
        let versions = drawn(seed);
        let verdicts = verdicts((&spec(), &retention()), &versions, now());
        let leaving = leaving(&versions, &verdicts);
        let goes = verdicts.iter().filter(|it| matches!(it, Verdict::Goes(_)));
        assert_eq!(
            leaving.len(),
            goes.count(),
            "seed {seed}: all that can go goes"
        );
        let mut there: BTreeSet<&Digest> = versions.iter().map(|it| &it.digest).collect();
        for it in &leaving {
            let gone = &versions[it.place];
            there.remove(&gone.digest);
            let pairs = versions.iter().zip(&verdicts);
            for (version, verdict) in pairs.filter(|(it, _)| there.contains(&it.digest)) {
                let is_whole = version.links.children.iter().all(|it| there.contains(it));
                assert!(is_whole, "seed {seed}: {} lacks a part", version.digest);
                // What a tag of its own keeps may be about something that goes.
                let is_about = version.links.subject.as_ref() == Some(&gone.digest);
                let goes = matches!(verdict, Verdict::Goes(_));
                assert!(
                    !(is_about && goes),
                    "seed {seed}: {} outlives",
                    version.digest
                );
            }
        }
        let again: Vec<Version> = versions
            .iter()
            .filter(|it| there.contains(&it.digest))
            .cloned()
            .collect();
        let left = super::closure::verdicts((&spec(), &retention()), &again, now());
        let is_over = left.iter().all(|it| matches!(it, Verdict::Stays(_)));
        assert!(is_over, "seed {seed}: a second run has nothing to do");
        gone_in_all += leaving.len();
    }
    assert!(gone_in_all > 1000, "{gone_in_all} are too few to tell");
}
