//! Listings that change while they are read, and listings of the past: nothing goes that should stay.

use reconcile::sim::history::Call;
use serde_json::json;

use super::crowd::Crowd;
use super::reference::Reference;
use super::with_each;
use crate::proofs::cases::all;
use crate::proofs::figure;

/// Every listing of a run, by its place among the calls: those of everything, and the looks at one object.
fn listings(reference: &Reference, is_meant: fn(&Call) -> bool) -> Vec<usize> {
    let is_listing = |it: &(usize, &Call)| it.1.action.starts_with("Describe") && is_meant(it.1);
    let numbered = reference.calls.iter().enumerate();
    let listings = numbered.filter(is_listing);
    listings.map(|(index, _)| index + 1).collect()
}

#[test]
fn a_listing_that_is_torn_between_two_pages_deletes_nothing_that_should_stay() {
    let crowd = Crowd {
        images: 90,
        other_images: 20,
        instances: 70,
        ..Crowd::default()
    };
    let (mut case, _folder) = crowd.case("torn");
    case.scenario.settings.page_size_max = 60;
    let reference = Reference::of(&case);
    let mut troubles = Vec::new();
    for n in listings(&reference, |it| it.object.is_none()) {
        for fault in ["torn", "tornShorter"] {
            troubles.push(json!([{"nth": n, "fault": fault}]));
        }
    }
    with_each(&troubles, |it| drop(reference.survives(it)));
    figure(
        "torn listings enumerated and passed (C5)",
        &troubles.len().to_string(),
    );
}

#[test]
fn a_listing_that_is_always_torn_is_no_listing() {
    let (case, _folder) = Crowd {
        images: 101,
        ..Crowd::default()
    }
    .case("torn for ever");
    for fault in ["torn", "tornShorter"] {
        let mut case = case.clone();
        let trouble = json!([{"action": "DescribeImages", "fault": fault, "times": 1_000_000}]);
        case.scenario.troubles = serde_json::from_value(trouble).expect("a trouble");
        crate::proofs::lab::Lab::new(&case).block_on(async |lab| {
            let report = lab.once(1).await;
            assert_eq!(
                (report.exit_code(), lab.writes()),
                (1, 0),
                "{}",
                report.to_json()
            );
            let said = report.closing_text(reconcile::report::Style::Plain);
            assert!(
                said.contains("it changed while it was read, 3 times"),
                "{said}"
            );
        });
    }
}

#[test]
fn a_listing_of_the_past_deletes_nothing_that_should_stay() {
    let mut count = 0;
    for case in all() {
        let reference = Reference::of(&case);
        let mut troubles = Vec::new();
        // The demo is long, and its looks at one object are those of the others.
        let is_meant = match case.name.as_str() {
            "demo" => |it: &Call| it.object.is_none(),
            _ => |_: &Call| true,
        };
        for n in listings(&reference, is_meant) {
            troubles.push(json!([{"nth": n, "fault": "stale", "seconds": 300}]));
        }
        for n in listings(&reference, |it| it.object.is_none()) {
            troubles.push(json!([{"nth": n, "times": 6, "fault": "stale", "seconds": 60}]));
        }
        count += troubles.len();
        // What a listing of snapshots did not show yet goes with the daily sweep.
        with_each(&troubles, |it| drop(reference.survives_the_day(it)));
    }
    figure(
        "stale listings enumerated and passed (C2)",
        &count.to_string(),
    );
}
