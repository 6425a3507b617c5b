//! A world and a reconciler in one runtime: the reconciler can die and be started anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use reconcile::clock::{Clock, Timestamp, VirtualClock};
use reconcile::engine::{self, Extent, Flags, Inventory, Run, Selection, State, load};
use reconcile::kind::Registration;
use reconcile::kinds::KINDS;
use reconcile::providers::{Clients, Settings, connect};
use reconcile::report::Report;
use reconcile::sim::history::{Event, What};
use reconcile::sim::scenario::Scenario;
use reconcile::sim::server::{Gate, GatePoint, Service, Side, Verdict, serve};
use reconcile::sim::time::WorldClock;
use reconcile::sim::{Request, World, environment};
use reconcile::store::folder::{Folder, hold};
use reconcile::store::record::Record;

use super::cases::Case;

/// How long a run may take in the world's time.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// In memory where the machine has such a folder: thousands of runs would wait for a disk.
fn status_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.expect("there is room for a folder")
}

/// How often a status directory is tried.
const TRIES_MAX: u32 = 1000;

/// Holds a status directory without letting the world's time pass. A process that another thread starts shares our open
/// files for a moment, and so a lock that we have let go.
fn held(clock: &dyn Clock, status: &Path) -> Folder {
    let mut tries = (0..TRIES_MAX).filter_map(|_| hold(clock, status).now_or_never());
    let held = tries.next().expect("nobody else holds it for long");
    held.expect("it can be used")
}

/// One world with its server and status directory.
pub(crate) struct Lab {
    pub(crate) inventory: Inventory,
    pub(crate) gate: Option<Gate>,
    /// How far the reconciler's clock is ahead of the world's.
    pub(crate) ahead_seconds: i64,
    scenario: Scenario,
    status: TempDir,
    running: Arc<Mutex<Option<Running>>>,
}

#[derive(Clone)]
struct Running {
    world: Arc<Mutex<World>>,
    /// The world's.
    clock: Arc<VirtualClock>,
    /// The reconciler's.
    local: Arc<VirtualClock>,
    settings: BTreeMap<String, String>,
}

impl Running {
    fn with_world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut world: MutexGuard<'_, World> =
            self.world.lock().unwrap_or_else(PoisonError::into_inner);
        look(&mut world)
    }

    fn administer(&self, method: &str, path: &str, sent: &Value) {
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            headers: BTreeMap::new(),
            body: sent.to_string().into_bytes(),
        };
        let answer = self.with_world(|it| it.handle(&request, self.clock.now()));
        let said = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 200, "{path}: {said}");
    }
}

impl Lab {
    pub(crate) fn new(case: &Case) -> Self {
        Self::of(&case.folder, &case.scenario)
    }

    pub(crate) fn of(state: &Path, scenario: &Scenario) -> Self {
        Self::knowing(KINDS, state, scenario)
    }

    /// A lab whose reconciler knows these kinds.
    pub(crate) fn knowing(kinds: &[Registration], state: &Path, scenario: &Scenario) -> Self {
        let inventory = load(state, kinds).unwrap_or_else(|findings| panic!("{findings:#?}"));
        Self {
            inventory,
            gate: None,
            ahead_seconds: 0,
            scenario: scenario.clone(),
            status: status_folder(),
            running: Arc::default(),
        }
    }

