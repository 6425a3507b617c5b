//! The actions on launch templates (ECS API reference: `DescribeLaunchTemplates`, `DescribeLaunchTemplateVersions`).

use crate::ids::LaunchTemplateId;
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Region, Reply, images, page, show};
use crate::sim::object::{Image, LaunchTemplate};

/// The most entries of a page (ECS API reference, `DescribeLaunchTemplates`; ASSUMED to hold for versions too).
const PAGE_SIZE_MAX: usize = 50;

pub(super) fn describe(cloud: &Cloud, ask: &Ask) -> Reply {
    ask.only(&["LaunchTemplateId", "LaunchTemplateName"])?;
    let ids = ask.parameters.list("LaunchTemplateId");
    let names = ask.parameters.list("LaunchTemplateName");
    let page = page::by_number(ask, PAGE_SIZE_MAX)?;
    let mut templates = page::listing(cloud, ask, &ask.region(cloud).launch_templates)?;
    templates.retain(|it| {
        (ids.is_empty() || ids.contains(&it.launch_template_id.as_str()))
            && (names.is_empty() || names.contains(&it.launch_template_name.as_str()))
    });
    let page = page.cut(ask, templates);
    Ok(page.answer("LaunchTemplateSets", "LaunchTemplateSet", show::template))
}

/// The versions of one template, the newest first (ASSUMED); what they launch only with `DetailFlag`.
pub(super) fn describe_versions(cloud: &Cloud, ask: &Ask) -> Reply {
    ask.only(&["LaunchTemplateId", "LaunchTemplateName", "DetailFlag"])?;
    let (id, name) = (ask.text("LaunchTemplateId"), ask.text("LaunchTemplateName"));
    if id.is_none() && name.is_none() {
        // ASSUMED: the code where neither is sent.
        return Err(Refusal::missing("LaunchTemplateId"));
    }
    let page = page::by_number(ask, PAGE_SIZE_MAX)?;
    let mut templates = ask.region(cloud).launch_templates.all_at(ask.view);
    let template = templates.find(|it| {
        ask.passes("LaunchTemplateId", it.launch_template_id.as_str())
            && ask.passes("LaunchTemplateName", &it.launch_template_name)
    });
    // ASSUMED: the code of `RunInstances` (ECS API reference, `RunInstances`, error codes).
    let template = template.ok_or_else(|| {
        let message = "The specified launch template does not exist.";
        Refusal::new(404, "InvalidLaunchTemplate.NotFound", message)
    })?;
    let is_detailed = ask.is_true("DetailFlag");
    let versions = template.versions.iter().rev().collect();
    let page = page.cut(ask, versions);
    let (outer, inner) = ("LaunchTemplateVersionSets", "LaunchTemplateVersionSet");
    Ok(page.answer(outer, inner, |it| {
        show::template_version(template, it, is_detailed)
    }))
}

/// The launch templates that launch from an image: by its id, or as the newest of its family. In which form a version
/// names a family is not documented; here the family's name is at the end.
pub(super) fn users(region: &Region, image: &Image) -> Vec<LaunchTemplateId> {
    let family = image.image_family.as_str();
    let newest = images::newest_of_family(region.images.all(), family);
    let is_newest = newest.is_some_and(|it| it.image_id == image.image_id);
    let means = |source: &String| {
        source == image.image_id.as_str()
            || (!family.is_empty() && is_newest && source.ends_with(family))
    };
    let is_user = |template: &&LaunchTemplate| {
        let mut versions = template.versions.iter();
        versions.any(|it| means(&it.image_id))
    };
    let users = region.launch_templates.all().filter(is_user);
    users.map(|it| it.launch_template_id.clone()).collect()
}
