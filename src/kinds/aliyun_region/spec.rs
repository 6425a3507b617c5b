//! What may be written of an `AliyunRegion`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::RegionId;
use crate::providers::aliyun::{Place, refuse_endpoint};
use crate::resource::Problem;

/// A region of Alibaba Cloud, and whose account it is used in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// The region, as in `cn-hangzhou`.
    #[schemars(regex(pattern = r"^[a-z]{2}-[a-z0-9-]+$"))]
    pub region_id: String,
    /// The value of the tag `reconcile:managed-by`. Two folders that share an account need two scopes.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$"))]
    pub scope: String,
    /// The account these files are for; in any other nothing is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{5,20}$"))]
    pub account_id: Option<String>,
    /// The base URL of the ECS API, where it is not the region's own; http on loopback only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^https?://[^/?#]+/?$"))]
    pub endpoint: Option<String>,
    /// The network that machines are launched into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Tags of everything that is created here; RAM policies condition on them.
    #[serde(default = "required_tags")]
    pub required_tags: BTreeMap<String, String>,
    /// The key pair of launched machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 128))]
    pub key_pair_name: Option<String>,
}

/// The network that machines are launched into.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    /// The VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^vpc-[a-z0-9]+$"))]
    pub vpc_id: Option<String>,
    /// The security group, in that VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^sg-[a-z0-9]+$"))]
    pub security_group_id: Option<String>,
    /// The vSwitch of each zone, by the zone's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v_switches: Option<BTreeMap<String, String>>,
    /// Whether the VPC's vSwitches are listed instead.
    #[serde(default)]
    pub discover_v_switches: bool,
    /// The proxy that is written into guests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
}

/// The proxy that is written into guests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proxy {
    /// For http.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^https?://[^\s@]+$"))]
    pub http: Option<String>,
    /// For https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^https?://[^\s@]+$"))]
    pub https: Option<String>,
    /// What is reached without it; the metadata service `100.100.100.200` always is.
    #[serde(default, rename = "noProxy")]
    pub exceptions: Vec<String>,
}

/// The metadata service, which is never reached through a proxy.
const METADATA: &str = "100.100.100.200";

impl Proxy {
    /// The variables that programs look for, in both spellings.
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut exceptions = self.exceptions.clone();
        if !exceptions.iter().any(|it| it == METADATA) {
            exceptions.push(METADATA.to_owned());
        }
        let values = [
            ("http_proxy", self.http.clone()),
            ("https_proxy", self.https.clone()),
            ("no_proxy", Some(exceptions.join(","))),
        ];
        let mut variables = BTreeMap::new();
        for (name, value) in values {
            let Some(value) = value else { continue };
            variables.insert(name.to_uppercase(), value.clone());
            variables.insert(name.to_owned(), value);
        }
        variables
    }
}

fn required_tags() -> BTreeMap<String, String> {
    BTreeMap::from([(
        "GITHUB_RUNNER_TYPE".to_owned(),
        "aliyun-ecs-spot".to_owned(),
    )])
}

/// What other kinds need to know of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Where the API answers.
    pub place: Place,
    /// Whose objects are ours.
    pub scope: String,
}

impl Spec {
    /// The proxy that is written into guests, where there is one.
    pub fn proxy(&self) -> Option<&Proxy> {
        self.network.as_ref()?.proxy.as_ref()
    }

    /// What other kinds need to know of it.
    pub fn home(&self) -> Home {
        Home {
            place: Place {
                region: RegionId::new(&self.region_id),
                endpoint: self.endpoint.clone(),
            },
            scope: self.scope.clone(),
        }
    }
}

/// Tags of one resource: at most 20 (ECS API reference, `TagResources`); some must stay free for ours.
const REQUIRED_TAGS_MAX: usize = 10;

pub(super) fn validate(spec: &Spec) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut problem = |path: &str, message: String| {
        problems.push(Problem {
            path: path.to_owned(),
            message,
        });
    };
    if spec.required_tags.len() > REQUIRED_TAGS_MAX {
        let count = spec.required_tags.len();
        problem(
            "spec.requiredTags",
            format!("{count} tags are required, the most allowed is {REQUIRED_TAGS_MAX}"),
        );
    }
    for key in spec.required_tags.keys() {
        let lower = key.to_lowercase();
        if key.is_empty()
            || ["aliyun", "acs:", "reconcile:"]
                .iter()
                .any(|it| lower.starts_with(it))
        {
            problem(
                &format!("spec.requiredTags.{key}"),
                format!(
                    "`{key}` is no key for a tag: it must not be empty or begin with `aliyun`, `acs:` or `reconcile:`"
                ),
            );
        }
    }
    if let Some(refusal) = spec.endpoint.as_deref().and_then(refuse_endpoint) {
        problem("spec.endpoint", refusal);
    }
    if let Some(network) = &spec.network
        && network.discover_v_switches
        && network.v_switches.is_some()
    {
        problem(
            "spec.network.vSwitches",
            "vSwitches are listed by hand and also discovered: write one of the two".to_owned(),
        );
    }
    let v_switches = spec.network.as_ref().and_then(|it| it.v_switches.as_ref());
    for (zone, id) in v_switches.into_iter().flatten() {
        let is_inner = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
        let rest = id.strip_prefix("vsw-").unwrap_or_default();
        if rest.is_empty() || !rest.bytes().all(is_inner) {
            problem(
                &format!("spec.network.vSwitches.{zone}"),
                format!("`{id}` is no vSwitch such as `vsw-bp1s5fnvk4gn2tws03624`"),
            );
        }
    }
    problems
}
