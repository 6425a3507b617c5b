//! Order and paging of listings: by number (`DescribeImages`) or by token (`DescribeInstances`).

use std::cmp::Reverse;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::sim::aliyun::ask::Ask;
use crate::sim::aliyun::wire::Refusal;
use crate::sim::aliyun::{Cloud, names};
use crate::sim::scenario::ListingOrder;
use crate::sim::shelf::{Object, Shelf};
use crate::sim::trouble::TroubleKind;

/// What all listings answer with when no size is asked for (ECS API reference, `DescribeImages` and others).
const DEFAULT_SIZE: usize = 10;

/// Which part of a listing is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    start: usize,
    size: usize,
    number: usize,
    has_token: bool,
}

/// One page, and the fields that describe it.
pub(super) struct Slice<T> {
    pub(super) entries: Vec<T>,
    total: usize,
    next: String,
    page: Page,
}

/// Pages by `PageNumber` and `PageSize`; a size beyond `size_max` is refused (ASSUMED).
pub(super) fn by_number(ask: &Ask, size_max: usize) -> Result<Page, Refusal> {
    let get = |name: &str, default: usize| match ask.parameters.number(name) {
        None => Ok(default),
        Some(value) => match usize::try_from(value) {
            Ok(value) if value >= 1 => Ok(value),
            Ok(_) | Err(_) => Err(Refusal::invalid(name)),
        },
    };
    let number = get("PageNumber", 1)?;
    let size = get("PageSize", DEFAULT_SIZE)?;
    if size > size_max {
        return Err(Refusal::invalid("PageSize"));
    }
    Ok(Page {
        start: (number - 1).saturating_mul(size),
        size,
        number,
        has_token: false,
    })
}

/// Pages by `MaxResults` and `NextToken`, or by number when neither is sent. `MaxResults` below 10 counts as 10,
/// above 100 as 100 (ECS API reference, `DescribeInstances`).
pub(super) fn by_token(ask: &Ask, cloud: &Cloud) -> Result<Page, Refusal> {
    let token = ask.text("NextToken");
    let wanted = ask.parameters.number("MaxResults");
    if token.is_none() && wanted.is_none() {
        return by_number(ask, 100);
    }
    // ASSUMED: the code for a token that is not one.
    let start = token.map_or(Some(0), read_token).ok_or_else(|| {
        Refusal::new(
            400,
            "InvalidParameter.NextToken",
            "The specified parameter NextToken is not valid.",
        )
    })?;
    let size = wanted.map_or(DEFAULT_SIZE, |it| {
        usize::try_from(it.clamp(10, 100)).unwrap_or(DEFAULT_SIZE)
    });
    Ok(Page {
        start,
        size: size.min(cloud.scenario.settings.page_size_max.max(1)),
        number: 1,
        has_token: true,
    })
}

/// Pages of at most 100, also when no size is asked for (ECS API reference, `DescribeInstanceTypes`, notes since
/// 2023-11-15).
pub(super) fn of_types(ask: &Ask, cloud: &Cloud) -> Result<Page, Refusal> {
    let start = ask.text("NextToken").map_or(Some(0), read_token);
    let start = start.ok_or_else(|| Refusal::invalid("NextToken"))?;
    let wanted = ask.parameters.number("MaxResults").unwrap_or(100);
    if wanted < 1 {
        return Err(Refusal::invalid("MaxResults"));
    }
    let size = usize::try_from(wanted.min(100)).unwrap_or(DEFAULT_SIZE);
    Ok(Page {
        start,
        size: size.min(cloud.scenario.settings.page_size_max.max(1)),
        number: 1,
        has_token: true,
    })
}

/// Pages of Cloud Assistant, of at most 50 rows (ECS API reference, `DescribeInvocations`, error codes); ASSUMED: more
/// are refused, and fewer than 10 are given.
pub(super) fn of_commands(ask: &Ask, cloud: &Cloud) -> Result<Page, Refusal> {
    const ROWS: std::ops::RangeInclusive<i64> = 1..=50;
    let wanted = |name: &str| ask.parameters.number(name);
    if wanted("MaxResults").is_some_and(|it| !ROWS.contains(&it)) {
        let message = "The specified parameter MaxResults is not valid.";
        return Err(Refusal::new(400, "InvalidParameter.MaxResults", message));
    }
    let message = "The specified parameter is invalid.";
    if wanted("PageSize").is_some_and(|it| !ROWS.contains(&it)) {
        return Err(Refusal::new(403, "InvalidParam.PageSize", message));
    }
    if wanted("PageNumber").is_some_and(|it| it < 1) {
        return Err(Refusal::new(403, "InvalidParam.PageNumber", message));
    }
    let page = by_token(ask, cloud)?;
    let most = wanted("MaxResults").and_then(|it| usize::try_from(it).ok());
    Ok(Page {
        size: page.size.min(most.unwrap_or(page.size)),
        ..page
    })
}

