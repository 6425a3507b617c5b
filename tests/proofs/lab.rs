//! A world and a reconciler in one runtime: the reconciler can die and be started anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use reconcile::clock::{Clock, Timestamp, VirtualClock};
use reconcile::engine::{self, Extent, Flags, Inventory, Run, State, load};
use reconcile::kinds::KINDS;
use reconcile::providers::{Clients, Settings, connect};
use reconcile::report::Report;
use reconcile::sim::scenario::Scenario;
use reconcile::sim::server::{Gate, Service, serve};
use reconcile::sim::time::WorldClock;
use reconcile::sim::{World, environment};
use reconcile::store::folder::hold;
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

/// One world with its server and status directory.
pub(crate) struct Lab {
    pub(crate) inventory: Inventory,
    pub(crate) gate: Option<Gate>,
    scenario: Scenario,
    status: TempDir,
    running: Mutex<Option<Running>>,
}

#[derive(Clone)]
struct Running {
    world: Arc<Mutex<World>>,
    clock: Arc<VirtualClock>,
    settings: BTreeMap<String, String>,
}

impl Lab {
    pub(crate) fn new(case: &Case) -> Self {
        Self::of(&case.folder, &case.scenario)
    }

    pub(crate) fn of(state: &Path, scenario: &Scenario) -> Self {
        let inventory = load(state, KINDS).unwrap_or_else(|findings| panic!("{findings:#?}"));
        Self {
            inventory,
            gate: None,
            scenario: scenario.clone(),
            status: status_folder(),
            running: Mutex::new(None),
        }
    }

    /// Serves the world while `work` runs.
    pub(crate) fn block_on<T>(&self, work: impl AsyncFnOnce(&Self) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        runtime.expect("a runtime can be started").block_on(async {
            let clock = Arc::new(VirtualClock::starting_at(self.scenario.start));
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

    /// Looks into the world, or changes it behind everybody's back.
    pub(crate) fn with_world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let running = self.running();
        let mut world: MutexGuard<'_, World> =
            running.world.lock().unwrap_or_else(PoisonError::into_inner);
        look(&mut world)
    }

    /// How many calls were meant to change something.
    pub(crate) fn writes(&self) -> usize {
        self.with_world(|it| it.calls().iter().filter(|it| it.write).count())
    }

    /// A new process: its own connections and nonces, by `seed`.
    pub(crate) fn clients(&self, seed: u64) -> Clients {
        let running = self.running();
        connect(&Settings::new(running.settings), running.clock, seed)
            .expect("the settings are right")
    }

    /// Lets a new process make passes until there is no reason for another one.
    pub(crate) async fn converge(&self, seed: u64) -> Report {
        self.run(seed, Extent::Wait(PATIENCE)).await
    }

    /// Lets a new process make one pass.
    pub(crate) async fn once(&self, seed: u64) -> Report {
        self.run(seed, Extent::Once).await
    }

    async fn run(&self, seed: u64, extent: Extent) -> Report {
        let clients = self.clients(seed);
        let clock = self.running().clock;
        let folder = hold(clock.as_ref(), self.status.path())
            .await
            .expect("nobody else holds it");
        let mut state = State::kept_in(&folder).expect("the status can be read");
        let (_stop, stopped) = watch::channel(false);
        let run = Run {
            inventory: &self.inventory,
            clients: &clients,
            clock: clock.as_ref(),
            flags: Flags::default(),
            stop: stopped,
        };
        let ended = engine::run(&run, &mut state, extent, &mut |_, _| {}).await;
        ended.kept.expect("the status can be written");
        ended.report
    }

    /// What a new process would do.
    pub(crate) async fn plan(&self, seed: u64) -> Report {
        let clients = self.clients(seed);
        let clock = self.running().clock;
        let (_stop, stopped) = watch::channel(false);
        let run = Run {
            inventory: &self.inventory,
            clients: &clients,
            clock: clock.as_ref(),
            flags: Flags::default(),
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
