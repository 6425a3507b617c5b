//! `simulate`: serves the simulated cloud to any client.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::{Clock, SystemClock};
use crate::sim::server::{Ports, Service, serve};
use crate::sim::time::WorldClock;
use crate::sim::{World, environment};

use super::arguments::{Pace, Simulated};
use super::cloud::{runtime, scenario_of};
use super::output::{self, Failure, Output};

pub(super) fn simulate(options: &Simulated, _output: Output) -> Result<u8, Failure> {
    if !options.listen.ip().is_loopback() {
        return Err(Failure::usage(&format!(
            "{} is beyond loopback: the simulated cloud has no secrets to keep and listens on 127.0.0.1 only",
            options.listen
        )));
    }
    let mut scenario = scenario_of(options.scenario.as_deref())?;
    scenario.seed = options.seed.unwrap_or(scenario.seed);
    runtime(false)?.block_on(async {
        let refused =
            |error| Failure::unfit(&format!("cannot listen on {}: {error}", options.listen));
        let mut world = World::from_scenario(&scenario);
        let ports = Ports::open(options.listen, &mut world)
            .await
            .map_err(refused)?;
        let address = ports.base().map_err(refused)?;
        let base = format!("http://{address}");
        let line = json!({
            "base": base,
            "hostPort": address.to_string(),
            "accountId": scenario.account,
            "registries": world.registry_addresses(),
            "env": environment(&base, &world),
        });
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let until = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let base: Arc<dyn Clock> = Arc::new(SystemClock);
        let clock = match options.clock {
            Pace::Real => WorldClock::following(base),
            Pace::Manual => WorldClock::still(scenario.start, base),
        };
        let service = Service {
            world: Arc::new(Mutex::new(world)),
            clock: Arc::new(clock),
            gate: None,
        };
        output::print(&format!("{line}\n"));
        serve(ports, service, until).await.map_err(refused)?;
        Ok(0)
    })
}
