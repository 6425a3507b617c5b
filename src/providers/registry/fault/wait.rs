//! How long a registry asks us to wait: in a header, or in words.

use std::time::Duration;

use http::HeaderMap;

use crate::clock::Timestamp;

/// The longest wait that is believed: after it we ask again, for nobody else would ever end it.
const WAIT_MOST: Duration = Duration::from_secs(3600);

/// How long a registry asks us to wait: by the header, in seconds or as a date (RFC 9110, "Retry-After"), or in the words of
/// ghcr.io, `retry-after: 10.305464ms, allowed: 2000/minute`.
pub(super) fn wait(headers: &HeaderMap, text: &str, now: Timestamp) -> Option<Duration> {
    let header = headers.get("retry-after").and_then(|it| it.to_str().ok());
    let by_header = header.and_then(|it| match it.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Some(Timestamp::parse_http_date(it.trim())?.since(now)),
    });
    let wait = by_header.or_else(|| {
        let text = text.to_ascii_lowercase();
        let (_, rest) = text.split_once("retry-after:")?;
        let is_end = |it: char| it == ',' || it == ';' || it == '"';
        duration(rest.split(is_end).next()?.trim())
    });
    wait.map(|it| it.min(WAIT_MOST))
}

/// Reads a duration as Go writes it, as in `1m10.5s`.
fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|it: char| it.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_as_go_writes_them() {
        for (text, expected) in [
            ("10ns", Some(10)),
            ("1.5µs", Some(1500)),
            ("2us", Some(2000)),
            ("1h0m0.5s", Some(3_600_500_000_000)),
            ("", None),
            ("10", None),
            ("s", None),
            ("1x", None),
            ("-1s", None),
            ("1.2.3s", None),
        ] {
            let read = duration(text).map(|it| it.as_nanos());
            assert_eq!(read, expected, "{text}");
        }
    }
}