    /// A lab whose state folder holds this one file.
    pub(crate) fn declaring(state: &str, scenario: &Scenario) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        fs::write(folder.path().join("state.yaml"), state).expect("there is room for a file");
        Self::of(folder.path(), scenario)
    }

    /// Lets somebody else put objects into the world, once: right before the first call of `action` on `object`.
    pub(crate) fn meddle_before(&mut self, action: &'static str, object: &str, objects: Value) {
        let (object, running) = (object.to_owned(), Arc::clone(&self.running));
        let is_over = AtomicBool::new(false);
        self.gate = Some(Gate::new(move |point: &GatePoint| {
            let is_meant = point.side == Side::Before
                && point.call.action == action
                && point.call.object.as_ref() == Some(&object);
            if is_meant && !is_over.swap(true, Ordering::Relaxed) {
                let running = running.lock().unwrap_or_else(PoisonError::into_inner);
                let running = running.as_ref().expect("the world is served");
                running.administer("POST", "/_sim/objects", &objects);
            }
            Verdict::Go
        }));
    }

    /// Serves the world while `work` runs.
    pub(crate) fn block_on<T>(&self, work: impl AsyncFnOnce(&Self) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        runtime.expect("a runtime can be started").block_on(async {
            let start = self.scenario.start;
            let clock = Arc::new(VirtualClock::starting_at(start));
            let local = Timestamp::from_millis(start.millis() + self.ahead_seconds * 1000);
            let local = Arc::new(VirtualClock::starting_at(local));
            let listener = TcpListener::bind("127.0.0.1:0")
                .await
                .expect("loopback can be listened on");
            let address = listener.local_addr().expect("a listener has an address");
            let world = World::from_scenario(&self.scenario);
            let settings = environment(&format!("http://{address}"), &world);
            let world = Arc::new(Mutex::new(world));
            let service = Service {
                world: Arc::clone(&world),
                clock: Arc::new(WorldClock::following(Arc::clone(&clock) as Arc<dyn Clock>)),
                gate: self.gate.clone(),
            };
            *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(Running {
                world,
                clock,
                local,
                settings,
            });
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let work = async {
                let result = work(self).await;
                drop(stop);
                result
            };
            let (served, result) = tokio::join!(
                serve(listener, service, async { drop(stopped.await) }),
                work
            );
            served.expect("the server ends when it is told to");
            result
        })
    }

    fn running(&self) -> Running {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.clone().expect("the world is served")
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.running().clock.now()
    }

    /// Lets time pass.
    pub(crate) async fn wait(&self, duration: Duration) {
        self.running().clock.sleep(duration).await;
    }

    /// Looks into the world.
    pub(crate) fn with_world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        self.running().with_world(look)
    }

    /// Puts objects into the world behind everybody's back; one that is there becomes what it says.
    pub(crate) fn put(&self, objects: &Value) {
        self.running().administer("POST", "/_sim/objects", objects);
    }

    /// Makes these the only troubles.
    pub(crate) fn trouble(&self, troubles: &Value) {
        self.running().administer("PUT", "/_sim/trouble", troubles);
    }

    /// The ids of all images, instances and snapshots whose deletion was accepted, in that order.
    pub(crate) fn deleted(&self) -> Vec<String> {
        let deleted = |event: &Event| match &event.what {
            What::ImageDeleted { image, .. } => Some(image.image_id.to_string()),
            What::InstanceDeleting(instance) => Some(instance.instance_id.to_string()),
            What::SnapshotDeleted(snapshot) => Some(snapshot.snapshot_id.to_string()),
            What::ImageCreated(_)
            | What::ImageTurned { .. }
            | What::ImageUsable { .. }
            | What::ImageRenamed { .. }
            | What::FamilyChanged { .. }
            | What::InstanceCreated(_)
            | What::InstanceTurned { .. }
            | What::InstanceDeleted { .. }
            | What::ReleaseTimeChanged { .. }
            | What::SnapshotCreated(_)
            | What::Tagged { .. }
            | What::Untagged { .. } => None,
        };
        self.with_world(|it| it.history().iter().filter_map(deleted).collect())
    }

    /// How many calls were meant to change something.
    pub(crate) fn writes(&self) -> usize {
        self.with_world(|it| it.calls().iter().filter(|it| it.write).count())
    }

    /// A new process: its own connections and nonces, by `seed`.
    pub(crate) fn clients(&self, seed: u64) -> Clients {
        let running = self.running();
        connect(&Settings::new(running.settings), running.local, seed)
            .expect("the settings are right")
    }

    /// Lets a new process make passes until there is no reason for another one.
    pub(crate) async fn converge(&self, seed: u64) -> Report {
        self.run(seed, Extent::Wait(PATIENCE), &self.status).await
    }

    /// Does the same on another machine, which shares nothing with this one but the world.
    pub(crate) async fn converge_elsewhere(&self, seed: u64) -> Report {
        self.run(seed, Extent::Wait(PATIENCE), &status_folder())
            .await
    }

    /// Lets a new process make one pass.
    pub(crate) async fn once(&self, seed: u64) -> Report {
        self.run(seed, Extent::Once, &self.status).await
    }

    async fn run(&self, seed: u64, extent: Extent, status: &TempDir) -> Report {
        let clients = self.clients(seed);
        let clock = self.running().local;
        let folder = held(clock.as_ref(), status.path());
        let mut state = State::kept_in(&folder).expect("the status can be read");
        let (_stop, stopped) = watch::channel(false);
        let run = Run {
            inventory: &self.inventory,
            clients: &clients,
            clock: clock.as_ref(),
            selection: Selection::all(&self.inventory),
            flags: Flags::default(),
            allowed: None,
            standing: None,
            stop: stopped,
        };
        let ended = engine::run(&run, &mut state, extent, &mut |_, _| {}).await;
        ended.kept.expect("the status can be written");
        ended.report
    }

    /// What a new process would do.
    pub(crate) async fn plan(&self, seed: u64) -> Report {
        let clients = self.clients(seed);
        let clock = self.running().local;
        let (_stop, stopped) = watch::channel(false);
        let run = Run {
            inventory: &self.inventory,
            clients: &clients,
            clock: clock.as_ref(),
            selection: Selection::all(&self.inventory),
            flags: Flags::default(),
            allowed: None,
            standing: None,
            stop: stopped,
        };
        let mut state = State::unkept(Record::default());
        engine::plan(&run, &mut state).await
    }
}

/// Everything that exists, in a form that two runs can be compared by: no times, for they differ after a crash.
pub(crate) fn state_of(lab: &Lab) -> Vec<String> {
    let now = lab.now();
    let regions = lab.scenario.regions.clone();
    lab.with_world(|world| {
        let mut state = Vec::new();
        for region in &regions {
            for image in world.images(region.as_str(), now) {
                state.push(format!(
                    "{} {} {:?} {} {:?}",
                    image.image_id, image.image_name, image.status, image.image_family, image.tags
                ));
            }
            for instance in world.instances(region.as_str(), now) {
                let tags: BTreeMap<_, _> = instance
                    .tags
                    .iter()
                    .filter(|(key, _)| *key != "reconcile:idle-since")
                    .collect();
                state.push(format!(
                    "{} {} {:?} {tags:?}",
                    instance.instance_id, instance.instance_name, instance.status
                ));
            }
            for snapshot in world.snapshots(region.as_str(), now) {
                state.push(format!("{} {:?}", snapshot.snapshot_id, snapshot.tags));
            }
        }
        state
    })
}
