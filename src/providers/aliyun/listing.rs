//! Listings read to their end: whole and consistent, or a fault.

use std::collections::BTreeSet;
use std::future::Future;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::Aliyun;
use super::call::{Call, Parameters, Reply};
use super::place::{Place, Service};
use super::wire::Fields;
use crate::clock::Timestamp;
use crate::fact::Complete;
use crate::fault::{Class, Fault};
use crate::retry::Effect;

/// Pages of one listing.
const PAGES_MAX: u64 = 1000;
/// Pages that are read at once.
const PAGES_AT_ONCE: usize = 4;
/// How often a listing is read from its start, when it changes while it is read.
const READINGS_MAX: u32 = 3;

/// A kind of object that ECS or VPC lists.
pub(super) struct Listing<T> {
    pub(super) service: Service,
    pub(super) action: &'static str,
    /// In words, as in `list the images`.
    pub(super) doing: &'static str,
    /// Where the items are, as in `Images` and `Image`.
    pub(super) outer: &'static str,
    pub(super) inner: &'static str,
    /// The field with an item's id, which may be a number.
    pub(super) id: &'static str,
    /// Items to a page: the most that the action gives.
    pub(super) page_size: u64,
    /// Reads one item, or says what is wrong with it.
    pub(super) read: fn(Fields<'_>) -> Result<T, String>,
}

/// What one reading of a listing gave.
enum Reading<T> {
    Whole(Complete<T>),
    /// It changed meanwhile; how that was noticed.
    Changed(String),
}

struct Page<T> {
    /// Ids and items.
    items: Vec<(String, T)>,
    /// How many items all pages have together; none: it does not say.
    total: Option<u64>,
    /// What asks for the next page; none: this was the last one.
    next: Option<String>,
    at: Timestamp,
}

impl Aliyun {
    /// Reads a listing whose pages are numbered: the first one tells how many there are, the others come side by side.
    ///
    /// Such a listing is no snapshot: what is created or deleted meanwhile moves the rest to another page.
    pub(super) async fn list_by_number<T>(
        &self,
        place: &Place,
        listing: &Listing<T>,
        filter: &Parameters,
    ) -> Result<Complete<T>, Fault> {
        until_whole(listing, || async {
            let read = |number: u64| async move {
                let mut parameters = filter.clone();
                parameters.insert("PageSize".to_owned(), listing.page_size.to_string());
                parameters.insert("PageNumber".to_owned(), number.to_string());
                self.page(place, listing, parameters, number).await
            };
            let first = read(1).await?;
            let pages = match first.total {
                Some(total) => total.div_ceil(listing.page_size),
                None => return Err(listing.fault("TotalCount is missing")),
            };
            if pages > PAGES_MAX {
                return Err(listing.fault(&format!("{pages} pages are more than {PAGES_MAX}")));
            }
            let rest = stream::iter((2..=pages).map(read)).buffered(PAGES_AT_ONCE);
            let rest: Vec<Page<T>> = rest.try_collect().await?;
            Ok(put_together(
                std::iter::once(first).chain(rest).collect(),
                true,
            ))
        })
        .await
    }

    /// Reads a listing whose pages each tell the token of the next.
    pub(super) async fn list_by_token<T>(
        &self,
        place: &Place,
        listing: &Listing<T>,
        filter: &Parameters,
    ) -> Result<Complete<T>, Fault> {
        until_whole(listing, || async {
            let mut pages = Vec::new();
            let mut tokens = BTreeSet::new();
            let mut parameters = filter.clone();
            parameters.insert("MaxResults".to_owned(), listing.page_size.to_string());
            for number in 1..=PAGES_MAX {
                let page = self
                    .page(place, listing, parameters.clone(), number)
                    .await?;
                let next = page.next.clone();
                pages.push(page);
                let Some(token) = next else {
                    return Ok(put_together(pages, false));
                };
                if !tokens.insert(token.clone()) {
                    return Err(listing.fault("the token of a page came twice"));
                }
                parameters.insert("NextToken".to_owned(), token);
            }
            Err(listing.fault(&format!("there are more than {PAGES_MAX} pages")))
        })
        .await
    }

