//! Values of parameters as clients send them (section 55.7, Bind), and their types.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use pgwire::api::Type;
use sql::{Fault, SqlError, datafusion};

/// Days from 1970 to 2000, which PostgreSQL counts from.
const DAYS_TO_2000: i32 = 10_957;
const MICROS_TO_2000: i64 = DAYS_TO_2000 as i64 * 86_400_000_000;
/// The sign of a binary numeric.
const NEGATIVE: u16 = 0x4000;
const NOT_A_NUMBER: u16 = 0xC000;

/// The type of a parameter: what the client says, or else what the plan takes, or else text.
pub fn type_of(said: Option<u32>, planned: Option<&DataType>) -> Type {
    let said = said.filter(|oid| *oid != 0).and_then(Type::from_oid);
    let planned = || planned.and_then(|planned| arrow_pg::datatypes::into_pg_type(planned).ok());
    said.or_else(planned).unwrap_or(Type::TEXT)
}

/// A parameter's value.
pub fn value(
    bytes: Option<&[u8]>,
    binary: bool,
    pg: &Type,
    planned: Option<&DataType>,
) -> Result<ScalarValue, SqlError> {
    let Some(bytes) = bytes else {
        return Ok(ScalarValue::try_from(planned.unwrap_or(&DataType::Utf8))?);
    };
    let as_is = match binary {
        true => from_binary(bytes, pg)?,
        false => from_text(bytes, pg)?,
    };
    let wanted = planned.cloned().or_else(|| arrow_of(pg));
    let Some(wanted) = wanted else {
        return Ok(as_is);
    };
    as_is.cast_to(&wanted).map_err(|error| {
        refused(format!(
            "a parameter's value does not fit: {}",
            error.strip_backtrace()
        ))
    })
}

fn refused(message: String) -> SqlError {
    SqlError::new(Fault::Value, message)
}

fn arrow_of(pg: &Type) -> Option<DataType> {
    Some(match *pg {
        Type::BOOL => DataType::Boolean,
        Type::INT2 => DataType::Int16,
        Type::INT4 => DataType::Int32,
        Type::INT8 | Type::OID => DataType::Int64,
        Type::FLOAT4 => DataType::Float32,
        Type::FLOAT8 => DataType::Float64,
        Type::BYTEA => DataType::Binary,
        Type::DATE => DataType::Date32,
        Type::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        Type::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into())),
        _ => return None,
    })
}

fn from_text(bytes: &[u8], pg: &Type) -> Result<ScalarValue, SqlError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| refused("a parameter's text is not UTF-8".to_owned()))?;
    if *pg == Type::BYTEA
        && let Some(hex) = text.strip_prefix("\\x")
    {
        let bytes = (0..hex.len())
            .step_by(2)
            .map(|at| {
                hex.get(at..at + 2)
                    .and_then(|pair| u8::from_str_radix(pair, 16).ok())
            })
            .collect::<Option<Vec<u8>>>();
        let bytes = bytes.ok_or_else(|| {
            refused("a bytea is written \\x and pairs of hexadecimal digits".to_owned())
        })?;
        return Ok(ScalarValue::Binary(Some(bytes)));
    }
    Ok(ScalarValue::Utf8(Some(text.to_owned())))
}

fn from_binary(bytes: &[u8], pg: &Type) -> Result<ScalarValue, SqlError> {
    fn whole<const N: usize>(bytes: &[u8], pg: &Type) -> Result<[u8; N], SqlError> {
        bytes.try_into().map_err(|_| {
            refused(format!(
                "a binary {} has {N} bytes, not {}",
                pg.name(),
                bytes.len()
            ))
        })
    }
    Ok(match *pg {
        Type::BOOL => ScalarValue::Boolean(Some(whole::<1>(bytes, pg)?[0] != 0)),
        Type::INT2 => ScalarValue::Int16(Some(i16::from_be_bytes(whole(bytes, pg)?))),
        Type::INT4 => ScalarValue::Int32(Some(i32::from_be_bytes(whole(bytes, pg)?))),
        Type::INT8 => ScalarValue::Int64(Some(i64::from_be_bytes(whole(bytes, pg)?))),
        Type::OID => ScalarValue::Int64(Some(i64::from(u32::from_be_bytes(whole(bytes, pg)?)))),
        Type::FLOAT4 => ScalarValue::Float32(Some(f32::from_be_bytes(whole(bytes, pg)?))),
        Type::FLOAT8 => ScalarValue::Float64(Some(f64::from_be_bytes(whole(bytes, pg)?))),
        Type::BYTEA => ScalarValue::Binary(Some(bytes.to_vec())),
        Type::DATE => {
            let days = i32::from_be_bytes(whole(bytes, pg)?);
            ScalarValue::Date32(Some(days.saturating_add(DAYS_TO_2000)))
        }
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            let micros = i64::from_be_bytes(whole(bytes, pg)?).saturating_add(MICROS_TO_2000);
            let zone = (*pg == Type::TIMESTAMPTZ).then(|| "+00:00".into());
            ScalarValue::TimestampMicrosecond(Some(micros), zone)
        }
        Type::NUMERIC => ScalarValue::Utf8(Some(numeric(bytes)?)),
        Type::UUID => {
            let hex = words::hex::encode(&whole::<16>(bytes, pg)?);
            let parts = [
                &hex[..8],
                &hex[8..12],
                &hex[12..16],
                &hex[16..20],
                &hex[20..],
            ];
            ScalarValue::Utf8(Some(parts.join("-")))
        }
        Type::TEXT
        | Type::VARCHAR
        | Type::BPCHAR
        | Type::NAME
        | Type::UNKNOWN
        | Type::CHAR
        | Type::JSON => from_text(bytes, pg)?,
        _ => {
            return Err(refused(format!(
                "a parameter of the type {} is not taken in binary; send it as text",
                pg.name()
            )));
        }
    })
}

