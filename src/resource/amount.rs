//! Amounts that are written as one word: sizes in bytes and exact decimal numbers.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

/// At most six digits: no size is beyond what 64 bits hold.
const BYTES_PATTERN: &str = "^[1-9][0-9]{0,5}(Mi|Gi|Ti)$";

/// A size as it is written in a state file: `512Mi`, `10Gi`, `1Ti`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Bytes(pub u64);

impl Bytes {
    /// So many GiB.
    pub const fn gib(count: u64) -> Self {
        Self(count * GIB)
    }

    /// The whole GiB that it takes.
    pub fn gib_rounded_up(self) -> u64 {
        self.0.div_ceil(GIB)
    }

    /// How many GiB that is, rounded up to six decimals.
    pub fn in_gib(self) -> Decimal {
        let millionths = (u128::from(self.0) * u128::from(ONE)).div_ceil(u128::from(GIB));
        Decimal(u64::try_from(millionths).unwrap_or(u64::MAX))
    }

    /// The size of so many GiB; none: it is beyond what 64 bits hold.
    pub fn of_gib(gib: Decimal) -> Option<Self> {
        let bytes = u128::from(gib.0) * u128::from(GIB) / u128::from(ONE);
        u64::try_from(bytes).ok().map(Self)
    }
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refusal = || format!("`{text}` is no size such as `512Mi`, `10Gi` or `1Ti`");
        let units = [("Mi", MIB), ("Gi", GIB), ("Ti", TIB)];
        let read = |(word, unit): (&str, u64)| Some((text.strip_suffix(word)?, unit));
        let (digits, unit) = units.into_iter().find_map(read).ok_or_else(refusal)?;
        let is_number = (1..=6).contains(&digits.len())
            && digits.bytes().all(|it| it.is_ascii_digit())
            && !digits.starts_with('0');
        let number: u64 = digits.parse().map_err(|_| refusal())?;
        let bytes = number.checked_mul(unit).filter(|_| is_number);
        bytes.map(Self).ok_or_else(refusal)
    }
}

impl TryFrom<String> for Bytes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        bytes.to_string()
    }
}

impl fmt::Display for Bytes {
    /// In its greatest whole unit; what is no whole MiB, as no file writes it, in a part of a GiB.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(TIB, "Ti"), (GIB, "Gi"), (MIB, "Mi")];
        let exact = |(unit, _): &(u64, &str)| self.0 > 0 && self.0.is_multiple_of(*unit);
        match units.into_iter().find(exact) {
            Some((unit, word)) => f.pad(&format!("{}{word}", self.0 / unit)),
            None => f.pad(&format!("{}Gi", self.in_gib())),
        }
    }
}

impl JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "a size",
            "pattern": BYTES_PATTERN,
            "examples": ["512Mi", "10Gi", "1Ti"],
        })
    }
}

/// One, in millionths.
const ONE: u64 = 1_000_000;
/// Places behind the point.
const PLACES: usize = 6;
/// Digits of a number that is read, and of its exponent.
const DIGITS_MAX: usize = 30;

const DECIMAL_PATTERN: &str = "^[0-9]{1,6}(\\.[0-9]{1,6})?$";

/// A decimal number as it is written in a state file, in quotes so that nothing is rounded: `"1.2"`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(into = "String", try_from = "String")]
pub struct Decimal(u64);

impl Decimal {
    /// So many millionths.
    pub const fn of_millionths(millionths: u64) -> Self {
        Self(millionths)
    }

    /// The number in millionths.
    pub fn millionths(self) -> u64 {
        self.0
    }

