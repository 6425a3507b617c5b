//! The records of runners, and what is asked of them (GitHub REST API, "Self-hosted runners").

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::ids::{InstanceId, RegionId};
use crate::sim::Answer;
use crate::sim::github::GitHub;
use crate::sim::github::wire::{Ask, Refusal, Reply, nothing};
use crate::sim::github::written::Token;
use crate::sim::registry::store::number;

use super::history::RunnerDeed;
use super::{Runners, written};

/// How many labels a runner may be given (GitHub REST API, "Create configuration for a just-in-time runner").
const LABELS_MAX: usize = 100;
/// ASSUMED; what is longer was seen to be refused.
const NAME_MAX: usize = 64;
/// ASSUMED.
const LABEL_MAX: usize = 256;
/// A configuration has 4 to 6 kB.
const CONFIG_BYTES: usize = 3300;

/// One record.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: u64,
    /// `example/app` or `example`.
    pub(super) of: String,
    pub(super) name: String,
    pub(super) labels: Vec<String>,
    pub(super) is_ephemeral: bool,
    /// Whether it was registered by a client, so that a machine is it that was told its configuration.
    pub(super) is_configured: bool,
    pub(super) machine: Option<(RegionId, InstanceId)>,
    /// Whether its machine was looked for.
    pub(super) is_bound: bool,
    /// When it connects, unless something comes between.
    pub(super) connects: Option<Timestamp>,
    /// When it was cut off, its machine being lost.
    pub(super) cut: Option<Timestamp>,
    /// Since when its machine is lost while it has a job.
    pub(super) lost: Option<Timestamp>,
    /// What it was from a time on; none: it is not there.
    past: Vec<(Timestamp, Option<State>)>,
}

/// What a record says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) is_online: bool,
    pub(super) is_busy: bool,
    /// Whether it has ever connected.
    pub(super) has_connected: bool,
}

impl Record {
    /// What it says at a time; none: it is not there.
    pub(super) fn state(&self, at: Timestamp) -> Option<State> {
        let past = self.past.iter().rev().find(|it| it.0 <= at)?;
        past.1
    }

    /// What it says after all that has happened.
    pub(super) fn latest(&self) -> Option<State> {
        self.past.last()?.1
    }

    pub(super) fn turn(&mut self, at: Timestamp, state: Option<State>) {
        self.past.push((at, state));
    }

    /// Whether it may take jobs of a repository that ask for these labels.
    pub(super) fn fits(&self, repository: &str, labels: &[String]) -> bool {
        let owner = repository.split('/').next().unwrap_or_default();
        let has = |label: &String| self.labels.iter().any(|it| it.eq_ignore_ascii_case(label));
        (self.of == repository || self.of == owner) && labels.iter().all(has)
    }
}

impl Runners {
    pub(in super::super) fn add_runners(&mut self, runners: &[written::Runner], now: Timestamp) {
        for written in runners {
            let same = |it: &Record| {
                it.of == written.of && it.name == written.name && it.latest().is_some()
            };
            let state = State {
                is_online: written.online,
                is_busy: written.busy,
                has_connected: true,
            };
            if let Some(record) = self.records.iter_mut().find(|it| same(it)) {
                record.turn(now, Some(state));
                continue;
            }
            let mut record = self.record((&written.of, &written.name), &written.labels);
            record.is_ephemeral = written.ephemeral;
            record.turn(now, Some(state));
            self.records.push(record);
        }
    }

    fn record(&self, (of, name): (&str, &str), labels: &[String]) -> Record {
        let count = self.records.len();
        Record {
            // Past 32 bits, as the numbers of runs and jobs are.
            id: 34_000_000_000
                + number(&format!("runner/{}/{of}/{count}", self.seed)) % 1_000_000_000,
            of: of.to_owned(),
            name: name.to_owned(),
            labels: labels.to_vec(),
            is_ephemeral: true,
            is_configured: false,
            machine: None,
            is_bound: false,
            connects: None,
            cut: None,
            lost: None,
            past: Vec::new(),
        }
    }

    fn register(&mut self, of: &str, body: &Value, now: Timestamp) -> Reply {
        let (name, labels) = read(body)?;
        let is_taken = |it: &Record| it.of == of && it.name == name && it.latest().is_some();
        if self.records.iter().any(is_taken) {
            let text = format!("Already exists - A runner with the name {name} already exists.");
            return Err(Refusal::new(409, &text));
        }
        let mut record = self.record((of, &name), &labels);
        record.is_configured = true;
        record.turn(now, Some(State::default()));
        let config =
            json!({"agentId": record.id, "agentName": name, "padding": "x".repeat(CONFIG_BYTES)});
        let answer = json!({
            "runner": show(&record, State::default()),
            "encoded_jit_config": STANDARD.encode(config.to_string()),
        });
        self.records.push(record);
        self.note(now, Some(self.records.len() - 1), RunnerDeed::Registered);
        Ok(Answer::json(201, &answer))
    }

