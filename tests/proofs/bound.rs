//! `calls` and `lowerBound` are exact: calls are all that the world received, and the bound is what a world of these
//! counts takes. One call too many shows.

use std::collections::BTreeMap;
use std::fmt;

use reconcile::clock::Timestamp;
use reconcile::fault::Fault;
use reconcile::ids::{ResourceId, Token};
use reconcile::kind::{self, Check, Context, Kind, Need, Outputs, Registration};
use reconcile::kinds::KINDS;
use reconcile::kinds::aliyun_region::AliyunRegion;
use reconcile::plan::{Because, Health, Plan, Verb};
use reconcile::providers::Clients;
use reconcile::report::{Report, State};
use reconcile::resource::{Problem, Reference, Resource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cases::{Case, all};
use super::figure;
use super::lab::Lab;

fn case(name: &str) -> Case {
    let mut cases = all().into_iter();
    let found = cases.find(|it| it.name == name);
    found.expect("there is such a case")
}

/// Holds a report against all that the world received since its beginning.
fn agrees(lab: &Lab, before: usize, report: &Report, name: &str) {
    let calls = lab.with_world(|it| it.calls()[before..].to_vec());
    let writes = calls.iter().filter(|it| it.write).count() as u64;
    let mut by_service: BTreeMap<String, u64> = BTreeMap::new();
    for call in &calls {
        *by_service.entry(call.service.to_owned()).or_default() += 1;
    }
    let reported = &report.calls;
    assert_eq!(reported.total(), calls.len() as u64, "{name}");
    assert_eq!(reported.writes, writes, "{name}");
    assert_eq!(reported.by_service, by_service, "{name}");
    assert!(reported.lower_bound <= reported.total(), "{name}");
}

#[test]
fn every_report_counts_what_the_world_received() {
    let (mut total, mut fewest) = (0, 0);
    for case in all() {
        let lab = Lab::new(&case);
        lab.block_on(async |lab| {
            let first = lab.converge(1).await;
            agrees(lab, 0, &first, &case.name);
            total += first.calls.total();
            fewest += first.calls.lower_bound;
            let before = lab.with_world(|it| it.calls().len());
            let plan = lab.plan(2).await;
            agrees(lab, before, &plan, &case.name);
            let before = lab.with_world(|it| it.calls().len());
            let again = lab.once(3).await;
            agrees(lab, before, &again, &case.name);
        });
    }
    figure(
        "calls ÷ fewest possible, all cases from beginning to end",
        &format!("{total} ÷ {fewest}"),
    );
}

#[test]
fn the_bound_of_a_pass_is_as_reckoned_by_hand() {
    let lab = Lab::new(&case("many"));
    lab.block_on(async |lab| {
        let report = lab.once(1).await;
        // A look takes one call each for the caller, the images, the snapshots and the launch templates, since images are
        // to go; listings lag, so that the look after the seven deletions still shows them to go.
        let (looks, deletions) = (2 * (1 + 1 + 1 + 1), 7);
        assert_eq!(report.calls.lower_bound, looks + deletions);
        assert_eq!(report.calls.writes, deletions);
        // On top, right before: once the launch templates and whether instances can be seen; for each image itself, the
        // one that serves, and the instances that use it.
        assert_eq!(report.calls.reads, looks + 1 + 1 + deletions * 3);
    });
}

#[test]
fn a_plan_takes_the_calls_of_one_look() {
    let lab = Lab::new(&case("many"));
    lab.block_on(async |lab| {
        let plan = lab.plan(1).await;
        assert_eq!((plan.calls.total(), plan.calls.lower_bound), (4, 4));
    });
}

#[test]
fn resources_that_are_in_each_others_way_were_looked_at_all_the_same() {
    let line = |name: &str| {
        format!(
            "---\napiVersion: reconcile/v1alpha1\nkind: MachineImage\nmetadata: {{name: {name}}}\n\
             spec: {{regionRef: home, namePrefix: line, architectures: [amd64]}}\n"
        )
    };
    let state = format!("{HOME}{}{}", line("a"), line("b"));
    Lab::declaring(&state, &case("many").scenario).block_on(async |lab| {
        for seed in 1..=2 {
            let report = lab.once(seed).await;
            let is_contested = |(id, it): (&ResourceId, &reconcile::report::Resource)| {
                id.kind != "MachineImage" || it.state == State::Stalled
            };
            assert!(report.resources.iter().all(is_contested));
            // Nothing is remembered of what nobody may sweep: the snapshots are looked at each time.
            assert_eq!((report.calls.reads, report.calls.lower_bound), (3, 3));
        }
    });
}

const HOME: &str = "apiVersion: reconcile/v1alpha1
kind: AliyunRegion
metadata: {name: home}
spec: {regionId: cn-hangzhou, scope: test, accountId: \"1000000000000001\"}
";

/// A kind that asks for one thing more than it needs.
#[derive(Debug)]
struct Superfluous;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    region_ref: Reference,
}

#[derive(Debug, Serialize)]
enum Nothing {}

impl fmt::Display for Nothing {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl kind::Op for Nothing {
    fn verb(&self) -> Verb {
        match *self {}
    }

    fn object(&self) -> Option<&str> {
        match *self {}
    }

    async fn check(&self, _: &Clients) -> Result<Check, Fault> {
        match *self {}
    }

    async fn apply(&self, _: &Clients, _: &Token) -> Result<(), Fault> {
        match *self {}
    }
}

impl Kind for Superfluous {
    const NAME: &'static str = "Superfluous";
    type Spec = Spec;
    type Seen = ();
    type Op = Nothing;

    fn validate(_: &Spec) -> Vec<Problem> {
        Vec::new()
    }

    fn needs(spec: &Spec) -> Vec<Need> {
        let id = ResourceId::new(AliyunRegion::NAME, spec.region_ref.as_str());
        vec![Need {
            field: "spec.regionRef",
            id,
        }]
    }

    async fn observe(resource: &Resource<Spec>, context: &Context<'_>) -> Result<(), Fault> {
        let region = resource.spec.region_ref.as_str();
        let home = context.spec::<AliyunRegion>(region).home();
        let aliyun = &context.clients.aliyun;
        aliyun.images_named(&home.place, "any").await.map(|_| ())
    }

    fn outputs(_: &Resource<Spec>, (): &()) -> Outputs {
        Outputs::new()
    }

    fn claims(_: &Resource<Spec>, (): &()) -> std::collections::BTreeSet<String> {
        std::collections::BTreeSet::new()
    }

    fn why(_: &Resource<Spec>, (): &(), _: &str, _: Timestamp) -> Option<Because> {
        None
    }

    fn plan(_: &Resource<Spec>, (): &(), _: Timestamp) -> Plan<Nothing> {
        Plan::idle(Health::Ready)
    }
}

#[test]
fn one_superfluous_call_moves_the_ratio() {
    let case = case("many");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root
        .join("tests/cases")
        .join(&case.name)
        .join("state/all.yaml");
    let state = std::fs::read_to_string(file).expect("a case has a state");
    let more = "---\napiVersion: reconcile/v1alpha1\nkind: Superfluous\nmetadata: {name: one}\nspec: {regionRef: home}\n";
    let converged = |state: &str| {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        std::fs::write(folder.path().join("all.yaml"), state).expect("there is room for a file");
        let kinds = [KINDS, &[Registration::of::<Superfluous>()]].concat();
        let lab = Lab::knowing(&kinds, folder.path(), &case.scenario);
        lab.block_on(async |lab| {
            assert!(lab.converge(1).await.is_converged());
            let again = lab.once(2).await;
            (again.calls.reads, again.calls.lower_bound)
        })
    };
    let (reads, fewest) = converged(&state);
    assert_eq!(reads, fewest);
    assert_eq!(converged(&format!("{state}{more}")), (reads + 1, fewest));
}
