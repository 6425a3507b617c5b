//! Decimals as the services write them: prices in CNY an hour, memory in GiB. Never binary fractions, so that sums are right
//! to the last digit.

use serde::{Deserialize, Deserializer};
use serde_json::{Number, Value, json};

const MILLION: u64 = 1_000_000;

/// A number of at most six decimals, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(u64);

impl Decimal {
    pub(in crate::sim::aliyun) const ZERO: Self = Self(0);

    pub(in crate::sim::aliyun) const fn from_millionths(millionths: u64) -> Self {
        Self(millionths)
    }

    /// Reads digits with at most six decimals; a sign or an exponent is none.
    pub(in crate::sim::aliyun) fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || fraction.len() > 6 {
            return None;
        }
        let whole: u64 = whole.parse().ok()?;
        let fraction: u64 = format!("{fraction:0<6}").parse().ok()?;
        whole.checked_mul(MILLION)?.checked_add(fraction).map(Self)
    }

    /// So many per cent of it, rounded up to four decimals.
    pub(in crate::sim::aliyun) fn percent(self, percent: u64) -> Self {
        Self((self.0.saturating_mul(percent).div_ceil(100)).div_ceil(100) * 100)
    }

    /// So many times of it.
    pub(in crate::sim::aliyun) fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// GiB in MiB.
    pub(in crate::sim::aliyun) fn mebi(self) -> u64 {
        self.0.saturating_mul(1024) / MILLION
    }

    /// A number with a decimal point, as the API's type `float` says.
    pub(in crate::sim::aliyun) fn json(self) -> Value {
        let text = format!("{}.{:06}", self.0 / MILLION, self.0 % MILLION);
        json!(text.parse::<f64>().unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        Self::parse(&number.to_string()).ok_or_else(|| {
            let what = format!("{number} must be positive, with at most six decimals");
            serde::de::Error::custom(what)
        })
    }
}