/// A numeric in decimal digits: groups of four, their weight, sign and scale (`numeric_send` in PostgreSQL).
fn numeric(bytes: &[u8]) -> Result<String, SqlError> {
    let broken = || refused("a binary numeric is not whole".to_owned());
    let word = |at: usize| {
        let pair = bytes.get(at * 2..at * 2 + 2).ok_or_else(broken)?;
        Ok::<u16, SqlError>(u16::from_be_bytes([pair[0], pair[1]]))
    };
    let groups = usize::from(word(0)?);
    let weight = i32::from(word(1)?.cast_signed());
    let (sign, scale) = (word(2)?, usize::from(word(3)?));
    if sign == NOT_A_NUMBER || sign & NOT_A_NUMBER == NOT_A_NUMBER {
        return Err(refused("a numeric has to be a number".to_owned()));
    }
    if bytes.len() != 8 + groups * 2 || weight.abs() > 64 || scale > 256 {
        return Err(broken());
    }
    let group = |at: i32| -> Result<u16, SqlError> {
        match usize::try_from(at) {
            Ok(at) if at < groups => word(4 + at),
            _ => Ok(0),
        }
    };
    let mut text = String::new();
    if sign == NEGATIVE {
        text.push('-');
    }
    text.push('0');
    for at in 0..=weight.max(-1) {
        text.push_str(&format!("{:04}", group(at)?));
    }
    if scale > 0 {
        text.push('.');
        let mut digits = String::new();
        let mut at = weight + 1;
        // Groups between the point and the first that was sent are nothing but zeros.
        for _ in 0..(-1 - weight).max(0) {
            digits.push_str("0000");
        }
        at = at.max(0);
        while digits.len() < scale {
            digits.push_str(&format!("{:04}", group(at)?));
            at += 1;
        }
        text.push_str(&digits[..scale]);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn numerics_are_read_as_postgresql_sends_them() {
        // 12345.678, -0.0001, 0, 10000
        let shown = |words: &[u16]| {
            let value = value(
                Some(&binary(words)),
                true,
                &Type::NUMERIC,
                Some(&DataType::Decimal128(20, 6)),
            );
            value.unwrap().to_string()
        };
        assert_eq!(shown(&[3, 1, 0, 3, 1, 2345, 6780]), "12345.678000");
        assert_eq!(
            shown(&[1, (-1_i16).cast_unsigned(), 0x4000, 4, 1]),
            "-0.000100"
        );
        assert_eq!(shown(&[0, 0, 0, 0]), "0.000000");
        assert_eq!(shown(&[1, 1, 0, 0, 1]), "10000.000000");
        assert!(numeric(&binary(&[5, 0, 0, 0])).is_err());
        assert!(numeric(&[0; 3]).is_err());
    }

    #[test]
    fn dates_count_from_2000_and_text_is_cast() {
        let day = value(Some(&0_i32.to_be_bytes()), true, &Type::DATE, None).unwrap();
        assert_eq!(day.to_string(), "2000-01-01");
        let text = value(
            Some(b"2026-11-26"),
            false,
            &Type::DATE,
            Some(&DataType::Date32),
        )
        .unwrap();
        assert_eq!(text.to_string(), "2026-11-26");
        assert!(value(Some(b"soon"), false, &Type::DATE, Some(&DataType::Date32)).is_err());
        assert!(value(Some(&[1]), true, &Type::INT8, None).is_err());
        let bytes = value(Some(b"\\x00ff"), false, &Type::BYTEA, None).unwrap();
        assert_eq!(bytes, ScalarValue::Binary(Some(vec![0, 255])));
    }
}
