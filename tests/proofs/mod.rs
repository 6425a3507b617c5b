//! Proofs: the real reconciler against the simulated world, at the wire, in one runtime whose clock jumps.
//!
//! Every folder of `tests/cases` is a case: `world.yaml` says what exists, `state/` what is declared. A kind joins
//! the proofs by adding one. Each row of the catalogue of faults has its file:
//!
//! | row | what goes wrong | file |
//! |---|---|---|
//! | C1 | the process dies | `crash` |
//! | C2 | a listing answers from the past | `past` |
//! | C3 | a change between two passes that nobody saw | `unseen` |
//! | C4 | throttled, 5xx, timed out, cut, garbage | `calls` |
//! | C5 | a list is torn between two pages | `torn` |
//! | C6 | a second reconciler, or a person, acts in between | `company`, `people`, `tagged` |
//! | C7 | a machine is reclaimed, no stock, quota | `builds`, `capacity` |
//! | C8 | a clock is wrong | `skew` |
//!
//! `cargo test` enumerates what is quick: as a rule the cases but for the long ones, and of like troubles some; what is left
//! out stands in each file. With `RECONCILE_PROOFS=all` it is everything. Each figure says which.

mod bound;
mod calls;
pub(crate) mod cases;
mod change;
mod company;
mod crash;
mod daemon;
mod found;
pub(crate) mod lab;
mod model;
pub(crate) mod oracle;
mod past;
mod people;
pub(crate) mod reference;
mod served;
mod skew;
pub(crate) mod state;
mod swarm;
mod tagged;
mod torn;
mod unseen;

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Prints a figure past the test runner, which keeps back what a passing test prints.
pub(crate) fn figure(name: &str, value: &str) {
    let _ = writeln!(std::io::stderr(), "figure: {name}: {value}");
}

/// Whether everything is enumerated, and not only what is quick.
pub(crate) fn is_all() -> bool {
    std::env::var("RECONCILE_PROOFS").is_ok_and(|it| it == "all")
}

/// What was enumerated, for figures.
fn extent() -> &'static str {
    if is_all() {
        "every case"
    } else {
        "the short cases"
    }
}

/// Does the same with each of many things. Worlds share nothing, so they run side by side; the first that fails ends
/// all.
pub(crate) fn each<T: Sync, R: Send>(things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    /// Lets nobody begin another thing when its thread fails.
    struct End<'a>(&'a AtomicUsize, usize);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.0.store(self.1, Ordering::Relaxed);
            }
        }
    }
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let _end = End(&next, things.len());
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(thing) = things.get(index) else {
                        break;
                    };
                    let result = work(thing);
                    let mut results = results.lock().expect("nobody fails while he holds it");
                    results.push((index, result));
                }
            });
        }
    });
    let mut results = results
        .into_inner()
        .expect("nobody fails while he holds it");
    results.sort_by_key(|it| it.0);
    results.into_iter().map(|it| it.1).collect()
}

/// The middle, the 99th percentile and the greatest of some numbers, for figures.
fn spread(mut numbers: Vec<u32>) -> String {
    numbers.sort_unstable();
    let Some(last) = numbers.len().checked_sub(1) else {
        return "none".to_owned();
    };
    let (p50, p99) = (numbers[last / 2], numbers[last * 99 / 100]);
    format!("p50 {p50}, p99 {p99}, max {}", numbers[last])
}
