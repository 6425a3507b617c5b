//! The daemon over days: every tenth call fails, machines are forgotten and images appear, and nothing is lost.

use std::env;
use std::time::Duration;

use reconcile::engine::{self, Changes, Daemon, Filter, Flags, News, State};
use reconcile::kinds::KINDS;
use reconcile::report::{Action, Outcome};
use reconcile::store::folder::hold;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::cases::Case;
use super::figure;
use super::lab::Lab;
use reconcile::sim::scenario::Scenario;

/// How often something comes that is to be dealt with.
const EVERY: Duration = Duration::from_secs(3 * 3600);
const MINUTE: Duration = Duration::from_secs(60);
/// How many passes a test makes where nobody asks for more: more than a day of them, so that what guards count is forgotten.
const PASSES: u64 = 3000;

const STATE: &str = "apiVersion: reconcile/v1alpha1\nkind: AliyunRegion\nmetadata: {name: home}\n\
    spec: {regionId: cn-hangzhou, scope: test}\n---\n\
    apiVersion: reconcile/v1alpha1\nkind: MachineImage\nmetadata: {name: line}\n\
    spec: {regionRef: home, namePrefix: line, architectures: [amd64], retention: {keep: 3}}\n---\n\
    apiVersion: reconcile/v1alpha1\nkind: InstancePolicy\nmetadata: {name: all}\n\
    spec: {regionRef: home, selector: {tags: {ci: \"yes\"}}}\n";

/// A failure of each sort at every fiftieth call: one call in ten.
fn troubles() -> Value {
    json!([
        {"fault": "status", "status": 500, "nth": 5, "every": 50},
        {"fault": "status", "status": 429, "seconds": 7, "nth": 15, "every": 50},
        {"fault": "garbage", "status": 502, "nth": 25, "every": 50},
        {"fault": "dropBefore", "nth": 35, "every": 50},
        {"fault": "dropAfter", "nth": 45, "every": 50},
    ])
}

/// A new image of the line and a forgotten machine.
fn arrivals(round: u64, now: reconcile::clock::Timestamp) -> Value {
    let created = now.minus(Duration::from_secs(5 * 3600));
    json!({
        "images": [{
            "ImageId": format!("m-{round:04}"),
            "ImageName": format!("line-amd64-{}", now.minute_digits()),
            "CreationTime": now,
            "DiskDeviceMappings": {"DiskDeviceMapping": [{"SnapshotId": format!("s-{round:04}")}]},
            "Tags": {"reconcile:managed-by": "test", "reconcile:owner": "MachineImage/line"},
        }],
        "instances": [{
            "InstanceId": format!("i-{round:04}"),
            "InstanceName": format!("forgotten-{round}"),
            "ImageId": "m-elsewhere",
            "CreationTime": created,
            "SpotStrategy": "SpotAsPriceGo",
            "Tags": {"ci": "yes"},
        }],
    })
}

fn passes_wanted() -> u64 {
    let said = env::var("RECONCILE_PASSES").ok();
    said.and_then(|it| it.parse().ok()).unwrap_or(PASSES)
}

#[test]
fn a_daemon_loses_nothing_over_days_in_which_every_tenth_call_fails() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    std::fs::write(folder.path().join("state.yaml"), STATE).expect("there is room for a file");
    let mut scenario = Scenario::default();
    scenario.settings.calls_kept = Some(100);
    scenario.objects =
        serde_json::from_value(arrivals(0, scenario.start)).expect("objects are written right");
    scenario.troubles = serde_json::from_value(troubles()).expect("troubles are written right");
    let case = Case::new("days", folder.path(), &scenario);
    let wanted = passes_wanted();
    Lab::new(&case).block_on(async |lab| {
        let status = tempfile::tempdir().expect("there is room for a folder");
        let (clients, clock) = (lab.clients(1), lab.local_clock());
        let held = hold(clock.as_ref(), status.path())
            .await
            .expect("it is new");
        let mut state = State::kept_in(&held).expect("it is empty");
        let (stop, stopped) = watch::channel(false);
        let daemon = Daemon {
            folder: folder.path(),
            kinds: KINDS,
            filter: Filter::default(),
            clients: &clients,
            clock: clock.as_ref(),
            flags: Flags::default(),
            stop: stopped,
            interval: MINUTE,
            lasts: None,
        };
        let (mut passes, mut refused) = (0, Vec::new());
        let mut tell = |news: News<'_>| {
            let News::Pass(ended, _) = news else { return };
            ended.kept.as_ref().expect("the status can be written");
            let actions = ended.report.actions.iter();
            let refusal = |it: &Action| {
                let is_refused = matches!(it.result, Outcome::Refused(_));
                is_refused.then(|| format!("{:?}: {:?}", it.object, it.result))
            };
            refused.extend(actions.filter_map(refusal));
            passes += 1;
            if passes == wanted {
                stop.send_replace(true);
            }
        };
        let mut changes = Changes::told(mpsc::channel(1).1);
        let mut rounds = 0;
        let comings = async {
            loop {
                lab.wait(EVERY).await;
                rounds += 1;
                lab.put(&arrivals(rounds, lab.now()));
            }
        };
        tokio::select! {
            ended = engine::daemon(&daemon, &mut state, &mut changes, &mut tell) => {
                assert!(ended.is_ok(), "{ended:?}");
            }
            () = comings => {}
        }
        drop(held);
        assert_eq!(refused, [""; 0], "what is replaced day by day is not held");
        // What came last may still be under way when it ends.
        lab.trouble(&json!([]));
        let report = lab.converge(2).await;
        assert!(report.is_converged(), "{}", report.to_json());
        let rounds = usize::try_from(rounds).expect("a small number");
        assert!(rounds > 3, "{rounds} rounds");
        check(lab, rounds);
        figure(
            "passes of a daemon with every tenth call failing, and what came and was dealt with",
            &format!("{passes}, {rounds} images and {rounds} machines"),
        );
        let intents = std::fs::read_dir(status.path().join("intents")).expect("it is there");
        assert!(intents.count() <= 4, "intents pile up");
    });
}

/// Of each thing that came, exactly what should be left is.
fn check(lab: &Lab, rounds: usize) {
    let now = lab.now();
    lab.with_world(|world| {
        assert_eq!(
            world.instances("cn-hangzhou", now),
            [],
            "no machine is left"
        );
        let images = world.images("cn-hangzhou", now);
        let ids: Vec<String> = images.iter().map(|it| it.image_id.to_string()).collect();
        let newest: Vec<String> = (rounds - 2..=rounds)
            .map(|it| format!("m-{it:04}"))
            .collect();
        assert_eq!(ids, newest, "the newest three stay");
        let latest: Vec<&str> = images.iter().map(|it| it.image_name.as_str()).collect();
        assert_eq!(latest[2], "line-amd64-latest");
        assert!(latest[..2].iter().all(|it| *it != "line-amd64-latest"));
        assert_eq!(
            world.snapshots("cn-hangzhou", now).len(),
            3,
            "their snapshots stay"
        );
    });
}
