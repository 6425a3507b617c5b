//! The closure over random repositories: nothing that is reached goes, nothing that stays is broken, nothing is left over.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::ids::Digest;

use super::super::closure::{Closure, Graph};
use super::super::version::{Version, named_after};
use super::{USUAL, close, spec, versions};

/// Numbers from a seed (the generator `SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % most
    }
}

/// A repository of up to forty versions whose links point anywhere, some at nothing; a manifest names only what was there
/// before it.
fn repository(seed: u64) -> String {
    let mut numbers = Numbers(seed);
    let count = 2 + numbers.below(40);
    let mut text = "v0 5 latest\n".to_owned();
    for number in 1..count {
        let tag = match numbers.below(9) {
            0 => format!("pr-{number}"),
            1 => format!("v{number}"),
            2 => format!("pr-{}-amd64", numbers.below(count)),
            3 => format!("#v{}.sig", numbers.below(count)),
            4 => "latest-arm64".to_owned() + &number.to_string(),
            _ => "-".to_owned(),
        };
        write!(text, "v{number} {} {tag}", numbers.below(12)).expect("text");
        if numbers.below(2) == 0 {
            let children = (0..=numbers.below(3)).map(|_| format!(" v{}", numbers.below(number)));
            write!(text, " >{}", children.collect::<String>()).expect("text");
        }
        if numbers.below(5) == 0 {
            write!(text, " @ v{}", numbers.below(number)).expect("text");
        }
        text.push('\n');
    }
    text
}

/// What must stay by one step from what stays, reckoned as simply as can be.
fn needed<'a>(versions: &'a [Version], stays: &BTreeSet<&Digest>) -> BTreeSet<&'a Digest> {
    let mut needed = BTreeSet::new();
    for version in versions {
        if stays.contains(&version.digest) {
            needed.extend(&version.links.children);
        }
        let named = version.tags.iter().filter_map(|it| named_after(it));
        let mut about = version.links.subject.iter().cloned().chain(named);
        if about.any(|it| stays.contains(&it)) {
            needed.insert(&version.digest);
        }
        for other in versions.iter().filter(|it| stays.contains(&it.digest)) {
            let is_source = |tag: &String| {
                let mut sources = other
                    .tags
                    .iter()
                    .flat_map(|it| [format!("{it}-amd64"), format!("{it}-arm64")]);
                sources.any(|it| it == *tag)
            };
            if version.tags.iter().any(is_source) {
                needed.insert(&version.digest);
            }
        }
    }
    let there: BTreeSet<&Digest> = versions.iter().map(|it| &it.digest).collect();
    needed.retain(|it| there.contains(it));
    needed
}

fn without(versions: &[Version], closure: &Closure) -> Vec<Version> {
    let kept = versions.iter().zip(&closure.kept);
    kept.filter(|(_, rule)| rule.is_some())
        .map(|(it, _)| it.clone())
        .collect()
}

#[test]
fn nothing_that_is_needed_goes_and_a_second_look_finds_nothing_more() {
    let spec = spec(USUAL);
    let mut gone = 0;
    for seed in 0..2000 {
        let text = repository(seed);
        let versions = versions(&text);
        let closure = close(&spec, &versions);
        let left = without(&versions, &closure);
        let stays: BTreeSet<&Digest> = left.iter().map(|it| &it.digest).collect();
        let needed = needed(&versions, &stays);
        let lost: Vec<_> = needed.difference(&stays).collect();
        assert!(lost.is_empty(), "seed {seed}: {lost:?} go\n{text}");
        assert!(
            stays.contains(&versions[0].digest),
            "seed {seed}: the required tag"
        );
        let order = Graph::new(&spec, &versions).order(&closure);
        gone += order.len();
        // What goes in part must leave what stays and what has not gone yet whole.
        let mut rest: BTreeSet<&Digest> = versions.iter().map(|it| &it.digest).collect();
        for (at, _) in &order {
            rest.remove(&versions[*at].digest);
            let whole = versions.iter().filter(|it| rest.contains(&it.digest));
            for it in whole {
                let lost = it
                    .links
                    .children
                    .iter()
                    .find(|it| **it == versions[*at].digest);
                assert!(
                    lost.is_none(),
                    "seed {seed}: a part goes before what has it\n{text}"
                );
            }
        }
        let again = close(&spec, &left);
        assert!(again.broken.is_empty(), "seed {seed}: broken\n{text}");
        let more = again.kept.iter().filter(|it| it.is_none()).count();
        assert_eq!(more, 0, "seed {seed}: it is no fixpoint\n{text}");
    }
    assert!(gone > 5000, "{gone} of all went: that proves little");
}
