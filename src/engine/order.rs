//! In which order resources are looked at: pure.

use std::collections::BTreeMap;

use crate::ids::ResourceId;
use crate::kind::Need;

/// An order, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Each resource stands in a later wave than all that it needs; a wave is sorted by name.
    Waves(Vec<Vec<ResourceId>>),
    /// These need each other, or need one that does.
    Cycle(Vec<ResourceId>),
}

/// Orders resources by what they need. A need that is not declared does not count.
pub(super) fn order(needs: &BTreeMap<ResourceId, Vec<Need>>) -> Order {
    let mut missing: BTreeMap<&ResourceId, usize> = BTreeMap::new();
    let mut needed_by: BTreeMap<&ResourceId, Vec<&ResourceId>> = BTreeMap::new();
    for (id, needs_of_id) in needs {
        let declared = || needs_of_id.iter().filter(|it| needs.contains_key(&it.id));
        missing.insert(id, declared().count());
        for need in declared() {
            needed_by.entry(&need.id).or_default().push(id);
        }
    }
    let mut waves = Vec::new();
    let free = missing.iter().filter(|(_, count)| **count == 0);
    let mut wave: Vec<&ResourceId> = free.map(|(id, _)| *id).collect();
    while !wave.is_empty() {
        let mut next = Vec::new();
        for id in &wave {
            missing.remove(id);
            for dependant in needed_by.get(id).into_iter().flatten() {
                let count = missing
                    .get_mut(dependant)
                    .expect("a dependant comes after its needs");
                *count -= 1;
                if *count == 0 {
                    next.push(*dependant);
                }
            }
        }
        next.sort();
        waves.push(wave.into_iter().cloned().collect());
        wave = next;
    }
    if missing.is_empty() {
        Order::Waves(waves)
    } else {
        Order::Cycle(missing.into_keys().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(edges: &str, expected: &str) {
        let mut needs: BTreeMap<ResourceId, Vec<Need>> = BTreeMap::new();
        for edge in edges.split_whitespace() {
            let (from, to) = edge.split_once('>').unwrap_or((edge, ""));
            let needed = needs.entry(ResourceId::new("K", from)).or_default();
            if !to.is_empty() {
                needed.push(Need {
                    field: "spec.ref",
                    id: ResourceId::new("K", to),
                });
            }
        }
        let names = |ids: &[ResourceId]| {
            ids.iter()
                .map(|it| it.name.clone())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let found = match order(&needs) {
            Order::Waves(waves) => waves
                .iter()
                .map(|it| names(it))
                .collect::<Vec<_>>()
                .join(" | "),
            Order::Cycle(cycle) => format!("cycle {}", names(&cycle)),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn puts_each_resource_after_what_it_needs() {
        check("a b c", "a b c");
        check("c a>c b>a", "c | a | b");
        check("d b>a c>a d>b d>c a", "a | b c | d");
        check("a>a", "cycle a");
        check("a>b b>a c", "cycle a b");
        check("a>gone", "a");
        check("a>b a>b b", "b | a");
    }
}
