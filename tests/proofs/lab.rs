//! A world and a reconciler in one runtime: the reconciler can die and be started anew.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use reconcile::clock::{Clock, Timestamp, VirtualClock};
use reconcile::engine::{self, Extent, Flags, Inventory, Run, Selection, State, load};
use reconcile::kind::Registration;
use reconcile::providers::{Clients, Settings, connect};
use reconcile::report::Report;
use reconcile::sim::history::{Event, What};
use reconcile::sim::scenario::Scenario;
use reconcile::sim::server::{Gate, GatePoint, Ports, Service, Side, Verdict, serve};
use reconcile::sim::time::WorldClock;
use reconcile::sim::{World, environment};
use reconcile::store::folder::{Folder, hold};
use reconcile::store::record::Record;

use super::cases::Case;
use super::oracle;
use super::served::Served;

/// How long a run may take in the world's time, where nothing else is said.
pub(crate) const PATIENCE: Duration = Duration::from_secs(6 * 3600);

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

/// Is called after every pass with its number; the processes of a lab count on.
pub(crate) type AfterPass = Box<dyn Fn(&Served, u32) + Send + Sync>;

/// One world with its server and status directory. After every pass the promises are checked.
pub(crate) struct Lab {
    pub(crate) inventory: Arc<Inventory>,
    pub(crate) gate: Option<Gate>,
    /// How far the reconciler's clock is ahead of the world's.
    pub(crate) ahead_seconds: i64,
    pub(crate) after_pass: Option<AfterPass>,
    /// How many passes all processes made together.
    passes: AtomicU32,
    /// How much had happened, in the cloud and in registries, when the promises were checked last.
    checked: Mutex<(usize, usize)>,
    name: String,
    scenario: Scenario,
    status: TempDir,
    served: Arc<Mutex<Option<Served>>>,
}

impl Lab {
    pub(crate) fn new(case: &Case) -> Self {
        Self {
            inventory: Arc::clone(&case.inventory),
            gate: None,
            ahead_seconds: 0,
            after_pass: None,
            passes: AtomicU32::new(0),
            checked: Mutex::default(),
            name: case.name.clone(),
            scenario: case.scenario.clone(),
            status: status_folder(),
            served: Arc::default(),
        }
    }

    pub(crate) fn of(state: &Path, scenario: &Scenario) -> Self {
        Self::new(&Case::new(&state.display().to_string(), state, scenario))
    }

    /// A lab whose reconciler knows these kinds.
    pub(crate) fn knowing(kinds: &[Registration], state: &Path, scenario: &Scenario) -> Self {
        let inventory = load(state, kinds).unwrap_or_else(|findings| panic!("{findings:#?}"));
        Self::new(&Case {
            name: state.display().to_string(),
            inventory: Arc::new(inventory),
            scenario: scenario.clone(),
        })
    }

