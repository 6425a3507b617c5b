//! The cases, and what each of them must come to without any fault.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use reconcile::engine::{Inventory, load};
use reconcile::kinds::KINDS;
use reconcile::plan::Verb;
use reconcile::report::{Action, Outcome, Report, Style};
use reconcile::resource::yaml_value;
use reconcile::sim::registry::history::{By, Deed};
use reconcile::sim::scenario::{ListingOrder, Scenario};

use crate::cli::Place;

use super::figure;
use super::lab::Lab;
use super::reference::effective_writes;
use super::state::state_of;

/// One case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// What is declared.
    pub(crate) inventory: Arc<Inventory>,
    /// What exists.
    pub(crate) scenario: Scenario,
}

impl Case {
    /// A case whose state files are in a folder.
    pub(crate) fn new(name: &str, folder: &Path, scenario: &Scenario) -> Self {
        let inventory = load(folder, KINDS).unwrap_or_else(|findings| panic!("{findings:#?}"));
        Self {
            name: name.to_owned(),
            inventory: Arc::new(inventory),
            scenario: scenario.clone(),
        }
    }

    /// Whether it takes so many calls that what must be quick leaves it out.
    pub(crate) fn is_long(&self) -> bool {
        LONG.contains(&self.name.as_str())
    }

    /// The project's example files about machines and the world that the program carries. What those about registries
    /// lead to, cases of their own show with fewer calls.
    pub(crate) fn demo() -> Self {
        let place = Place::with_machines();
        Self::new("demo", &place.path("state"), &Scenario::default_past())
    }
}

/// The cases that take so many calls that what must be quick leaves them out.
const LONG: [&str; 6] = ["built", "demo", "mirrored", "retained", "runners", "tags"];

/// All cases, by name: those of `tests/cases`, and the demo.
pub(crate) fn all() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut cases = vec![Case::demo()];
    for entry in fs::read_dir(root.join("tests/cases")).expect("the cases are there") {
        let folder = entry.expect("the cases can be read").path();
        let world = fs::read_to_string(folder.join("world.yaml")).expect("a case has a world");
        let value = yaml_value(&world).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
        let scenario =
            Scenario::from_value(value).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
        let name = folder.file_name().expect("a folder has a name");
        cases.push(Case::new(
            &name.to_string_lossy(),
            &folder.join("state"),
            &scenario,
        ));
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

/// One of them.
pub(crate) fn named(name: &str) -> Case {
    let mut cases = all().into_iter();
    let case = cases.find(|it| it.name == name);
    case.unwrap_or_else(|| panic!("there is no case {name}"))
}

/// How many things were not as declared and are now: one for each action in the cloud, and in registries one for each blob, manifest
/// and tag that came or went, a manifest and the tag that it came by being one.
fn differences(lab: &Lab, report: &Report) -> usize {
    let in_cloud =
        |it: &&Action| it.result == Outcome::Done && it.resource.kind != "ImageRepository";
    // A launch for a job makes a record and a machine.
    let size = |it: &Action| {
        let is_pair = it.resource.kind == "RunnerSet" && it.verb == Verb::Create;
        1 + usize::from(is_pair)
    };
    let in_cloud: usize = report.actions.iter().filter(in_cloud).map(size).sum();
    let history = lab.with_world(|it| it.registry_history().to_vec());
    let mut changes: BTreeSet<String> = BTreeSet::new();
    for it in history.iter().filter(|it| it.by == By::Client) {
        let change =
            if let Deed::ManifestPut { digest } | Deed::TagMoved { to: digest, .. } = &it.what {
                format!("put {digest}")
            } else {
                format!("{:?}", it.what)
            };
        changes.insert(format!("{}/{} {change}", it.host, it.repository));
    }
    in_cloud + changes.len()
}

#[test]
fn every_case_converges_and_a_second_run_has_nothing_to_do_at_the_least_cost() {
    let (mut writes, mut actions, mut reads, mut fewest) = (0, 0, 0, 0);
    for case in all() {
        let lab = Lab::new(&case);
        lab.block_on(async |lab| {
            let report = lab.converge(1).await;
            assert!(report.is_converged(), "{}: {}", case.name, report.to_json());
            lab.check_end(&report);
            let before = state_of(lab);
            let written = lab.writes();
            let done = |it: &&Action| it.result == Outcome::Done;
            let done = report.actions.iter().filter(done).count();
            // Where listings lag, a look right before an effect may show less than the look that it was planned by.
            let is_sure = case.scenario.times.listing_lag == 0;
            assert!(
                !is_sure || done == report.actions.len(),
                "{}: something was tried in vain: {}",
                case.name,
                report.to_json()
            );
            let took_effect = lab.with_world(|it| effective_writes(it.calls()));
            let differences = differences(lab, &report);
            assert_eq!(took_effect, differences, "{}: I5", case.name);
            writes += took_effect;
            actions += differences;
            let again = lab.once(2).await;
            assert!(
                again.actions.is_empty(),
                "{}: {}",
                case.name,
                again.to_json()
            );
            assert_eq!(lab.writes(), written, "{}", case.name);
            assert_eq!(again.calls.reads, again.calls.lower_bound, "{}", case.name);
            assert_eq!(state_of(lab), before, "{}", case.name);
            reads += again.calls.reads;
            fewest += again.calls.lower_bound;
        });
    }
    figure(
        "writes ÷ difference, all cases",
        &format!("{writes} ÷ {actions}"),
    );
    figure(
        "reads ÷ fewest possible, converged worlds",
        &format!("{reads} ÷ {fewest}"),
    );
}

#[test]
fn every_case_is_planned_alike_whatever_the_order_and_the_size_of_pages() {
    for case in all() {
        let plan = |change: fn(&mut Scenario)| {
            let mut case = case.clone();
            change(&mut case.scenario);
            Lab::new(&case).block_on(async |lab| lab.plan(1).await.pass_text(1, Style::Plain))
        };
        let newest = plan(|it| it.settings.listing_order = ListingOrder::NewestFirst);
        assert_eq!(
            newest,
            plan(|it| it.settings.listing_order = ListingOrder::OldestFirst),
            "{}",
            case.name
        );
        assert_eq!(
            newest,
            plan(|it| it.settings.listing_order = ListingOrder::Shuffled),
            "{}",
            case.name
        );
        assert_eq!(
            newest,
            plan(|it| it.settings.page_size_max = 10),
            "{}",
            case.name
        );
    }
}
