//! Whose account it is.

use crate::fault::{Class, Fault};
use crate::kind::Context;
use crate::resource::Resource;

use super::Spec;

/// What was seen of a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whether the account was asked for.
    pub asked: bool,
}

/// Proves that the credentials are of the declared account; everything else of the region waits for that.
pub(super) async fn observe(
    resource: &Resource<Spec>,
    context: &Context<'_>,
) -> Result<Seen, Fault> {
    let Some(declared) = &resource.spec.account_id else {
        return Ok(Seen { asked: false });
    };
    let caller = context
        .clients
        .aliyun
        .caller(&resource.spec.home().place)
        .await?;
    if caller.account.as_str() == declared {
        return Ok(Seen { asked: true });
    }
    let message = format!(
        "the files are for account {declared}, the credentials are of account {}",
        caller.account
    );
    Err(Fault::new(Class::Account, "use the account", &message)
        .of(&resource.id.to_string())
        .hint(
            "use the credentials of that account, or correct spec.accountId; nothing was written",
        ))
}
