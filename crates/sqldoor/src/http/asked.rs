//! What a client asks for: who they are, and a statement in JSON.

use super::answer::Refusal;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::Value;
use sql::{Prepared, datafusion};
use statement::Sign;
use std::collections::BTreeMap;
use std::time::Duration;
use zeroize::Zeroizing;

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long a body may take to come.
const BODY: Duration = Duration::from_secs(30);
/// Some clients of gRPC leave the padding off.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// The longest that a request waits for its statement.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

/// A statement that is handed in.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// One statement.
    pub sql: String,
    /// `agr_<id>` for what an agreement shows; the tenant's own, if absent.
    pub database: Option<String>,
    /// What for.
    pub purpose: Option<String>,
    /// In which case.
    pub case: Option<String>,
    /// Values for `$1`, `$2`, and so on.
    #[serde(default)]
    pub parameters: Vec<Value>,
    /// The same as a door has them whose clients send them in Arrow.
    #[serde(skip)]
    pub bound: Vec<ScalarValue>,
    /// How long it may take, in milliseconds, if less than the operator allows.
    pub timeout_ms: Option<u64>,
    /// How long to wait for its answer, in milliseconds.
    #[serde(default)]
    pub wait_ms: u64,
}

impl Asked {
    /// Reads a request's body.
    pub async fn read(body: Incoming) -> Result<Self, Refusal> {
        let bytes = tokio::time::timeout(BODY, Limited::new(body, BODY_BYTES_MAX).collect());
        let bytes = match bytes.await {
            Ok(Ok(collected)) => collected.to_bytes(),
            Ok(Err(_)) => {
                return Err(Refusal::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "54000",
                    format!("a request has at most {BODY_BYTES_MAX} bytes, and arrives whole"),
                ));
            }
            Err(_) => {
                return Err(Refusal::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "57014",
                    "the request's body took too long; nothing was done",
                ));
            }
        };
        Self::from_bytes(&bytes)
    }

    fn from_bytes(bytes: &Bytes) -> Result<Self, Refusal> {
        serde_json::from_slice(bytes).map_err(|error| {
            Refusal::bad(format!(
                "the request is not what is expected: {error}. It is JSON such as {{\"sql\": \"SELECT 1\"}}, with database, purpose, case, parameters, timeout_ms, wait_ms"
            ))
        })
    }

    /// How long to wait for its answer.
    pub fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms).min(WAIT_MAX)
    }
}

/// Whoever asks, by their access key and its secret.
pub fn sign(headers: &HeaderMap) -> Result<Sign, Refusal> {
    let unknown = || {
        Refusal::new(
            StatusCode::UNAUTHORIZED,
            "28P01",
            "who asks says so by Authorization: Basic, with an access key and its secret",
        )
    };
    let given = headers.get(AUTHORIZATION).ok_or_else(unknown)?;
    let given = given.to_str().map_err(|_| unknown())?;
    let (scheme, encoded) = given.split_once(' ').ok_or_else(unknown)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(unknown());
    }
    let decoded = Zeroizing::new(BASE64.decode(encoded.trim()).map_err(|_| unknown())?);
    let text = std::str::from_utf8(&decoded).map_err(|_| unknown())?;
    let (user, password) = text.split_once(':').ok_or_else(unknown)?;
    let token = headers.get("x-amz-security-token");
    let token = token.map(|token| token.to_str().map(str::to_owned));
    Ok(Sign::Password {
        user: user.to_owned(),
        password: password.to_owned(),
        token: token.transpose().map_err(|_| unknown())?,
    })
}

/// Values for a statement's parameters.
pub fn values(
    prepared: &Prepared,
    stated: &BTreeMap<usize, DataType>,
    asked: &Asked,
) -> Result<Vec<ScalarValue>, Refusal> {
    let wanted = |at: usize| wanted(prepared, stated, at);
    let bound = asked.bound.iter().enumerate();
    let bound = bound.map(|(at, value)| fit(at + 1, value.clone(), wanted(at)));
    let given = asked.parameters.iter().enumerate();
    let given = given.map(|(at, value)| one_value(at + 1, value, wanted(at)));
    bound.chain(given).collect()
}

