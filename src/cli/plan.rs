//! `plan`: what a pass would do.

use std::collections::BTreeMap;

use crate::engine::{self, Inventory, State};
use crate::fault::Fault;
use crate::ids::ResourceId;
use crate::kinds::aliyun_region;
use crate::providers::Clients;

use super::arguments::{Global, Planned};
use super::cloud::with_cloud;
use super::output::{Failure, Output};
use super::plan_file::{Home, PlanFile};
use super::session::{Job, interruptible};
use super::settings;

pub(super) fn plan(global: &Global, options: &Planned, output: Output) -> Result<u8, Failure> {
    let job = Job::of(global, output)?;
    with_cloud(global, async |cloud| {
        // A plan reads what is remembered, holds nothing and writes nothing.
        let mut state = match &global.simulate {
            Some(_) if global.status_dir.is_none() => {
                State::unkept(crate::store::record::Record::default())
            }
            Some(_) | None => State::look_at(&settings::status_folder(global)),
        };
        let (run, stop) = job.run(cloud);
        let work = engine::plan(&run, &mut state);
        let (report, interrupted) =
            interruptible(work, cloud.clock.as_ref(), global.timeout, &stop).await?;
        job.print_pass(&report, 1);
        let code = job.finish(&report, interrupted);
        if let (Some(file), None) = (&options.out, interrupted) {
            let regions = homes(&job.inventory, &cloud.clients)
                .await
                .map_err(|it| Failure::of(&it))?;
            let seen = (job.inventory.hash.as_str(), report.seen_at);
            let resources = run.selection.about.iter().cloned();
            PlanFile::new(seen, regions, resources, &report.actions).write(file)?;
        }
        Ok(code)
    })
}

/// Whose objects each declared region holds: a region that declares its account was proven to be in it.
pub(super) async fn homes(
    inventory: &Inventory,
    clients: &Clients,
) -> Result<BTreeMap<ResourceId, Home>, Fault> {
    let mut homes = BTreeMap::new();
    for (id, resource) in &inventory.resources {
        let Some(spec) = resource.spec().downcast_ref::<aliyun_region::Spec>() else {
            continue;
        };
        let home = spec.home();
        let account = match &spec.account_id {
            Some(account) => account.clone(),
            None => clients
                .aliyun
                .caller(&home.place)
                .await?
                .account
                .to_string(),
        };
        let scope = home.scope;
        homes.insert(id.clone(), Home { account, scope });
    }
    Ok(homes)
}
