//! Listings read to their end, page after page: whole and consistent, or a fault.

use std::collections::BTreeSet;

use serde_json::Value;

use super::GitHub;
use super::call::Call;
use crate::fact::Complete;
use crate::fault::{Class, Fault};

/// Pages of one listing.
const PAGES_MAX: usize = 2000;
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
    pub(super) async fn list<T>(
        &self,
        call: &Call<'_>,
        read: ReadItem<T>,
    ) -> Result<Complete<T>, Fault> {
        let mut changes = Vec::new();
        while changes.len() < READINGS_MAX {
            match self.reading(call, read).await? {
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

    async fn reading<T>(&self, call: &Call<'_>, read: ReadItem<T>) -> Result<Reading<T>, Fault> {
        let mut page = call.clone();
        let mut asked = BTreeSet::from([page.path.clone()]);
        let mut ids = BTreeSet::new();
        let mut items = Vec::new();
        for number in 1..=PAGES_MAX {
            let reply = self.call(&page).await?;
            let wrong = |why: String| call.unreadable(&format!("page {number}: {why}"));
            let list = reply.body.as_array();
            let list = list.ok_or_else(|| wrong("it is no list".to_owned()))?;
            for item in list {
                let (id, item) = read(item).map_err(wrong)?;
                if !ids.insert(id) {
                    return Ok(Reading::Changed(format!("{id} is on two pages")));
                }
                items.push(item);
            }
            let Some(next) = reply.link.as_deref().and_then(next) else {
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
