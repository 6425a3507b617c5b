//! Pages of listings: how much they hold, and how they are torn, for a page is no snapshot.

use crate::sim::scenario::Scenario;
use crate::sim::trouble::{Trouble, TroubleKind};

/// What a page holds at most in a world of small pages; none: as much as each service allows.
pub(crate) fn small(scenario: &Scenario) -> Option<usize> {
    /// GitHub REST API, "Using pagination in the REST API".
    const USUAL: usize = 100;
    let most = scenario.settings.page_size_max.max(1);
    (most < USUAL).then_some(most)
}

/// What a listing has become since its first `start` entries were read.
pub(crate) fn torn<T: Clone>(entries: &mut Vec<T>, start: usize, trouble: Option<&Trouble>) {
    if start == 0 || start >= entries.len() {
        return;
    }
    match trouble.map(|it| it.fault) {
        Some(TroubleKind::Torn) => {
            let moved = entries.remove(start);
            entries.insert(0, moved);
        }
        Some(TroubleKind::TornShorter) => {
            entries.remove(0);
        }
        Some(TroubleKind::TornLonger) => {
            // Which one came does not matter: its page has been read.
            entries.insert(0, entries[0].clone());
        }
        Some(
            TroubleKind::DropBefore
            | TroubleKind::DropAfter
            | TroubleKind::Status
            | TroubleKind::Stale
            | TroubleKind::Garbage
            | TroubleKind::Delay
            | TroubleKind::Vanish
            | TroubleKind::Reclaim
            | TroubleKind::CreateFailed
            | TroubleKind::AgentNever
            | TroubleKind::AgentLate
            | TroubleKind::ScriptEnds
            | TroubleKind::ScriptHangs
            | TroubleKind::ShutsDown,
        )
        | None => {}
    }
}
