//! `spot`: which machines would be tried for a class now, in their order, with price and limit.

use serde_json::{Value, json};

use crate::ids::ResourceId;
use crate::kind::{AnyResource, Kind};
use crate::kinds::aliyun_region::{self, AliyunRegion};
use crate::kinds::instance_class::{self, Candidate, InstanceClass, Ranking, rank};
use crate::report::escape;
use crate::resource::nearest;

use super::arguments::{Class, Form, Global};
use super::cloud::{Cloud, with_cloud};
use super::output::{self, Failure, Output};
use super::session::declared;
use super::{settings, workflow};

pub(super) fn spot(global: &Global, wanted: &Class, output: Output) -> Result<u8, Failure> {
    if wanted.env && output.form != Form::Text {
        let message = "`--env` is a form of its own: leave out `--output`";
        return Err(Failure::usage(message));
    }
    let inventory = declared(global)?;
    let name = wanted.class.as_str();
    let id = ResourceId::new(InstanceClass::NAME, bare(name));
    let Some(resource) = inventory.resources.get(&id) else {
        return Err(unknown(name, inventory.resources.keys()));
    };
    let class: &instance_class::Spec = spec(resource.as_ref());
    let region = ResourceId::new(AliyunRegion::NAME, class.region_ref.as_str());
    let region: &aliyun_region::Spec = spec(inventory.resources[&region].as_ref());
    let found = with_cloud(global, async |cloud| {
        keep(global, cloud);
        let ranking = rank(class, region, &cloud.clients).await;
        let ranking = ranking.map_err(|it| Failure::of(&it.of(&id.to_string())))?;
        let calls = cloud.clients.calls().total;
        Ok(Found { id, ranking, calls })
    })?;
    let none = found.ranking.why_none(class);
    let none = none.map(|why| Failure::new(1, &format!("{}: {why}", found.id)));
    match output.form {
        Form::Text if none.is_some() => {}
        Form::Text if wanted.env => {
            let lines = found.env();
            output::print(&lines);
            workflow::append("GITHUB_OUTPUT", &lines).map_err(|it| Failure::unfit(&it))?;
        }
        Form::Text => output::print(&found.text(class)),
        Form::Json => output::print_json(&found.json()),
        Form::Markdown => output::print(&found.markdown(class)),
    }
    // A program reads why there is none, and a person too.
    none.map_or(Ok(0), Err)
}

/// What was found, and for how many calls.
struct Found {
    id: ResourceId,
    ranking: Ranking,
    calls: u64,
}

/// The name alone of what may be written with its kind.
fn bare(name: &str) -> &str {
    let kind = format!("{}/", InstanceClass::NAME);
    name.strip_prefix(&kind).unwrap_or(name)
}

fn unknown<'a>(name: &str, declared: impl Iterator<Item = &'a ResourceId>) -> Failure {
    let classes = declared.filter(|it| it.kind == InstanceClass::NAME);
    let names: Vec<&str> = classes.map(|it| it.name.as_str()).collect();
    let advice = match nearest(bare(name), names.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None if names.is_empty() => format!("no {} is declared", InstanceClass::NAME),
        None => format!("declared are {}", names.join(", ")),
    };
    Failure::usage(&format!(
        "there is no {} {} ({advice})",
        InstanceClass::NAME,
        bare(name)
    ))
}

fn spec<S: 'static>(resource: &dyn AnyResource) -> &S {
    let spec = resource.spec().downcast_ref();
    spec.expect("a resource has the spec of its kind")
}

/// The types that were read within a day are known, where there is a status directory; none is made for this.
fn keep(global: &Global, cloud: &Cloud) {
    let folder = settings::status_folder(global);
    let is_kept = global.simulate.is_none() || global.status_dir.is_some();
    if is_kept && folder.is_dir() {
        cloud.clients.aliyun.keep_in(&folder);
    }
}

const HEAD: [&str; 8] = [
    "RANK", "TYPE", "ZONE", "VSWITCH", "CORES", "MEMORY", "PRICE/H", "LIMIT/H",
];

fn cells(rank: usize, it: &Candidate) -> [String; 8] {
    [
        rank.to_string(),
        it.instance_type.clone(),
        it.zone.clone(),
        it.v_switch.clone(),
        it.cores.to_string(),
        it.memory.to_string(),
        it.price.to_string(),
        it.limit.map_or_else(|| "-".to_owned(), |it| it.to_string()),
    ]
}

impl Found {
    fn rows(&self) -> Vec<[String; 8]> {
        let ranked = self.ranking.candidates.iter().zip(1..);
        ranked.map(|(it, rank)| cells(rank, it)).collect()
    }

    /// What it took and what was left out.
    fn closing(&self, class: &instance_class::Spec) -> String {
        let (asked, calls) = (self.ranking.asked.len(), self.calls);
        let reasons = self.ranking.dropped.reasons(class);
        let reasons = reasons.iter().map(|it| format!("\nLeft out: {it}."));
        let reasons: String = reasons.collect();
        format!(
            "In CNY. The prices of {asked} types were asked for, {calls} calls in all.{reasons}\n"
        )
    }

    fn text(&self, class: &instance_class::Spec) -> String {
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows.extend(self.rows());
        let width = |column: usize| rows.iter().map(|it| it[column].chars().count()).max();
        let widths: Vec<usize> = (0..HEAD.len()).filter_map(width).collect();
        let line = |row: &[String; 8]| {
            let cells = row.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            format!("{}\n", cells.join("  ").trim_end())
        };
        let table: String = rows.iter().map(line).collect();
        format!("{table}{}", self.closing(class))
    }

    fn markdown(&self, class: &instance_class::Spec) -> String {
        let line = |row: &[String; 8]| {
            let cells: Vec<String> = row.iter().map(|it| escape(it)).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let head = line(&HEAD.map(str::to_lowercase));
        let rows: String = self.rows().iter().map(line).collect();
        format!(
            "{head}{}|\n{rows}\n{}",
            "|---".repeat(HEAD.len()),
            self.closing(class)
        )
    }

    fn json(&self) -> Value {
        json!({
            "formatVersion": 1,
            "class": self.id.name,
            "currency": "CNY",
            "candidates": self.ranking.candidates,
            "dropped": self.ranking.dropped,
            "pricesAsked": self.ranking.asked.len(),
            "calls": self.calls,
        })
    }

    /// The lines that workflows read. A file of all candidates is not among them: whoever wants them asks for JSON.
    fn env(&self) -> String {
        let Some(best) = self.ranking.candidates.first() else {
            return String::new();
        };
        let limit = best.limit.map(|it| format!("SPOT_PRICE_LIMIT={it}\n"));
        format!(
            "INSTANCE_TYPE={}\nZONE_ID={}\nVSWITCH_ID={}\n{}CPU_CORES={}\n",
            best.instance_type,
            best.zone,
            best.v_switch,
            limit.unwrap_or_default(),
            best.cores
        )
    }
}
