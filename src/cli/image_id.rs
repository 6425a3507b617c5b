//! `image-id`: the id of an image by its exact name, for scripts and workflows.

use serde_json::json;

use crate::engine::load;
use crate::ids::RegionId;
use crate::kind::{AnyResource, Kind};
use crate::kinds::KINDS;
use crate::kinds::aliyun_region::{self, AliyunRegion};
use crate::kinds::machine_image::newest_available;
use crate::providers::aliyun::Place;

use super::arguments::{Form, Global, Wanted};
use super::cloud::with_cloud;
use super::output::{self, Failure, Output};
use super::{settings, workflow};

pub(super) fn image_id(global: &Global, wanted: &Wanted, output: Output) -> Result<u8, Failure> {
    let place = place(global, wanted)?;
    let name = &wanted.name;
    let found = with_cloud(global, async |cloud| {
        cloud
            .clients
            .aliyun
            .images_named(&place, name)
            .await
            .map_err(|it| Failure::of(&it))
    })?;
    let Some(id) = newest_available(found.items(), wanted.arch) else {
        let arch = wanted
            .arch
            .map(|it| format!(" of {it}"))
            .unwrap_or_default();
        return Err(Failure::new(
            1,
            &format!(
                "there is no Available image{arch} named {name} in {}",
                place.region
            ),
        ));
    };
    let line = format!("IMAGE_ID={id}\n");
    match output.form {
        Form::Text | Form::Markdown => output::print(&line),
        Form::Json => output::print_json(&json!({"formatVersion": 1, "imageId": id, "name": name})),
    }
    workflow::append("GITHUB_OUTPUT", &line).map_err(|it| Failure::unfit(&it))?;
    Ok(0)
}

/// The region: as said, else that of the only `AliyunRegion`, else the environment's.
fn place(global: &Global, wanted: &Wanted) -> Result<Place, Failure> {
    let bare = |region: &str| Place {
        region: RegionId::new(region),
        endpoint: None,
    };
    if let Some(region) = &wanted.region {
        return Ok(bare(region));
    }
    let folder = settings::state_folder(global);
    if folder.exists() {
        let inventory = load(&folder, KINDS).map_err(|it| Failure::invalid(&it))?;
        let region = |it: &dyn AnyResource| {
            let spec: Option<&aliyun_region::Spec> = it.spec().downcast_ref();
            spec.map(|it| it.home().place)
        };
        let regions: Vec<Place> = inventory
            .resources
            .values()
            .filter_map(|it| region(it.as_ref()))
            .collect();
        if let [only] = regions.as_slice() {
            return Ok(only.clone());
        }
    }
    match settings::variable("ALIBABA_CLOUD_REGION_ID") {
        Some(region) => Ok(bare(&region)),
        None => Err(Failure::usage(&format!(
            "which region? Say --region, declare exactly one {}, or set ALIBABA_CLOUD_REGION_ID",
            AliyunRegion::NAME
        ))),
    }
}