    fn remove(&mut self, (of, id): (&str, &str), now: Timestamp) -> Reply {
        let meant = |it: &Record| it.of == of && it.id.to_string() == id;
        let index = self.records.iter().position(meant);
        let found = index.and_then(|it| Some((it, self.records[it].latest()?)));
        let (index, state) = found.ok_or_else(Refusal::not_found)?;
        if state.is_busy {
            let name = &self.records[index].name;
            let text = format!("Bad request - Runner \"{name}\" is still running a job\"");
            return Err(Refusal::new(422, &text));
        }
        self.records[index].turn(now, None);
        self.note(now, Some(index), RunnerDeed::Removed { by_client: true });
        Ok(nothing())
    }

    fn list(&self, ask: &Ask, of: &str) -> Answer {
        let at = ask.visible();
        let name = ask.parameter("name");
        let mut shown: Vec<Value> = Vec::new();
        for record in self.records.iter().filter(|it| it.of == of) {
            if let Some(state) = record.state(at)
                && name.is_none_or(|it| it == record.name)
            {
                shown.push(show(record, state));
            }
        }
        let total = shown.len();
        ask.page(shown, |it| json!({"total_count": total, "runners": it}))
    }
}

/// The record behind a configuration in the user data of an instance.
pub(crate) fn configured(user_data: &str) -> Option<u64> {
    let is_base64 = |it: char| it.is_ascii_alphanumeric() || "+/=".contains(it);
    let mut texts = user_data.split(|it| !is_base64(it));
    texts.find_map(|it| {
        let bytes = (it.len() > 1000).then(|| STANDARD.decode(it).ok());
        let config: Value = serde_json::from_slice(&bytes.flatten()?).ok()?;
        config.get("agentId")?.as_u64()
    })
}

fn read(body: &Value) -> Result<(String, Vec<String>), Refusal> {
    let refuse = |what: &str| Err(Refusal::new(422, &format!("Invalid request.\n\n{what}")));
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() || name.len() > NAME_MAX {
        return refuse("\"name\" is missing or too long.");
    }
    if body.get("runner_group_id").and_then(Value::as_u64) != Some(1) {
        return Err(Refusal::not_found());
    }
    let labels = body.get("labels").cloned().unwrap_or_default();
    let labels: Vec<String> = serde_json::from_value(labels)
        .map_err(|_| Refusal::new(422, "Invalid request.\n\n\"labels\" is no list of texts."))?;
    let is_label =
        |it: &String| !it.is_empty() && it.len() <= LABEL_MAX && !it.contains([' ', ',']);
    if labels.is_empty() || labels.len() > LABELS_MAX || !labels.iter().all(is_label) {
        return refuse("\"labels\" are none, too many, or not such as a label may be.");
    }
    Ok((name.to_owned(), labels))
}

fn show(record: &Record, state: State) -> Value {
    let label = |it: &String| json!({"name": it, "type": "custom"});
    json!({
        "id": record.id,
        "name": record.name,
        "os": if state.has_connected { "linux" } else { "unknown" },
        "status": if state.is_online { "online" } else { "offline" },
        "busy": state.is_busy,
        "ephemeral": record.is_ephemeral,
        "runner_group_id": 1,
        "labels": record.labels.iter().map(label).collect::<Vec<_>>(),
    })
}

impl GitHub {
    /// Runners of a repository need its administration, those of an organization a permission of their own; the token of a
    /// workflow has neither, and is told so (GitHub REST API, "Self-hosted runners"; the words were seen in answers).
    pub(in super::super) fn runners(&mut self, ask: &Ask, token: &Token) -> Reply {
        let parts = ask.parts();
        let (of, scope, rest) = match parts[..] {
            ["orgs", owner, "actions", "runners", ref rest @ ..] => {
                if !self.rules.organizations.contains(owner) {
                    return Err(Refusal::not_found());
                }
                (owner.to_owned(), "admin:org", rest)
            }
            ["repos", owner, name, "actions", "runners", ref rest @ ..] => {
                (format!("{owner}/{name}"), "repo", rest)
            }
            _ => return Err(Refusal::not_found()),
        };
        if !token.may(scope) {
            return Err(if token.may("actions") {
                let permissions = if scope == "repo" {
                    "administration=write"
                } else {
                    "organization_self_hosted_runners=write"
                };
                Refusal::new(403, "Resource not accessible by integration").accepting(permissions)
            } else {
                Refusal::not_found()
            });
        }
        match (ask.request.method.as_str(), rest) {
            ("GET", []) => Ok(self.runners.list(ask, &of)),
            ("GET", [id]) => {
                let mut records = self.runners.records.iter();
                let found = records.find(|it| it.of == of && it.id.to_string() == **id);
                let found = found.and_then(|it| Some((it, it.latest()?)));
                let (record, state) = found.ok_or_else(Refusal::not_found)?;
                Ok(Answer::json(200, &show(record, state)))
            }
            ("DELETE", [id]) => self.runners.remove((&of, id), ask.now),
            ("POST", ["generate-jitconfig"]) => {
                let body: Value = serde_json::from_slice(&ask.request.body)
                    .map_err(|_| Refusal::new(400, "Problems parsing JSON"))?;
                self.runners.register(&of, &body, ask.now)
            }
            _ => Err(Refusal::not_found()),
        }
    }
}