/// The type of a statement's parameter, if anything says it; the first is 0.
pub fn wanted(
    prepared: &Prepared,
    stated: &BTreeMap<usize, DataType>,
    at: usize,
) -> Option<DataType> {
    let planned = prepared.parameters().get(at).cloned().flatten();
    planned.or_else(|| stated.get(&(at + 1)).cloned())
}

fn one_value(
    number: usize,
    value: &Value,
    wanted: Option<DataType>,
) -> Result<ScalarValue, Refusal> {
    let unfit = |why: String| Refusal::bad(format!("the parameter ${number} {why}"));
    let plain = match value {
        Value::Null => ScalarValue::Null,
        Value::Bool(value) => ScalarValue::Boolean(Some(*value)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => ScalarValue::Int64(Some(whole)),
            (None, Some(float)) => ScalarValue::Float64(Some(float)),
            (None, None) => return Err(unfit("is a number that has no room".to_owned())),
        },
        Value::String(text) => ScalarValue::Utf8(Some(text.clone())),
        Value::Array(_) | Value::Object(_) => {
            return Err(unfit(
                "is a list or an object; it is null, true, false, a number or text".to_owned(),
            ));
        }
    };
    fit(number, plain, wanted)
}

fn fit(
    number: usize,
    value: ScalarValue,
    wanted: Option<DataType>,
) -> Result<ScalarValue, Refusal> {
    match wanted {
        None => Ok(value),
        Some(wanted) => value.cast_to(&wanted).map_err(|_| {
            Refusal::bad(format!(
                "the parameter ${number} is {value}, which is no {wanted}"
            ))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    use http::HeaderValue;

    #[test]
    fn what_is_not_known_is_refused() {
        let read = |text: &'static str| Asked::from_bytes(&Bytes::from_static(text.as_bytes()));
        assert_eq!(read(r#"{"sql": "SELECT 1"}"#).unwrap().sql, "SELECT 1");
        let full = r#"{"sql": "x", "wait_ms": 99999999, "parameters": [1, "a", null]}"#;
        let full = read(full).unwrap();
        assert_eq!((full.wait(), full.parameters.len()), (WAIT_MAX, 3));
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"sql": 1}"#,
            r#"{"sql": "x", "secret": 1}"#,
        ] {
            assert_eq!(
                read(bad).unwrap_err().status,
                StatusCode::BAD_REQUEST,
                "{bad}"
            );
        }
    }

    #[test]
    fn only_a_whole_credential_is_one() {
        let with = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(text).unwrap());
            sign(&headers)
        };
        let good = format!("Basic {}", STANDARD.encode("AKIA:a:b"));
        let Ok(Sign::Password { user, password, .. }) = with(&good) else {
            panic!("it is one");
        };
        assert_eq!((user.as_str(), password.as_str()), ("AKIA", "a:b"));
        let unpadded = format!("basic {}", STANDARD_NO_PAD.encode("AKIA:a:bc"));
        assert!(with(&unpadded).is_ok());
        for bad in [
            "Basic",
            "Basic !!!",
            "Bearer abc",
            &format!("Basic {}", STANDARD.encode("AKIA")),
            &format!("Basic {}", STANDARD.encode([0xff, b':', 1])),
        ] {
            assert_eq!(
                with(bad).unwrap_err().status,
                StatusCode::UNAUTHORIZED,
                "{bad}"
            );
        }
        assert!(sign(&HeaderMap::new()).is_err());
    }

    #[test]
    fn values_take_the_type_that_is_wanted() {
        let one = |value: Value, wanted| one_value(1, &value, wanted).map_err(|r| r.message);
        let day = one("2026-11-26".into(), Some(DataType::Date32)).unwrap();
        assert_eq!(day, ScalarValue::Date32(Some(20_783)));
        assert_eq!(one(7.into(), None).unwrap(), ScalarValue::Int64(Some(7)));
        let null = one(Value::Null, Some(DataType::Int32)).unwrap();
        assert_eq!(null, ScalarValue::Int32(None));
        let error = one("x".into(), Some(DataType::Int64)).unwrap_err();
        assert!(error.contains("$1"), "{error}");
        assert!(one(serde_json::json!([1]), None).is_err());
    }
}
