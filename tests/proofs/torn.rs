//! C5: a list is torn between two pages. Every page boundary of every listing of every reference run, and the boundary
//! between any two images of ours.

use std::time::Duration;

use reconcile::sim::history::Call;
use reconcile::sim::scenario::Scenario;
use serde_json::{Value, json};

use super::cases::{Case, all, named};
use super::reference::{Reference, Wrong, is_listing};
use super::{each, extent, figure, is_all};

/// What becomes of a list: an entry moves, one goes, one comes.
const FAULTS: [&str; 3] = ["torn", "tornShorter", "tornLonger"];

/// Images to a page (ECS API reference, `DescribeImages`, `PageSize`).
const PAGE: usize = 100;

/// Adds images of others that come before all of the case, so many that the first page ends after `ours` of its images.
fn with_others(case: &Case, ours: usize) -> Case {
    let mut case = case.clone();
    let start = case.scenario.start;
    for number in 0..PAGE - ours {
        let image = json!({
            "ImageId": format!("m-other{number}"),
            "ImageName": format!("another-{number}"),
            "CreationTime": start.minus(Duration::from_secs(number as u64)),
        });
        let image = serde_json::from_value(image).expect("an image is written right");
        case.scenario.objects.images.push(image);
    }
    case.name = format!("{}, {ours} images on the first page", case.name);
    case
}

/// The cases, each once for every place of a page boundary; where it must be quick, one of them for the middle one.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for case in all().into_iter().filter(|it| is_all() || !it.is_long()) {
        let Scenario { objects, .. } = &case.scenario;
        let images = objects.images.len();
        let mut single = case.clone();
        // Instances, snapshots, tags and versions come one a page.
        single.scenario.settings.page_size_max = 1;
        single.name = format!("{}, one a page", case.name);
        let is_quick = |place: usize| case.name == "many" && place == images / 2;
        // A build lists the same again and again while it waits.
        let is_whole = is_all() && case.name != "built";
        let places = (1..images).filter(|it| is_whole || is_quick(*it));
        cases.extend(places.map(|it| with_others(&case, it)));
        cases.push(single);
    }
    cases
}

/// The pages of everything, by occurrence.
fn pages(reference: &Reference) -> Vec<Value> {
    let is_of_objects = |it: &Call| it.object.is_some() && it.action.starts_with("Describe");
    let is_page = |it: &(&Call, Value)| {
        is_listing(it.0) && it.0.action != "HEAD manifest" && !is_of_objects(it.0)
    };
    let points = reference.points().into_iter().filter(is_page);
    points.map(|it| it.1).collect()
}

#[test]
fn a_list_that_is_torn_between_two_pages_deletes_nothing_that_should_stay() {
    let references = each(&cases(), Reference::of);
    let mut points: Vec<(&Reference, Value)> = Vec::new();
    for reference in &references {
        for page in pages(reference) {
            for fault in FAULTS {
                let mut trouble = page.clone();
                trouble["fault"] = json!(fault);
                points.push((reference, trouble));
            }
        }
    }
    assert!(points.len() > 100, "only {} points", points.len());
    each(&points, |(reference, trouble)| {
        reference.survives(Wrong {
            troubles: json!([trouble]),
            // A snapshot that fell between two pages goes with the daily sweep.
            takes_a_day: true,
            ..Wrong::default()
        });
    });
    figure(
        &format!(
            "pages before which a list was torn, passed (C5), {}",
            extent()
        ),
        &points.len().to_string(),
    );
}

#[test]
fn a_listing_that_is_always_torn_is_no_listing() {
    let case = with_others(&named("rollback"), 2);
    for fault in FAULTS {
        let mut case = case.clone();
        let trouble = json!([{"action": "DescribeImages", "fault": fault, "times": 1_000_000}]);
        case.scenario.troubles = serde_json::from_value(trouble).expect("a trouble");
        super::lab::Lab::new(&case).block_on(async |lab| {
            let report = lab.once(1).await;
            let said = report.closing_text(reconcile::report::Style::Plain);
            assert_eq!(
                (report.exit_code(), lab.writes()),
                (1, 0),
                "{fault}: {said}"
            );
            assert!(
                said.contains("it changed while it was read, 3 times"),
                "{said}"
            );
        });
    }
}
