//! Who else may use an image (ECS API reference: `DescribeImageSharePermission`, `ModifyImageSharePermission`).

use serde_json::json;

use crate::clock::Timestamp;
use crate::ids::{AccountId, ImageId};
use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::images::own_image;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, Reply, page};
use crate::sim::history::What;
use crate::sim::object::ImageStatus;

/// "1 to 10": what a request names beyond is ignored without a word.
const NAMED_MAX: usize = 10;

/// The most accounts that an image is shared with (ECS documentation, "Share a custom image").
const ACCOUNTS_MAX: usize = 50;

/// ASSUMED: without the field `ShareGroups` where it is shared with none.
pub(super) fn describe(cloud: &Cloud, ask: &Ask) -> Reply {
    let page = page::by_number(ask, 100)?;
    let id = ask.text("ImageId").unwrap_or_default();
    let image = ask.region(cloud).images.get_at(id, ask.view);
    let Some(image) = image.filter(|it| it.is_own()) else {
        let message = format!("The specified image {id} does not exist.");
        return Err(Refusal::new(404, "InvalidImageId.NotFound", &message));
    };
    let accounts: Vec<(&AccountId, &Timestamp)> = image.shared_with.iter().collect();
    let row = |(id, since): (&AccountId, &Timestamp)| json!({"AliyunId": id, "SharedTime": since});
    let mut answer = page.cut(ask, accounts).answer("Accounts", "Account", row);
    answer["ImageId"] = json!(id);
    answer["RegionId"] = json!(ask.region_id(cloud));
    Ok(answer)
}

/// ASSUMED: an account that is added and removed at once is not there; removing one that is not there changes nothing.
pub(super) fn modify(cloud: &mut Cloud, ask: &Ask) -> Reply {
    ask.only(&["ImageId", "AddAccount", "RemoveAccount"])?;
    let id = ask.text("ImageId").unwrap_or_default();
    let image = own_image(ask.region(cloud), id)?;
    let (wanted, unwanted) = (
        accounts(cloud, ask, "AddAccount")?,
        accounts(cloud, ask, "RemoveAccount")?,
    );
    if wanted.is_empty() && unwanted.is_empty() {
        // ASSUMED: the code for a request that asks for nothing.
        return Err(Refusal::missing("AddAccount.1"));
    }
    // The documentation says so of deprecated ones; ASSUMED of all that are not Available.
    if !wanted.is_empty() && image.status != ImageStatus::Available {
        let message = "The specified image cannot be shared when it is deprecated.";
        let code = "OperationDenied.InvalidImageStatus";
        return Err(Refusal::new(403, code, message));
    }
    let mut shared = image.shared_with.clone();
    for account in wanted {
        shared.entry(account).or_insert(ask.now);
    }
    shared.retain(|it, _| !unwanted.contains(it));
    if shared.len() > ACCOUNTS_MAX {
        let message = "The shared Image user Quota exceeds.";
        return Err(Refusal::new(403, "QuotaExceed.ShareImageUser", message));
    }
    ask.unless_dry()?;
    if shared == image.shared_with {
        return Ok(json!({}));
    }
    let with = shared.keys().cloned().collect();
    let region = ask.region_id(cloud);
    cloud.region_mut(&region).images.change(ask.now, id, |it| {
        it.is_self_shared = !shared.is_empty();
        it.shared_with = shared;
    });
    let image = ImageId::new(id);
    cloud.record(ask.now, &region, What::ImageShared { image, with });
    Ok(json!({}))
}

/// ASSUMED: every number is somebody's account, and nothing else is.
fn accounts(cloud: &Cloud, ask: &Ask, name: &str) -> Result<Vec<AccountId>, Refusal> {
    let mut accounts = Vec::new();
    for id in ask.parameters.list(name).into_iter().take(NAMED_MAX) {
        if !id.bytes().all(|it| it.is_ascii_digit()) {
            let message = format!(
                "The specified account {id} in parameter \"AddAccount.n\" or \"RemoveAccount.n\" does not exist."
            );
            return Err(Refusal::new(404, "InvalidAccount.NotFound", &message));
        }
        if id == cloud.scenario.account.as_str() {
            let message = "The specified Account does not yourself.";
            return Err(Refusal::new(404, "InvalidAccount.Forbbiden", message));
        }
        accounts.push(AccountId::new(id));
    }
    Ok(accounts)
}
