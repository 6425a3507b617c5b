//! Swarm: worlds, files and troubles drawn from a seed, whatever may come of it.
//!
//! - `draw`: the seed's numbers.
//! - `files`, `world`, `troubles`: what is declared, what exists, what goes wrong with calls.
//! - `repositories`: what is declared and exists in registries.
//! - `play`: what else goes wrong, and what must hold in the end.
//!
//! `RECONCILE_SEEDS=N` plays so many seeds, `RECONCILE_SEED=N` exactly this one.

mod draw;
mod files;
mod play;
mod repositories;
mod troubles;
mod world;

use reconcile::report::Style;
use reconcile::sim::scenario::{ListingOrder, Scenario};

use super::lab::Lab;
use super::{each, figure, spread};
use play::{Seeded, case_of, play, repositories_of};

/// How many seeds are played where nobody says otherwise.
const QUICK: u64 = 200;

/// Of so many seeds one is played twice.
const TWICE: u64 = 10;

/// Of so many seeds one is played in registries too.
const IN_REGISTRIES: u64 = 4;

fn number(name: &str) -> Option<u64> {
    let said = std::env::var(name).ok()?;
    Some(
        said.parse()
            .unwrap_or_else(|_| panic!("{name}={said} is no number")),
    )
}

/// The seeds that are to be played.
fn seeds() -> Vec<u64> {
    match number("RECONCILE_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("RECONCILE_SEEDS").unwrap_or(QUICK)).collect(),
    }
}

fn seeds_in_registries() -> Vec<u64> {
    let is_meant =
        |it: &u64| it.is_multiple_of(IN_REGISTRIES) || number("RECONCILE_SEED").is_some();
    seeds().into_iter().filter(is_meant).collect()
}

/// Says which seed fails, past the test runner.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            figure(
                "failing seed, RECONCILE_SEED repeats it",
                &self.0.to_string(),
            );
        }
    }
}

#[test]
fn whatever_goes_wrong_the_world_settles_when_it_is_over_and_stays_so() {
    let seeds = seeds();
    let passes = each(&seeds, |seed| {
        let _told = Told(*seed);
        play(&case_of(*seed)).passes
    });
    figure("seeds run", &seeds.len().to_string());
    let passes = passes.into_iter().flatten().collect();
    figure(
        "passes to converge under the troubles of a seed",
        &spread(passes),
    );
}

#[test]
fn whatever_goes_wrong_in_registries_they_settle_when_it_is_over_and_stay_so() {
    let seeds: Vec<u64> = seeds_in_registries();
    let passes = each(&seeds, |seed| {
        let _told = Told(*seed);
        play(&repositories_of(*seed)).passes
    });
    figure("seeds run in registries", &seeds.len().to_string());
    let passes = passes.into_iter().flatten().collect();
    figure(
        "passes to converge under the troubles of a seed in registries",
        &spread(passes),
    );
}

#[test]
fn equal_seeds_give_equal_logs_to_the_byte() {
    let seeds: Vec<u64> = seeds().into_iter().filter(|it| it % TWICE == 1).collect();
    each(&seeds, |seed| {
        let _told = Told(*seed);
        let seeded = if seed % IN_REGISTRIES == 1 {
            repositories_of(*seed)
        } else {
            case_of(*seed)
        };
        let (one, other) = (play(&seeded).log, play(&seeded).log);
        let mut lines = one.lines().zip(other.lines());
        let different = lines.find(|(one, other)| one != other);
        assert_eq!(different, None, "seed {seed}");
        assert_eq!(one.len(), other.len(), "seed {seed}");
    });
}

/// I6, in worlds where nothing goes wrong.
#[test]
fn a_seed_is_planned_alike_whatever_the_order_and_the_size_of_pages() {
    each(&seeds(), |seed| {
        let _told = Told(*seed);
        let Seeded {
            mut case, files, ..
        } = case_of(*seed);
        case.scenario.troubles.clear();
        let plan = |change: fn(&mut Scenario)| {
            let mut case = case.clone();
            change(&mut case.scenario);
            Lab::new(&case).block_on(async |lab| lab.plan(1).await.pass_text(1, Style::Plain))
        };
        let newest = plan(|it| it.settings.listing_order = ListingOrder::NewestFirst);
        let others: [fn(&mut Scenario); 3] = [
            |it| it.settings.listing_order = ListingOrder::OldestFirst,
            |it| it.settings.listing_order = ListingOrder::Shuffled,
            |it| it.settings.page_size_max = 1,
        ];
        for other in others {
            assert_eq!(newest, plan(other), "seed {seed}\n{files}");
        }
    });
}