    /// Reads a number as a service writes it, with an exponent perhaps; rounds up to six places. None: it is none, is
    /// negative, or is too great.
    pub fn read(text: &str) -> Option<Self> {
        let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        let is_number = !whole.is_empty()
            && digits.len() <= DIGITS_MAX
            && digits.bytes().all(|it| it.is_ascii_digit());
        let exponent: i32 = exponent.parse().ok().filter(|_| is_number)?;
        let places = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        let digits: u128 = digits.parse().ok()?;
        let beyond = places.checked_sub(i32::try_from(PLACES).ok()?)?;
        let millionths = match 10_u128.checked_pow(beyond.unsigned_abs()) {
            Some(unit) if beyond > 0 => digits.div_ceil(unit),
            Some(unit) => digits.checked_mul(unit)?,
            // Smaller than anything that can be written.
            None if beyond > 0 => u128::from(digits > 0),
            None => return (digits == 0).then_some(Self(0)),
        };
        u64::try_from(millionths).ok().map(Self)
    }
}

impl FromStr for Decimal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_part = |part: &str| {
            (1..=PLACES).contains(&part.len()) && part.bytes().all(|it| it.is_ascii_digit())
        };
        let number = Self::read(text).filter(|_| is_part(whole) && is_part(fraction));
        number.ok_or_else(|| format!("`{text}` is no decimal number such as `1.2` or `0.35`"))
    }
}

impl TryFrom<String> for Decimal {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> Self {
        decimal.to_string()
    }
}

impl fmt::Display for Decimal {
    /// Without zeros at its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.0 / ONE, self.0 % ONE);
        f.pad(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl JsonSchema for Decimal {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Decimal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "a decimal number in quotes, with 6 places at most,",
            "pattern": DECIMAL_PATTERN,
            "examples": ["1.2", "0.35"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_written_in_its_greatest_whole_unit() {
        for (written, bytes, again) in [
            ("512Mi", 512 * MIB, "512Mi"),
            ("1024Mi", GIB, "1Gi"),
            ("1536Mi", 1536 * MIB, "1536Mi"),
            ("999999Ti", 999_999 * TIB, "999999Ti"),
        ] {
            assert_eq!(written.parse(), Ok(Bytes(bytes)));
            assert_eq!(Bytes(bytes).to_string(), again);
        }
        for wrong in [
            "",
            "Gi",
            "0Gi",
            "01Gi",
            "1G",
            "1.5Gi",
            "-1Gi",
            "1 Gi",
            "1000000Gi",
            "٣Gi",
        ] {
            assert!(wrong.parse::<Bytes>().is_err(), "{wrong}");
        }
        assert_eq!(Bytes(1).to_string(), "0.000001Gi");
    }

    #[test]
    fn gibibytes_are_exact() {
        let half = Bytes(512 * MIB);
        assert_eq!(half.in_gib().to_string(), "0.5");
        assert_eq!(Bytes::of_gib(half.in_gib()), Some(half));
        assert_eq!(
            (half.gib_rounded_up(), Bytes::gib(3).gib_rounded_up()),
            (1, 3)
        );
    }

    #[test]
    fn a_decimal_is_exact_and_written_without_zeros_at_its_end() {
        for (written, millionths, again) in [
            ("1.2", 1_200_000, "1.2"),
            ("01.200000", 1_200_000, "1.2"),
            ("999999.999999", 999_999_999_999, "999999.999999"),
            ("0", 0, "0"),
            ("10", 10_000_000, "10"),
        ] {
            assert_eq!(written.parse(), Ok(Decimal(millionths)));
            assert_eq!(Decimal(millionths).to_string(), again);
        }
        for wrong in [
            "",
            ".5",
            "5.",
            "1e3",
            "-1",
            "+1",
            "1.2345678",
            "1000000",
            "1,2",
        ] {
            assert!(wrong.parse::<Decimal>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_service_writes_is_rounded_up_and_never_beyond_the_type() {
        for (written, millionths) in [
            ("0.2496", Some(249_600)),
            ("0.1234561", Some(123_457)),
            ("3.125e-05", Some(32)),
            ("1.5E3", Some(1_500_000_000)),
            ("1e-99", Some(1)),
            ("0e99", Some(0)),
            ("1e99", None),
            ("1e-2147483648", None),
            ("-0.1", None),
            ("", None),
            ("NaN", None),
            ("0.1.2", None),
        ] {
            assert_eq!(
                Decimal::read(written).map(Decimal::millionths),
                millionths,
                "{written}"
            );
        }
    }
}
