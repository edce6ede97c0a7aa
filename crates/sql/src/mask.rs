//! What is done to values before anybody sees them: pseudonyms, hashes and coarser values.

use crate::kinds::arrow_of;
use aws_lc_rs::hmac;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int16Array,
    Int32Array, Int64Array, StringArray, StringViewBuilder, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use statement::terms::MaskKey;
use statement::{Generalise, Transform};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The function that does a transformation; none where nothing is done.
pub fn function_of(transform: &Transform) -> Option<ScalarUDF> {
    let (name, how) = match transform {
        Transform::Clear | Transform::Drop => return None,
        Transform::Pseudonym(key) => ("pseudonym", How::Keyed(Box::new(Key::new(key)))),
        Transform::Hash(key) => ("hash", How::Keyed(Box::new(Key::new(key)))),
        Transform::Generalise(how) => ("generalise", How::Coarser(*how)),
    };
    Some(ScalarUDF::from(Mask {
        name,
        how,
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

struct Mask {
    name: &'static str,
    how: How,
    signature: Signature,
}

enum How {
    Keyed(Box<Key>),
    Coarser(Generalise),
}

/// A key and what it is used for. Two of them are equal when their keys are.
struct Key {
    key: hmac::Key,
    same: [u8; 32],
}

impl Key {
    fn new(key: &MaskKey) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key.0);
        let mut same = [0; 32];
        same.copy_from_slice(hmac::sign(&key, b"clarence: two masks are one\0").as_ref());
        Self { key, same }
    }

    /// The first 16 bytes, in hexadecimal.
    fn of(&self, text: &str, into: &mut String) {
        into.clear();
        for byte in &hmac::sign(&self.key, text.as_bytes()).as_ref()[..16] {
            for digit in [byte >> 4, byte & 15] {
                into.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Mask {
    fn eq(&self, other: &Self) -> bool {
        match (&self.how, &other.how) {
            (How::Keyed(a), How::Keyed(b)) => a.same == b.same,
            (How::Coarser(a), How::Coarser(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Mask {}

impl Hash for Mask {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        if let How::Keyed(key) = &self.how {
            key.same.hash(state);
        }
    }
}

impl ScalarUDFImpl for Mask {
    fn name(&self) -> &str {
        self.name
    }
    fn signature(&self) -> &Signature {
        &self.signature
    }
    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match (&self.how, types) {
            (How::Keyed(_), [_]) => Ok(arrow_of(statement::Kind::Text)),
            (How::Coarser(_), [one]) => Ok(one.clone()),
            _ => Err(DataFusionError::Internal("a mask takes one column".into())),
        }
    }
    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = <[ColumnarValue; 1]>::try_from(args.args)
            .map_err(|_| DataFusionError::Internal("a mask takes one column".into()))?;
        let values = value.into_array(args.number_rows)?;
        let masked = match &self.how {
            How::Keyed(key) => keyed(key, &values)?,
            How::Coarser(how) => coarser(*how, &values)?,
        };
        Ok(ColumnarValue::Array(masked))
    }
}

/// Values as text: what a pseudonym is made of, and by which a person is named.
pub fn as_text(values: &ArrayRef) -> Result<StringArray> {
    let text = cast(values, &DataType::Utf8)?;
    Ok(text.as_string::<i32>().clone())
}

fn keyed(key: &Key, values: &ArrayRef) -> Result<ArrayRef> {
    let text = as_text(values)?;
    let mut made = String::with_capacity(32);
    let mut out = StringViewBuilder::with_capacity(text.len());
    for value in &text {
        match value {
            Some(value) => {
                key.of(value, &mut made);
                out.append_value(&made);
            }
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn coarser(how: Generalise, values: &ArrayRef) -> Result<ArrayRef> {
    match (how, values.data_type()) {
        (Generalise::Year, _) => to_day(values, |(year, _)| (year, 1)),
        (Generalise::Month, _) => to_day(values, |month| month),
        (Generalise::Prefix(count), _) => {
            let text = as_text(values)?;
            let cut = text.iter().map(|value| {
                value.map(|value| value.chars().take(usize::from(count)).collect::<String>())
            });
            let cut: StringArray = cut.collect();
            Ok(cast(&cut, values.data_type())?)
        }
        (Generalise::Band(band), _) => banded(band.max(1), values),
    }
}

/// Days and times moved to the first day of what a year and month are mapped to.
fn to_day(values: &ArrayRef, map: impl Fn((i64, i64)) -> (i64, i64)) -> Result<ArrayRef> {
    let first = |days: i64| {
        let (year, month) = map(civil(days));
        days_of(year, month)
    };
    match values.data_type() {
        DataType::Date32 => {
            let moved: Date32Array = values
                .as_primitive::<Date32Type>()
                .unary(|days| i32::try_from(first(i64::from(days))).unwrap_or(days));
            Ok(Arc::new(moved))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let moved: TimestampMicrosecondArray = values
                .as_primitive::<TimestampMicrosecondType>()
                .unary(|micros| {
                    first(micros.div_euclid(MICROS_PER_DAY)).saturating_mul(MICROS_PER_DAY)
                });
            Ok(Arc::new(moved.with_timezone_opt(zone.clone())))
        }
        other => Err(unfit("a year or month", other)),
    }
}

fn banded(band: u64, values: &ArrayRef) -> Result<ArrayRef> {
    let whole = i64::try_from(band).unwrap_or(i64::MAX);
    let down = |value: i64| value.saturating_sub(value.rem_euclid(whole));
    #[allow(clippy::cast_precision_loss)] // a band beyond 2^53 is no band of a float
    let wide = band as f64;
    Ok(match values.data_type() {
        DataType::Int16 => {
            let done: Int16Array = values
                .as_primitive::<Int16Type>()
                .unary(|v| i16::try_from(down(v.into())).unwrap_or(i16::MIN));
            Arc::new(done)
        }
        DataType::Int32 => {
            let done: Int32Array = values
                .as_primitive::<Int32Type>()
                .unary(|v| i32::try_from(down(v.into())).unwrap_or(i32::MIN));
            Arc::new(done)
        }
        DataType::Int64 => {
            let done: Int64Array = values.as_primitive::<Int64Type>().unary(down);
            Arc::new(done)
        }
        DataType::Float32 => {
            #[allow(clippy::cast_possible_truncation)] // back to what it came from
            let done: Float32Array = values
                .as_primitive::<Float32Type>()
                .unary(|v| ((f64::from(v) / wide).floor() * wide) as f32);
            Arc::new(done)
        }
        DataType::Float64 => {
            let done: Float64Array = values
                .as_primitive::<Float64Type>()
                .unary(|v| (v / wide).floor() * wide);
            Arc::new(done)
        }
        DataType::Decimal128(digits, scale) => {
            let unit = u32::try_from(*scale)
                .ok()
                .and_then(|scale| 10_i128.checked_pow(scale))
                .and_then(|unit| unit.checked_mul(i128::from(band)))
                .ok_or_else(|| unfit("a band", values.data_type()))?;
            let done: Decimal128Array = values
                .as_primitive::<Decimal128Type>()
                .unary(|v| v.saturating_sub(v.rem_euclid(unit)));
            Arc::new(done.with_precision_and_scale(*digits, *scale)?)
        }
        other => return Err(unfit("a band", other)),
    })
}

fn unfit(what: &str, found: &DataType) -> DataFusionError {
    DataFusionError::Plan(format!("{what} is not made of {found}"))
}

/// Year and month of a day since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn civil(days: i64) -> (i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day = shifted.rem_euclid(146_097);
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month)
}

/// The first day of a month, since 1970.
fn days_of(year: i64, month: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5;
    let day = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_fit_together() {
        for days in (-800_000..800_000).step_by(17) {
            let (year, month) = civil(days);
            let first = days_of(year, month);
            assert!(first <= days && days - first < 31, "{days}");
            assert_eq!(civil(first), (year, month));
        }
        assert_eq!(civil(0), (1970, 1));
        assert_eq!(days_of(2026, 11), 20_758);
    }

    #[test]
    fn a_pseudonym_is_hmac_and_depends_on_its_key() {
        let values: ArrayRef = Arc::new(StringArray::from(vec![Some("1987"), None, Some("1987")]));
        let one = keyed(&Key::new(&MaskKey([1; 32])), &values).unwrap();
        let other = keyed(&Key::new(&MaskKey([2; 32])), &values).unwrap();
        let one = one.as_string_view();
        assert_eq!(one.value(0), one.value(2));
        assert!(one.is_null(1));
        assert_eq!(one.value(0).len(), 32);
        assert_ne!(one.value(0), other.as_string_view().value(0));
    }

    #[test]
    fn bands_round_down() {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![-1, 0, 9, 10, 19]));
        let done = banded(10, &values).unwrap();
        assert_eq!(
            done.as_primitive::<Int64Type>().values(),
            &[-10, 0, 0, 10, 10]
        );
    }
}
