//! In which order versions go, and what each of them frees: pure, and linear in what there is.

use std::collections::{BTreeSet, VecDeque};

use crate::ids::Digest;

use super::closure::Verdict;
use super::graph::{Graph, Version};

/// One version that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// Its place in the list of versions.
    pub place: usize,
    /// The bytes of what no version needs any more once it is gone.
    pub frees: u64,
}

/// The versions that go, each before what it lists and after what is about it: whatever ends it in the middle, nothing
/// that is there lacks a part of itself.
pub fn leaving(versions: &[Version], verdicts: &[Verdict]) -> Vec<Leaving> {
    let graph = Graph::of(versions);
    let goes = |place: usize| matches!(verdicts[place], Verdict::Goes(_));
    let followers = |place: usize| {
        let children = graph.children(place);
        // A version goes after those that are about it.
        children.filter(|it| goes(*it))
    };
    let going: Vec<usize> = (0..versions.len()).filter(|it| goes(*it)).collect();
    let mut waits = vec![0_usize; versions.len()];
    for place in &going {
        followers(*place).for_each(|it| waits[it] += 1);
        waits[*place] += graph
            .companions(*place)
            .iter()
            .filter(|it| goes(**it))
            .count();
    }
    let mut subjects: Vec<Vec<usize>> = vec![Vec::new(); versions.len()];
    for place in &going {
        for companion in graph.companions(*place) {
            subjects[*companion].push(*place);
        }
    }
    let mut ready: VecDeque<usize> = going.iter().copied().filter(|it| waits[*it] == 0).collect();
    let mut ordered = Vec::new();
    while let Some(place) = ready.pop_front() {
        ordered.push(place);
        for next in followers(place).chain(subjects[place].iter().copied()) {
            waits[next] -= 1;
            if waits[next] == 0 {
                ready.push_back(next);
            }
        }
    }
    // What points at each other in a circle, as tags that are about one another can, stays.
    freed(versions, verdicts, ordered)
}

fn freed(versions: &[Version], verdicts: &[Verdict], ordered: Vec<usize>) -> Vec<Leaving> {
    let staying = versions.iter().zip(verdicts);
    let staying = staying.filter(|(_, it)| matches!(it, Verdict::Stays(_)));
    let mut needed: BTreeSet<&Digest> = staying
        .flat_map(|(it, _)| it.links.blobs.iter().map(|it| &it.digest))
        .collect();
    // Counted backwards: a blob is freed by the last version that has it.
    let mut leaving: Vec<Leaving> = Vec::new();
    for place in ordered.into_iter().rev() {
        let blobs = versions[place].links.blobs.iter();
        let fresh = blobs.filter(|it| needed.insert(&it.digest));
        leaving.push(Leaving {
            place,
            frees: fresh.map(|it| it.size).sum(),
        });
    }
    leaving.reverse();
    leaving
}