/// Pages that only the service sizes (ECS API reference, `ListTagResources`); ASSUMED: 50 rows.
pub(super) fn by_service(ask: &Ask, cloud: &Cloud) -> Result<Page, Refusal> {
    let start = ask
        .text("NextToken")
        .map_or(Some(0), read_token)
        .ok_or_else(|| {
            Refusal::new(
                400,
                "Invalid.NextToken",
                "The specified NextToken is not valid.",
            )
        })?;
    Ok(Page {
        start,
        size: cloud.scenario.settings.page_size_max.clamp(1, 50),
        number: 1,
        has_token: true,
    })
}

impl Page {
    /// The whole of a listing that is not paged after all.
    pub(super) fn of_all(self, rows: usize) -> Self {
        Self {
            start: 0,
            size: rows.max(1),
            ..self
        }
    }

    /// Cuts the page out of the whole listing. A page is no snapshot: what is deleted between two pages shifts the
    /// rest (ASSUMED).
    pub(super) fn cut<T: Clone>(self, ask: &Ask, mut entries: Vec<T>) -> Slice<T> {
        if self.start > 0 && self.start < entries.len() {
            match ask.trouble.as_ref().map(|it| it.fault) {
                Some(TroubleKind::Torn) => {
                    let moved = entries.remove(self.start);
                    entries.insert(0, moved);
                }
                Some(TroubleKind::TornShorter) => {
                    entries.remove(0);
                }
                Some(TroubleKind::TornLonger) => {
                    // Which one came does not matter: its page has been read.
                    entries.insert(0, entries[0].clone());
                }
                _ => {}
            }
        }
        let total = entries.len();
        let end = self.start.saturating_add(self.size);
        let next = if self.has_token && end < total {
            write_token(end)
        } else {
            String::new()
        };
        Slice {
            entries: entries
                .into_iter()
                .skip(self.start)
                .take(self.size)
                .collect(),
            total,
            next,
            page: self,
        }
    }
}

impl<T> Slice<T> {
    /// The answer: the entries as a list of lists, as all of ECS has them, and where the page is.
    pub(super) fn answer(self, outer: &str, inner: &str, show: impl FnMut(T) -> Value) -> Value {
        let rows: Vec<Value> = self.entries.into_iter().map(show).collect();
        let mut answer = json!({outer: {inner: rows}});
        if self.page.has_token {
            answer["NextToken"] = json!(self.next);
        } else {
            answer["PageNumber"] = json!(self.page.number);
            answer["PageSize"] = json!(self.page.size);
        }
        answer["TotalCount"] = json!(self.total);
        answer
    }
}

/// What a listing shows of one sort of objects, narrowed by tags; in the order that the scenario says, since the
/// documentation promises none.
pub(super) fn listing<'a, T: Object>(
    cloud: &Cloud,
    ask: &Ask,
    shelf: &'a Shelf<T>,
) -> Result<Vec<&'a T>, Refusal> {
    let filter = names::tag_filter(&ask.parameters)?;
    let is_tagged = |it: &&T| {
        let tagged = || shelf.get_at(it.id(), ask.tag_view);
        filter.is_empty() || tagged().is_some_and(|it| names::has_tags(it.tags(), &filter))
    };
    let mut objects: Vec<&T> = shelf.all_at(ask.view).filter(is_tagged).collect();
    let key = |it: &&'a T| (it.created(), it.id());
    match cloud.scenario.settings.listing_order {
        ListingOrder::NewestFirst => objects.sort_by_cached_key(|it| Reverse(key(it))),
        ListingOrder::OldestFirst => objects.sort_by_cached_key(key),
        ListingOrder::Shuffled => {
            objects.sort_by_cached_key(|it| cloud.draw(&format!("order/{}", it.id())));
        }
    }
    Ok(objects)
}

fn write_token(start: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("next/{start}"))
}

fn read_token(token: &str) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.strip_prefix("next/")?.parse().ok()
}
