//! The outside of a command: the real cloud, or the simulated one in the same runtime with time that jumps.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::clock::{Clock, SystemClock, VirtualClock};
use crate::providers::{Clients, Settings, connect};
use crate::resource::yaml_value;
use crate::sim::scenario::Scenario;
use crate::sim::server::{Ports, Service, serve};
use crate::sim::time::WorldClock;
use crate::sim::{World, environment};

use super::arguments::Global;
use super::output::Failure;
use super::settings;

/// A free port on loopback.
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What a command reaches.
#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) clients: Clients,
    pub(super) clock: Arc<dyn Clock>,
}

/// Does `work` against the cloud that the command line says.
pub(super) fn with_cloud<T>(
    global: &Global,
    work: impl AsyncFnOnce(&Cloud) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match &global.simulate {
        Some(None) => simulated(&Scenario::default_day(), work),
        Some(Some(file)) => simulated(&scenario_of(Some(file))?, work),
        None => runtime(false)?.block_on(async {
            let seed = getrandom::u64().map_err(|error| {
                Failure::unfit(&format!("the machine has no random numbers: {error}"))
            })?;
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let cloud = cloud(&Settings::new(settings::all()), clock, seed)?;
            work(&cloud).await
        }),
    }
}

fn simulated<T>(
    scenario: &Scenario,
    work: impl AsyncFnOnce(&Cloud) -> Result<T, Failure>,
) -> Result<T, Failure> {
    runtime(true)?.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(VirtualClock::starting_at(scenario.start));
        let mut world = World::from_scenario(scenario);
        let ports = Ports::open(ANY_PORT, &mut world)
            .await
            .map_err(|it| no_loopback(&it))?;
        let address = ports.base().map_err(|it| no_loopback(&it))?;
        let environment = environment(&format!("http://{address}"), &world);
        let cloud = cloud(
            &Settings::new(environment),
            Arc::clone(&clock),
            scenario.seed,
        )?;
        let service = Service {
            world: Arc::new(Mutex::new(world)),
            clock: Arc::new(WorldClock::following(clock)),
            gate: None,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async {
            // The sender is dropped when the work is done.
            let _ = stopped.await;
        };
        let work = async {
            let result = work(&cloud).await;
            drop(stop);
            result
        };
        let (served, result) = tokio::join!(serve(ports, service, until), work);
        served.map_err(|it| no_loopback(&it))?;
        result
    })
}

fn cloud(settings: &Settings, clock: Arc<dyn Clock>, seed: u64) -> Result<Cloud, Failure> {
    let clients = connect(settings, Arc::clone(&clock), seed)
        .map_err(|fault| Failure::unfit(&fault.to_string()))?;
    Ok(Cloud { clients, clock })
}

/// One thread: the simulated world and the reconciler share it, and its clock can stand still.
pub(super) fn runtime(is_paused: bool) -> Result<Runtime, Failure> {
    let built = Builder::new_current_thread()
        .enable_all()
        .start_paused(is_paused)
        .build();
    built.map_err(|error| Failure::unfit(&format!("cannot start the runtime: {error}")))
}

fn no_loopback(error: &std::io::Error) -> Failure {
    Failure::unfit(&format!("cannot listen on 127.0.0.1: {error}"))
}

/// Reads a scenario; the account with a past, where no file is named.
pub(super) fn scenario_of(file: Option<&Path>) -> Result<Scenario, Failure> {
    let Some(file) = file else {
        return Ok(Scenario::default_past());
    };
    let wrong = |why: &str| Failure::new(65, &format!("{}: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(&error.to_string()))?;
    let value = yaml_value(&text).map_err(|why| wrong(&why))?;
    Scenario::from_value(value).map_err(|why| wrong(&why))
}
