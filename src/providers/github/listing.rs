//! Listings read to their end, page after page: whole and consistent, or a fault.

use std::collections::BTreeSet;

use serde_json::Value;

use super::GitHub;
use super::call::Call;
use crate::fact::Complete;
use crate::fault::{Class, Fault};

/// Pages of one listing.
const PAGES_MAX: usize = 2000;
/// A listing of runs by their state shows no more than these (GitHub REST API, "List workflow runs for a repository").
const RESULTS_MAX: usize = 1000;
/// How often a listing is read from its start, when it changes while it is read.
const READINGS_MAX: usize = 3;

/// Reads one item into its id and itself, or says what is wrong with it.
pub(super) type ReadItem<T> = fn(&Value) -> Result<(u64, T), String>;

/// What one reading of a listing gave.
enum Reading<T> {
    Whole(Complete<T>),
    /// It changed meanwhile; how that was noticed.
    Changed(String),
}

impl GitHub {
    /// Reads a listing by its links. Such a listing is no snapshot: what is made meanwhile moves the rest to later pages.
    /// `field`: what holds the items, where a page is an object that tells how many there are in all.
    pub(super) async fn list<T>(
        &self,
        call: &Call<'_>,
        field: Option<&str>,
        read: ReadItem<T>,
    ) -> Result<Complete<T>, Fault> {
        let mut changes = Vec::new();
        while changes.len() < READINGS_MAX {
            match self.reading(call, field, read).await? {
                Reading::Whole(complete) => return Ok(complete),
                Reading::Changed(how) => {
                    tracing::warn!(
                        action = call.action,
                        how,
                        "a listing changed while it was read"
                    );
                    changes.push(how);
                }
            }
        }
        Err(call.unreadable(&format!(
            "it changed while it was read, {READINGS_MAX} times: {}",
            changes.join("; ")
        )))
    }

    async fn reading<T>(
        &self,
        call: &Call<'_>,
        field: Option<&str>,
        read: ReadItem<T>,
    ) -> Result<Reading<T>, Fault> {
        let mut page = call.clone();
        let mut asked = BTreeSet::from([page.path.clone()]);
        let mut ids = BTreeSet::new();
        let mut items = Vec::new();
        for number in 1..=PAGES_MAX {
            let reply = self.call(&page).await?;
            let wrong = |why: String| call.unreadable(&format!("page {number}: {why}"));
            let list = items_of(&reply.body, field).map_err(wrong)?;
            for item in list {
                let (id, item) = read(item).map_err(wrong)?;
                if !ids.insert(id) {
                    return Ok(Reading::Changed(format!("{id} is on two pages")));
                }
                items.push(item);
            }
            let Some(next) = reply.link.as_deref().and_then(next) else {
                let total = total_of(&reply.body, field);
                if let Some(total) = total.filter(|it| *it != items.len()) {
                    let how = format!("{} of {total} were there", items.len());
                    return Ok(Reading::Changed(how));
                }
                return Ok(Reading::Whole(Complete::read_to_its_end(items, reply.at)));
            };
            page.path = self.path_of(&next).map_err(wrong)?;
            if !asked.insert(page.path.clone()) {
                return Err(wrong(
                    "it names a page as the next that came before".to_owned(),
                ));
            }
        }
        Err(call.fault(
            Class::Invalid,
            &format!("there are more than {PAGES_MAX} pages"),
        ))
    }

    /// The path from the base on of a URL that an answer named.
    fn path_of(&self, url: &str) -> Result<String, String> {
        let base = self.account.url("")?;
        let url = base
            .join(url)
            .map_err(|it| format!("the next page is no URL: {it}"))?;
        if !self.account.is_home_of(&url) {
            return Err("the next page is at another host, where no token goes".to_owned());
        }
        let path = &url.path()[base.path().trim_end_matches('/').len()..];
        let query = url.query().map(|it| format!("?{it}"));
        Ok(format!("{path}{}", query.unwrap_or_default()))
    }
}

/// The items of a page.
fn items_of<'a>(body: &'a Value, field: Option<&str>) -> Result<&'a Vec<Value>, String> {
    let list = field.map_or(Some(body), |it| body.get(it));
    let list = list.and_then(Value::as_array);
    list.ok_or_else(|| "it is no list".to_owned())
}

/// How many items a listing has by what its last page says; none: it does not say.
fn total_of(body: &Value, field: Option<&str>) -> Option<usize> {
    let field = field?;
    let total = usize::try_from(body.get("total_count")?.as_u64()?).unwrap_or(usize::MAX);
    let is_cut = field == "workflow_runs" && total > RESULTS_MAX;
    Some(if is_cut { RESULTS_MAX } else { total })
}

/// The URL of the next page (RFC 8288; GitHub REST API, "Using pagination"); none: this was the last one.
fn next(link: &str) -> Option<String> {
    let mut links = link.split(',').map(|it| it.split(';').map(str::trim));
    links.find_map(|mut parts| {
        let url = parts.next()?.strip_prefix('<')?.strip_suffix('>')?;
        let is_next = |it: &str| it.replace('"', "").eq_ignore_ascii_case("rel=next");
        parts.any(is_next).then(|| url.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_next_page_among_the_links() {
        let link = r#"<https://a/x?page=1>; rel="prev", <https://a/x?page=3>; rel="next""#;
        assert_eq!(next(link).as_deref(), Some("https://a/x?page=3"));
        assert_eq!(next(r#"<https://a/x?page=1>; rel="last""#), None);
        assert_eq!(next("nonsense"), None);
    }
}
