//! C2: a listing answers from the past, once, for a whole pass, or for five minutes. Every listing of every reference
//! run.

use std::sync::Mutex;

use reconcile::clock::Timestamp;
use serde_json::{Value, json};

use super::reference::{Reference, Wrong, is_listing, references};
use super::served::Served;
use super::{each, extent, figure};

const FIVE_MINUTES: u64 = 300;

/// Before anything was: the listing is empty.
const AGES: u64 = 100_000_000;

/// When listings answer from the past.
#[derive(Debug)]
enum When {
    /// One of them.
    Call(Value),
    /// All of the pass that follows this one.
    PassAfter(u32),
    /// All of the five minutes that follow this pass.
    MinutesAfter(u32),
}

/// The run, when, and how old the past is.
type Point<'a> = (&'a Reference, When, u64);

fn points(references: &[Reference]) -> Vec<Point<'_>> {
    let mut points: Vec<Point> = Vec::new();
    for reference in references {
        let calls = reference.points().into_iter();
        let listings = calls.filter(|it| is_listing(it.0));
        for (_, at) in listings {
            let depths = [FIVE_MINUTES, AGES].into_iter();
            points.extend(depths.map(|it| (reference, When::Call(at.clone()), it)));
        }
        for pass in 0..reference.passes {
            let depths = [60, FIVE_MINUTES, AGES].into_iter();
            points.extend(depths.map(|it| (reference, When::PassAfter(pass), it)));
            points.push((reference, When::MinutesAfter(pass), FIVE_MINUTES));
        }
    }
    points
}

fn stale(seconds: u64) -> Value {
    json!([{"fault": "stale", "seconds": seconds, "times": 1_000_000}])
}

/// Lets the past begin after one pass and end after a later one.
fn between(
    first: u32,
    seconds: u64,
    is_over: impl Fn(Timestamp, Timestamp) -> bool,
) -> impl Fn(&Served, u32) {
    let begun: Mutex<Option<Timestamp>> = Mutex::default();
    move |served, pass| {
        let mut begun = begun.lock().expect("nobody fails while he holds it");
        match *begun {
            None if pass == first => {
                *begun = Some(served.now());
                served.trouble(&stale(seconds));
            }
            Some(since) if is_over(since, served.now()) => served.trouble(&json!([])),
            // A past that is there from the beginning.
            None if first == 0 => {
                let start = served.with_world(|it| it.scenario().start);
                *begun = Some(start);
                if is_over(start, served.now()) {
                    served.trouble(&json!([]));
                }
            }
            None | Some(_) => {}
        }
    }
}

fn look_back((reference, when, seconds): &Point<'_>) {
    let mut wrong = Wrong {
        what: format!("{when:?}, {seconds} s ago"),
        // What a listing of snapshots did not show goes with the daily sweep.
        takes_a_day: true,
        ..Wrong::default()
    };
    let minutes = |since: Timestamp, now: Timestamp| now.since(since).as_secs() >= FIVE_MINUTES;
    match when {
        When::Call(at) => {
            let mut trouble = at.clone();
            trouble["fault"] = json!("stale");
            trouble["seconds"] = json!(seconds);
            wrong.troubles = json!([trouble]);
        }
        When::PassAfter(pass) => {
            wrong.after_pass = Some(Box::new(between(*pass, *seconds, |_, _| true)));
        }
        When::MinutesAfter(pass) => {
            wrong.after_pass = Some(Box::new(between(*pass, *seconds, minutes)));
        }
    }
    match when {
        When::PassAfter(0) | When::MinutesAfter(0) => wrong.troubles = stale(*seconds),
        When::Call(_) | When::PassAfter(_) | When::MinutesAfter(_) => {}
    }
    reference.survives(wrong);
}

#[test]
fn whatever_a_listing_shows_of_the_past_the_work_is_finished_in_the_present() {
    let references = references();
    let points = points(&references);
    assert!(points.len() > 100, "only {} points", points.len());
    each(&points, look_back);
    figure(
        &format!(
            "listings of the past, enumerated and passed (C2), {}",
            extent()
        ),
        &points.len().to_string(),
    );
}
