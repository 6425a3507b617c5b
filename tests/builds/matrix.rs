//! Today's scripts were killed right after each call that changes something, and run again a day later. Here it is the same
//! for `reconcile`, from the same images: a scenario for each row, and one for each further call of its own.

use reconcile::sim::history::{Call, What};
use reconcile::sim::object::ImageStatus;
use reconcile::sim::server::{Gate, GatePoint, Side, Verdict};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    DAY, REGION, RENAMES, THEIRS, base, count, edited, gaps, instances, networked, recorded,
    recorded_images, rests,
};
use crate::proofs::lab::Lab;
use crate::proofs::{each, figure};

const MATCHES: [&str; 2] = ["exact", "substring"];
/// `spec.retention.keep` of the scripts' run.
const KEEP: usize = 5;

fn matrix() -> Value {
    recorded("crash/build-custom-image-kill-matrix.json")
}

/// The images that the scripts found, and the base that they built upon.
fn lab(matrix: &Value, name_match: &str) -> Lab {
    let mut all = recorded_images(&matrix["initial_images"]);
    all.push(base("20251110", "2025-11-10T03:00:00Z"));
    let world = json!({
        "start": "2025-11-25T02:00:00Z",
        "settings": {"imageNameMatch": name_match},
        "objects": {"images": all},
    });
    edited(&THEIRS, &networked(world))
}

/// The numbers of the calls that change something, of a run that nobody kills.
fn writes(matrix: &Value, name_match: &str) -> Vec<u64> {
    lab(matrix, name_match).block_on(async |lab| {
        let report = lab.converge(1).await;
        assert!(report.is_converged(), "{}", report.to_json());
        let is_write = |it: &&Call| it.write;
        lab.with_world(|it| it.calls().iter().filter(is_write).map(|it| it.n).collect())
    })
}

/// One scenario: how names are matched, how many writes are done, and the number of the last of them.
#[derive(Debug)]
struct Scene {
    name_match: &'static str,
    done: usize,
    last: Option<u64>,
}

/// What is left of a run that died.
#[derive(Debug, Default)]
struct Left {
    machines: usize,
    /// Whether a lookup by name finds nothing.
    nameless: bool,
    /// Whether a lookup by family finds nothing either.
    lost: bool,
}

/// What was left at once; how many machines a day later, before and after the next run; how many images then.
struct Outcome {
    left: Left,
    machines: [usize; 2],
    images: usize,
}

/// Lets a process die right after its last write.
fn killing(lab: &mut Lab, last: Option<u64>) -> watch::Receiver<bool> {
    let (died, dead) = watch::channel(last.is_none());
    lab.gate = Some(Gate::new(move |point: &GatePoint| {
        if Some(point.call.n) != last || point.side != Side::Applied {
            return Verdict::Go;
        }
        died.send_replace(true);
        Verdict::Halt
    }));
    dead
}

fn left(lab: &Lab) -> Left {
    let now = lab.now();
    let all = lab.with_world(|it| it.images(REGION, now));
    let mut available = all.iter().filter(|it| it.status == ImageStatus::Available);
    let is_named = available
        .clone()
        .any(|it| it.image_name.ends_with("-latest"));
    let has_family = available.any(|it| it.image_family == "github-runner-ubuntu24-amd64");
    Left {
        machines: instances(lab).len(),
        nameless: !is_named,
        lost: !is_named && !has_family,
    }
}

fn play(matrix: &Value, scene: &Scene) -> Outcome {
    let mut lab = lab(matrix, scene.name_match);
    let mut dead = killing(&mut lab, scene.last);
    lab.block_on(async |lab| {
        tokio::select! {
            biased;
            _ = dead.wait_for(|it| *it) => {}
            _ = lab.converge(1) => panic!("{scene:?}: it did not die"),
        }
        let left = left(lab);
        lab.wait(DAY).await;
        let before = instances(lab).len();
        let report = lab.converge(2).await;
        assert!(report.is_converged(), "{scene:?}: {}", report.to_json());
        lab.check_end(&report);
        check_images(lab, scene, left.nameless);
        Outcome {
            left,
            machines: [before, instances(lab).len()],
            images: rests(lab).len(),
        }
    })
}