    /// A lab whose state folder holds this one file.
    pub(crate) fn declaring(state: &str, scenario: &Scenario) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        fs::write(folder.path().join("state.yaml"), state).expect("there is room for a file");
        Self::of(folder.path(), scenario)
    }

    /// The same in this world, as a scenario has it.
    pub(crate) fn written(state: &str, world: Value) -> Self {
        let scenario = Scenario::from_value(world).expect("a test writes a world");
        Self::declaring(state, &scenario)
    }

    /// Lets somebody else put objects into the world, once: right before the first call of `action` on `object`.
    pub(crate) fn meddle_before(&mut self, action: &'static str, object: &str, objects: Value) {
        let (object, world) = (object.to_owned(), self.outlook());
        let is_over = AtomicBool::new(false);
        self.gate = Some(Gate::new(move |point: &GatePoint| {
            let is_meant = point.side == Side::Before
                && point.call.action == action
                && point.call.object.as_ref() == Some(&object);
            if is_meant && !is_over.swap(true, Ordering::Relaxed) {
                world().put(&objects);
            }
            Verdict::Go
        }));
    }

    /// Lets the process that makes the n-th call die at it, on one side. What is returned becomes true then.
    pub(crate) fn die_at(&mut self, n: u64, side: Side) -> watch::Receiver<bool> {
        let (died, dead) = watch::channel(false);
        self.gate = Some(Gate::new(move |point: &GatePoint| {
            if point.call.n != n || point.side != side || *died.borrow() {
                return Verdict::Go;
            }
            died.send_replace(true);
            Verdict::Halt
        }));
        dead
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
            let mut world = World::from_scenario(&self.scenario);
            let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
            let ports = Ports::open(any_port, &mut world)
                .await
                .expect("loopback can be listened on");
            let address = ports.base().expect("a listener has an address");
            let settings = environment(&format!("http://{address}"), &world);
            let world = Arc::new(Mutex::new(world));
            let service = Service {
                world: Arc::clone(&world),
                clock: Arc::new(WorldClock::following(Arc::clone(&clock) as Arc<dyn Clock>)),
                gate: self.gate.clone(),
            };
            *self.served.lock().unwrap_or_else(PoisonError::into_inner) = Some(Served {
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
            let (served, result) =
                tokio::join!(serve(ports, service, async { drop(stopped.await) }), work);
            served.expect("the server ends when it is told to");
            result
        })
    }

    /// The world, while it is served.
    pub(crate) fn served(&self) -> Served {
        self.outlook()()
    }

    /// Gives the world, while it is served, to a gate.
    pub(crate) fn outlook(&self) -> impl Fn() -> Served + Send + Sync + use<> {
        let served = Arc::clone(&self.served);
        move || {
            let served = served.lock().unwrap_or_else(PoisonError::into_inner);
            served.clone().expect("the world is served")
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.served().now()
    }

    /// What the reconciler tells the time by.
    pub(crate) fn local_clock(&self) -> Arc<dyn Clock> {
        self.served().local
    }

    /// Lets time pass.
    pub(crate) async fn wait(&self, duration: Duration) {
        self.served().clock.sleep(duration).await;
    }

    /// Looks into the world.
    pub(crate) fn with_world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        self.served().with_world(look)
    }

    /// Puts objects into the world behind everybody's back; one that is there becomes what it says.
    pub(crate) fn put(&self, objects: &Value) {
        self.served().put(objects);
    }

    /// Makes these the only troubles.
    pub(crate) fn trouble(&self, troubles: &Value) {
        self.served().trouble(troubles);
    }

    /// How many passes all processes made together.
    pub(crate) fn passes(&self) -> u32 {
        self.passes.load(Ordering::Relaxed)
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
            | What::ImageShared { .. }
            | What::InstanceCreated(_)
            | What::InstanceTurned { .. }
            | What::InstanceDeleted { .. }
            | What::ReleaseTimeChanged { .. }
            | What::SnapshotCreated(_)
            | What::Tagged { .. }
            | What::Untagged { .. }
            | What::CommandSent(_)
            | What::CommandBegun { .. }
            | What::CommandEnded { .. }
            | What::ImagePut(_)
            | What::InstancePut(_)
            | What::SnapshotPut(_)
            | What::Taken { .. } => None,
        };
        self.with_world(|it| it.history().iter().filter_map(deleted).collect())
    }

    /// How many calls were meant to change something.
    pub(crate) fn writes(&self) -> usize {
        self.with_world(|it| it.calls().iter().filter(|it| it.write).count())
    }

    /// A new process: its own connections and nonces, by `seed`.
    pub(crate) fn clients(&self, seed: u64) -> Clients {
        let served = self.served();
        connect(&Settings::new(served.settings), served.local, seed)
            .expect("the settings are right")
    }

    /// Lets a new process make passes until there is no reason for another one.
    pub(crate) async fn converge(&self, seed: u64) -> Report {
        self.go_on(seed, PATIENCE).await
    }

    /// Does the same for so long at most.
    pub(crate) async fn go_on(&self, seed: u64, limit: Duration) -> Report {
        self.run(seed, Extent::Wait(limit), &self.status).await
    }

    /// Does the same on another machine, which shares nothing with this one but the world.
    pub(crate) async fn converge_elsewhere(&self, seed: u64) -> Report {
        self.run(seed, Extent::Wait(PATIENCE), &status_folder())
            .await
    }

    /// Lets a new process on another machine make one pass.
    pub(crate) async fn once_elsewhere(&self, seed: u64) -> Report {
        self.run(seed, Extent::Once, &status_folder()).await
    }

    /// Lets a new process make one pass.
    pub(crate) async fn once(&self, seed: u64) -> Report {
        self.run(seed, Extent::Once, &self.status).await
    }

    /// Lets a new process make passes after the files were changed to these.
    pub(crate) async fn converge_to(&self, inventory: &Inventory, seed: u64) -> Report {
        let extent = Extent::Wait(PATIENCE);
        self.run_on(inventory, seed, extent, &self.status).await
    }

    async fn run(&self, seed: u64, extent: Extent, status: &TempDir) -> Report {
        self.run_on(&self.inventory, seed, extent, status).await
    }

    async fn run_on(
        &self,
        inventory: &Inventory,
        seed: u64,
        extent: Extent,
        status: &TempDir,
    ) -> Report {
        let clients = self.clients(seed);
        clients.keep_in(status.path());
        let clock = self.served().local;
        let folder = held(clock.as_ref(), status.path());
        let mut state = State::kept_in(&folder).expect("the status can be read");
        let (_stop, stopped) = watch::channel(false);
        let run = Run {
            inventory,
            clients: &clients,
            clock: clock.as_ref(),
            selection: Selection::all(inventory),
            flags: Flags::default(),
            allowed: None,
            standing: None,
            stop: stopped,
        };
        let served = self.served();
        let mut on_pass = |_: &Report, _: u32| {
            let pass = self.passes.fetch_add(1, Ordering::Relaxed) + 1;
            served.with_world(|it| self.watch(it));
            if let Some(after_pass) = &self.after_pass {
                after_pass(&served, pass);
            }
        };
        let ended = engine::run(&run, &mut state, extent, &mut on_pass).await;
        ended.kept.expect("the status can be written");
        let report = ended.report;
        served.with_world(|it| oracle::check_secrets(it, &report, status.path()));
        report
    }

    /// Checks the promises, where anything happened since they were checked last.
    fn watch(&self, world: &mut World) {
        let happened = (
            world.history().len() + world.runner_history().len(),
            world.registry_history().len(),
        );
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if *checked != happened {
            oracle::watch(&self.inventory, world, &self.name);
            oracle::tags::watch(&self.inventory, world, &self.name);
            oracle::mirrors::watch(&self.inventory, world, &self.name);
            oracle::runners::watch(&self.inventory, world, &self.name);
            *checked = happened;
        }
    }

    /// What a report says of the world is so. Must be called when nothing lags and nothing goes wrong.
    pub(crate) fn check_end(&self, report: &Report) {
        let end = (self.name.as_str(), report);
        self.with_world(|it| {
            oracle::check_end(&self.inventory, it, end);
            oracle::tags::check_end(&self.inventory, it, end);
            oracle::mirrors::check_end(&self.inventory, it, end);
            oracle::runners::check_end(&self.inventory, it, end);
        });
    }

    /// What a new process would do.
    pub(crate) async fn plan(&self, seed: u64) -> Report {
        let clients = self.clients(seed);
        let clock = self.served().local;
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
