//! An accepted request as the actions see it: whose, where, and how much of the world it may see.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::clock::Timestamp;
use crate::ids::RegionId;
use crate::sim::aliyun::wire::{Incoming, Parameters, Refusal};
use crate::sim::aliyun::{Cloud, Region, Reply};
use crate::sim::scenario::Key;
use crate::sim::trouble::{Trouble, TroubleKind};

/// An accepted request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) parameters: Parameters,
    pub(super) action: String,
    pub(super) key: Key,
    pub(super) now: Timestamp,
    /// What listings show is from then.
    pub(super) view: Timestamp,
    /// What tag filters see is from then.
    pub(super) tag_view: Timestamp,
    /// What goes wrong.
    pub(super) trouble: Option<Trouble>,
    region: Option<RegionId>,
}

impl Ask {
    pub(super) fn new(
        cloud: &Cloud,
        (incoming, key): (&Incoming, Key),
        now: Timestamp,
        trouble: Option<&Trouble>,
    ) -> Result<Self, Refusal> {
        let region = incoming.parameters.text("RegionId").map(RegionId::new);
        if let Some(region) = &region
            && !cloud.regions.contains_key(region)
        {
            let message = "The RegionId provided does not exist in our records.";
            return Err(Refusal::new(404, "InvalidRegionId.NotFound", message));
        }
        let times = &cloud.scenario.times;
        let stale = trouble.filter(|it| it.fault == TroubleKind::Stale);
        let lag = Duration::from_secs(times.listing_lag);
        let view = now.minus(stale.map_or(lag, |it| it.duration().max(lag)));
        Ok(Self {
            parameters: incoming.parameters.clone(),
            action: incoming.action.clone(),
            key,
            now,
            view,
            tag_view: view.minus(Duration::from_secs(times.tag_filter_lag)),
            trouble: trouble.cloned(),
            region,
        })
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.parameters.text(name)
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.parameters.is_true(name)
    }

    /// The region that is meant. Left out where it may be left out, the endpoint decides; all regions share one
    /// here, so that it is the first.
    pub(super) fn region_id(&self, cloud: &Cloud) -> RegionId {
        self.region
            .clone()
            .unwrap_or_else(|| cloud.scenario.regions[0].clone())
    }

    pub(super) fn region<'a>(&self, cloud: &'a Cloud) -> &'a Region {
        &cloud.regions[&self.region_id(cloud)]
    }

    /// The region where `is_there` says yes. Without `RegionId` every region is looked at, since ids are unique.
    pub(super) fn find(
        &self,
        cloud: &Cloud,
        is_there: impl Fn(&Region) -> bool,
    ) -> Option<RegionId> {
        let is_meant = |id: &RegionId| self.region.as_ref().is_none_or(|it| it == id);
        let mut regions = cloud.regions.iter();
        let found = regions.find(|(id, region)| is_meant(id) && is_there(region));
        found.map(|(id, _)| id.clone())
    }

    /// The end of a dry run: an error that says that all is well (ECS documentation, "`DryRun`").
    pub(super) fn unless_dry(&self) -> Result<(), Refusal> {
        if !self.is_true("DryRun") {
            return Ok(());
        }
        let message = "Request validation has been passed with DryRun flag set.";
        Err(Refusal::new(400, "DryRunOperation", message))
    }

    /// The end of a dry run of `StopInstances` and `DeleteInstances` (ECS API reference, `StopInstances`, error codes).
    pub(super) fn unless_dry_batch(&self) -> Result<(), Refusal> {
        if !self.is_true("DryRun") {
            return Ok(());
        }
        let message = "This request is a dryrun request with successful result.";
        Err(Refusal::new(400, "DRYRUN.SUCCESS", message))
    }

    /// What a principal without permission gets: of `DescribeInstances` an empty list, unless it is a dry run
    /// (ECS API reference, `DescribeInstances`, usage notes).
    pub(super) fn denied(&self) -> Reply {
        if self.action == "DescribeInstances" && !self.is_true("DryRun") {
            return Ok(json!({
                "Instances": {"Instance": []}, "TotalCount": 0, "PageNumber": 1, "PageSize": 10, "NextToken": "",
            }));
        }
        let message = "User not authorized to operate on the specified resource, or this API doesn't support RAM.";
        Err(Refusal::new(403, "Forbidden.RAM", message))
    }

    /// Refuses filters that the simulator knows of but does not apply: ignoring them would be a wrong answer.
    pub(super) fn only(&self, modelled: &[&str]) -> Result<(), Refusal> {
        let always = [
            "RegionId",
            "DryRun",
            "PageNumber",
            "PageSize",
            "MaxResults",
            "NextToken",
        ];
        for (name, value) in &self.parameters.0 {
            let first = name.split('.').next().unwrap_or(name);
            let is_modelled = modelled.contains(&first) || always.contains(&first);
            if !value.is_empty() && !is_modelled && !super::metadata::is_common(name) {
                return Err(Refusal::unmodelled(&format!(
                    "the parameter {name} of {}",
                    self.action
                )));
            }
        }
        Ok(())
    }

    /// Whether a filter lets a value pass: one that was not given lets everything pass.
    pub(super) fn passes(&self, name: &str, value: &str) -> bool {
        self.text(name).is_none_or(|it| it == value)
    }

    /// Refuses a value that is not among the choices, with a status and a code.
    pub(super) fn choose(
        &self,
        name: &str,
        choices: &[&str],
        refusal: &str,
    ) -> Result<(), Refusal> {
        if self.text(name).is_none_or(|it| choices.contains(&it)) {
            return Ok(());
        }
        let (status, code) = refusal.split_once(' ').unwrap_or(("400", refusal));
        let message = format!("The specified {name} is not valid.");
        Err(Refusal::new(status.parse().unwrap_or(400), code, &message))
    }

    /// Ids in one parameter, as a JSON array of at most 100.
    pub(super) fn id_array(&self, name: &str) -> Result<Option<BTreeSet<String>>, Refusal> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        // ASSUMED: the code for text that is not such an array.
        match serde_json::from_str::<BTreeSet<String>>(text) {
            Ok(ids) if ids.len() <= 100 => Ok(Some(ids)),
            Ok(_) | Err(_) => Err(Refusal::invalid(name)),
        }
    }
}
