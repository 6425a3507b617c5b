//! What time it is, and waiting: the only file that asks a clock.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// An instant, to the millisecond; printed as RFC 3339 in UTC, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The start of 1970, UTC.
    pub const EPOCH: Self = Self(0);

    /// Milliseconds since the start of 1970, UTC.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the start of 1970, UTC.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339, with or without seconds, since ECS answers with both
    /// (`2017-12-10T04:04Z` in instances, `2018-01-10T01:01:10Z` in images); nothing else is a time.
    pub fn parse(text: &str) -> Option<Self> {
        let timestamp: jiff::Timestamp = text.parse().ok()?;
        Some(Self(timestamp.as_millisecond()))
    }

    /// Reads the form of an HTTP `Date` header (RFC 9110).
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let timestamp = jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_timestamp(text)
            .ok()?;
        Some(Self(timestamp.as_millisecond()))
    }

    /// The form of an HTTP `Date` header (RFC 9110), to the second.
    pub fn http_date(self) -> String {
        jiff::fmt::rfc2822::DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&self.jiff())
            .unwrap_or_default()
    }

    /// The minute in UTC as `YYYYMMDDHHMM`.
    pub fn minute_digits(self) -> String {
        self.jiff().strftime("%Y%m%d%H%M").to_string()
    }

    /// Later by `duration`.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis_of(duration)))
    }

    /// Earlier by `duration`.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis_of(duration)))
    }

    /// How long ago `earlier` was; zero when it has not come yet.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0).max(0);
        Duration::from_millis(millis.unsigned_abs())
    }

    fn jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.jiff().strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a time in RFC 3339"))
    }
}

/// A wait that has begun.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tells the time and waits.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Waits for `duration`.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Timestamp::EPOCH.plus(elapsed.unwrap_or_default())
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that starts at a chosen time and runs with tokio's, which jumps when the runtime's clock is paused.
#[derive(Clone, Copy, Debug)]
pub struct VirtualClock {
    start: Timestamp,
    origin: tokio::time::Instant,
}

impl VirtualClock {
    /// Shows `start` now. Must be called inside of the runtime whose time it shows.
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            start,
            origin: tokio::time::Instant::now(),
        }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.start.plus(self.origin.elapsed())
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_with_and_without_seconds() {
        let read = |text| Timestamp::parse(text).map(|it| it.to_string());
        assert_eq!(
            read("2017-12-10T04:04Z").as_deref(),
            Some("2017-12-10T04:04:00Z")
        );
        assert_eq!(
            read("2018-01-10T01:01:10Z").as_deref(),
            Some("2018-01-10T01:01:10Z")
        );
        assert_eq!(read(""), None);
        assert_eq!(read("yesterday"), None);
    }

    #[test]
    fn writes_an_http_date_that_it_reads() {
        let now = Timestamp::parse("2026-11-21T02:00:05Z").expect("a valid time");
        assert_eq!(now.http_date(), "Sat, 21 Nov 2026 02:00:05 GMT");
        assert_eq!(Timestamp::parse_http_date(&now.http_date()), Some(now));
    }

    #[test]
    fn writes_the_minute_in_utc() {
        let now = Timestamp::parse("2025-11-24T10:17:59+08:00").expect("a valid time");
        assert_eq!(now.minute_digits(), "202511240217");
    }
}
