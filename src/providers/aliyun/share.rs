//! With which accounts an image is shared.
//!
//! Source: ECS API reference, `DescribeImageSharePermission`, `ModifyImageSharePermission`.

use super::Aliyun;
use super::call::{Call, parameters};
use super::listing::Listing;
use super::place::{Place, Service};
use crate::fact::Complete;
use crate::fault::Fault;
use crate::ids::{AccountId, ImageId};
use crate::retry::Effect;

/// Accounts that one request may name; more are ignored without a word.
pub const ACCOUNTS_MAX: usize = 10;

const ACCOUNTS: Listing<AccountId> = Listing {
    service: Service::Ecs,
    action: "DescribeImageSharePermission",
    doing: "list the accounts that an image is shared with",
    outer: "Accounts",
    inner: "Account",
    id: "AliyunId",
    page_size: 100,
    read: |item| Ok(AccountId::new(&item.key("AliyunId")?)),
};

impl Aliyun {
    /// All accounts that an image is shared with, as they are now.
    pub async fn shared_with(
        &self,
        place: &Place,
        image: &ImageId,
    ) -> Result<Complete<AccountId>, Fault> {
        let filter = parameters([("ImageId", image.as_str())]);
        let accounts = self.list_by_number(place, &ACCOUNTS, &filter).await;
        accounts.map_err(|it| it.of(image.as_str()))
    }

    /// Shares an image with some accounts and no longer with others, at most [`ACCOUNTS_MAX`] each.
    pub async fn share(
        &self,
        place: &Place,
        image: &ImageId,
        (add, remove): (&[AccountId], &[AccountId]),
    ) -> Result<(), Fault> {
        let mut all = parameters([("ImageId", image.as_str())]);
        for (name, accounts) in [("AddAccount", add), ("RemoveAccount", remove)] {
            for (number, account) in (1..).zip(accounts) {
                all.insert(format!("{name}.{number}"), account.as_str().to_owned());
            }
        }
        let call = Call {
            service: Service::Ecs,
            action: "ModifyImageSharePermission",
            doing: "share an image",
            effect: Effect::Repeatable,
            subject: Some(image.as_str()),
            parameters: all,
        };
        let outcome = self.call(place, &call).await;
        self.images.forget(place);
        outcome.map(|_| ())
    }
}
