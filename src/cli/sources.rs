//! Where every value comes from that a command would use: files and the environment, and nobody is asked.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::clock::{Clock, SystemClock};
use crate::engine::Inventory;
use crate::kinds::aliyun_region;
use crate::providers::Settings;
use crate::providers::aliyun::credentials::explain;
use crate::providers::aliyun::{Endpoint, Endpoints, Place};
use crate::providers::reach::{ALLOWED_HOSTS, Reach};
use crate::providers::registry::REGISTRIES;

use super::arguments::Global;
use super::settings;

/// One value.
#[derive(Debug)]
pub(super) struct Source {
    /// What it is, as in `state folder`.
    what: String,
    value: String,
    /// Who says so; empty: the value says it.
    from: String,
}

impl Source {
    fn new(what: &str, value: &str, from: &str) -> Self {
        Self {
            what: what.to_owned(),
            value: value.to_owned(),
            from: from.to_owned(),
        }
    }
}

/// All values, in the order in which a person asks for them.
pub(super) fn sources(global: &Global, inventory: &Inventory) -> Vec<Source> {
    let mut sources = folders(global);
    if global.simulate.is_some() {
        let everything = "of the environment nothing else is used";
        sources.push(Source::new("cloud", "simulated", everything));
        return sources;
    }
    let settings = Settings::new(settings::all());
    sources.extend(endpoints(&settings, inventory));
    sources.extend(credentials(&settings));
    sources.extend(TOKENS.map(|(name, purpose)| token(&settings, name, purpose)));
    sources.extend(registries(&settings));
    sources.push(allowed_hosts(&settings));
    sources.extend(proxies(&settings));
    sources
}

/// As lines, one a value.
pub(super) fn text(sources: &[Source]) -> String {
    let line = |it: &Source| {
        let from = match it.from.as_str() {
            "" => String::new(),
            from => format!("   [{from}]"),
        };
        let value = it.value.replace('\n', " ");
        format!("  {:<18} {value}{from}\n", it.what)
    };
    sources.iter().map(line).collect()
}

/// As JSON, with the same facts.
pub(super) fn json(sources: &[Source]) -> Value {
    let row = |it: &Source| json!({"what": it.what, "value": it.value, "from": it.from});
    sources.iter().map(row).collect()
}

fn folders(global: &Global) -> Vec<Source> {
    let from = |option: &str, is_given: bool, name: &str| {
        if is_given {
            option.to_owned()
        } else if settings::is_set(name) {
            name.to_owned()
        } else {
            "the default".to_owned()
        }
    };
    let state = settings::state_folder(global).display().to_string();
    let state_from = from("--state", global.state.is_some(), "RECONCILE_STATE");
    let (status, status_from) = match (&global.simulate, &global.status_dir) {
        (Some(_), None) => ("temporary".to_owned(), "--simulate".to_owned()),
        (Some(_) | None, said) => (
            settings::status_folder(global).display().to_string(),
            from("--status-dir", said.is_some(), "RECONCILE_STATUS_DIR"),
        ),
    };
    vec![
        Source::new("state folder", &state, &state_from),
        Source::new("status directory", &status, &status_from),
    ]
}

fn endpoints(settings: &Settings, inventory: &Inventory) -> Vec<Source> {
    let endpoints = match Endpoints::new(settings) {
        Ok(endpoints) => endpoints,
        Err(fault) => return vec![Source::new("endpoints", &fault.to_string(), "")],
    };
    let reach = Reach::new(settings);
    let shown = |what: &str, endpoint: Result<Endpoint, _>| match endpoint {
        Ok(Endpoint { url, named_by }) => match reach.check(&url, &named_by) {
            Ok(()) => Source::new(what, url.as_str(), &named_by),
            Err(fault) => Source::new(what, &fault.to_string(), &named_by),
        },
        Err::<_, crate::fault::Fault>(fault) => Source::new(what, &fault.to_string(), ""),
    };
    let specs = inventory
        .resources
        .values()
        .filter_map(|it| it.spec().downcast_ref());
    let place = |it: &aliyun_region::Spec| it.home().place;
    let places: BTreeSet<Place> = specs.map(place).collect();
    let ecs = |it: &Place| shown(&format!("ecs {}", it.region), endpoints.ecs(it));
    let vpc = |it: &Place| shown(&format!("vpc {}", it.region), endpoints.vpc(it));
    let mut sources: Vec<Source> = places.iter().flat_map(|it| [ecs(it), vpc(it)]).collect();
    sources.push(shown("sts", endpoints.sts(None)));
    sources.push(shown("metadata", endpoints.metadata()));
    sources
}

fn credentials(settings: &Settings) -> Vec<Source> {
    let told = explain(settings, SystemClock.now());
    let taken = told.taken.as_deref().unwrap_or("none can be taken");
    let mut sources = vec![Source::new("credentials", taken, "")];
    sources.extend(
        told.lacks
            .map(|it| Source::new("credentials lack", &it, "")),
    );
    sources
}

/// The tokens for GitHub, and what each is for.
const TOKENS: [(&str, &str); 4] = [
    ("GITHUB_TOKEN", "runs and packages of GitHub, and ghcr.io"),
    (
        "RECONCILE_GITHUB_APP_ID",
        "runners of GitHub, which no kind asks for yet",
    ),
    (
        "RECONCILE_GITHUB_APP_KEY_FILE",
        "runners of GitHub, which no kind asks for yet",
    ),
    ("GHCR_TOKEN", "packages of GitHub and ghcr.io"),
];

fn token(settings: &Settings, name: &str, purpose: &str) -> Source {
    let is_set = match settings.get(name) {
        Some(_) => "set",
        None => "not set",
    };
    let value = format!("{is_set}; for {purpose}");
    Source::new(name, &value, "")
}

fn registries(settings: &Settings) -> Option<Source> {
    let places = settings.get(REGISTRIES)?;
    Some(Source::new("registries", places, REGISTRIES))
}

fn allowed_hosts(settings: &Settings) -> Source {
    match Reach::new(settings).hosts() {
        None => Source::new("allowed hosts", "all", "this is no pull request"),
        Some(hosts) => {
            let from = match settings.get(ALLOWED_HOSTS) {
                Some(_) => ALLOWED_HOSTS,
                None => "the default for pull requests",
            };
            Source::new("allowed hosts", &hosts.join(","), from)
        }
    }
}

/// The variables that the HTTP client looks at.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

fn proxies(settings: &Settings) -> Vec<Source> {
    let proxy = |name: &'static str| {
        // The part before the host may be a password.
        let url = settings.get(name)?;
        let host = url.rsplit('@').next().unwrap_or_default();
        Some(Source::new("proxy", host, name))
    };
    let exceptions = |name: &'static str| Some(Source::new("no proxy", settings.get(name)?, name));
    let proxies = PROXIES.into_iter().filter_map(proxy);
    let mut sources: Vec<Source> = proxies.collect();
    sources.extend(EXCEPTIONS.into_iter().filter_map(exceptions));
    if sources.is_empty() {
        sources.push(Source::new("proxy", "none", ""));
    }
    sources
}
