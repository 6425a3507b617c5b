//! A pass over a large account in which everything is as declared: how many calls, and how much memory.

use reconcile::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::factory::{Factory, declared_machines};
use crate::figures::{Figures, tell};
use crate::program::Place;

const INSTANCES: usize = 500;
/// Megabytes.
const MEMORY_MAX: f64 = 100.0;

pub(crate) fn measure(figures: &mut Figures) {
    let account = Factory {
        lines: 100,
        per_line: 100,
        surplus: 0,
        foreign: 0,
        now: SystemClock.now(),
    };
    let cloud = Cloud::of(&json!({}));
    let images: Vec<Value> = (0..account.images()).map(|it| account.image(it)).collect();
    let instances: Vec<Value> = (0..INSTANCES).map(|it| account.instance(it)).collect();
    cloud.add(&json!({"images": images, "instances": instances}));
    let place = Place::declaring(&(account.declared_images() + &declared_machines()));
    let pages = |count: usize| count.div_ceil(100);
    let listed = pages(account.images()) + pages(INSTANCES);
    let mut last = 0;
    // The first pass looks at all snapshots too; later ones do so once a day.
    for (which, bound) in [
        ("first", listed + pages(account.images())),
        ("every later", listed),
    ] {
        let ended = place.run(cloud.environment(), &["--once"]);
        let calls = cloud.calls_after(last);
        last = calls.last;
        assert_eq!(ended.report["converged"], true, "{}", ended.report);
        let name = format!("{which} pass over 10,000 images and 500 instances with nothing to do");
        let (reads, writes) = (calls.reads, calls.writes);
        tell(
            &format!("{name}, reads ÷ fewest possible, writes"),
            format!("{reads} ÷ {bound}, {writes}"),
        );
        tell(
            &format!("{name}, peak memory in MB"),
            format!("{:.0} ({:.1} s)", ended.memory, ended.took.as_secs_f64()),
        );
        let told = &ended.report["calls"]["lowerBound"];
        figures.hold(
            (reads, writes) == (bound, 0) && *told == json!(bound),
            &format!("{name}: {reads} reads and {writes} writes, {bound} reads are enough, {told} are told to be"),
        );
        figures.hold(
            ended.memory > 0.0 && ended.memory < MEMORY_MAX,
            &format!("{name}: {:.0} MB, {MEMORY_MAX} are allowed", ended.memory),
        );
    }
}
