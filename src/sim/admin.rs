//! The requests under `/_sim/`: looking into the world, and changing it behind the services' backs.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::sim::scenario::Objects;
use crate::sim::trouble::{Trouble, Troubles};
use crate::sim::{Answer, Request, World, aliyun};

const PREFIX: &str = "/_sim/";

/// Whether a request is for the simulator and not for a service.
pub(super) fn is_meant(request: &Request) -> bool {
    request.path.starts_with(PREFIX)
}

pub(super) fn answer(world: &mut World, request: &Request, now: Timestamp) -> Answer {
    match carry_out(world, request, now) {
        Ok(body) => Answer::json(200, &body),
        Err(error) => refuse(&error),
    }
}

/// The answer to a request that cannot be carried out.
pub(super) fn refuse(error: &str) -> Answer {
    Answer::json(400, &json!({"error": error}))
}

/// How many seconds `POST /_sim/advance?seconds=N` asks for; none: it is another request.
pub(super) fn advance_of(request: &Request) -> Option<Result<u64, String>> {
    let is_meant = request.method == "POST" && request.path == "/_sim/advance";
    is_meant.then(|| number_of(request, "seconds"))
}

fn carry_out(world: &mut World, request: &Request, now: Timestamp) -> Result<Value, String> {
    let name = request.path.strip_prefix(PREFIX).unwrap_or_default();
    match (request.method.as_str(), name) {
        ("GET", "state") => Ok(state(world, now)),
        ("GET", "calls") => calls(world, request),
        ("PUT", "trouble") => {
            world.troubles = Troubles::new(read::<Vec<Trouble>>(request)?);
            Ok(json!({}))
        }
        ("POST", "objects") => {
            let objects: Objects = read(request)?;
            world.scenario.check(&objects)?;
            world.check(&objects)?;
            world.meddle(&objects, now);
            Ok(json!({}))
        }
        ("POST", "reset") => {
            let addresses = world.registries.addresses.clone();
            *world = World::from_scenario(&world.scenario);
            world.answer_at(addresses);
            Ok(json!({}))
        }
        (method, _) => Err(format!("there is no {method} {}", request.path)),
    }
}

fn state(world: &World, now: Timestamp) -> Value {
    let regions: BTreeMap<String, Value> = world
        .cloud
        .regions()
        .map(|(id, region)| (id.to_string(), aliyun::state(&world.cloud, region, now)))
        .collect();
    let runners: Vec<Value> = world.github.runners_seen(now).into_iter().map(|it| json!({
        "id": it.id, "of": it.of, "name": it.name, "online": it.is_online, "busy": it.is_busy,
    })).collect();
    let jobs: Vec<Value> = world
        .github
        .jobs_seen(now)
        .into_iter()
        .map(|it| {
            json!({
                "id": it.id, "name": it.name, "queued": it.queued, "began": it.began,
                "ended": it.ended.as_ref().map(|it| it.0), "conclusion": it.ended.map(|it| it.1),
            })
        })
        .collect();
    json!({"now": now, "regions": regions, "runners": runners, "jobs": jobs, "registries": world.registries.state()})
}

fn calls(world: &World, request: &Request) -> Result<Value, String> {
    let after = if request.query.is_empty() {
        0
    } else {
        number_of(request, "after")?
    };
    let last = world.calls.last().map_or(0, |it| it.n);
    let calls: Vec<_> = world.calls.iter().filter(|it| it.n > after).collect();
    Ok(json!({"last": last, "calls": calls}))
}

fn read<T: DeserializeOwned>(request: &Request) -> Result<T, String> {
    serde_json::from_slice(&request.body).map_err(|it| it.to_string())
}

fn number_of(request: &Request, name: &str) -> Result<u64, String> {
    let value = request
        .query
        .strip_prefix(name)
        .and_then(|it| it.strip_prefix('='));
    let number = value.and_then(|it| it.parse().ok());
    number.ok_or_else(|| {
        format!(
            "the query is {:?}, it must be {name}= and a number",
            request.query
        )
    })
}
