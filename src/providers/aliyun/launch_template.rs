//! Launch templates: what will use an image, besides the instances that use one now.
//!
//! Source: ECS API reference, `DescribeLaunchTemplates`, `DescribeLaunchTemplateVersions`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::Aliyun;
use super::call::{Parameters, parameters};
use super::listing::Listing;
use super::place::{Place, Service};
use super::wire::Fields;
use crate::fact::Complete;
use crate::fault::Fault;
use crate::ids::{LaunchTemplateId, SnapshotId};

/// A launch template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchTemplate {
    /// Its id.
    pub id: LaunchTemplateId,
    /// Its name.
    pub name: String,
    /// All its versions: machines can be launched from each of them.
    pub versions: Vec<LaunchTemplateVersion>,
}

/// One version of a launch template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchTemplateVersion {
    /// Its number, from 1.
    pub number: u64,
    /// The image that it launches from: an id, or an image family in a form that is not documented. None: it names none.
    pub image: Option<String>,
    /// The snapshots that its data disks are made from.
    pub snapshots: Vec<SnapshotId>,
}

/// How long a second reading counts for what is deleted on its word.
const AGAIN_LASTS: Duration = Duration::from_secs(60);
/// Templates whose versions are read at once.
const TEMPLATES_AT_ONCE: usize = 4;

/// A template without its versions, and the number of the one that cannot be deleted.
struct Head {
    id: LaunchTemplateId,
    name: String,
    default: u64,
}

const TEMPLATES: Listing<Head> = Listing {
    service: Service::Ecs,
    action: "DescribeLaunchTemplates",
    doing: "list the launch templates",
    outer: "LaunchTemplateSets",
    inner: "LaunchTemplateSet",
    id: "LaunchTemplateId",
    page_size: 50,
    read: read_head,
};

const VERSIONS: Listing<LaunchTemplateVersion> = Listing {
    service: Service::Ecs,
    action: "DescribeLaunchTemplateVersions",
    doing: "list the versions of a launch template",
    outer: "LaunchTemplateVersionSets",
    inner: "LaunchTemplateVersionSet",
    id: "VersionNumber",
    page_size: 50,
    read: read_version,
};

fn read_head(item: Fields<'_>) -> Result<Head, String> {
    Ok(Head {
        id: LaunchTemplateId::new(item.id("LaunchTemplateId")?),
        name: item
            .optional("LaunchTemplateName")?
            .unwrap_or_default()
            .to_owned(),
        default: item.number("DefaultVersionNumber")?,
    })
}

fn read_version(item: Fields<'_>) -> Result<LaunchTemplateVersion, String> {
    let data = item.object("LaunchTemplateData")?;
    let mut snapshots = Vec::new();
    for disk in data.list("DataDisks", "DataDisk")? {
        snapshots.extend(disk.optional("SnapshotId")?.map(SnapshotId::new));
    }
    Ok(LaunchTemplateVersion {
        number: item.number("VersionNumber")?,
        image: data.optional("ImageId")?.map(str::to_owned),
        snapshots,
    })
}

impl Aliyun {
    /// All launch templates of the region with all their versions; read once a pass, in a call for each of them.
    ///
    /// ASSUMED: without the permission this is refused. Only of `DescribeInstances` an empty list is documented.
    pub async fn launch_templates(
        &self,
        place: &Place,
    ) -> Result<Arc<Complete<LaunchTemplate>>, Fault> {
        let read = || self.read_launch_templates(place);
        self.templates.get(place, read).await
    }

    /// The same as they are now, for what is about to be deleted: they are read once more after a look, and again when
    /// that was more than a minute ago.
    pub async fn launch_templates_again(
        &self,
        place: &Place,
    ) -> Result<Arc<Complete<LaunchTemplate>>, Fault> {
        let read = || self.read_launch_templates(place);
        let known = self.templates_again.get(place, read).await?;
        if self.http.now().since(known.at()) <= AGAIN_LASTS {
            return Ok(known);
        }
        self.templates_again.forget(place);
        self.templates_again.get(place, read).await
    }

    async fn read_launch_templates(
        &self,
        place: &Place,
    ) -> Result<Complete<LaunchTemplate>, Fault> {
        let heads = self
            .list_by_number(place, &TEMPLATES, &Parameters::new())
            .await?;
        let mut at = heads.at();
        let mut templates = Vec::new();
        let versions: Vec<_> = heads
            .items()
            .iter()
            .map(|it| self.versions(place, it))
            .collect();
        let mut versions = stream::iter(versions).buffered(TEMPLATES_AT_ONCE);
        for head in heads.items() {
            let versions = versions.next().await.expect("there is one for each")?;
            at = at.max(versions.at());
            templates.push(LaunchTemplate {
                id: head.id.clone(),
                name: head.name.clone(),
                versions: versions.items().to_vec(),
            });
        }
        Ok(heads.enriched(templates, at))
    }

    async fn versions(
        &self,
        place: &Place,
        head: &Head,
    ) -> Result<Complete<LaunchTemplateVersion>, Fault> {
        let filter = parameters([
            ("LaunchTemplateId", head.id.as_str()),
            // Without it a version does not say what it launches.
            ("DetailFlag", "true"),
        ]);
        let versions = self.list_by_number(place, &VERSIONS, &filter).await;
        let versions = versions.map_err(|it| it.of(head.id.as_str()))?;
        // The default version cannot be deleted (ECS API reference, `DeleteLaunchTemplateVersion`).
        if versions.items().iter().any(|it| it.number == head.default) {
            return Ok(versions);
        }
        let message = format!("version {}, its default, is not among them", head.default);
        Err(VERSIONS.fault(&message).of(head.id.as_str()))
    }
}