/// One new image, as many as are kept, and `-latest` named nothing only from one of the two renames to the other.
fn check_images(lab: &Lab, scene: &Scene, nameless: bool) {
    let created = count(lab, |it| matches!(it, What::ImageCreated(_)));
    assert_eq!(created, 1, "{scene:?}");
    let rests = rests(lab);
    assert_eq!(rests.len(), KEEP, "{scene:?}: {rests:?}");
    assert_eq!(rests[0], "latest", "{scene:?}");
    // What the scripts' `-latest` was called when they had built another.
    assert!(
        rests.contains(&"202511240217".to_owned()),
        "{scene:?}: {rests:?}"
    );
    let gaps = gaps(lab);
    let long = gaps.iter().filter(|it| **it > RENAMES).count();
    assert_eq!(
        (gaps.len(), long),
        (1, usize::from(nameless)),
        "{scene:?}: {gaps:?}"
    );
}

/// In how many scenarios a machine stayed for ever, `-latest` named nothing, and more images stayed than are kept.
#[derive(Debug, PartialEq, Eq)]
struct Tally {
    of: usize,
    machines: usize,
    nameless: usize,
    too_many: usize,
}

fn theirs(rows: &[Value]) -> Tally {
    let count = |is_meant: fn(&Value) -> bool| rows.iter().filter(|it| is_meant(it)).count();
    let kept = |it: &Value| it["next_day_run"]["images"].as_array().map_or(0, Vec::len);
    Tally {
        of: rows.len(),
        machines: count(|it| it["next_day_run"]["instances"] != json!([])),
        nameless: count(|it| it["left_behind"]["has_latest"] == false),
        too_many: rows.iter().filter(|it| kept(it) > KEEP).count(),
    }
}

fn ours(outcomes: &[Outcome]) -> Tally {
    let count = |is_meant: fn(&Outcome) -> bool| outcomes.iter().filter(|it| is_meant(it)).count();
    Tally {
        of: outcomes.len(),
        // Nobody has to come back for a machine to end.
        machines: count(|it| it.machines != [0, 0]),
        nameless: count(|it| it.left.nameless),
        too_many: count(|it| it.images > KEEP),
    }
}

#[test]
fn a_run_that_is_killed_after_any_write_leaves_no_machine_where_the_scripts_left_one_for_ever() {
    let matrix = matrix();
    let rows = matrix["rows"].as_array().expect("the matrix has rows");
    let mut scenes = Vec::new();
    for name_match in MATCHES {
        let writes = writes(&matrix, name_match);
        let last = |done: usize| done.checked_sub(1).map(|it| writes[it]);
        scenes.extend((0..=writes.len()).map(|done| Scene {
            name_match,
            done,
            last: last(done),
        }));
    }
    for row in rows {
        let is_row = |it: &&Scene| {
            row["imagename_match"] == it.name_match && row["kill_after_mutation"] == it.done
        };
        assert!(scenes.iter().any(|it| is_row(&it)), "{row}");
    }
    let outcomes = each(&scenes, |it| play(&matrix, it));
    let (theirs, ours) = (theirs(rows), ours(&outcomes));
    assert_eq!((theirs.machines, theirs.nameless), (10, 4));
    let at_work = outcomes.iter().filter(|it| it.left.machines > 0).count();
    assert!(at_work > 10, "a builder was left at work {at_work} times");
    // Names are unique, so one is given up before it is taken: death in between is the one way to be without. The family
    // goes on to name the old image then, and so nobody is sent to the bare base.
    assert_eq!(
        (ours.machines, ours.nameless, ours.too_many),
        (0, MATCHES.len(), 0)
    );
    assert!(outcomes.iter().all(|it| !it.left.lost));
    tell(&theirs, &ours);
}

fn tell(theirs: &Tally, ours: &Tally) {
    let row = |what: &str, theirs_of: usize, ours_of: usize| {
        let value = format!("{theirs_of} of {} / {ours_of} of {}", theirs.of, ours.of);
        figure(&format!("{what}, by the scripts / by us"), &value);
    };
    row(
        "builders left by killed builds",
        theirs.machines,
        ours.machines,
    );
    row(
        "killed builds after which -latest named nothing",
        theirs.nameless,
        ours.nameless,
    );
    row(
        "killed builds after which more images stayed than are kept",
        theirs.too_many,
        ours.too_many,
    );
}
