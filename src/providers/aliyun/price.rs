//! Prices of machines, exact: no number with a floating point comes near them.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::resource::Decimal;

/// A price or a limit in millionths of CNY an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(u64);

/// A thousandth: limits have three places (ECS API reference, `RunInstances`, `SpotPriceLimit`).
const THOUSANDTH: u64 = 1000;

impl Price {
    /// The price that a number in CNY an hour says.
    pub fn of(cny: Decimal) -> Self {
        Self(cny.millionths())
    }

    /// The price in millionths of CNY an hour.
    pub fn micros(self) -> u64 {
        self.0
    }

    /// Whether it says anything: a price of nothing is none.
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// The highest price to be paid where this is today's: so many times as much, rounded up to three places.
    #[must_use]
    pub fn limit(self, multiplier: Decimal) -> Self {
        let exact = u128::from(self.0) * u128::from(multiplier.millionths());
        let thousandths = exact.div_ceil(u128::from(1_000_000 * THOUSANDTH));
        let limit = thousandths * u128::from(THOUSANDTH);
        Self(u64::try_from(limit).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Price {
    /// In CNY, without zeros at its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal::of_millionths(self.0).fmt(f)
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_rounded_up_to_three_places() {
        for (price, multiplier, limit) in [
            ("0.2496", "1.2", "0.3"),
            ("0.25", "1.2", "0.3"),
            ("0.250001", "1.2", "0.301"),
            ("0.000001", "1", "0.001"),
            ("0.493828", "1.2", "0.593"),
            ("12.345", "1", "12.345"),
            ("999999.999999", "999999.999999", "999999999998.001"),
        ] {
            let read = |text: &str| text.parse().expect("a decimal");
            let found = Price::of(read(price)).limit(read(multiplier));
            assert_eq!(found.to_string(), limit, "{price} × {multiplier}");
        }
        assert_eq!(
            Price(u64::MAX).limit(Decimal::of_millionths(u64::MAX)),
            Price(u64::MAX)
        );
    }
}
