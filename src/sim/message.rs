//! Requests and answers, as they pass between a server and a world.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;

/// An HTTP request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// In upper case.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// As it was sent, without the question mark.
    pub query: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Empty when there is none.
    pub body: Vec<u8>,
}

/// An HTTP answer, and how it is to be delivered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The whole body.
    pub body: Vec<u8>,
    /// How much of it reaches the client, and when.
    pub delivery: Delivery,
}

/// How an answer reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// At once and whole.
    Whole,
    /// Not at all: the connection is closed.
    Cut,
    /// Whole, but only after this long.
    Late(Duration),
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json;charset=utf-8", &body.to_string())
    }

    pub(super) fn new(status: u16, content_type: &str, body: &str) -> Self {
        let headers = [("content-type".to_owned(), content_type.to_owned())];
        Self {
            status,
            headers: BTreeMap::from(headers),
            body: body.as_bytes().to_vec(),
            delivery: Delivery::Whole,
        }
    }

    pub(super) fn dated(mut self, now: Timestamp) -> Self {
        self.headers.insert("date".to_owned(), now.http_date());
        self
    }
}

/// World time, and the time of the machine that clients may sign with.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// World time.
    pub now: Timestamp,
    /// The machine's time; the same as `now` where everybody shares one clock.
    pub real: Timestamp,
}

/// Names one call before it is handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallName {
    /// Its number in the order of arrival, from 1.
    pub n: u64,
    /// As in `ecs`.
    pub service: &'static str,
    /// As in `DescribeImages`.
    pub action: String,
    /// What it is about, where the request says so.
    pub object: Option<String>,
}