    async fn page<T>(
        &self,
        place: &Place,
        listing: &Listing<T>,
        parameters: Parameters,
        number: u64,
    ) -> Result<Page<T>, Fault> {
        let call = listing.call(parameters);
        let reply = self.call(place, &call).await?;
        listing
            .page(&reply)
            .map_err(|why| listing.fault(&format!("page {number}: {why}")))
    }
}

impl<T> Listing<T> {
    /// The call that reads a part of it.
    pub(super) fn call(&self, parameters: Parameters) -> Call<'static> {
        Call {
            service: self.service,
            action: self.action,
            doing: self.doing,
            effect: Effect::Read,
            subject: None,
            parameters,
        }
    }

    /// A listing that is not to be believed.
    pub(super) fn fault(&self, message: &str) -> Fault {
        self.call(Parameters::new()).fault(
            Class::Unavailable {
                maybe_applied: false,
            },
            message,
        )
    }

    fn page(&self, reply: &Reply) -> Result<Page<T>, String> {
        let fields = Fields(&reply.body);
        let list = reply
            .body
            .get(self.outer)
            .and_then(|it| it.get(self.inner))
            .and_then(Value::as_array);
        let list = list.ok_or_else(|| format!("{}.{} is no list", self.outer, self.inner))?;
        let total = match reply.body.get("TotalCount") {
            None | Some(Value::Null) => None,
            Some(_) => Some(fields.number("TotalCount")?),
        };
        let items = list
            .iter()
            .enumerate()
            .map(|(index, item)| self.item(index + 1, item));
        Ok(Page {
            items: items.collect::<Result<_, _>>()?,
            total,
            next: fields.optional("NextToken")?.map(str::to_owned),
            at: reply.at,
        })
    }

    fn item(&self, number: usize, item: &Value) -> Result<(String, T), String> {
        let id = Fields::new(item).and_then(|it| it.key(self.id));
        let read = || Ok((id.clone()?, (self.read)(Fields::new(item)?)?));
        read().map_err(|why: String| {
            let id = id.as_deref().unwrap_or("without an id");
            format!("{} {number} ({id}) cannot be read: {why}", self.inner)
        })
    }
}

async fn until_whole<T, R: Future<Output = Result<Reading<T>, Fault>>>(
    listing: &Listing<T>,
    reading: impl Fn() -> R,
) -> Result<Complete<T>, Fault> {
    let mut changes = Vec::new();
    while changes.len() < READINGS_MAX as usize {
        match reading().await? {
            Reading::Whole(complete) => return Ok(complete),
            Reading::Changed(how) => {
                tracing::warn!(
                    action = listing.action,
                    how,
                    "a listing changed while it was read"
                );
                changes.push(how);
            }
        }
    }
    let message = format!(
        "it changed while it was read, {READINGS_MAX} times: {}",
        changes.join("; ")
    );
    Err(listing.fault(&message))
}

/// Pages that fit together are a whole; `counted`: by their total too.
fn put_together<T>(pages: Vec<Page<T>>, counted: bool) -> Reading<T> {
    let totals: BTreeSet<u64> = pages.iter().filter_map(|it| it.total).collect();
    let at = pages
        .iter()
        .map(|it| it.at)
        .max()
        .unwrap_or(Timestamp::EPOCH);
    let mut ids = BTreeSet::new();
    let mut items = Vec::new();
    for (id, item) in pages.into_iter().flat_map(|it| it.items) {
        if !ids.insert(id.clone()) {
            return Reading::Changed(format!("{id} is on two pages"));
        }
        items.push(item);
    }
    if counted && totals.len() > 1 {
        return Reading::Changed(format!("the total went from {totals:?}"));
    }
    match totals.first() {
        Some(&total) if counted && usize::try_from(total) != Ok(items.len()) => {
            Reading::Changed(format!("{} items came instead of {total}", items.len()))
        }
        _ => Reading::Whole(Complete::read_to_its_end(items, at)),
    }
}
