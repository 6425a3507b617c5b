//! What a word without quotes is, by the core schema of YAML 1.2.2, section 10.3.2: `no` is text, `1.10` is a number.

use serde_json::{Number, Value};

/// What an unquoted word is.
pub(super) enum Scalar {
    /// Null, a boolean or a number.
    Value(Value),
    /// A number without bounds, which JSON does not have.
    Unbounded,
    /// Anything else.
    Text,
}

/// Says what a word without quotes is.
pub(super) fn scalar(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Value(Value::Null),
        "true" | "True" | "TRUE" => Scalar::Value(true.into()),
        "false" | "False" | "FALSE" => Scalar::Value(false.into()),
        ".nan" | ".NaN" | ".NAN" => Scalar::Unbounded,
        _ => number(text),
    }
}

fn number(text: &str) -> Scalar {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Scalar::Unbounded;
    }
    let based = |digits: &str, base| {
        let is_number = !digits.is_empty() && digits.chars().all(|it| it.is_digit(base));
        match u64::from_str_radix(digits, base) {
            _ if !is_number => Scalar::Text,
            Ok(number) => Scalar::Value(number.into()),
            Err(_) => Scalar::Unbounded,
        }
    };
    if let Some(digits) = text.strip_prefix("0x") {
        return based(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return based(digits, 8);
    }
    if !is_decimal(unsigned) {
        return Scalar::Text;
    }
    let signless = text.strip_prefix('+').unwrap_or(text);
    if let Ok(number) = signless.parse::<i64>() {
        return Scalar::Value(number.into());
    }
    if let Ok(number) = signless.parse::<u64>() {
        return Scalar::Value(number.into());
    }
    match signless.parse::<f64>().ok().and_then(whole) {
        Some(number) => Scalar::Value(number.into()),
        None => Scalar::Unbounded,
    }
}

/// `1.0` is the whole number 1, as in JSON Schema.
fn whole(number: f64) -> Option<Number> {
    if number.fract() != 0.0 {
        return Number::from_f64(number);
    }
    let digits = format!("{number:.0}");
    let signed = digits.parse::<i64>().map(Number::from);
    let either = signed.or_else(|_| digits.parse::<u64>().map(Number::from));
    either.ok().or_else(|| Number::from_f64(number))
}

/// `[0-9]+ ( . [0-9]* )? | . [0-9]+`, then `( [eE] [-+]? [0-9]+ )?`.
fn is_decimal(text: &str) -> bool {
    let digits = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_exponent = exponent.is_none_or(|it| {
        let it = it.strip_prefix(['-', '+']).unwrap_or(it);
        !it.is_empty() && digits(it)
    });
    has_exponent && digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty())
}
